"""Structured pruning: what goes, what stays, and that what is left is the network without it."""

from __future__ import annotations

import copy
import sys

import numpy as np
import pytest
import torch
from torch import nn

from compress.errors import (
    DataError,
    MissingExtraError,
    SettingsError,
    UnsupportedLayerError,
)
from compress.passes.context import Context
from compress.passes.onnx_network import OnnxNetwork
from compress.passes.prune import prune
from compress.passes.settings import PruneSettings, StructuredSettings
from compress.passes.structured import rebuild, structured
from compress.passes.targets import Targets
from compress.passes.torch_network import TorchNetwork
from tests.passes.onnx_graphs import held, model, node


def conv(inputs, outputs, size=3, **others):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False, **others),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def plain():
    return nn.Sequential(
        conv(3, 16), conv(16, 32), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 5)
    )


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.one, self.two = conv(3, 16), conv(16, 24), conv(24, 16)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.stem(x)
        return self.head((x + self.two(self.one(x))).mean((2, 3)))


def depthwise():
    return nn.Sequential(
        conv(3, 16), conv(16, 16, groups=16), conv(16, 24, 1), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(24, 5),
    )  # fmt: skip


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.one, self.two = conv(3, 16), conv(16, 8), conv(24, 16)
        self.head = nn.Linear(40, 5)

    def forward(self, x):
        x = self.stem(x)
        x = torch.cat([x, self.one(x)], 1)
        x = torch.cat([x, self.two(x)], 1)
        return self.head(x.mean((2, 3)))


def grouped():
    return nn.Sequential(
        conv(3, 32), conv(32, 32, groups=4), nn.Conv2d(32, 16, 1), nn.GroupNorm(2, 16),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.num_heads = 4
        self.q, self.k, self.v, self.out = (nn.Linear(32, 32) for _ in range(4))

    def forward(self, x):
        q, k, v = (
            layer(x).view(*x.shape[:2], self.num_heads, -1).transpose(1, 2)
            for layer in (self.q, self.k, self.v)
        )
        found = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(found.transpose(1, 2).flatten(2))


class Transformer(nn.Module):
    """Embeddings tied with the output layer, attention and feed-forward layers with norms."""

    def __init__(self):
        super().__init__()
        self.embedding, self.attention = nn.Embedding(50, 32), Attention()
        self.norms = nn.ModuleList(nn.LayerNorm(32) for _ in range(2))
        self.wide, self.narrow = nn.Linear(32, 64), nn.Linear(64, 32)
        self.head = nn.Linear(32, 50, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = self.norms[0](x + self.attention(x))
        x = self.norms[1](x + self.narrow(torch.relu(self.wide(x))))
        return self.head(x)


class Shuffled(nn.Module):
    """Channels are turned round where the graph of gradients does not tell it."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.head = conv(3, 16), conv(16, 16), nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.two(self.one(x).flip(1)).mean((2, 3)))


NETWORKS = (plain, Residual, depthwise, Dense, grouped, Transformer)
every_network = pytest.mark.parametrize("make", NETWORKS)


def made(make):
    """Return a network whose norms differ by channel, and what it takes."""
    torch.manual_seed(0)
    network = make().eval()
    for tensor in network.state_dict().values():
        if tensor.ndim == 1 and tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape) + 0.5)
    drawn = np.random.default_rng(0)
    if make is Transformer:
        return network, (drawn.integers(0, 50, (2, 6)),)
    return network, (drawn.standard_normal((2, 3, 8, 8)).astype(np.float32),)


def passed(make, share=0.4, round_to=2, examples=None, fit=None, **others):
    network, given = made(make)
    settings = StructuredSettings(macs_removed=share, round_to=round_to, **others)
    context = Context(examples=examples or given, n_examples=2, fit=fit)
    return network, given, structured(TorchNetwork(network), settings, context)


def state(network):
    return {name: held.numpy().tobytes() for name, held in network.state_dict().items()}


def outputs(network, given):
    return network.eval()(*map(torch.from_numpy, given)).detach().numpy()


@every_network
@pytest.mark.parametrize("scope", ["global", "uniform"])
def test_the_share_is_gone_and_outputs_keep_their_shape(make, scope):
    dense, _ = made(make)
    network, given, done = passed(make, scope=scope)
    assert done.figures["macs"] <= 0.6 * done.figures["macs_dense"]
    assert done.figures["macs"] > 0.25 * done.figures["macs_dense"]
    assert outputs(network, given).shape == outputs(dense, given).shape
    assert np.isfinite(outputs(network, given)).all()
    shapes = dict(network.named_parameters())
    assert {layer.name: layer.shape for layer in done.layers}.items() <= {
        name: tuple(held.shape) for name, held in shapes.items()
    }.items()
    assert [type(layer) for layer in network.modules()] == [type(one) for one in dense.modules()]


@every_network
def test_a_plan_rebuilds_the_same_structure(make):
    network, given, done = passed(make)
    fresh, _ = made(make)
    rebuild(TorchNetwork(fresh), done.plan)
    assert state(fresh) == state(network)
    assert repr(fresh) == repr(network)
    assert np.array_equal(outputs(fresh, given), outputs(network, given))


@every_network
def test_the_same_gives_the_same_and_the_report_has_each_parameter_once(make):
    network, _, done = passed(make)
    again, _, redone = passed(make)
    assert state(again) == state(network)
    assert redone == done
    told = [one.name for one in (*done.layers, *done.skipped)]
    assert sorted(told) == sorted(name for name, _ in network.named_parameters())
    assert all(one.reason for one in done.skipped)


def test_channels_with_the_smallest_weights_go():
    network, given = made(plain)
    small, large = torch.arange(0, 32, 4), torch.tensor([i for i in range(32) if i % 4])
    with torch.no_grad():
        network[1][0].weight[small] *= 1e-3
        network[1][1].weight[small], network[1][1].bias[small] = 0, 0  # so that they give nothing
        network[4].weight.view(5, 32, 4)[:, small] = 0
    before, weight = outputs(network, given), network[1][0].weight.detach().clone()
    done = structured(
        TorchNetwork(network),
        StructuredSettings(macs_removed=0.2, round_to=8),
        Context(examples=given, n_examples=2),
    )
    assert network[1][0].out_channels == 24
    assert torch.equal(network[1][0].weight, weight[large])
    np.testing.assert_allclose(outputs(network, given), before, rtol=1e-5, atol=1e-6)
    assert done.figures["macs_dense"] == 16 * 64 * 27 + 32 * 64 * 16 * 9 + 128 * 5


def test_numbers_of_channels_are_rounded():
    network, _, _ = passed(plain, round_to=8)
    assert [network[0][0].out_channels % 8, network[1][0].out_channels % 8] == [0, 0]


def test_whole_heads_go_and_ties_hold():
    network, _, _ = passed(Transformer, share=0.6, scope="uniform")
    attention = network.attention
    assert attention.num_heads < 4
    assert attention.q.out_features == attention.out.in_features == 8 * attention.num_heads
    assert network.wide.out_features < 64
    assert network.head.weight is network.embedding.weight


def test_a_scale_of_a_batchnorm_may_decide():
    network, given = made(plain)
    order = torch.randperm(32)
    with torch.no_grad():
        network[1][1].weight.copy_(order + 1.0)
        network[0][1].weight.fill_(1e3)
    structured(
        TorchNetwork(network),
        StructuredSettings(macs_removed=0.4, round_to=1, importance="bn", scope="uniform"),
        Context(examples=given, n_examples=2),
    )
    left = network[1][1].weight
    assert left.min() == 33 - len(left)


def test_channels_that_are_others_than_it_seems_are_left_alone():
    with pytest.raises(UnsupportedLayerError, match="more than can be taken out"):
        passed(Shuffled, share=0.9)
    network, _, done = passed(Shuffled, share=0.2)
    assert network.one[0].out_channels == 16
    reasons = {one.name: one.reason for one in done.skipped}
    assert reasons["one.0.weight"] == "its channels are not those that the layers behind it read"


def test_training_follows():
    seen = []

    def fit(on_step):
        seen.append(on_step)

    passed(plain, fit=fit)
    assert seen == [None]


class Looks(nn.Module):
    """A forward pass that looks at numbers."""

    def __init__(self):
        super().__init__()
        self.body = plain()

    def forward(self, x):
        return self.body(x) if float(x.sum()) != 7 else x


def test_a_forward_that_looks_at_numbers_is_followed_with_numbers():
    network, _, done = passed(Looks)
    assert network.body[1][0].out_channels < 32
    assert done.figures["macs"] < done.figures["macs_dense"]


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.ReLU())

    def forward(self, x):
        return self.body(x.flatten(1)[:, :8]).view(-1, 16)


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        raise ValueError("not today\nnor tomorrow")


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (Fixed, UnsupportedLayerError, "no channels can be taken out; body.0 is left alone: "),
        (Broken, UnsupportedLayerError, "no channels can be taken out: .* not run: not today$"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line_and_nothing_is_changed(make, error, said):
    network, given = made(make)
    before = state(network)
    with pytest.raises(error, match=said) as caught:
        structured(
            TorchNetwork(network), StructuredSettings(macs_removed=0.5), Context(examples=given)
        )
    assert "\n" not in str(caught.value)
    assert state(network) == before


def test_a_share_that_is_too_large_is_told():
    with pytest.raises(UnsupportedLayerError, match=r"structured 0.99 is more than .* MACs 0.\d\d"):
        passed(plain, share=0.99, round_to=8)


def test_what_was_pruned_or_is_not_finite_is_refused():
    network, given = made(plain)
    context = Context(examples=given, n_examples=2)
    settings = StructuredSettings(macs_removed=0.5)
    broken = copy.deepcopy(network)
    with torch.no_grad():
        broken[1][0].weight[3, 0] = torch.nan
    with pytest.raises(DataError, match="weights must be finite"):
        structured(TorchNetwork(broken), settings, context)
    prune(TorchNetwork(network), PruneSettings(sparsity=Targets.plain(0.5)), Context())
    with pytest.raises(SettingsError, match=r"structured must come before .* is pruned or shared"):
        structured(TorchNetwork(network), settings, context)


def test_an_onnx_file_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(
        model([node("Conv", "x", "w", "y")], [held("w", 4, 3, 3, 3)]).SerializeToString()
    )
    with pytest.raises(SettingsError, match="structured needs a torch network"):
        structured(OnnxNetwork(path), StructuredSettings(macs_removed=0.5), Context())


def test_a_missing_extra_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(MissingExtraError, match="torch-pruning is not installed"):
        passed(plain)
