"""ONNX models that nobody would write, for hypothesis: all types, shapes, densities and places."""

from __future__ import annotations

import math
import struct

import numpy as np
from hypothesis import strategies as st
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper

from tests.artifact import reader

# Signalling and quiet NaNs with payloads, infinities, -0.0, subnormals, the largest of its kind.
FLOAT_PATTERNS = {
    2: [0x7C01, 0xFE12, 0x7C00, 0xFC00, 0x8000, 0x0001, 0x83FF, 0x7BFF],
    4: [0x7F800001, 0xFFC12345, 0x7F800000, 0xFF800000, 0x80000000, 1, 0x807FFFFF, 0x7F7FFFFF],
    8: [
        0x7FF0000000000001,
        0xFFF8123456789ABC,
        0x7FF << 52,
        0xFFF << 52,
        1 << 63,
        1,
        (1 << 52) - 1,
    ],
}


@st.composite
def tensors(draw, max_bytes=1500):
    """Draw a tensor; large enough to be coded apart more often than not."""
    kind = draw(st.sampled_from(sorted(reader.TYPES)))
    bits, width, is_float = reader.TYPES[kind]
    room = max_bytes * 8 // bits
    dims = []
    for _ in range(draw(st.integers(0, 4))):
        dims.append(draw(st.integers(0 if draw(st.integers(0, 30)) == 0 else 1, min(room, 60))))
        room = max(room // max(dims[-1], 1), 1)
    size = -(-math.prod(dims) * bits // 8)
    data = draw(items(size // width, width, is_float)).tobytes()
    tensor = TensorProto(name=draw(st.text(max_size=3)), data_type=kind, dims=dims)
    store(draw, tensor, data)
    return tensor


@st.composite
def items(draw, count, width, is_float):
    """Draw items with some number of distinct values and some density, many times special."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    words = rng.integers(0, 256, (count, width), np.uint8).reshape(-1).view(f"<u{width}")
    n_distinct = draw(st.sampled_from([0, 1, 2, 5, 32, 300]))
    if n_distinct and count:
        book = words[:n_distinct].copy()
        special = FLOAT_PATTERNS[width] if is_float and draw(st.booleans()) else []
        book[: len(special)] = special[: len(book)]
        words = book[np.minimum(rng.geometric(3 / (len(book) + 2), count) - 1, len(book) - 1)]
    elif is_float and count and draw(st.booleans()):
        words = rng.normal(0, 0.05, count).astype(f"<f{width}").view(f"<u{width}")
    keep = rng.random(count) < draw(st.sampled_from([0, 0.02, 0.1, 0.4, 0.7, 1, 1]))
    if draw(st.booleans()):
        keep = np.sort(keep)
    return np.where(keep, words, words.dtype.type(0))


def store(draw, tensor, data):
    """Put the data into raw_data, into a typed field that can hold it, or (rarely) wrongly."""
    fields = [field for field in reader.FIELDS if (field, tensor.data_type) in HOLDS]
    if not fields or draw(st.integers(0, 3)):
        tensor.raw_data = data if draw(st.integers(0, 20)) else data[:-1]
        return
    element = "<" + reader.element_format(tensor, fields[0])
    if len(data) % struct.calcsize(element):
        tensor.raw_data = data
        return
    getattr(tensor, fields[0]).extend(e for (e,) in struct.iter_unpack(element, data))


HOLDS = {
    *((field, kind) for field, kind in reader.NARROW),
    *(("float_data", kind) for kind in (1, 14)),
    *(("double_data", kind) for kind in (11, 15)),
    ("int32_data", 6),
    ("int64_data", 7),
    ("uint64_data", 13),
}


@st.composite
def models(draw):
    """Draw a model whose tensors stand in initializers, attributes, subgraphs and functions."""
    model = ModelProto(ir_version=10, producer_name=draw(st.text(max_size=5)))
    for tensor in draw(st.lists(tensors(), max_size=6)):
        place(draw, model, tensor)
    return model


def place(draw, model, tensor):
    """Put a tensor somewhere in a model."""
    graph = model.graph
    node = graph.node.add(op_type="Any")
    match draw(st.integers(0, 6)):
        case 0 | 1 | 2:
            graph.initializer.append(tensor)
        case 3:
            node.attribute.append(AttributeProto(name="value", t=tensor))
        case 4:
            node.attribute.append(AttributeProto(name="values", tensors=[tensor, tensor]))
        case 5:
            inner = helper.make_graph([NodeProto(op_type="In")], "inner", [], [], [tensor])
            node.attribute.append(AttributeProto(name="body", g=inner))
        case _:
            graph.sparse_initializer.add().values.CopyFrom(tensor)
            model.functions.add(name="f").node.add().attribute.add(name="a").t.CopyFrom(tensor)
