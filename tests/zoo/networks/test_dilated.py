import pytest
import torch
from compress_zoo.networks.dilated import DilatedContext, FrontEnd, context_module
from torch import nn


def weights(model: nn.Module) -> int:
    return sum(p.numel() for name, p in model.named_parameters() if name.endswith("weight"))


def test_basic_module_has_the_papers_weights() -> None:
    assert weights(context_module(21)) == 64 * 21**2  # sec. 3: approximately 64 C^2


def test_receptive_field_is_the_papers() -> None:
    model = context_module(1).double()
    for layer in model:
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
    maps = torch.ones(1, 1, 75, 75, dtype=torch.double, requires_grad=True)
    model(maps)[0, 0, 37, 37].backward()
    assert maps.grad is not None
    seen = maps.grad[0, 0].nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [67, 67]  # table 1


@pytest.mark.parametrize("form", ["basic", "large"])
def test_module_starts_as_the_identity(form: str) -> None:
    torch.manual_seed(0)
    maps = torch.rand(1, 3, 9, 9)  # after a ReLU nothing is negative
    with torch.no_grad():
        given = context_module(3, form)(maps)
    error = (given - maps).abs().max().item()
    assert error < 1e-6 if form == "basic" else 0 < error < 0.5


def test_front_end_takes_away_its_margin() -> None:
    with torch.device("meta"):
        model = FrontEnd(21)
        assert model(torch.empty(1, 3, 528, 528)).shape == (1, 21, 66, 66)
        assert DilatedContext(21)(torch.empty(1, 3, 192, 200)).shape == (1, 21, 192, 200)
