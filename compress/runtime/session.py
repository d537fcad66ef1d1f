"""A compressed file to a ready ONNX Runtime session, without torch and without a second copy.

Each large tensor is decoded straight into a file in memory (or, where there is no such place, in
the temporary folder), which ONNX Runtime maps and uses in place. The files lose their names as soon
as the session stands; the memory of each goes when the session no longer uses it.

ONNX Runtime reads some tensors before it maps any (a shape, a scale that decides one), and which
depends on the operator. Where it refuses the files, the tensors stand in the graph.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress import limits
from compress.artifact import archive, facts, model
from compress.artifact.archive import Archive
from compress.artifact.model import Layout
from compress.artifact.values import Items
from compress.errors import DataError, FormatError, OutputError, require
from compress.preprocess import Preprocessing
from compress.runtime import ort
from compress.runtime.folder import places, temporary
from compress.runtime.inputs import Value, fitted

if TYPE_CHECKING:
    import onnxruntime
    from onnx import TensorProto

_MAX_THREADS = 1024
_INLINE_BYTES = 4096  # smaller tensors stay in the graph, where shape inference can read them
_MAX_GRAPH = 1 << 30  # bytes that go into the graph where files are refused; protobuf ends at 2 GiB
# Address space: each weight stands where it is decoded, and where ONNX Runtime uses it.
_OPEN, _OPEN_BASE = 2, 64 << 20


class Session:
    """A network that is ready to run."""

    def __init__(self, session: onnxruntime.InferenceSession, metadata: Mapping[str, Any]) -> None:
        self._session = session
        self._metadata = metadata
        self._inputs = tuple(map(_value, session.get_inputs()))
        self._outputs = tuple(map(_value, session.get_outputs()))
        self._overridable = tuple(map(_value, session.get_overridable_initializers()))

    @property
    def inputs(self) -> tuple[Value, ...]:
        """What `run` must be given, in the network's order."""
        return self._inputs

    @property
    def outputs(self) -> tuple[Value, ...]:
        """What `run` returns, in the network's order."""
        return self._outputs

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What else the file tells: model, task, labels, preprocessing, metrics.

        A plain .onnx file tells its model's name, and more only where `compress run` wrote it.
        """
        return self._metadata

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers that ONNX Runtime chose, best first."""
        return tuple(self._session.get_providers())

    def preprocessing(self) -> Preprocessing:
        """Return what an image needs before the network takes it, as the file tells.

        Raises:
            DataError: when the file tells nothing of images.
        """
        stored = self.metadata.get("preprocessing")
        if not isinstance(stored, Mapping):
            raise DataError("the file does not tell how an image becomes its input; give an .npy")
        return Preprocessing.from_json(stored)

    def run(self, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Run the network on named inputs and return its outputs by name.

        Args:
            inputs: arrays, or what numpy makes one of. Byte order and layout are free; a type is
                converted where each value keeps its meaning (float64 to float32, int64 to int32).

        Raises:
            DataError: when the inputs do not fit the network.
        """
        arrays = fitted(inputs, self._inputs, self._overridable)
        try:
            outputs = self._session.run(None, arrays, ort.run_options())
        except Exception as error:  # ONNX Runtime's errors share no public base
            raise DataError(f"the network refuses its input: {ort.reason(error)}") from error
        return dict(zip((value.name for value in self.outputs), outputs, strict=True))


def load(
    path: Path | str,
    *,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    threads: int | None = None,
    prepack: bool = False,
    check: bool = True,
) -> Session:
    """Open a compressed file as a session that is ready to run.

    Args:
        path: a compressed file, or a plain .onnx file.
        providers: ONNX Runtime's execution providers, best first.
        threads: threads within an operator; by default one a core.
        prepack: let ONNX Runtime keep a second copy of the weights in its own order; a run is
            then somewhat faster, and up to twice the memory is taken.
        check: compare the file's SHA-256 first.

    Raises:
        DataError: when there is no such file.
        FormatError: when it is not a compressed file, was altered, or is no valid network.
        OutputError: when there is no room for the decoded weights.
    """
    path = Path(path)
    require(
        threads is None or 1 <= threads <= _MAX_THREADS,
        "threads",
        f"in [1, {_MAX_THREADS}]",
        threads,
    )
    options = ort.options(threads, prepack=prepack)
    chosen = ort.known(providers)
    if path.suffix == ".onnx":
        if not path.is_file():
            raise DataError(f"{path} is not a file")
        session = _create(path, path, options, chosen)
        return Session(session, _told(session))
    found = archive.read(path, check=check)
    if not found.graph.graph.node:
        raise FormatError(f"{path} holds weights and no network; unpack gives them back")
    needed = sum(layout.n_bytes for layout, _ in found.tensors)
    limits.require_memory(f"opening {path}", 0, _OPEN * needed + _OPEN_BASE)
    candidates = places(needed)
    for place in candidates:
        try:
            with temporary(place) as beside:
                session = _opened(found, beside / "graph.onnx", options, chosen)
            break
        except OSError as error:
            if place == candidates[-1]:
                raise OutputError(f"no room for the weights of {path}: {error}") from error
            found = archive.read(path, check=False)  # the other one's graph refers to its files
    return Session(session, {**_told(session), **found.container.metadata})


def _opened(
    found: Archive, graph: Path, options: onnxruntime.SessionOptions, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    """Lay the network out beside `graph` and open it."""
    path = found.container.path
    beside = _lay_out(found, graph)
    _write(found, graph)
    try:
        return _create(path, graph, options, providers)
    except FormatError:
        if not beside:
            raise
    _take_in(beside, graph)
    _write(found, graph)
    return _create(path, graph, options, providers)


def _lay_out(found: Archive, graph: Path) -> dict[int, TensorProto]:
    """Decode small tensors into the graph, and large ones into files beside it, named by number."""
    initializers = {id(tensor): tensor for tensor in found.graph.graph.initializer}
    empty = [t for t in model.tensors(found.graph) if model.missing(t) is not None]
    apart = {
        index
        for index, (tensor, (layout, _)) in enumerate(zip(empty, found.tensors, strict=True))
        if layout.n_bytes >= _INLINE_BYTES and id(tensor) in initializers
    }
    inline: dict[int, Items] = {}

    def place(index: int, layout: Layout) -> Items:
        if index in apart:
            return _mapped(graph.with_name(str(index)), layout)
        inline[index] = np.empty(layout.count, layout.item.dtype)
        return inline[index]

    archive.decode_into(found, place)
    for index in apart:
        model.refer(empty[index], str(index), 0, found.tensors[index][0].n_bytes)
    for index, items in inline.items():
        model.put_data(empty[index], items.tobytes())
    return {index: empty[index] for index in apart}


def _take_in(beside: Mapping[int, TensorProto], graph: Path) -> None:
    """Take tensors from their files into the graph, the smallest first, as many as it holds."""
    room = _MAX_GRAPH
    files = {graph.with_name(str(index)): tensor for index, tensor in beside.items()}
    for file, tensor in sorted(files.items(), key=lambda item: item[0].stat().st_size):
        room -= file.stat().st_size
        if room < 0:
            break
        model.take_in(tensor, file.read_bytes())
        file.unlink()


def _write(found: Archive, graph: Path) -> None:
    try:
        data = found.graph.SerializeToString()
    except Exception as error:  # protobuf's, which its versions do not agree on
        raise FormatError(
            f"{found.container.path} holds 2 GiB or more within its graph; unpack gives it back"
        ) from error
    graph.write_bytes(data)


def _mapped(path: Path, layout: Layout) -> Items:
    """Return the items of a new file."""
    with path.open("xb") as file:
        _allocate(file.fileno(), layout.n_bytes)
    return np.memmap(path, layout.item.dtype, "r+")


def _allocate(file: int, n_bytes: int) -> None:
    """Give a file its size; where the system can, a full disk shows here and not as a crash."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, n_bytes)
    else:
        os.ftruncate(file, n_bytes)


def _create(
    path: Path, graph: Path, options: onnxruntime.SessionOptions, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    try:
        return ort.module().InferenceSession(str(graph), options, providers=list(providers))
    except Exception as error:  # ONNX Runtime's errors share no public base
        told = ort.reason(error).replace(str(graph), str(path))
        raise FormatError(f"{path} is no network for ONNX Runtime: {told}") from error


def _told(session: onnxruntime.InferenceSession) -> dict[str, Any]:
    """Return what a graph tells of itself; facts that are not ours are left alone."""
    told = session.get_modelmeta()
    return {"model": told.graph_name, **facts.from_entries(told.custom_metadata_map)}


def _value(value: onnxruntime.NodeArg) -> Value:
    return Value(value.name, value.type, tuple(value.shape))
