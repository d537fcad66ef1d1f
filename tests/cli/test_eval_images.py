"""`compress eval` on folders of images: classes by name, and what the file does not tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from compress.artifact import convert
from compress.preprocess import Preprocessing
from tests.cli.console import compress
from tests.cli.test_predict import network

RECORD = Preprocessing(mode="L", crop=(4, 4), resize=(4, 4))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Lay out three dark cats and two bright dogs."""
    root = tmp_path / "pictures"
    for name, level, count in (("cat", 40, 3), ("dog", 220, 2)):
        folder = root / "test" / name
        folder.mkdir(parents=True)
        for number in range(count):
            Image.new("L", (4, 4), level + number).save(folder / f"{number}.png")
    return root


def packed(folder: Path, labels: list[str] | None, levels: tuple[float, ...]) -> Path:
    """Write a file whose class is the level, from 0 to 1, that a picture is nearest to."""
    weight = np.repeat(np.float32([levels]), 16, 0) / 8  # 2 * level * mean - level ** 2
    weights = [
        numpy_helper.from_array(weight, "w"),
        numpy_helper.from_array(-np.square(np.float32(levels)), "b"),
    ]
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["y"]),
    ]
    shown = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", len(levels)])
    plain = network(folder / "m.onnx", nodes, ["n", 1, 4, 4], [shown], weights)
    facts = {"preprocessing": RECORD.to_json()} | ({"labels": labels} if labels else {})
    convert.pack(plain, folder / "m.safetensors", facts)
    return folder / "m.safetensors"


@pytest.mark.parametrize(
    ("labels", "levels"),
    [
        (["cat", "dog"], (0.2, 0.8)),
        (["dog", "cat"], (0.8, 0.2)),
        (["ant", "dog", "bee", "cat"], (0.5, 0.8, 0.6, 0.2)),
        (None, (0.2, 0.8)),
    ],
)
def test_classes_are_those_of_the_same_name(
    tmp_path: Path, pictures: Path, labels: list[str] | None, levels: tuple[float, ...]
) -> None:
    file = packed(tmp_path, labels, levels)
    words = ("eval", file, "--task", "imagefolder", "--data", pictures, "--json")
    assert compress(*words).json() == {"metric": "accuracy", "value": 1.0, "n": 5}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["cat", "wolf"], "class 'dog' of the data is none of the file's 2 ('cat', 'wolf')"),
        (["cat", "dog", "cow"], "must give a score for each of 3 classes, got an output of shape"),
    ],
)
def test_classes_that_differ(tmp_path: Path, pictures: Path, labels: list[str], said: str) -> None:
    file = packed(tmp_path, labels, (0.2, 0.8))
    assert said in compress("eval", file, "--task", "imagefolder", "--data", pictures).error()


def test_a_network_that_says_names(tmp_path: Path, pictures: Path) -> None:
    """Its second output, the scores, is not looked at."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("ReduceMean", ["f", "one"], ["mean"], keepdims=1),
        helper.make_node(
            "LinearClassifier", ["mean"], ["label", "scores"], domain="ai.onnx.ml",
            coefficients=[1.0, -1.0], intercepts=[-0.5, 0.5], post_transform="NONE",
            classlabels_strings=["dog", "cat"],
        ),
    ]  # fmt: skip
    shown = [
        helper.make_tensor_value_info("label", TensorProto.STRING, ["n"]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2]),
    ]
    axes = [numpy_helper.from_array(np.array([1]), "one")]
    plain = network(tmp_path / "m.onnx", nodes, ["n", 1, 4, 4], shown, axes)
    file = tmp_path / "m.safetensors"
    convert.pack(plain, file, {"preprocessing": RECORD.to_json()})
    words = ("eval", file, "--task", "imagefolder", "--data", pictures, "--json")
    assert compress(*words).json()["value"] == 1.0
