"""A network that Python gives: copied, with its weights."""

from __future__ import annotations

import threading

import pytest

from compress.errors import SettingsError
from compress.references import Torch, of_module
from compress.references.subject import Given
from tests import needs

needs.module("torch")

import torch  # noqa: E402  (where it is not installed, the file is skipped before)
from torch import nn  # noqa: E402


def test_it_is_copied_and_keeps_its_weights() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    subject = of_module(net, torch.zeros(1, 3), name="my net/1")
    assert (subject.name, subject.inputs) == ("my-net-1", (Given("input", (3,)),))
    source = subject.source
    assert isinstance(source, Torch)
    assert source.is_trained
    before = net[0].weight.clone()
    net[0].weight.data.zero_()
    built = source.build(None)
    assert torch.equal(built.get_parameter("0.weight"), before)
    assert not built.training
    assert net.training
    built.get_parameter("0.weight").data.zero_()
    assert torch.equal(source.build(None).get_parameter("0.weight"), before)


def test_names_of_several_inputs_are_those_of_the_arguments() -> None:
    net = nn.Bilinear(2, 3, 1)
    subject = of_module(net, (torch.zeros(1, 2), torch.zeros(1, 3)))
    assert subject.name == "Bilinear"
    assert subject.inputs == (Given("input1", (2,)), Given("input2", (3,)))


def test_examples_may_be_told_by_the_module() -> None:
    net = nn.Linear(3, 2)
    with pytest.raises(SettingsError, match="examples must hold one for each input"):
        of_module(net)
    net.input_size = (3,)  # type: ignore[assignment]  # a user's own attribute
    assert of_module(net).inputs == (Given("input", (3,)),)


def test_what_cannot_be_copied_says_how_to_go_on() -> None:
    net = nn.Linear(3, 2)
    net.lock = threading.Lock()  # type: ignore[assignment]  # a user's own attribute
    with pytest.raises(SettingsError, match=r"cannot be copied: .*; give a function that builds"):
        of_module(net, torch.zeros(1, 3))
