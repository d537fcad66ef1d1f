"""Which parameters are weights, and whose value a target is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compress.errors import SettingsError
from compress.passes.weights import Skipped, Targets, bits_targets, sparsity_targets, weights_of


def model() -> nn.Sequential:
    layers = nn.Sequential()
    layers.add_module("features", nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3)))
    layers.add_module("norm", nn.BatchNorm2d(2))
    layers.add_module("classifier", nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)))
    return layers


def resolved(text: str) -> dict[str, float]:
    targets = sparsity_targets(text).resolve(weights_of(model())[0])
    return {name.removesuffix(".weight"): value for name, (value, _) in targets.items()}


def test_weights_and_what_is_skipped():
    layers = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm((2, 3)), nn.LazyLinear(4))
    weights, skipped = weights_of(layers)
    assert [(w.name, w.module, w.kind) for w in weights] == [("0.weight", "0", "fc")]
    assert skipped == [
        Skipped("0.bias", "a bias"),
        Skipped("1.weight", "LayerNorm is no conv, fc, embedding or rnn layer"),
        Skipped("1.bias", "LayerNorm is no conv, fc, embedding or rnn layer"),
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


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.9", [0.9, 0.9, 0.9, 0.9]),
        ("conv=0.6,fc=0.92", [0.6, 0.6, 0.92, 0.92]),
        ("features.0=0.2,fc=0.9,*=0.5", [0.2, 0.5, 0.9, 0.9]),
        ("0.5,fc=0.9", [0.5, 0.5, 0.9, 0.9]),
        ("fc=0.9,classifier.1.weight=0.1,*=0", [0, 0, 0.9, 0.1]),
        ("features.*=0.3,conv=0.6,0.5", [0.3, 0.3, 0.5, 0.5]),
        ("*.0=0.1,features.*=0.3,features.[02]=0.2,*=0.5", [0.2, 0.2, 0.1, 0.5]),
        ("features.?=0.1,features.*=0.3,*=0.5", [0.3, 0.3, 0.5, 0.5]),
    ],
)
def test_the_most_specific_target_wins(text, values):
    names = ("features.0", "features.2", "classifier.0", "classifier.1")
    assert resolved(text) == dict(zip(names, values, strict=True))


def test_what_no_target_addresses_has_no_value():
    assert resolved("conv=0.6") == {"features.0": 0.6, "features.2": 0.6}


@pytest.mark.parametrize("text", ["0.9", "conv=0.6,fc=0.92", "features.0=0.2,fc=0.9,0.5"])
def test_text_round_trip(text):
    assert str(sparsity_targets(text)) == text
    assert sparsity_targets(str(sparsity_targets(text))) == sparsity_targets(text)


def test_bits_round_trip():
    assert str(bits_targets("conv=8bit, fc=5bit")) == "conv=8bit,fc=5bit"
    assert bits_targets("5bit") == Targets.plain(5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.0", r"^sparsity must be in \[0, 1\), got 1.0$"),
        ("-1", r"^sparsity must be in \[0, 1\), got -1.0$"),
        ("nan", r"^sparsity must be in \[0, 1\), got nan$"),
        ("fc=1", r"^sparsity of fc must be in \[0, 1\), got 1.0$"),
        ("fc=x", r"^sparsity of fc must be a number in \[0, 1\), got 'x'$"),
        ("", r"^sparsity must be a number in \[0, 1\), got ''$"),
        ("=0.5", "sparsity must be VALUE or LAYER=VALUE"),
        ("fc=0.5,fc=0.6", "given once for each layer or kind, got 'fc'"),
        ("0.5,*=0.6", "given once"),
    ],
)
def test_sparsities_that_are_none(text, message):
    with pytest.raises(SettingsError, match=message):
        sparsity_targets(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0bit", r"^bits must be in \[1, 16\], got 0$"),
        ("17bit", r"^bits must be in \[1, 16\], got 17$"),
        ("conv=17bit", r"^bits of conv must be in \[1, 16\], got 17$"),
        ("-1bit", r"^bits must be in \[1, 16\], got -1$"),
        ("5", r"^bits must be given like 5bit, got '5'$"),
        ("5.5bit", "bits must be given like 5bit"),
    ],
)
def test_bits_that_are_none(text, message):
    with pytest.raises(SettingsError, match=message):
        bits_targets(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clasifier.0=0.5", "^target 'clasifier.0' matches no layer; nearest are classifier.0, "),
        ("rnn=0.5", "^target 'rnn' matches no layer; the model's kinds are conv, fc$"),
        ("heads.*=0.5,*=0.1", r"target 'heads.\*' matches no layer; nearest are "),
        ("norm=0.5", "target 'norm' matches no layer"),
    ],
)
def test_a_target_without_a_layer(text, message):
    with pytest.raises(SettingsError, match=message):
        resolved(text)


def test_no_targets():
    with pytest.raises(SettingsError, match="targets must be at least one value"):
        Targets[float](())
