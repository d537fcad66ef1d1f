"""Whose value a target is, and the text form."""

from __future__ import annotations

import subprocess
import sys

import pytest
from torch import nn

from compress.errors import SettingsError
from compress.passes.targets import Pattern, Targets, bits_targets, sparsity_targets
from compress.passes.weights import weights_of


def model() -> nn.Sequential:
    layers = nn.Sequential()
    layers.add_module("features", nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3)))
    layers.add_module("norm", nn.BatchNorm2d(2))
    layers.add_module("classifier", nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)))
    return layers


def resolved(text: str) -> dict[str, float | Pattern]:
    targets = sparsity_targets(text).resolve(weights_of(model())[0])
    return {name.removesuffix(".weight"): value for name, (value, _) in targets.items()}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.9", [0.9, 0.9, 0.9, 0.9]),
        ("conv=0.6,fc=0.92", [0.6, 0.6, 0.92, 0.92]),
        ("features.0=0.2,fc=0.9,*=0.5", [0.2, 0.5, 0.9, 0.9]),
        ("0.5,fc=0.9", [0.5, 0.5, 0.9, 0.9]),
        ("fc=0.9,classifier.1.weight=0.1,*=0", [0, 0, 0.9, 0.1]),
        ("features.*=0.3,conv=0.6,0.5", [0.3, 0.3, 0.5, 0.5]),
        ("2:4,fc=0.9", [Pattern(2, 4), Pattern(2, 4), 0.9, 0.9]),
        ("0.5,classifier.0=4:8", [0.5, 0.5, Pattern(4, 8), 0.5]),
        ("*.0=0.1,features.*=0.3,features.[02]=0.2,*=0.5", [0.2, 0.2, 0.1, 0.5]),
        ("features.?=0.1,features.*=0.3,*=0.5", [0.3, 0.3, 0.5, 0.5]),
    ],
)
def test_the_most_specific_target_wins(text, values):
    names = ("features.0", "features.2", "classifier.0", "classifier.1")
    assert resolved(text) == dict(zip(names, values, strict=True))


def test_what_no_target_addresses_has_no_value():
    assert resolved("conv=0.6") == {"features.0": 0.6, "features.2": 0.6}


@pytest.mark.parametrize(
    "text", ["0.9", "conv=0.6,fc=0.92", "features.0=0.2,fc=0.9,0.5", "2:4", "conv=0.5,fc=16:32"]
)
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
        ("fc=x", r"^sparsity of fc must be a number in \[0, 1\) or N:M, such as 2:4, got 'x'$"),
        ("", r"^sparsity must be a number in \[0, 1\) or N:M, such as 2:4, got ''$"),
        ("4:4", "^sparsity must be N:M with 1 <= N < M <= 32, got '4:4'$"),
        ("fc=0:4", "^sparsity of fc must be N:M with 1 <= N < M <= 32, got '0:4'$"),
        ("16:33", "^sparsity must be N:M with 1 <= N < M <= 32, got '16:33'$"),
        ("2:-4", "^sparsity must be a number in .* got '2:-4'$"),
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
        ("int8", r"^bits must be a whole number in \[1, 16\], such as 5 or 5bit, got 'int8'$"),
        ("5.5bit", "bits must be a whole number in"),
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
        Targets[int](())


def test_parsing_loads_no_torch():
    code = "import sys, compress.passes.targets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
