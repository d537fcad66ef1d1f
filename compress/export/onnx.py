"""A torch module to an ONNX file that holds the very weights the passes made.

torch's exporter, and onnxscript's optimizer behind it, fold BatchNorm into the convolution before
it: every channel of a shared weight is then scaled by a number of its own, and the codebook is
gone. So neither optimizes here; of the clean-up that follows, nothing computes on large tensors.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from compress.artifact import facts as artifact_facts
from compress.artifact import onnx_file
from compress.artifact.onnx_file import RawData
from compress.errors import MissingExtraError, UnsupportedLayerError
from compress.export.settings import OnnxSettings

if TYPE_CHECKING:
    import onnx_ir
    from onnx import ModelProto

_MIN_STREAMED_BYTES = 1 << 12  # smaller tensors are written with the graph
# Operators that move values and compute none: folding them keeps a weight's values as they are.
_MOVES = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Slice", "Concat", "Identity"})
_WHOLE = _MOVES - {"Slice", "Concat"}  # those of which one weight goes in, and all of it comes out
_SMALL = 1 << 10  # elements up to which a constant expression is computed: shapes and the like


def export(
    model: nn.Module,
    inputs: Sequence[Tensor],
    path: Path,
    settings: OnnxSettings,
    *,
    input_names: Sequence[str] = ("input",),
    output_names: Sequence[str] = ("output",),
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a module to `path` as ONNX; its weights keep their values and their names.

    Args:
        model: on the CPU; it is put into evaluation mode.
        inputs: an example of each input, batch first, at least two samples.
        path: the file, written whole or not at all.
        settings: of the export.
        input_names: a name for each input.
        output_names: a name for each output.
        facts: what the file tells beside the network, see `artifact.facts`.

    Raises:
        UnsupportedLayerError: when torch cannot export the module.
        MissingExtraError: when onnxscript is not installed.
    """
    model.eval()
    graph = _traced(model, inputs, settings, input_names, output_names)
    with _quiet():
        _clean_up(graph)
    proto, data = _without_data(graph)
    if facts is not None:
        proto.metadata_props.add(key=artifact_facts.KEY, value=artifact_facts.to_text(facts))
    onnx_file.write(path, proto, data)


def _traced(
    model: nn.Module,
    inputs: Sequence[Tensor],
    settings: OnnxSettings,
    input_names: Sequence[str],
    output_names: Sequence[str],
) -> onnx_ir.Model:
    batch = torch.export.Dim("batch")
    shapes: tuple[Any, ...] | None = None
    if settings.dynamic_batch:
        shapes = tuple({0: batch} for _ in inputs)
        taken = inspect.signature(model.forward).parameters.values()
        if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in taken):
            shapes = (shapes,)  # all of them are one argument, `*inputs`
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                model,
                tuple(inputs),
                dynamo=True,
                optimize=False,
                verbose=False,
                opset_version=settings.opset,
                input_names=list(input_names),
                output_names=list(output_names),
                dynamic_shapes=shapes,
            )
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "onnxscript", "torch") from error
        except Exception as error:  # torch's exporter raises what it likes
            raise UnsupportedLayerError(
                f"torch cannot export {type(model).__name__} to ONNX: {_reason(error)}"
            ) from error
    assert program is not None
    return program.model


def _reason(error: BaseException) -> str:
    """Return the first line of what the exporter's own wordings go back to."""
    while error.__cause__ is not None:
        error = error.__cause__
    line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def _clean_up(graph: onnx_ir.Model) -> None:
    """Inline functions, compute shapes, drop what is not used, and tracing's notes."""
    import onnx_ir.passes.common as common
    from onnx_ir.passes import Sequential
    from onnxscript import optimizer

    common.InlinePass()(graph)
    _keep_names(graph)
    _drop_wrong_biases(graph)
    optimizer.fold_constants(
        graph,
        input_size_limit=_SMALL,
        output_size_limit=_SMALL,
        should_fold=lambda node: True if node.op_type in _MOVES else None,
    )
    Sequential(
        common.RemoveUnusedNodesPass(),
        common.RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]  # onnx_ir left it out
        common.RemoveUnusedOpsetsPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.DeduplicateInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
        common.RemoveUnusedNodesPass(),
        common.ClearMetadataAndDocStringPass(),
        common.OutputFixPass(),
        common.NameFixPass(),
    )(graph)


def _drop_wrong_biases(graph: onnx_ir.Model) -> None:
    """Drop the zeros that onnxscript gives a 3-D convolution without a bias.

    Their shape, (out, 2), is none that ONNX allows. A bias of the network's own is no constant
    that was cast and expanded.
    """
    for node in graph.graph:
        if node.op_type != "Conv" or len(node.inputs) < 3 or node.inputs[2] is None:
            continue
        expand = node.inputs[2].producer()
        if expand is None or expand.op_type != "Expand" or expand.inputs[0] is None:
            continue
        cast = expand.inputs[0].producer()
        if cast is not None and cast.op_type == "CastLike":
            node.replace_input_with(2, None)


def _keep_names(graph: onnx_ir.Model) -> None:
    """Let a weight that is stored transposed keep its name, where nothing else reads it."""
    named = {value.name for value in graph.graph.initializers.values()}
    for node in graph.graph:
        if node.op_type not in _WHOLE:
            continue
        held, moved = node.inputs[0], node.outputs[0]
        if held is None or held.name not in named or len(held.uses()) > 1:
            continue
        if not held.is_graph_input() and not moved.is_graph_output():
            name, held.name = held.name, f"{held.name}.as_in_torch"
            moved.name = name


def _without_data(graph: onnx_ir.Model) -> tuple[ModelProto, dict[int, RawData]]:
    """Return the model as a message without its large initializers, and a way to get those."""
    import onnx_ir

    held: dict[str, Any] = {}
    for name, value in graph.graph.initializers.items():
        tensor = value.const_value
        assert tensor is not None
        if tensor.nbytes >= _MIN_STREAMED_BYTES:
            held[name] = tensor
            shape = onnx_ir.Shape(tensor.shape.numpy())
            value.const_value = onnx_ir.ExternalTensor(
                "none", 0, 0, tensor.dtype, shape=shape, name=name
            )
    proto: ModelProto = onnx_ir.to_proto(graph)
    data = {}
    for number, initializer in enumerate(proto.graph.initializer):
        if initializer.name in held:
            initializer.ClearField("external_data")
            initializer.ClearField("data_location")
            tensor = held[initializer.name]
            data[number] = RawData(tensor.nbytes, tensor.tobytes)
    return proto, data


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes to itself; what matters is raised."""
    level, nowhere = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.CRITICAL)  # each part of torch has a logger of its own
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(level)
