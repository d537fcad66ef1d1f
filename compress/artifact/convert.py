"""Pack any model file losslessly, and give it back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compress import files
from compress.artifact import archive, container, model
from compress.artifact.settings import Coder
from compress.errors import DataError, FormatError

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

_PROTOBUF_LIMIT = (1 << 31) - (1 << 29)  # bytes of data; a larger model keeps it beside the file
_ALIGNMENT = 4096  # of data beside the file

# ONNX's type, safetensors' name of it in a file, and in its library; raw bytes agree.
_TYPES = (
    (1, "F32", "float32"), (2, "U8", "uint8"), (3, "I8", "int8"), (4, "U16", "uint16"),
    (5, "I16", "int16"), (6, "I32", "int32"), (7, "I64", "int64"), (9, "BOOL", "bool"),
    (10, "F16", "float16"), (11, "F64", "float64"), (12, "U32", "uint32"), (13, "U64", "uint64"),
    (14, "C64", "complex64"), (16, "BF16", "bfloat16"), (17, "F8_E4M3", "float8_e4m3fn"),
    (18, "F8_E4M3FNUZ", "float8_e4m3fnuz"), (19, "F8_E5M2", "float8_e5m2"),
    (20, "F8_E5M2FNUZ", "float8_e5m2fnuz"), (24, "F8_E8M0", "float8_e8m0fnu"),
)  # fmt: skip
_WEIGHTS = "safetensors"  # the producer's name of a model that stands for a file of weights


def pack(
    source: Path,
    target: Path,
    metadata: Mapping[str, Any] | None = None,
    *,
    coder: Coder = "huffman",
    attached: Mapping[str, bytes] | None = None,
    force: bool = False,
) -> None:
    """Pack an ONNX model, or a safetensors file of weights, into a compressed file.

    Args:
        source: a file that ends in .onnx or .safetensors.
        target: the compressed file.
        metadata: what else the file should tell, as JSON's types (preprocessing, metrics).
        coder: huffman, or best: smaller, and slower to decode.
        attached: files that go with the model (a tokenizer), by name.
        force: let any file that is there give way, and not compressed files alone.

    Raises:
        DataError: when `source` cannot be read.
        OutputError: when `target` cannot be written, or is another's file.
    """
    over = files.anything if force else container.is_packed
    files.guard(target, sources=(source,), over=over)
    match source.suffix:
        case ".onnx":
            packed = model.load_onnx(source)
        case ".safetensors":
            packed = _load_weights(source)
        case _:
            raise DataError(f"{source} does not end in .onnx or .safetensors")
    name = os.fsencode(source.stem).decode(errors="replace")
    facts = {"model": name, **describe(packed), **(metadata or {})}
    archive.write(target, packed, facts, coder=coder, attached=attached, over=over)


def unpack(source: Path, target: Path | None = None, *, force: bool = False) -> Path:
    """Write the model that a compressed file holds, bit for bit, and return where.

    Args:
        source: a compressed file.
        target: by default, `unpacked` of `source` with the ending that fits what it holds.
        force: let a file that is there give way, even if its bytes are others.

    Raises:
        FormatError: when `source` is not a compressed file.
        OutputError: when `target` cannot be written, or is another's file.
    """
    found = archive.read(source)
    is_weights = found.graph.producer_name == _WEIGHTS and not found.graph.graph.node
    if target is None:
        target = unpacked_beside(source, ".safetensors" if is_weights else ".onnx")
    over = files.anything if force else files.nothing
    files.guard(target, sources=(source,), over=files.anything if force else None)
    restored = archive.restore(found)
    if is_weights:
        files.write_bytes(target, _weights(restored), over=over)
    else:
        _save_onnx(restored, target, sum(layout.n_bytes for layout, _ in found.tensors), over)
    return target


def packed_beside(source: Path) -> Path:
    """Return where the compressed file of a model goes unless it is told otherwise."""
    return source.parent / f"{source.stem}.packed.safetensors"  # "." has no name to change


def unpacked_beside(source: Path, ending: str) -> Path:
    """Return where the model of a compressed file goes unless it is told otherwise."""
    return source.parent / f"{source.stem.removesuffix('.packed')}.unpacked{ending}"


def n_bytes(path: Path) -> int:
    """Return the size of a model file and of the files beside it that hold its data."""
    total = path.stat().st_size
    if path.suffix == ".onnx":
        beside = {path.parent / place for place in model.outside(path)} - {path}
        total += sum(file.stat().st_size for file in beside)
    return total


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


def _load_weights(path: Path) -> ModelProto:
    """Read a safetensors file as a model of initializers only."""
    from onnx import ModelProto
    from safetensors import SafetensorError, deserialize, safe_open

    if not path.is_file():
        raise DataError(f"{path} is not a file")
    try:
        with safe_open(path, "numpy") as file:
            facts = file.metadata() or {}
        loaded = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]  # safetensors has none
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} is not a readable safetensors file: {error}") from error
    if "compress" in facts:
        raise DataError(f"{path} is packed already")
    out = ModelProto(producer_name=_WEIGHTS)
    kinds = {name: number for number, name, _ in _TYPES}
    for name, tensor in sorted(loaded, key=itemgetter(0)):  # they come in any order
        if tensor["dtype"] not in kinds:
            raise DataError(f"{path}: {name} has the type {tensor['dtype']}, which is not known")
        kind, data = kinds[tensor["dtype"]], bytes(tensor["data"])
        out.graph.initializer.add(name=name, data_type=kind, dims=tensor["shape"], raw_data=data)
    for key in sorted(facts):
        out.metadata_props.add(key=key, value=facts[key])
    return out


def _weights(restored: ModelProto) -> bytes:
    from safetensors import SafetensorError, TensorSpec, serialize

    kinds = {number: name for number, _, name in _TYPES}
    data = [np.frombuffer(tensor.raw_data, np.uint8) for tensor in restored.graph.initializer]
    try:
        specs = {
            tensor.name: TensorSpec(
                dtype=kinds[tensor.data_type],
                shape=list(tensor.dims),
                data_ptr=items.ctypes.data,
                data_len=items.nbytes,
            )
            for tensor, items in zip(restored.graph.initializer, data, strict=True)
        }
        facts = {entry.key: entry.value for entry in restored.metadata_props}
        return bytes(serialize(specs, facts or None))
    except (SafetensorError, KeyError, TypeError, OverflowError) as error:
        raise FormatError(f"the weights do not fit a safetensors file: {error}") from error


def _save_onnx(restored: ModelProto, target: Path, n_bytes: int, over: files.Over) -> None:
    if n_bytes > _PROTOBUF_LIMIT:
        beside = target.with_name(f"{target.name}.data")
        with files.writing(beside, over=over) as stream:
            for tensor in restored.graph.initializer:
                data = tensor.raw_data
                if len(data) >= _ALIGNMENT:
                    stream.seek(-(-stream.tell() // _ALIGNMENT) * _ALIGNMENT)
                    model.refer(tensor, beside.name, stream.tell(), len(data))
                    stream.write(data)
    files.write_bytes(target, restored.SerializeToString(), over=over)
