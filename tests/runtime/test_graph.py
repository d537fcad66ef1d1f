"""Graphs in memory as sessions."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from compress.errors import FormatError
from compress.runtime.graph import open_graph


def test_bytes_and_files_run(tmp_path):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        "g",
        [value],
        [helper.make_empty_tensor_value_info("y")],
    )
    opsets = [helper.make_opsetid("", 17)]
    data = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    for given in (data, path):
        (y,) = open_graph(given, "net").run({"x": np.float32([1, -2])}).values()
        assert y.tolist() == [-1, 2]


def test_what_is_no_graph_is_told_in_a_line():
    with pytest.raises(FormatError, match="net is no network for ONNX Runtime: ") as error:
        open_graph(b"no", "net")
    assert "\n" not in str(error.value)
