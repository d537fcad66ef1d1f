"""Pack any model file losslessly, and give it back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compress import files
from compress.artifact import archive, model
from compress.errors import DataError, FormatError, OutputError

if TYPE_CHECKING:
    from onnx import ModelProto

_PROTOBUF_LIMIT = (1 << 31) - (1 << 20)  # bytes; a larger model keeps its data beside the file

# safetensors' names of types -> ONNX's numbers; raw bytes agree.
_ONNX_TYPES = {
    "F64": 11, "F32": 1, "F16": 10, "BF16": 16, "I64": 7, "I32": 6, "I16": 5, "I8": 3,
    "U64": 13, "U32": 12, "U16": 4, "U8": 2, "BOOL": 9, "F8_E4M3": 17, "F8_E5M2": 19,
}  # fmt: skip
_SERIALIZED = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32",
    "U16": "uint16", "U8": "uint8", "BOOL": "bool", "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}  # fmt: skip
_WEIGHTS = "safetensors"  # the producer's name of a model that stands for a file of weights


def pack(source: Path, target: Path, metadata: Mapping[str, Any] | None = None) -> None:
    """Pack an ONNX model, or a safetensors file of weights, into a compressed file.

    Args:
        source: a file that ends in .onnx or .safetensors.
        target: the compressed file.
        metadata: what else the file should tell, as JSON's types (preprocessing, metrics).

    Raises:
        DataError: when `source` cannot be read.
        OutputError: when `target` cannot be written.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise OutputError(f"{target} would overwrite what is packed; choose another -o")
    match source.suffix:
        case ".onnx":
            packed = model.load_onnx(source)
        case ".safetensors":
            packed = _load_weights(source)
        case _:
            raise DataError(f"{source} does not end in .onnx or .safetensors")
    facts = {"model": source.stem, **describe(packed), **(metadata or {})}
    archive.write(target, packed, facts)


def unpack(source: Path, target: Path | None = None) -> Path:
    """Write the model that a compressed file holds, bit for bit, and return where.

    Args:
        source: a compressed file.
        target: by default, `source` with the ending that fits what it holds.

    Raises:
        FormatError: when `source` is not a compressed file.
        OutputError: when `target` cannot be written.
    """
    found = archive.read(source)
    is_weights = found.graph.producer_name == _WEIGHTS and not found.graph.graph.node
    if target is None:
        # A file of weights would take the compressed file's own name.
        target = source.with_suffix(".weights.safetensors" if is_weights else ".onnx")
    restored = archive.restore(found)
    if is_weights:
        files.write_bytes(target, _weights(restored))
    else:
        _save_onnx(restored, target)
    return target


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


def _describe_value(value: Any) -> dict[str, Any]:
    tensor = value.type.tensor_type
    shape = [
        d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim
    ]
    return {"name": value.name, "type": tensor.elem_type, "shape": shape}


def _load_weights(path: Path) -> ModelProto:
    """Read a safetensors file as a model of initializers only."""
    from onnx import ModelProto  # noqa: PLC0415
    from safetensors import SafetensorError, deserialize, safe_open  # noqa: PLC0415

    if not path.is_file():
        raise DataError(f"{path} is not a file")
    try:
        with safe_open(path, "numpy") as file:
            facts = file.metadata() or {}
        loaded = deserialize(path.read_bytes())
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} is not a readable safetensors file: {error}") from error
    if "compress" in facts:
        raise DataError(f"{path} is packed already")
    out = ModelProto(producer_name=_WEIGHTS)
    for name, tensor in loaded:
        if tensor["dtype"] not in _ONNX_TYPES:
            raise DataError(f"{path}: {name} has the type {tensor['dtype']}, which is not known")
        kind = _ONNX_TYPES[tensor["dtype"]]
        out.graph.initializer.add(
            name=name, data_type=kind, dims=tensor["shape"], raw_data=bytes(tensor["data"])
        )
    for key in sorted(facts):
        out.metadata_props.add(key=key, value=facts[key])
    return out


def _weights(restored: ModelProto) -> bytes:
    from safetensors import TensorSpec, serialize  # noqa: PLC0415

    names = {number: _SERIALIZED[name] for name, number in _ONNX_TYPES.items()}
    data = {
        tensor.name: np.frombuffer(tensor.raw_data, np.uint8)
        for tensor in restored.graph.initializer
    }
    try:
        tensors = {
            tensor.name: TensorSpec(
                dtype=names[tensor.data_type],
                shape=list(tensor.dims),
                data_ptr=data[tensor.name].ctypes.data,
                data_len=data[tensor.name].nbytes,
            )
            for tensor in restored.graph.initializer
        }
    except KeyError as error:
        raise FormatError(f"weights of the ONNX type {error} have no safetensors type") from error
    facts = {entry.key: entry.value for entry in restored.metadata_props}
    return bytes(serialize(tensors, facts or None))


def _save_onnx(restored: ModelProto, target: Path) -> None:
    if restored.ByteSize() < _PROTOBUF_LIMIT:
        files.write_bytes(target, restored.SerializeToString())
        return
    from onnx.external_data_helper import (  # noqa: PLC0415
        convert_model_to_external_data,
        write_external_data_tensors,
    )

    convert_model_to_external_data(restored, location=f"{target.name}.data")
    write_external_data_tensors(restored, str(target.parent))
    files.write_bytes(target, restored.SerializeToString())
