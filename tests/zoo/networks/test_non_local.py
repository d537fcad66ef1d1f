from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torchvision
from compress_zoo.networks.non_local import Bottleneck, NonLocalBlock, NonLocalResNet50
from torch import Tensor, nn

from compress.export.onnx import export
from compress.export.settings import OnnxSettings


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def slow(block: NonLocalBlock, maps: Tensor) -> Tensor:
    """Equation 1 with eq. 4, one place at a time, without the normalization."""
    theta, phi, g = (layer(maps) for layer in (block.theta, block.phi, block.g))
    phi, g = block.pool(phi).flatten(1), block.pool(g).flatten(1)
    y = torch.empty_like(theta)
    for place in torch.cartesian_prod(*map(torch.arange, maps.shape[1:])).tolist():
        here = (slice(None), *place)
        pairs = torch.exp((theta[here][:, None] * phi).sum(0))
        y[here] = (pairs * g).sum(1) / pairs.sum()
    return block.w_z(y) + maps


def test_block_equals_the_slow_reference() -> None:
    torch.manual_seed(0)
    block, maps = NonLocalBlock(6).double().eval(), torch.randn(2, 6, 2, 4, 5).double()
    block.norm = nn.Identity()
    with torch.no_grad():
        for given, sample in zip(block(maps), maps, strict=True):
            torch.testing.assert_close(given, slow(block, sample))


def test_block_adds_nothing_at_the_start() -> None:
    maps = torch.randn(2, 8, 2, 4, 4)
    assert torch.equal(NonLocalBlock(8).eval()(maps), maps)


@pytest.mark.parametrize("block", [NonLocalBlock(8), Bottleneck(8, 4, 2)])
def test_exported_block_is_the_same(block: nn.Module, tmp_path: Path) -> None:
    torch.manual_seed(0)
    block, maps = block.eval(), torch.randn(2, 8, 3, 6, 4)
    if isinstance(block, NonLocalBlock):
        nn.init.ones_(block.norm.weight)  # let it through
    export(block, [maps], tmp_path / "block.onnx", OnnxSettings())
    session = onnxruntime.InferenceSession(tmp_path / "block.onnx")
    for n in (1, 2):  # any batch
        (found,) = session.run(None, {"input": maps[:n].numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, block(maps[:n]).numpy(), atol=1e-5)


def test_sizes_are_those_of_table_1() -> None:
    sizes = {}
    with torch.device("meta"):
        model = NonLocalResNet50(400)
        for name in ("conv1", "pool1", "res2", "pool2", "res3", "res4", "res5"):
            getattr(model, name).register_forward_hook(
                lambda _, __, maps, name=name: sizes.update({name: tuple(maps.shape[2:])})
            )
        assert model(torch.empty(2, 3, 32, 224, 224)).shape == (2, 400)
    assert sizes == {
        "conv1": (16, 112, 112), "pool1": (8, 56, 56), "res2": (8, 56, 56), "pool2": (4, 56, 56),
        "res3": (4, 28, 28), "res4": (4, 14, 14), "res5": (4, 7, 7),
    }  # fmt: skip


def test_weights_are_seven_tenths_of_resnet_101s() -> None:
    """As the paper says of five blocks in its section 5.1."""
    with torch.device("meta"):
        ours = parameters(NonLocalResNet50(400))
        plain = parameters(NonLocalResNet50(400, non_local={}))
        resnet50 = parameters(torchvision.models.resnet50(num_classes=400))
        resnet101 = parameters(torchvision.models.resnet101(num_classes=400))
    assert plain == resnet50  # C2D: the same filters
    assert round(ours / resnet101, 1) == 0.7


def test_five_blocks() -> None:
    with torch.device("meta"):
        model = NonLocalResNet50(400)
    found = [name for name, layer in model.named_modules() if isinstance(layer, NonLocalBlock)]
    assert found == [
        "res3.non_local1", "res3.non_local3",
        "res4.non_local1", "res4.non_local3", "res4.non_local5",
    ]  # fmt: skip
