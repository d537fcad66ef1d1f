"""A network of texts, as a file: a table of words, whose mask is taken and not needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

TABLE = np.array([[9, -9], [0, 0], [1, 0], [0, 1], [1, 1]], np.float32)


def words(
    path: Path,
    table: np.ndarray = TABLE,  # type: ignore[type-arg]
    *,
    pooled: bool = False,
    shape: Sequence[int | str] = ("batch", 6),
) -> Path:
    """Write a network that gives a row of a table for each token, or for each text's first."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Identity", ["attention_mask"], ["mask"]),
        helper.make_node("Gather", ["rows", "first"], ["states"], axis=1)
        if pooled
        else helper.make_node("Identity", ["rows"], ["states"]),
    ]
    weights = [numpy_helper.from_array(table, "table")]
    if pooled:
        weights.append(numpy_helper.from_array(np.array(0), "first"))
    width = table.shape[1]
    told = [shape[0], width] if pooled else [*shape, width]
    outputs = [helper.make_tensor_value_info("states", TensorProto.FLOAT, told)]
    if not pooled:  # a second output, which nobody looks at
        outputs.append(helper.make_tensor_value_info("mask", TensorProto.INT64, shape))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name in ("input_ids", "attention_mask")
    ]
    graph = helper.make_graph(nodes, "words", inputs, outputs, weights)
    opset = [helper.make_opsetid("", 20)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    return path
