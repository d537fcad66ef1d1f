"""Weight sharing: codebooks of nonzero values, zeros apart, exact where few values are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compress.constrained import Shared, constraints_of
from compress.errors import DataError, SettingsError
from compress.kernels.kmeans import assign, kmeans_1d
from compress.passes.context import Context
from compress.passes.prune import prune
from compress.passes.quantize import quantize
from compress.passes.settings import PruneSettings, QuantizeSettings
from compress.passes.targets import bits_targets, sparsity_targets
from compress.passes.torch_network import TorchNetwork


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 8, 3), nn.Flatten(), nn.Linear(72, 40), nn.Linear(40, 10))


def settings(text: str, **others) -> QuantizeSettings:
    return QuantizeSettings(bits=bits_targets(text), **others)


def share(model: nn.Module, wanted: QuantizeSettings, seed: int = 0):
    return quantize(TorchNetwork(model), wanted, Context(seed=seed))


def shared_of(model: nn.Module, name: str) -> Shared:
    constraint = constraints_of(model).by_name[name]
    assert isinstance(constraint, Shared)
    return constraint


def test_weights_take_their_nearest_centroid():
    model = net()
    before = model[2].weight.detach().numpy().copy()
    report = share(model, settings("4bit"), seed=0)
    centroids, _ = kmeans_1d(before.ravel(), 16, init="linear")
    expected = centroids[assign(before.ravel(), centroids)].reshape(before.shape)
    assert np.array_equal(model[2].weight.detach().numpy(), expected)
    layer = report.layers[1]
    assert (layer.name, layer.kind, layer.bits, layer.distinct) == ("2.weight", "fc", 4, 16)
    assert (layer.weights, layer.nonzero) == (2880, 2880)
    assert report.weights == 144 + 2880 + 400


def test_bits_by_kind():
    report = share(net(), settings("conv=3bit,fc=2bit,3=1bit"), seed=0)
    assert [layer.bits for layer in report.layers] == [3, 2, 1]
    assert [layer.distinct for layer in report.layers] == [8, 4, 2]


def test_pruned_weights_are_no_centroid():
    model = net()
    sparse = PruneSettings(sparsity=sparsity_targets("0.9"), scope="uniform")
    prune(TorchNetwork(model), sparse, Context())
    weight = model[2].weight
    zero, nonzero = weight.detach() == 0, weight.detach()[weight.detach() != 0].numpy()
    share(model, settings("3bit"), seed=0)
    assert torch.equal(weight.detach() == 0, zero)
    shared = shared_of(model, "2.weight")
    assert torch.equal(shared.codes == -1, zero)
    centroids, _ = kmeans_1d(nonzero, 8, init="linear")
    assert np.array_equal(shared.codebook.detach().numpy(), centroids)


def test_zeros_stay_zero_without_a_mask():
    model = nn.Sequential(nn.Embedding(9, 6, padding_idx=2))
    share(model, settings("2bit"), seed=0)
    assert not model[0].weight[2].any()
    assert model[0].weight[[0, 1, 3, 4, 5, 6, 7, 8]].all()


def test_few_distinct_values_are_kept_exactly():
    model = net()
    values = torch.tensor([-0.5, 0.1, 0.25, 0.75])
    with torch.no_grad():
        model[2].weight.copy_(values[torch.arange(2880).view(40, 72) % 4])
    before = model[2].weight.detach().clone()
    report = share(model, settings("2bit"), seed=0)
    assert torch.equal(model[2].weight.detach(), before)
    assert report.layers[1].distinct == 4
    report = share(model, settings("5bit"), seed=0)  # again: no wider than it is
    assert torch.equal(model[2].weight.detach(), before)
    assert len(shared_of(model, "2.weight").codebook) == 4


def test_sharing_again_with_fewer_bits():
    model = net()
    share(model, settings("5bit"), seed=0)
    report = share(model, settings("2bit"), seed=0)
    assert [layer.distinct for layer in report.layers] == [4, 4, 4]


def test_a_layer_of_zeros_has_an_empty_codebook_and_trains():
    model = net()
    nn.init.zeros_(model[2].weight)
    report = share(model, settings("2bit"), seed=0)
    assert report.layers[1].distinct == 0
    assert len(shared_of(model, "2.weight").codebook) == 0
    constraints = constraints_of(model)
    model(torch.randn(2, 2, 5, 5)).sum().backward()
    constraints.collect_gradients(model)
    assert "2.weight" not in [name for name, _ in constraints.trained_parameters(model)]
    constraints.apply(model)
    assert not model[2].weight.any()


def test_random_draws_depend_on_the_seed_and_the_name_alone():
    def codebook(seed: int, text: str) -> bytes:
        model = net()
        share(model, settings(text, init="random"), seed=seed)
        return shared_of(model, "3.weight").codebook.detach().numpy().tobytes()

    assert codebook(0, "3bit") == codebook(0, "3=3bit")
    assert codebook(0, "3bit") != codebook(1, "3bit")


def test_what_no_target_addresses_is_skipped_with_the_reason():
    model = net()
    before = model[0].weight.detach().clone()
    report = share(model, settings("fc=2bit"), seed=0)
    reasons = {entry.name: entry.reason for entry in report.skipped}
    assert reasons["0.weight"] == "no target matches"
    assert reasons["0.bias"] == "a bias"
    assert torch.equal(model[0].weight.detach(), before)


def test_sixteen_bits():
    model = nn.Linear(300, 300, bias=False)
    report = share(model, settings("16bit", init="density"), seed=0)
    assert report.layers[0].distinct <= 1 << 16
    assert shared_of(model, "weight").codes.dtype == torch.int32


def test_errors():
    with pytest.raises(SettingsError, match=r"bits must be in \[1, 16\], got 17"):
        settings("17bit")
    with pytest.raises(SettingsError, match="seed must be 0 or more, got -1"):
        share(net(), settings("2bit"), seed=-1)
    model = net()
    with torch.no_grad():
        model[3].weight[0, 0] = float("inf")
    with pytest.raises(DataError, match=r"^3\.weight: values must be finite"):
        share(model, settings("2bit"), seed=0)


def with_means(n: int, seed: int) -> np.ndarray:
    """Return inputs that go together, as those behind a ReLU do."""
    drawn = np.random.default_rng(seed)
    mixed = drawn.standard_normal((n, 6)) @ drawn.standard_normal((6, 2 * 49))
    return np.maximum(mixed + 0.5, 0).reshape(n, 2, 7, 7).astype(np.float32)


def entropy(model: nn.Module) -> float:
    bits = 0.0
    for shared in constraints_of(model).by_name.values():
        _, counts = np.unique(shared.codes.numpy(), return_counts=True)
        bits -= (counts * np.log2(counts / counts.sum())).sum()
    return bits


def convolutions() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(144, 10),
    )  # fmt: skip


@torch.no_grad()
def test_errors_cancel_at_no_more_bits():
    dense, given = convolutions(), with_means(400, 0)
    unseen = torch.from_numpy(given[250:])
    errors, bits = [], []
    for samples in (None, lambda n: (given[:250][:n],)):
        model = convolutions()
        passed = quantize(TorchNetwork(model), settings("3bit"), Context(samples=samples))
        assert passed.notes == ()
        errors.append(float((model(unseen) - dense(unseen)).square().mean()))
        bits.append(entropy(model))
    assert errors[1] < 0.6 * errors[0]
    assert bits[1] <= bits[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8bit", None),
        (
            "6bit",
            "at 6 bits small networks usually lose some points",
        ),
        (
            "conv=8bit,fc=4bit",
            "at 4 bits most of what it knows is usually lost",
        ),
        ("1bit", "at 1 bit the network is usually lost"),
    ],
)
def test_what_few_bits_usually_do(text, expected):
    assert settings(text).expects == expected


def test_training_begins_at_what_was_found():
    model, seen = net(), []

    def fit(on_step):
        assert on_step is None
        seen.append(model[2].weight.detach().unique().numel())
        shared = shared_of(model, "2.weight")
        with torch.no_grad():
            shared.codebook += 1
        constraints_of(model).apply(model)

    passed = quantize(TorchNetwork(model), settings("2bit"), Context(fit=fit))
    assert seen == [4]
    assert passed.layers[1].distinct == 4
    assert model[2].weight.mean() > 0.5
