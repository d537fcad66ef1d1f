"""Whatever ONNX Runtime opens with its constants in the graph opens out of a compressed file.

The models are ONNX's own tests of its operators, each input but the first made a constant; here,
every constant is laid out beside the graph, however small.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, numpy_helper

from compress import runtime
from compress.artifact import archive, model
from compress.runtime import ort, session

# What shape inference or a kernel's creation reads, tables, states, quantization, four bits, parts
# with subgraphs or functions of their own, strings, sequences, empty tensors.
MODULES = (
    "reshape", "resize", "slice", "pad", "tile", "expand", "constantofshape", "topk", "rangeop",
    "if_", "loop", "scan", "qlinearconv", "qlinearmatmul", "dequantizelinear", "quantizelinear",
    "lstm", "gru", "rnn", "clip", "scatternd", "gatherelements", "gathernd", "onehot",
    "reduce_log_sum_exp", "reducesum", "unsqueeze", "squeeze", "split", "splittosequence",
    "col2im", "center_crop_pad", "upsample", "dft", "stft", "cumsum", "trilu", "where", "einsum",
    "nonmaxsuppression", "conv", "convtranspose", "deformconv", "layernormalization",
    "rotaryembedding", "string_concat", "equal", "sequenceinsert", "affinegrid", "gridsample",
    "hannwindow", "dropout", "matmulinteger", "ai_onnx_ml.tree_ensemble",
    "ai_onnx_ml.label_encoder",
)  # fmt: skip

_OPSET = 23  # which ONNX Runtime 1.23 knows whole, the oldest that is supported


@pytest.fixture(scope="module")
def cases():
    """Return some of ONNX's tests of its operators: the first two and the last of a module."""
    from onnx.backend.test.case import node

    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the examples' own arithmetic
        for module in MODULES:
            before = len(node._NodeTestCases)  # ONNX's own way collects all, which takes seconds
            with suppress(ModuleNotFoundError):  # an older onnx has fewer operators
                import_module(f"{node.__name__}.{module}")
            found[module] = node._NodeTestCases[before:]
    return {module: [*own[:2], *own[2:][-1:]] for module, own in found.items()}


@pytest.fixture(autouse=True)
def _all_beside(monkeypatch):
    monkeypatch.setattr(model, "MIN_BYTES", 1)
    monkeypatch.setattr(session, "_INLINE_BYTES", 0)


def constants(case) -> Iterator[tuple[bytes, dict[str, object]]]:
    """Yield the model with its inputs as constants, with and without the first, and the rest."""
    names = [value.name for value in case.model.graph.input]
    given = {
        name: np.asarray(array) if isinstance(array, np.generic) else array  # or a TensorProto
        for name, array in zip(names, case.data_sets[0][0], strict=False)
    }
    for kept in (names[:1], []):
        changed = ModelProto.FromString(case.model.SerializeToString())
        # Before 4, a constant must be an input; ONNX Runtime 1.23 reads 11.
        changed.ir_version = min(max(changed.ir_version, 4), 11)
        for opset in changed.opset_import:  # ONNX's newest is ahead of ONNX Runtime
            opset.version = min(opset.version, _OPSET)
        fed = {
            name: array for name, array in given.items() if name in kept or not is_constant(array)
        }
        for name, array in given.items():
            if name not in fed:
                tensor = numpy_helper.from_array(array, name) if plain(array) else array
                changed.graph.initializer.add().CopyFrom(tensor)
                changed.graph.initializer[-1].name = name
        values = [value for value in changed.graph.input if value.name in fed]
        del changed.graph.input[:]
        changed.graph.input.extend(values)
        if changed.graph.initializer:
            yield changed.SerializeToString(), fed


def plain(array: object) -> bool:
    return isinstance(array, np.ndarray)


def is_constant(array: object) -> bool:
    return plain(array) or isinstance(array, TensorProto)


def alike(found: object, expected: object) -> bool:
    if not (plain(found) and plain(expected)):
        return repr(found) == repr(expected)
    same = found.dtype == expected.dtype and found.shape == expected.shape
    return same and (
        found.tolist() == expected.tolist()
        if found.dtype.kind in "OUT"
        else found.tobytes() == expected.tobytes()
    )


def holds(case, path) -> int:
    """Compare each model of a case with itself, packed; return how many ONNX Runtime opens."""
    n_open = 0
    for data, fed in constants(case):
        try:
            plainly = onnxruntime.InferenceSession(
                data, ort.options(1, prepack=False), providers=["CPUExecutionProvider"]
            )
            first, second = (plainly.run(None, fed, ort.run_options()) for _ in range(2))
        except Exception:  # noqa: BLE001  (what ONNX Runtime itself refuses is not ours)
            continue
        n_open += 1
        archive.write(path, ModelProto.FromString(data), {})
        net = runtime.load(path, threads=1)
        found = net._session.run(None, fed)
        for output, expected, again in zip(found, first, second, strict=True):
            assert alike(output, expected) or not alike(again, expected), case.name
    return n_open


@pytest.mark.parametrize("module", MODULES)
def test_constants_beside_the_graph(cases, module, tmp_path):
    if not cases[module]:
        pytest.skip("this onnx has no such operator")
    n_open = sum(holds(case, tmp_path / "a.safetensors") for case in cases[module])
    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 32) and not n_open:
        pytest.skip("this ONNX Runtime has no such operator")
    assert n_open > 0


@pytest.mark.slow
def test_constants_of_every_operator(tmp_path):
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = [case for case in collect_testcases(None) if case.model is not None]
    assert sum(holds(case, tmp_path / "a.safetensors") for case in cases) > 2000


def test_only_what_is_refused_is_laid_out_anew(cases, tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(session, "_take_in", lambda *given: taken.append(given))
    assert holds(cases["conv"][0], tmp_path / "a.safetensors") > 0
    assert not taken
