"""A compressed file to a ready ONNX Runtime session, without torch and without a second copy.

Each large tensor is decoded straight into a file in memory (or, where there is no such place, in
the temporary folder), which ONNX Runtime maps and uses in place. The files lose their names as soon
as the session stands; the memory of each goes when the session no longer uses it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact import archive, model
from compress.artifact.archive import Archive
from compress.artifact.model import Layout
from compress.artifact.values import Items
from compress.errors import DataError, FormatError, OutputError, require
from compress.preprocess import Preprocessing

if TYPE_CHECKING:
    import onnxruntime

_MAX_THREADS = 1024
_MAX_REASON = 300  # characters of ONNX Runtime's message
_INLINE_BYTES = 4096  # smaller tensors stay in the graph, where shape inference can read them
_SHARED_MEMORY = Path("/dev/shm")  # Linux's file system in memory


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of a network."""

    name: str
    type: str  #: ONNX Runtime's name, as in "tensor(float)"
    shape: tuple[int | str | None, ...]  #: a name or None where any size goes


class Session:
    """A network that is ready to run."""

    def __init__(self, session: onnxruntime.InferenceSession, metadata: Mapping[str, Any]) -> None:
        self._session = session
        self.metadata = metadata
        self.inputs = tuple(map(_value, session.get_inputs()))
        self.outputs = tuple(map(_value, session.get_outputs()))

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

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network on named inputs and return its outputs by name.

        Raises:
            DataError: when the inputs do not fit the network.
        """
        try:
            outputs = self._session.run(None, dict(inputs))
        except Exception as error:  # ONNX Runtime's errors share no public base
            raise DataError(f"the network refuses its input: {_reason(error)}") from error
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
    options = _options(threads, prepack=prepack)
    if path.suffix == ".onnx":
        if not path.is_file():
            raise DataError(f"{path} is not a file")
        session = _create(path, path, options, providers)
        return Session(session, {"model": session.get_modelmeta().graph_name})
    found = archive.read(path, check=check)
    if not found.graph.graph.node:
        raise FormatError(f"{path} holds weights and no network; unpack gives them back")
    try:
        with tempfile.TemporaryDirectory(prefix="compress-", dir=_place(found)) as folder:
            graph = Path(folder) / "graph.onnx"
            _lay_out(found, graph)
            session = _create(path, graph, options, providers)
    except OSError as error:
        raise OutputError(f"no room for the weights of {path}: {error}") from error
    return Session(session, found.container.metadata)


def _lay_out(found: Archive, graph: Path) -> None:
    """Write the graph, and beside it the large tensors, each decoded into a file of its own."""
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
    graph.write_bytes(found.graph.SerializeToString())


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


def _place(found: Archive) -> Path | None:
    """Return the folder in memory if the weights fit there, else None: the temporary folder."""
    needed = sum(layout.n_bytes for layout, _ in found.tensors)
    if not os.access(_SHARED_MEMORY, os.W_OK):
        return None
    return _SHARED_MEMORY if shutil.disk_usage(_SHARED_MEMORY).free > 2 * needed else None


def _options(threads: int | None, *, prepack: bool) -> onnxruntime.SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors are raised; warnings are not the user's to mend
    if not prepack:
        options.add_session_config_entry("session.disable_prepacking", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
    return options


def _create(
    path: Path, graph: Path, options: onnxruntime.SessionOptions, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=list(providers))
    except Exception as error:  # ONNX Runtime's errors share no public base
        raise FormatError(f"{path} is no network for ONNX Runtime: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return ONNX Runtime's message in one line, without codes and places in its source."""
    line = " ".join(str(error).split()) or type(error).__name__
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", line)
    return re.sub(r"\S+\.(cc|h):\d+ \S+( \S+\([^)]*\))? ?", "", line)[:_MAX_REASON]


def _value(value: onnxruntime.NodeArg) -> Value:
    return Value(value.name, value.type, tuple(value.shape))
