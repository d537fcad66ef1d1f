"""Sharing to a size, the importance of weights and the correction of biases."""

from __future__ import annotations

import copy
import lzma
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from compress.constrained import Shared, constraints_of
from compress.errors import SettingsError
from compress.passes.context import Context
from compress.passes.importance import fisher_diagonal
from compress.passes.settings import TargetBytesSettings
from compress.passes.target_bytes import to_size
from compress.passes.torch_network import TorchNetwork
from compress.passes.weights import weights_of


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 12, 3, bias=False), nn.BatchNorm2d(12),
        nn.ReLU(), nn.Flatten(), nn.Linear(12 * 16, 40), nn.ReLU(), nn.Linear(40, 5),
    ).eval()  # fmt: skip


SAMPLES = torch.rand(32, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def file_bytes(model):
    """Stand for a file that ships: what LZMA makes of all parameters."""
    held = b"".join(t.detach().numpy().tobytes() for t in model.state_dict().values())
    return len(lzma.compress(held))


def share_to_size(model, settings, *, file_bytes, samples):
    """Share a torch model; `file_bytes` is given the module."""
    given = None if samples is None else lambda n: (samples.numpy()[:n],)
    context = Context(file_bytes=lambda network: file_bytes(network.model), samples=given)
    return to_size(TorchNetwork(model), settings, context)


def error(model, other, samples=SAMPLES):
    with torch.inference_mode():
        return float((model(samples) - other(samples)).square().mean())


@pytest.mark.parametrize(
    ("importance", "target"), [("none", 3_000), ("layer", 3_000), ("weight", 6_000)]
)
def test_the_file_has_the_size(importance, target):
    model = network()
    report = share_to_size(
        model,
        TargetBytesSettings(target_bytes=target, importance=importance),
        file_bytes=file_bytes,
        samples=SAMPLES,
    )
    assert 0.8 * target < file_bytes(model) <= target
    assert [layer.name for layer in report.layers] == [w.name for w in weights_of(model)[0]]
    for name, shared in constraints_of(model).by_name.items():
        assert isinstance(shared, Shared)
        values = model.get_parameter(name).detach().numpy()
        known = np.append(shared.codebook.detach().numpy(), 0)
        np.testing.assert_array_equal(values, known[shared.codes.numpy()])


def test_more_bytes_err_less_and_zeros_stay():
    model = network()
    with torch.no_grad():
        model[6].weight[model[6].weight.abs() < 0.03] = 0
    zero = (model[6].weight == 0).clone()
    errors = []
    for target in (2_000, 3_000, 5_000):
        changed = copy.deepcopy(model)
        settings = TargetBytesSettings(target_bytes=target)
        share_to_size(changed, settings, file_bytes=file_bytes, samples=SAMPLES)
        errors.append(error(model, changed))
        assert (changed[6].weight[zero] == 0).all()
    assert errors == sorted(errors, reverse=True)


@torch.no_grad()
def test_errors_of_each_layer_cancel_at_one_codebook():
    """A file that takes what is asked for ends the search at once, whatever the codes are."""
    samples = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    model, layers = network(), [0, 2, 6, 8]
    errors = {}
    for n in (0, 200):
        changed = network()
        settings = TargetBytesSettings(target_bytes=900, samples=n)
        report = share_to_size(changed, settings, file_bytes=lambda _: 900, samples=samples)
        assert report.notes == ()
        errors[n] = [
            error(_with_weight(model, place, changed), model[: place + 1], samples)
            for place in layers
        ]
    for place, alone, together in zip(layers, errors[0], errors[200], strict=True):
        assert together < alone, place


def _with_weight(model, place, changed):
    """Return a model up to a layer, with this layer's weight of another."""
    copied = copy.deepcopy(model[: place + 1])
    copied[place].weight.copy_(changed[place].weight)
    return copied


@pytest.mark.parametrize(("n", "named"), [(0, []), (100, ["1.weight"])])
def test_layers_whose_errors_do_not_cancel_are_named(n, named):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ConvTranspose2d(4, 1, 3), nn.Flatten(), nn.Linear(64, 8)
    ).eval()
    settings = TargetBytesSettings(target_bytes=300, samples=n)
    samples = torch.rand(100, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    shared = share_to_size(model, settings, file_bytes=lambda _: 300, samples=samples)
    assert [layer.name for layer in shared.layers if layer.note == "errors do not cancel"] == named


def test_a_size_that_cannot_be_reached():
    settings = TargetBytesSettings(target_bytes=100)
    with pytest.raises(
        SettingsError,
        match=r"target_bytes must be .* got 100; files of [0-9]+ to [0-9]+ bytes can be, with",
    ):
        share_to_size(network(), settings, file_bytes=file_bytes, samples=None)


@pytest.mark.parametrize("target", [1, 10**9])
def test_a_size_out_of_reach_or_beyond_all_takes_one_try(target):
    sizes = []

    def counted(model):
        sizes.append(file_bytes(model))
        return sizes[-1]

    settings = TargetBytesSettings(target_bytes=target)
    shared = partial(share_to_size, network(), settings, file_bytes=counted, samples=None)
    if target > 1:
        shared()
    else:
        with pytest.raises(SettingsError, match=r"files of \d+ to \d+ bytes can be"):
            shared()
    assert len(sizes) == (1 if target > 1 else 3)


@pytest.mark.parametrize("target", [130, 200, 400])
def test_sizes_that_come_in_steps(target):
    """A file that grows by the distinct values of a layer has few sizes; one that fits is found."""

    def stepped(model):
        return 40 * sum(len(weight.parameter.unique()) for weight in weights_of(model)[0])

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    settings = TargetBytesSettings(target_bytes=target)
    share_to_size(model, settings, file_bytes=stepped, samples=torch.rand(99, 64))
    assert target / 2 < stepped(model) <= target


def test_a_network_of_zeros_is_not_what_was_asked_for():
    model = network()
    with torch.no_grad():
        for weight in weights_of(model)[0]:
            weight.parameter.zero_()
    settings = TargetBytesSettings(target_bytes=3_000)
    with pytest.raises(SettingsError, match="leave some weights, got 3000: all became zero"):
        share_to_size(model, settings, file_bytes=file_bytes, samples=None)


def test_no_samples_at_all():
    settings = TargetBytesSettings(target_bytes=3_000)
    shared = partial(share_to_size, settings=settings, file_bytes=lambda _: 3_000)
    model, without = network(), network()
    done = shared(model, samples=SAMPLES[:0])
    assert all(layer.note is None for layer in done.layers)
    shared(without, samples=None)
    assert error(model, without) == 0


def test_importance_needs_samples():
    settings = TargetBytesSettings(target_bytes=3_000, importance="layer")
    with pytest.raises(SettingsError, match="importance layer needs torch and samples of a task"):
        share_to_size(network(), settings, file_bytes=file_bytes, samples=None)


def four_each(samples):
    return ((batch,) for batch in samples.split(4))


def test_fisher_is_that_of_softmax_regression():
    """For scores W x the information of W[k, j] is the mean of p_k (1 - p_k) x_j^2."""
    torch.manual_seed(0)
    model, samples = nn.Sequential(nn.Linear(4, 3, bias=False)), torch.randn(4000, 4)
    found = fisher_diagonal(model, weights_of(model)[0], four_each(samples), seed=0)["0.weight"]
    p = model(samples).softmax(1)
    exact = ((p * (1 - p)).T @ samples.square() / len(samples)).detach()
    assert (found / exact - 1).abs().max() < 0.15
    assert model[0].weight.grad is None


def test_fisher_of_other_outputs_is_the_gauss_newton_diagonal():
    torch.manual_seed(0)
    model, samples = nn.Sequential(nn.Conv1d(1, 2, 1, bias=False)), torch.randn(4000, 1, 3)
    found = fisher_diagonal(model, weights_of(model)[0], four_each(samples), seed=0)["0.weight"]
    exact = samples.square().sum((1, 2)).mean()
    assert (found / exact - 1).abs().max() < 0.15
