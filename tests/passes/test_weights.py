"""Which parameters are weights, and by which names."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils import parametrizations

from compress.errors import UnsupportedLayerError
from compress.passes.context import Context
from compress.passes.network import Skipped
from compress.passes.prune import prune
from compress.passes.quantize import quantize
from compress.passes.settings import PruneSettings, QuantizeSettings
from compress.passes.targets import bits_targets, sparsity_targets
from compress.passes.torch_network import TorchNetwork
from compress.passes.weights import weights_of


def pruned(model):
    settings = PruneSettings(sparsity=sparsity_targets("0.5"))
    return prune(TorchNetwork(model), settings, Context())


def test_weights_and_what_is_skipped():
    layers = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm((2, 3)), nn.LazyLinear(4))
    weights, skipped = weights_of(layers)
    assert [(w.name, w.module, w.kind) for w in weights] == [("0.weight", "0", "fc")]
    assert skipped == [
        Skipped("0.bias", "a bias"),
        Skipped("1.weight", "LayerNorm is no conv, fc, embedding or rnn layer"),
        Skipped("1.bias", "a bias"),
        Skipped("2.weight", "not initialized: run the model once"),
        Skipped("2.bias", "not initialized: run the model once"),
    ]


def test_recurrent_and_attention_weights():
    layers = nn.ModuleDict(
        {"lstm": nn.LSTM(2, 3), "cell": nn.GRUCell(2, 3), "attention": nn.MultiheadAttention(4, 2)}
    )
    weights, skipped = weights_of(layers)
    assert [(w.name, w.kind) for w in weights] == [
        ("lstm.weight_ih_l0", "rnn"),
        ("lstm.weight_hh_l0", "rnn"),
        ("cell.weight_ih", "rnn"),
        ("cell.weight_hh", "rnn"),
        ("attention.in_proj_weight", "fc"),
        ("attention.out_proj.weight", "fc"),
    ]
    assert {entry.reason for entry in skipped} == {"a bias"}


def test_a_tied_weight_answers_to_all_its_names():
    layers = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 3))
    layers[1].weight = layers[0].weight
    weights, _ = weights_of(layers)
    assert [(w.name, w.kind) for w in weights] == [("0.weight", "embedding")]
    for name in ("0", "1", "0.weight", "1.weight"):
        assert sparsity_targets(f"{name}=0.5").resolve(weights) == {"0.weight": (0.5, False)}


def test_integers_are_no_weights():
    layers = nn.Linear(2, 2, bias=False)
    layers.weight = nn.Parameter(torch.zeros(2, 2, dtype=torch.int8), requires_grad=False)
    assert weights_of(layers) == ([], [Skipped("weight", "its numbers are int8, not floats")])


def linear(held: torch.Tensor) -> nn.Linear:
    """Return a layer that holds a weight of an unusual kind."""
    layer = nn.Linear(4, 4)
    layer.weight = nn.Parameter(held, requires_grad=False)
    return layer


class Own(torch.Tensor):
    """A tensor of somebody's."""


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (torch.eye(4).to_sparse(), "its layout is sparse_coo, not dense"),
        (torch.eye(4).to(torch.float8_e4m3fn), "its numbers are float8_e4m3fn: small already"),
        (torch.ones(4, 1).expand(4, 4), "its numbers share their place in memory; clone it"),
        (torch.eye(4).as_subclass(Own), "it is a Own, not a plain tensor"),
        (torch.eye(4, dtype=torch.complex64), "its numbers are complex64, not floats"),
    ],
)
def test_what_cannot_be_changed_is_left_alone_and_told(held: torch.Tensor, reason: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4), linear(held))
    weights, skipped = weights_of(model)
    assert [weight.name for weight in weights] == ["0.weight"]
    assert Skipped("1.weight", reason) in skipped
    report = pruned(model)
    assert Skipped("1.weight", reason) in report.skipped
    with pytest.raises(UnsupportedLayerError, match="no weight that can be compressed; weight is"):
        pruned(model[1])


@pytest.mark.filterwarnings("ignore:.*deprecated")  # torch's own words, in some of its versions
def test_computed_weights_are_told() -> None:
    made = parametrizations.weight_norm(nn.Linear(4, 4))
    reasons = {entry.name: entry.reason for entry in weights_of(made)[1]}
    assert "remove_parametrizations" in reasons["parametrizations.weight.original0"]
    scripted = torch.jit.trace(nn.Linear(4, 4), torch.zeros(1, 4))
    reasons = {entry.name: entry.reason for entry in weights_of(scripted)[1]}
    assert reasons["weight"] == "its module is scripted; compress the model first"


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_weight_norm_s_lengths_are_no_weights() -> None:
    layer = nn.utils.weight_norm(nn.Linear(4, 4))
    (weight,), skipped = weights_of(layer)
    assert weight.name == "weight_v"
    assert any(entry.name == "weight_g" and "weight_norm" in entry.reason for entry in skipped)


def models_without_numbers() -> dict[str, nn.Module]:
    with FakeTensorMode():
        fake = nn.Linear(4, 4)
    with torch.inference_mode():
        frozen = nn.Linear(4, 4)
    half = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4, device="meta"))
    return {
        "meta": nn.Linear(4, 4, device="meta"), "half": half, "fake": fake, "inference": frozen,
        "lazy": nn.LazyLinear(4), "none": nn.ReLU(),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(models_without_numbers()))
def test_models_without_numbers_end_in_one_line(name: str) -> None:
    model = models_without_numbers()[name]
    for act in (
        lambda: pruned(model),
        lambda: quantize(
            TorchNetwork(model), QuantizeSettings(bits=bits_targets("2bit")), Context()
        ),
    ):
        with pytest.raises(UnsupportedLayerError) as told:
            act()
        assert "\n" not in str(told.value)


def test_a_linear_layer_of_another_library():
    from transformers import pytorch_utils as modeling

    (weight,), (bias,) = weights_of(modeling.Conv1D(6, 4))
    assert (weight.name, weight.kind, tuple(weight.parameter.shape)) == ("weight", "fc", (4, 6))
    assert bias == Skipped("bias", "a bias")


def test_xlnets_attention_holds_weights_of_three_axes():
    import transformers

    config = transformers.XLNetConfig(vocab_size=9, d_model=8, n_layer=1, n_head=2, d_inner=6)
    weights, skipped = weights_of(transformers.AutoModel.from_config(config))
    names = {weight.name.rpartition("rel_attn.")[2] for weight in weights if weight.kind == "fc"}
    assert {"q", "k", "v", "o", "r", "seg_embed"} <= names
    assert {s.reason for s in skipped if s.name.endswith(("r_r_bias", "r_w_bias"))} == {"a bias"}
