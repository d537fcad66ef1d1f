"""Small ONNX graphs for the tests of the passes that work on them."""

from __future__ import annotations

import zlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def held(name, *shape, kind=np.float32):
    """Return an initializer with numbers of a normal distribution, the same for a name."""
    drawn = np.random.default_rng(zlib.crc32(name.encode()))
    return numpy_helper.from_array(drawn.normal(0, 0.5, shape).astype(kind), name)


def value(name, *shape, kind=TensorProto.FLOAT):
    """Return an input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, initializers=(), inputs=None, outputs=None, **how):
    """Return a model; by default it takes "x" of four axes and gives "y"."""
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", "n", 3, 8, 8)] if inputs is None else inputs,
        [helper.make_empty_tensor_value_info("y")] if outputs is None else outputs,
        initializers,
    )
    opsets = [helper.make_opsetid("", 17), *how.pop("opsets", ())]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **how)


node = helper.make_node
