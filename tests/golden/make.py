"""Make the goldens of the current formats: `python -m tests.golden.make`.

Two formats are written: 3, and 4 where files have other bytes than the model alone gives.

A golden is made once, when its format is new, and stays for ever: what is there is not replaced.
"""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compress.artifact import convert
from compress.artifact import model as tensors_of
from compress.artifact.settings import Coder

HERE = Path(__file__).parent
BESIDE = HERE / "v4.data"
METADATA = {
    "model": "golden ä",
    "preprocessing": {"crop": [8, 8], "mode": "L", "scale": 1 / 255},
    "metrics": {"accuracy": 0.9, "note": None},
}
ATTACHED = {"vocabulary/ä.txt": b"one\ntwo\n" * 100, "empty": b""}
TODAY = ("v3", "v4")  # the formats that are written
CODERS: tuple[Coder, ...] = ("huffman", "best")
RNG = np.random.Generator(np.random.PCG64(7))
PACKED = ("INT4", "UINT4", "FLOAT4E2M1", "INT2", "UINT2", "FLOAT6E2M3", "FLOAT6E3M2")
NAN_PAYLOADS = np.array([0x7F800001, 0xFFC12345, 0x80000000, 1, 0x7F800000], np.uint32)


def main() -> int:
    """Write the golden models and their packed files, one for each coder; what is there stays."""
    plain = {name: HERE / f"{name}.onnx" for name in TODAY}
    new = [name for name in TODAY if not plain[name].exists()]
    for name in new:
        model = golden_model()
        plain[name].write_bytes(model.SerializeToString() if name == "v3" else in_two_files(model))
    for name, coder in itertools.product(new, CODERS):
        packed = HERE / f"{name}-{coder}.safetensors"
        convert.pack(plain[name], packed, METADATA, coder=coder, attached=ATTACHED)
    if not new:
        sys.stderr.write(f"{plain[TODAY[0]]} and the others are there and stay\n")
    return 0 if new else 1


def in_two_files(model: onnx.ModelProto) -> bytes:
    """Return a part of the model as others write it, some of its data in a file beside it."""
    model.graph.initializer.sort(key=lambda tensor: tensor.name)
    chosen = [t for t in model.graph.initializer if len(t.raw_data) in range(200, 6000)][::3]
    out, data = onnx.ModelProto(ir_version=10, producer_name="others"), b"\0" * 700
    out.graph.node.extend(model.graph.node)
    for number, tensor in enumerate(chosen):
        copy = out.graph.initializer.add()
        copy.CopyFrom(tensor)
        if number % 2:
            data += b"between" + bytes(number * 40)
            tensors_of.refer(copy, BESIDE.name, len(data), len(tensor.raw_data))
            data += tensor.raw_data
    BESIDE.write_bytes(data + b"behind")
    graph = out.graph.SerializeToString()
    out.ClearField("graph")
    field = b"\x3a" + bytes(
        [len(graph) >> 7 * i & 127 | 128 for i in range(4)] + [len(graph) >> 28]
    )
    return field + graph + out.SerializeToString() + b"\x98\x06\x01"


def golden_model() -> onnx.ModelProto:
    """Return a model with every form, type, field and place of a tensor."""
    graph = onnx.GraphProto(name="golden")
    graph.initializer.extend([*forms(), *types(), *fields(), *oddities()])
    graph.sparse_initializer.append(sparse())
    graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor("c", floats(40))))
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node("Identity", [name], [f"{name}_out"])],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, [30])],
            [tensor(name, floats(30))],
        )
        for name in ("then", "else")
    }
    graph.node.append(helper.make_node("If", ["condition"], ["if"], **branches))
    graph.node.append(
        helper.make_node("Many", ["x"], ["y"], domain="golden", tensors=[tensor("", floats(20))])
    )
    graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8, None]))
    graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))
    model = helper.make_model(graph, producer_name="golden")
    model.functions.append(
        helper.make_function(
            "golden",
            "Many",
            ["a"],
            ["b"],
            [helper.make_node("Constant", [], ["b"], value=tensor("in function", floats(50)))],
            [],
        )
    )
    return model


def forms():
    """Yield tensors that are coded in each of the forms."""
    books = {"codebook": np.sort(floats(11)), "planes": None}
    for name, book in books.items():

        def draw(shape, book=book):
            n = int(np.prod(shape))
            drawn = floats(n) if book is None else book[skewed(n, len(book))]
            return drawn.reshape(shape)

        large, zero, noise = draw((32, 40)), np.float32(0), RNG.random((32, 40))
        columns = np.arange(40)
        yield tensor(f"all {name}", large)
        yield tensor(f"gaps {name}", np.where(noise < 0.05, large, zero).ravel())
        yield tensor(f"mask {name}", np.where(noise < 0.45, large, zero))
        block = np.where((noise < 0.3) & (columns < 8), large, zero)
        yield tensor(f"gaps, transposed {name}", block)
        yield tensor(f"mask, transposed {name}", np.where(columns % 5 < 2, large, zero))
    yield tensor("constant", np.full((20, 30), 0.1, np.float32))
    yield tensor("zeros", np.zeros((20, 30), np.float32))
    yield tensor("uniform codes", np.resize(books["codebook"][:8], 600))
    yield tensor("long runs", np.eye(1, 30_000, 29_999, dtype=np.uint8))
    yield tensor("large codebook", np.resize(floats(400), 4000))
    rounded = floats(60).astype(np.float16).astype(np.float32)
    yield tensor("rounded codebook", rounded[skewed(3000, 60, 0.1)])
    yield tensor("chunks", 1 + skewed(132_000, 3, 0.9).astype(np.uint8))
    yield tensor("own stream", floats(20_000))
    yield from levels()
    yield tensor("blocks", blocks())


def levels():
    """Yield tensors whose levels are worth mixing."""
    book = np.sort(floats(31))
    rows = np.abs(RNG.normal(0, 5, (60, 1, 1, 1))) * np.abs(RNG.normal(0, 1, (1, 10, 3, 3)))
    drawn = np.round(RNG.normal(0, 1, (60, 10, 3, 3)) * rows).astype(int)
    kernel = book[np.clip(15 + drawn, 0, 30)] * (drawn != 0)
    yield tensor("levels of a kernel", kernel)
    yield tensor("levels of a matrix", kernel.reshape(60, 90)[:, ::-1])
    yield tensor("levels of a row", kernel.ravel()[:3000])
    yield tensor("levels of signed bytes", np.clip(3 * drawn, -128, 127).astype(np.int8))
    yield tensor("levels of bytes", np.clip(128 + 3 * drawn, 0, 255).astype(np.uint8))
    yield tensor("levels of halves", kernel.astype(np.float16))
    yield tensor("levels of doubles", kernel.astype(float))
    wide = np.round(RNG.normal(0, 1, (60, 90)) * rows.reshape(60, 90) * 40) / 64
    yield tensor("levels of many", wide.astype(np.float32))


def blocks():
    """Return bytes whose statistics change: skewed ones, equal ones, some values, noise."""
    size = 1 << 16
    parts = (
        1 + skewed(size, 9),
        np.full(size, 7),
        4 + np.arange(size) * 40503 % size // (size // 4),
        RNG.integers(0, 256, 3000),
    )
    return np.concatenate(parts).astype(np.uint8)


def types():
    """Yield a tensor of each ONNX type."""
    for size in (300, 37):
        bits = RNG.integers(0, 256, 16 * size, np.uint8).tobytes()
        for name, kind in TensorProto.DataType.items():
            if kind not in (TensorProto.UNDEFINED, TensorProto.STRING):
                width = helper.tensor_dtype_to_np_dtype(kind).itemsize
                n_bits = int(re.findall(r"\d+", name)[0]) if name in PACKED else 8 * width
                raw = bits[: -(-size * n_bits // 8)]
                yield TensorProto(name=f"{name} {size}", data_type=kind, dims=[size], raw_data=raw)
    yield tensor("bool", RNG.random(300) < 0.5)
    yield tensor("counting", np.arange(300, dtype=np.int64))
    yield tensor("bfloat16", floats(500).astype(ml_dtypes.bfloat16))
    yield tensor("float16", floats(500).astype(np.float16))
    yield tensor("float8", floats(500).astype(ml_dtypes.float8_e4m3fn))
    yield tensor("int4", RNG.integers(-8, 8, (13, 19)).astype(ml_dtypes.int4))
    yield tensor("uint4, few", (RNG.random((41, 9)) < 0.1).astype(ml_dtypes.uint4))
    yield helper.make_tensor("strings", TensorProto.STRING, [2], [b"a\xff", "ä".encode()])


def fields():
    """Yield tensors whose data stand in each of the typed fields."""
    yield helper.make_tensor("float_data", TensorProto.FLOAT, [6, 5], floats(30))
    yield helper.make_tensor("double_data", TensorProto.DOUBLE, [30], floats(30).astype(float))
    yield helper.make_tensor("int64_data", TensorProto.INT64, [30], np.arange(-15, 15))
    yield helper.make_tensor("complex", TensorProto.COMPLEX64, [20], floats(20) * (1 + 2j))
    for kind in ("INT32", "INT16", "INT8", "UINT16", "UINT8", "BOOL"):
        values = np.arange(-64, 64) if kind.startswith("I") else np.arange(128)
        kept = values % 2 if kind == "BOOL" else values
        yield helper.make_tensor(
            f"int32_data {kind}", TensorProto.DataType.Value(kind), [128], kept
        )
    for kind in ("FLOAT16", "BFLOAT16", "FLOAT8E5M2", "UINT4"):
        number, dims = TensorProto.DataType.Value(kind), [256 if kind == "UINT4" else 128]
        yield TensorProto(
            name=f"int32_data {kind}", data_type=number, dims=dims, int32_data=range(128)
        )
    for kind in ("UINT32", "UINT64"):
        number = TensorProto.DataType.Value(kind)
        yield helper.make_tensor(f"uint64_data {kind}", number, [40], range(2**32 - 40, 2**32))


def oddities():
    """Yield tensors that a careless reader gets wrong."""
    yield tensor("special", np.resize(NAN_PAYLOADS, 64).view(np.float32))
    yield TensorProto(name="NaN", data_type=1, dims=[20], float_data=[float("nan")] * 20)
    yield tensor("empty", np.zeros((0, 3), np.float32))
    yield tensor("scalar", np.float32(3))
    yield tensor("same name", floats(20))
    yield tensor("same name", floats(21))
    yield tensor("", floats(22))
    yield tensor("weight/ä:日本\0", floats(1200))
    yield TensorProto(name="63 bytes", data_type=2, dims=[63], raw_data=bytes(63))
    yield TensorProto(name="64 bytes", data_type=2, dims=[64], raw_data=bytes(64))
    yield TensorProto(name="wrong size", data_type=1, dims=[20], raw_data=bytes(90))
    yield TensorProto(name="two fields", data_type=1, dims=[20], raw_data=bytes(80), float_data=[1])
    one = TensorProto(name="location", data_type=1, dims=[20], raw_data=bytes(range(80)))
    one.data_location = TensorProto.DEFAULT
    yield one
    other = TensorProto(name="entries", data_type=1, dims=[20], raw_data=bytes(range(80)))
    other.external_data.add(key="location", value="nowhere")
    yield other


def sparse() -> onnx.SparseTensorProto:
    """Return a sparse initializer: two tensors inside of a third message."""
    values = tensor("sparse", floats(25))
    return helper.make_sparse_tensor(values, tensor("places", np.arange(0, 100, 4)), [100])


def tensor(name, array) -> TensorProto:
    """Return a tensor with raw data."""
    return numpy_helper.from_array(np.asarray(array), name)


def floats(n):
    """Return floats that hardly repeat."""
    return RNG.normal(0, 0.05, n).astype(np.float32)


def skewed(n, k, p=0.5):
    """Return numbers in [0, k), the lower ones more often."""
    return np.minimum(RNG.geometric(p, n) - 1, k - 1)


if __name__ == "__main__":
    sys.exit(main())
