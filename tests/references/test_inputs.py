"""Shapes as they are written, and as modules, tasks and examples tell them."""

from __future__ import annotations

import numpy as np
import pytest

from compress.errors import SettingsError
from compress.references import inputs
from compress.references.subject import Given
from compress.tasks import Arrays
from tests import needs

IMAGE = {"mode": "RGB", "crop": [224, 224], "resize": 256}


def test_one_input_has_the_usual_name() -> None:
    assert inputs.parsed("3x224x224") == (Given("input", (3, 224, 224)),)
    assert inputs.parsed("scalar:9") == (Given("input", (), 9),)


def test_several_are_numbered_or_named() -> None:
    assert inputs.parsed("3x8x8, mask=128:2,7") == (
        Given("input_0", (3, 8, 8)),
        Given("mask", (128,), 2),
        Given("input_2", (7,)),
    )


@pytest.mark.parametrize(
    "text", ["", "3x", "3X4", "x", "3x-1", "3x0", "4:0", "a=1,a=2", "3,,4", "3x4:x", "=3", "3.5"]
)
def test_texts_that_are_no_shape(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^input must be "):
        inputs.parsed(text)


def test_arguments_name_what_has_no_name() -> None:
    given = inputs.parsed("3,mask=4,5")
    assert [one.name for one in inputs.named(given, ["a", "b", "c"])] == ["a", "mask", "c"]
    assert inputs.named(given, ["a"]) == given
    assert inputs.named(inputs.parsed("3"), ["x"]) == (Given("input", (3,)),)


def test_a_network_takes_other_sizes_and_its_images_follow() -> None:
    own = (Given("input", (3, 224, 224)),)
    assert inputs.sized(own, IMAGE, None, "net") == (own, IMAGE)
    taken, made = inputs.sized(own, IMAGE, inputs.parsed("3x112x112"), "net")
    assert taken == [Given("input", (3, 112, 112))]
    assert made == {**IMAGE, "crop": [112, 112], "resize": 128}
    both = {**IMAGE, "resize": [256, 320]}
    assert inputs.sized(own, both, inputs.parsed("3x112x224"), "net")[1] == {
        **IMAGE, "crop": [112, 224], "resize": [128, 320]
    }  # fmt: skip
    with pytest.raises(SettingsError, match="as those of net, input=3x224x224"):
        inputs.sized(own, IMAGE, inputs.parsed("3x4"), "net")


def test_examples_tell_shapes_and_kinds() -> None:
    arrays = [np.zeros((2, 3, 4), np.float32), np.array([[1, 7]])]
    assert inputs.of_arrays(arrays) == (Given("input_0", (3, 4)), Given("input_1", (2,), 8))
    assert inputs.of_arrays([np.zeros((0, 2), np.int64)]) == (Given("input", (2,), 1),)


@pytest.mark.parametrize(
    ("example", "said"),
    [
        (np.zeros((2, 3)), "example 0 must hold float32 or integers, got float64"),
        (np.zeros((2, 3), np.bool_), "got bool"),
        (np.float32(3), "batch first"),
        ("x", "example 0 must be an array, batch first, got str"),
    ],
)
def test_examples_that_are_none(example: object, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        inputs.of_arrays([example])


def test_a_task_tells_its_samples() -> None:
    part = (np.zeros((4, 5)), np.arange(4))
    assert inputs.of_task(Arrays(test=part)) == (Given("input", (5,)),)


def test_attributes_of_a_module() -> None:
    needs.module("torch")
    import torch
    from torch import nn

    net = nn.Linear(2, 2)
    assert inputs.of_attributes(net) is None
    for value, expected in (
        ((3, 8, 8), (Given("input", (3, 8, 8)),)),
        (((3, 8), (4,)), (Given("a", (3, 8)), Given("b", (4,)))),
        ("large", None),
        ((), None),
        ((3, "x"), None),
    ):
        net.input_size = value  # type: ignore[assignment]  # an attribute of a user's own
        assert inputs.of_attributes(net, ["a", "b"]) == expected
    net.input_size = None  # type: ignore[assignment]  # as above
    net.default_cfg = {"input_size": (1, 4, 4)}  # type: ignore[assignment]  # as timm's
    assert inputs.of_attributes(net) == (Given("input", (1, 4, 4)),)
    net.example_input_array = torch.zeros(1, 6)
    assert inputs.of_attributes(net) == (Given("input", (6,)),)
    net.example_inputs = lambda: (torch.zeros(1, 2),)  # type: ignore[assignment]  # no method
    net.example_inputs = (torch.zeros(1, 7), torch.zeros(1, 1, dtype=torch.int32))  # type: ignore[assignment]
    assert inputs.of_attributes(net) == (Given("input_0", (7,)), Given("input_1", (1,), 1))
