"""Pack any model file losslessly, and give it back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

from compress import files, kept
from compress.artifact import archive, container, model, restore, sources
from compress.artifact.archive import Archive
from compress.artifact.restore import Put, Restored
from compress.artifact.settings import Coder
from compress.artifact.sources import Source
from compress.errors import DataError, FormatError, OutputError

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

_PROTOBUF_LIMIT = (1 << 31) - (1 << 29)  # bytes of data; a larger model keeps it beside the file
_ALIGNMENT = 4096  # of data beside the file
_UNPACKED = "user.compress.unpacked"  # the attribute of a file that holds its SHA-256
_NAME_DIGITS = 16  # of a digest, in the name of such a file


def pack(
    source: Path,
    target: Path,
    metadata: Mapping[str, Any] | None = None,
    *,
    coder: Coder = "huffman",
    attached: Mapping[str, bytes] | None = None,
    force: bool = False,
    proves: bool = True,
) -> tuple[Path, ...]:
    """Pack an ONNX model, or a safetensors file of weights, into a compressed file.

    Args:
        source: a file that ends in .onnx or .safetensors; files beside it that hold its data are
            packed, too.
        target: the compressed file.
        metadata: what else the file should tell, as JSON's types (preprocessing, metrics).
        coder: huffman, or best: smaller, and slower to decode.
        attached: files that go with the model (a tokenizer), by name.
        force: let any file that is there give way, and not compressed files alone.
        proves: decode what is written, and compare it with what was packed, before it appears.

    Returns:
        All files that were packed, `source` first.

    Raises:
        DataError: when `source` cannot be read, or would not come back byte for byte.
        OutputError: when `target` cannot be written, or is another's file.
    """
    over = files.anything if force else container.is_packed
    files.guard(target, sources=(source,), over=over)
    opened = sources.open_source(source)
    files.guard(target, sources=[file.path for file in opened.files], over=over)
    name = os.fsencode(source.stem).decode(errors="replace")
    facts = {"model": name, **describe(opened.model), **(metadata or {})}
    archive.write(
        target,
        opened.model,
        facts,
        coder=coder,
        attached=attached,
        over=over,
        source=opened,
        check=(lambda written: _prove(written, opened)) if proves else None,
    )
    return tuple(file.path for file in opened.files)


def unpack(source: Path, target: Path | None = None, *, force: bool = False) -> Path:
    """Write what was packed, byte for byte, and return where the model is.

    Args:
        source: a compressed file.
        target: by default, `unpacked` of `source` with the ending that fits what it holds. Files
            that stood beside the model get their own names beside it.
        force: let any files that are there give way, and not those alone that have the same bytes
            or were unpacked before and are unaltered.

    Raises:
        FormatError: when `source` is not a compressed file.
        OutputError: when a file cannot be written, or is another's.
    """
    return unpack_all(source, target, force=force)[0]


def unpack_all(
    source: Path, target: Path | None = None, *, force: bool = False
) -> tuple[Path, ...]:
    """Do as `unpack` does, and return all files, the model first."""
    found = archive.read(source)
    weights = restore.is_weights(found)
    if target is None:
        target = unpacked_beside(source, ".safetensors" if weights else ".onnx")
    over = files.anything if force else None
    files.guard(target, sources=(source,), over=over)
    n_bytes = sum(layout.n_bytes for layout, _ in found.tensors)
    if found.assembly is None and not weights and n_bytes > _PROTOBUF_LIMIT:
        return _save_large(found, target, force=force)
    told, put_all = restore.files(found)
    paths = tuple(target.parent / file.name if file.name else target for file in told)
    if len({str(path).casefold() for path in paths}) < len(paths):
        raise OutputError(f"{target} is the name of a file beside the model, too; choose another")
    for path in paths[1:]:
        files.guard(path, sources=(source,), over=over)
    _write_all(paths, told, put_all, force=force)
    return paths


def packed_beside(source: Path) -> Path:
    """Return where the compressed file of a model goes unless it is told otherwise."""
    return source.parent / f"{source.stem}.packed.safetensors"  # "." has no name to change


def unpacked_beside(source: Path, ending: str) -> Path:
    """Return where the model of a compressed file goes unless it is told otherwise."""
    return source.parent / f"{source.stem.removesuffix('.packed')}.unpacked{ending}"


def n_bytes(path: Path) -> int:
    """Return the size of a model file and of the files beside it that hold its data."""
    return sum(file.stat().st_size for file in sources.files_of(path))


def describe(onnx_model: ModelProto) -> dict[str, Any]:
    """Return inputs and outputs as the metadata hold them: name, ONNX type, shape.

    A dimension is a number, a name, or null where the model does not tell.
    """
    weights = {tensor.name for tensor in onnx_model.graph.initializer}
    inputs = [value for value in onnx_model.graph.input if value.name not in weights]
    return {
        "inputs": [_describe_value(value) for value in inputs],
        "outputs": [_describe_value(value) for value in onnx_model.graph.output],
    }


def _describe_value(value: ValueInfoProto) -> dict[str, Any]:
    tensor = value.type.tensor_type
    shape = [
        d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim
    ]
    return {"name": value.name, "type": tensor.elem_type, "shape": shape}


def _prove(written: Path, opened: Source) -> None:
    """Raise `DataError` unless a compressed file gives back all that was opened."""
    try:
        restore.require_same(archive.read(written), opened)
    except FormatError as error:
        path = opened.files[0].path
        raise DataError(f"{path} would not come back; nothing was written: {error}") from error


def _write_all(
    paths: tuple[Path, ...],
    told: tuple[Restored, ...],
    put_all: Callable[[Put], None],
    *,
    force: bool,
) -> None:
    """Write all files before one of them gets its name, the model last."""
    over = files.anything if force else _is_own
    order = [*range(1, len(paths)), 0]
    lock = Lock()
    with files.writing_all(*(files.Target(path=paths[i], over=over) for i in order)) as opened:
        streams = dict(zip(order, opened, strict=True))

        def put(file: int, begin: int, data: bytes | memoryview) -> None:
            with lock:
                streams[file].seek(begin)
                streams[file].write(data)

        put_all(put)
        for index, stream in streams.items():
            stream.flush()
            expected, digest = told[index].sha256, kept.sha256(Path(stream.name))
            if expected is not None and digest != expected:
                raise FormatError(f"what is packed of {paths[index]} does not have its SHA-256")
            _mark(stream, digest)


def _mark(stream: IO[bytes], digest: bytes) -> None:
    """Note in a file's attributes that it was unpacked, where its system keeps such."""
    if hasattr(os, "setxattr"):
        with suppress(OSError):
            os.setxattr(stream.fileno(), _UNPACKED, digest)


def _is_own(path: Path) -> bool:
    """Return whether a file was unpacked before and is as it was then."""
    if not hasattr(os, "getxattr"):
        return False
    try:
        return os.getxattr(path, _UNPACKED) == kept.sha256(path)
    except OSError:
        return False


def _save_large(found: Archive, target: Path, *, force: bool) -> tuple[Path, ...]:
    """Write a model that is too large for one message; its data's file is named by its content."""
    over = files.anything if force else files.nothing
    digest = found.container.metadata["sha256"][:_NAME_DIGITS]
    paths = target.with_name(f"{target.name}.{digest}.data"), target
    restored = archive.restore(found)
    with files.writing_all(*(files.Target(path=path, over=over) for path in paths)) as opened:
        beside, graph = opened
        for tensor in restored.graph.initializer:
            data = tensor.raw_data
            if len(data) >= _ALIGNMENT:
                beside.seek(-(-beside.tell() // _ALIGNMENT) * _ALIGNMENT)
                model.refer(tensor, paths[0].name, beside.tell(), len(data))
                beside.write(data)
        graph.write(restored.SerializeToString())
    return target, paths[0]
