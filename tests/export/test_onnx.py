"""Exported files: the weights' very values, torch's outputs, canonical bytes."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.constrained import Shared, constraints_of
from compress.errors import CompressError, UnsupportedLayerError
from compress.export.onnx import export
from compress.export.settings import OnnxSettings
from compress.passes.context import Context
from compress.passes.prune import prune
from compress.passes.quantize import quantize
from compress.passes.settings import PruneSettings, QuantizeSettings
from compress.passes.targets import Targets
from compress.passes.torch_network import TorchNetwork
from compress.passes.weights import weights_of
from tests.export import networks
from tests.export.networks import in_onnxruntime, initializers

IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
SERIES = torch.randn(4, 7, 12, generator=torch.Generator().manual_seed(2))
WORDS = torch.arange(24).reshape(4, 6)
MODELS = {
    "resnet": (networks.resnet, IMAGES),
    "mobilenet": (networks.mobilenet, IMAGES),
    "transposed": (networks.transposed, IMAGES),
    "perceptron": (networks.perceptron, IMAGES[:, :, :4, :4]),
    "lstm": (lambda: networks.Recurrent(nn.LSTM), SERIES),
    "gru": (lambda: networks.Recurrent(nn.GRU), SERIES),
    "embedding": (lambda: networks.Words(tied=False), WORDS),
    "tied": (lambda: networks.Words(tied=True), WORDS),
}
BITS = 3


def compressed(name: str) -> tuple[nn.Module, Tensor]:
    """Build a network, pruned to a half and of eight values a layer."""
    build, example = MODELS[name]
    torch.manual_seed(0)
    model = networks.seen(build(), example)
    network = TorchNetwork(model)
    prune(network, PruneSettings(sparsity=Targets.plain(0.5), scope="uniform"), Context())
    quantize(network, QuantizeSettings(bits=Targets.plain(BITS)), Context())
    return model, example


@pytest.fixture(scope="module", params=list(MODELS))
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[nn.Module, Tensor, Path]:
    model, example = compressed(request.param)
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export(model, [example[:2]], path, OnnxSettings())
    return model, example, path


def test_values_are_kept(exported: tuple[nn.Module, Tensor, Path]) -> None:
    model, _, path = exported
    codebooks = {
        name: np.unique(held.codebook.detach().numpy())
        for name, held in constraints_of(model).by_name.items()
        if isinstance(held, Shared)
    }
    assert len(codebooks) == len(weights_of(model)[0])
    found = initializers(path)
    left = dict(codebooks)
    for name, array in found.items():
        if array.dtype != np.float32 or array.size == max(array.shape, default=1):
            continue  # no weight: of one dimension, if several are written
        zeros = np.count_nonzero(array == 0)
        assert not np.signbit(array[array == 0]).any(), name
        values = np.unique(array[array != 0])
        own = next((key for key, book in left.items() if set(values) <= set(book)), None)
        assert own is not None, f"{name} {array.shape} has {len(values)} values of no codebook"
        assert len(values) <= 2**BITS
        assert 0.45 < zeros / array.size < 0.55
        del left[own]
    assert not left, "weights that are not in the file as they are"


def test_outputs_are_torch_s(exported: tuple[nn.Module, Tensor, Path]) -> None:
    model, example, path = exported
    with torch.inference_mode():
        expected = model(example).numpy()
    found = in_onnxruntime(path, example.numpy())
    assert np.abs(found - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def test_bytes_are_protobuf_s_own(exported: tuple[nn.Module, Tensor, Path]) -> None:
    import onnx

    path = exported[2]
    assert onnx.load(path).SerializeToString() == path.read_bytes()
    onnx.checker.check_model(path, full_check=True)


def test_names_and_notes(exported: tuple[nn.Module, Tensor, Path]) -> None:
    import onnx

    model, _, path = exported
    found = onnx.load(path)
    assert [value.name for value in found.graph.input] == ["input"]
    assert [value.name for value in found.graph.output] == ["output"]
    assert not found.functions
    assert not found.metadata_props
    assert not any(node.metadata_props or node.doc_string for node in found.graph.node)
    if not isinstance(model, networks.Recurrent):  # ONNX orders their gates otherwise
        names = {name for name, held in model.named_parameters() if held.ndim > 2}
        assert names <= {held.name for held in found.graph.initializer}


@pytest.mark.parametrize("opset", [18, 19, 20, 21, 22, 23, 25])
def test_opsets(opset: int, tmp_path: Path) -> None:
    import onnx

    model, example = compressed("perceptron")
    path = tmp_path / "model.onnx"
    export(model, [example], path, OnnxSettings(opset=opset))
    assert {entry.domain: entry.version for entry in onnx.load(path).opset_import} == {"": opset}
    with torch.inference_mode():
        expected = model(example).numpy()
    assert np.abs(in_onnxruntime(path, example.numpy()) - expected).max() <= 1e-5


def test_a_batch_of_any_size_or_of_one(tmp_path: Path) -> None:
    import onnx

    model, example = compressed("resnet")
    free, fixed = tmp_path / "free.onnx", tmp_path / "fixed.onnx"
    export(model, [example[:2]], free, OnnxSettings())
    export(model, [example[:2]], fixed, OnnxSettings(dynamic_batch=False))
    shapes = [
        [held.type.tensor_type.shape.dim[0] for held in (*graph.input, *graph.output)]
        for graph in (onnx.load(free).graph, onnx.load(fixed).graph)
    ]
    assert [held.dim_param for held in shapes[0]] == ["batch", "batch"]
    assert [held.dim_value for held in shapes[1]] == [2, 2]
    for count in (1, 3):
        assert in_onnxruntime(free, example[:count].numpy()).shape == (count, 10)
    assert in_onnxruntime(fixed, example[:2].numpy()).shape == (2, 10)
    again = tmp_path / "again.onnx"
    export(copy.deepcopy(model), [example[:2]], again, OnnxSettings())
    assert again.read_bytes() == free.read_bytes()


class Deciding(nn.Module):
    """Its graph depends on its values."""

    def forward(self, x: Tensor) -> Tensor:
        return x if bool(x.sum() > 0) else -x


class Spectral(nn.Module):
    """ONNX has no such operator."""

    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = torch.linalg.eigvalsh(x @ x.mT)
        return values


@pytest.mark.parametrize("model", [Deciding(), Spectral()])
def test_what_cannot_be_exported_is_told_in_one_line(
    model: nn.Module, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(UnsupportedLayerError) as caught:
        export(model, [torch.ones(2, 3, 3)], path, OnnxSettings())
    message = str(caught.value)
    assert message.startswith(f"torch cannot export {type(model).__name__} to ONNX: ")
    assert "\n" not in message
    assert not path.exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("opset", [17, 26])
def test_settings_are_checked(opset: int) -> None:
    with pytest.raises(CompressError, match="opset must be at least 18 and at most 25"):
        OnnxSettings(opset=opset)


def test_a_weight_that_is_stored_transposed_keeps_its_name(tmp_path: Path) -> None:
    """A Linear without a bias, on more than two dimensions, becomes a product with a transpose."""
    model = nn.Sequential(nn.Linear(8, 6, bias=False), nn.ReLU(), nn.Linear(6, 4, bias=False))
    example = torch.randn(2, 5, 8)
    export(model, [example], tmp_path / "net.onnx", OnnxSettings())
    held = initializers(tmp_path / "net.onnx")
    assert held.keys() >= {"0.weight", "2.weight"}
    for name, weight in model.named_parameters():
        assert np.array_equal(held[name], weight.detach().numpy().T)
    found = in_onnxruntime(tmp_path / "net.onnx", example.numpy())
    assert np.allclose(found, model(example).detach().numpy(), atol=1e-6)
