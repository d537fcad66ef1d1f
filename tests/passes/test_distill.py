"""The training of a student, and one that is made of some of its teacher's layers."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from compress.errors import SettingsError, UnsupportedLayerError
from compress.passes.context import Context
from compress.passes.distill import distill, rebuild
from compress.passes.settings import DistillSettings
from compress.passes.torch_network import TorchNetwork


class Encoder(nn.Module):
    """A transformer of six blocks."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.body = nn.TransformerEncoder(block, 6)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.body(x).mean(1))
        return found


def fits(counted: list[int]) -> Context:
    return Context(fit=lambda on_step: counted.append(1))


@pytest.mark.parametrize(
    ("layers", "kept"), [(3, [0, 2, 4]), (2, [0, 3]), (1, [0]), (5, [0, 1, 2, 3, 4])]
)
def test_a_student_has_layers_of_its_teacher_evenly_spaced(layers: int, kept: list[int]) -> None:
    torch.manual_seed(0)
    net = Encoder().eval()
    blocks, fitted = copy.deepcopy(list(net.body.layers)), list[int]()
    settings = DistillSettings(teacher="dense", layers=layers)
    passed = distill(TorchNetwork(net), settings, fits(fitted))
    assert passed.plan == {"chain": "body.layers", "kept": kept}
    assert fitted == [1]
    x = torch.randn(2, 5, 8)
    expected = x
    for place in kept:
        expected = blocks[place](expected)
    torch.testing.assert_close(net.body(x), expected)
    names = {layer.name for layer in passed.layers}
    assert {f"body.layers.{place}.linear1.weight" for place in range(layers)} <= names

    again = Encoder()
    rebuild(TorchNetwork(again), passed.plan)
    again.load_state_dict(net.state_dict())
    torch.testing.assert_close(again.eval()(x), net(x))


def test_the_dense_network_teaches_others_alone() -> None:
    fitted = list[int]()
    net = Encoder()
    before = copy.deepcopy(net.state_dict())
    for teacher, trainings in (("dense", []), ("lenet-5", [1])):
        passed = distill(TorchNetwork(net), DistillSettings(teacher=teacher), fits(fitted))
        assert fitted == trainings
        assert passed.plan is None
        assert sum(layer.weights for layer in passed.layers) == passed.nonzero > 0
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_what_has_no_chain_or_a_short_one_is_told() -> None:
    with pytest.raises(UnsupportedLayerError, match="chain of layers of one class"):
        distill(
            TorchNetwork(nn.Linear(3, 2)), DistillSettings(teacher="dense", layers=1), Context()
        )
    said = r"^distill.layers must be fewer than the 6 layers of body.layers, got 6$"
    with pytest.raises(SettingsError, match=said):
        distill(TorchNetwork(Encoder()), DistillSettings(teacher="dense", layers=6), Context())


def test_settings() -> None:
    with pytest.raises(SettingsError, match="weights must be left out where the teacher is dense"):
        DistillSettings(teacher="dense", weights="random")
    with pytest.raises(SettingsError, match="layers must be at least 1"):
        DistillSettings(teacher="dense", layers=0)
    with pytest.raises(SettingsError, match="share must be"):
        DistillSettings(teacher="dense", share=1.5)
