"""The settings of a run: YAML and back, the checks, and what the comments document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import CompressError, DataError, SettingsError
from compress.export.settings import OnnxSettings
from compress.passes.settings import (
    DistillSettings,
    PruneSettings,
    QuantizeSettings,
    StructuredSettings,
    TargetBytesSettings,
)
from compress.passes.table import PASSES
from compress.passes.targets import Pattern, Targets
from compress.recipe import Recipe, from_mapping, read, to_mapping, to_yaml
from compress.settings import documented
from compress.training.settings import TrainSettings

SETTINGS = (TrainSettings, OnnxSettings, *(row.settings for row in PASSES))

keys = st.sampled_from(["*", "conv", "fc", "features.0", "layer1.*.conv2"])
patterns = st.builds(Pattern, st.integers(1, 3), st.integers(4, 32))
sparsities = st.dictionaries(keys, st.floats(0, 1, exclude_max=True) | patterns, min_size=1)
bits = st.dictionaries(keys, st.integers(1, 16), min_size=1)
trainings = st.builds(
    TrainSettings,
    epochs=st.integers(1, 500),
    batch=st.integers(1, 4096),
    optimizer=st.sampled_from(["sgd", "adam", "adamw"]),
    lr=st.floats(1e-12, 1e3),
    weight_decay=st.floats(0, 1),
    patience=st.none() | st.integers(1, 10),
)
prunes = st.builds(
    PruneSettings,
    sparsity=st.builds(lambda held: Targets(tuple(held.items())), sparsities),
    scope=st.sampled_from(["lamp", "global", "uniform"]),
    schedule=st.sampled_from(["one-shot", "gradual"]),
    interval=st.integers(1, 1000),
    train=st.none() | trainings,
)
quantizes = st.builds(
    QuantizeSettings,
    bits=st.just("auto") | st.builds(lambda held: Targets(tuple(held.items())), bits),
    init=st.sampled_from(["linear", "density", "random"]),
    samples=st.integers(0, 1000),
    train=st.none() | trainings,
)
sizes = st.builds(TargetBytesSettings, target_bytes=st.integers(1, 2**40))
distills = st.builds(
    DistillSettings,
    teacher=st.sampled_from(["dense", "lenet-5", "net.py:build"]),
    share=st.floats(0, 1),
    temperature=st.floats(0.5, 20),
    layers=st.none() | st.integers(1, 12),
    train=st.none() | trainings,
)
structureds = st.builds(
    StructuredSettings,
    macs_removed=st.floats(0, 1, exclude_min=True, exclude_max=True),
    importance=st.sampled_from(["magnitude", "bn"]),
    scope=st.sampled_from(["global", "uniform"]),
    round_to=st.integers(1, 64),
    train=st.none() | trainings,
)
sections = {
    "distill": distills,
    "structured": structureds,
    "prune": prunes,
    "quantize": quantizes,
    "target_bytes": sizes,
}
recipes = st.builds(
    Recipe,
    model=st.sampled_from(["lenet-5", "timm:resnet50", "hf:org/net", "net.py:build", "a b.onnx"]),
    weights=st.none()
    | st.sampled_from(["pretrained", "random", "folder of mine/weights.safetensors"]),
    input=st.none() | st.just("3x224x224"),
    task=st.just("mnist"),
    data=st.none() | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"))),
    calibration=st.none() | st.just("folder"),
    passes=st.fixed_dictionaries(
        {},
        optional={
            "distill": distills,
            "structured": structureds,
            "prune": prunes,
            "quantize": quantizes,
        },
    )
    | st.fixed_dictionaries({"target_bytes": sizes}, optional={"prune": prunes}),
    dense=st.none() | trainings,
    epochs=st.none() | st.integers(0, 100),
    onnx=st.builds(OnnxSettings, opset=st.integers(18, 25), dynamic_batch=st.booleans()),
    seed=st.integers(0, 2**63 - 1),
    device=st.sampled_from(["auto", "cpu", "cuda"]),
)


def test_every_pass_is_tried() -> None:
    assert {*sections} == {row.name for row in PASSES}


@given(recipes)
def test_yaml_gives_the_same_recipe_back(recipe: Recipe) -> None:
    assert from_mapping(yaml.safe_load(to_yaml(recipe))) == recipe
    assert from_mapping(to_mapping(recipe)) == recipe


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"prune": 0.9}, {"prune": {"sparsity": "0.9"}}),
        ({"prune": "conv=0.6,fc=0.92"}, {"prune": {"sparsity": "conv=0.6,fc=0.92"}}),
        ({"prune": 0}, {"prune": {"sparsity": 0.0}}),
        ({"prune": "2:4"}, {"prune": {"sparsity": "2:4"}}),
        ({"structured": 0.5}, {"structured": {"macs_removed": 0.5, "round_to": 8}}),
        ({"quantize": "5bit"}, {"quantize": {"bits": "5bit", "init": "linear"}}),
        ({"quantize": "auto"}, {"quantize": {"bits": "auto", "max_drop": 1.0}}),
        ({"quantize": 5}, {"quantize": {"bits": "5bit"}}),
        ({"quantize": "conv=8,fc=5"}, {"quantize": {"bits": "conv=8bit,fc=5bit"}}),
        ({"target_bytes": "2MB"}, {"target_bytes": {"target_bytes": 2_000_000}}),
        ({"target_bytes": "1.5 MiB"}, {"target_bytes": {"target_bytes": 1_572_864}}),
        ({"prune": 0.9, "quantize": 5}, {"prune": 0.9, "quantize": 5, "steps": None}),
        ({"seed": 0, "onnx": {"opset": 20}}, {}),
    ],
)
def test_short_forms_mean_the_long_ones(short: dict[str, Any], long: dict[str, Any]) -> None:
    model = {"model": "lenet-5"}
    assert from_mapping(model | short) == from_mapping(model | long)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "model must be given"),
        ({"model": ""}, "model must be a network's name or file, got ''"),
        ({"model": 5}, "model must be text, got 5"),
        ({"prune": 1.0}, "prune: sparsity must be in [0, 1), got 1.0"),
        ({"prune": -1}, "prune: sparsity must be in [0, 1), got -1.0"),
        ({"prune": float("nan")}, "prune: sparsity must be in [0, 1), got nan"),
        ({"prune": "conv=2"}, "prune: sparsity of conv must be in [0, 1), got 2.0"),
        ({"prune": "half"}, "prune: sparsity must be a number in [0, 1) or N:M, such as 2:4, "),
        ({"structured": 1}, "structured.macs_removed must be"),
        ({"structured": "half"}, "structured: macs_removed must be a number in (0, 1), got 'half'"),
        ({"prune": "0.5,0.6"}, "prune: targets must be given once for each layer or kind, got '*'"),
        ({"prune": ""}, "prune: sparsity must be a number in [0, 1) or N:M, such as 2:4, got ''"),
        ({"prune": "fc=4:2"}, "prune: sparsity of fc must be N:M with 1 <= N < M <= 32, got '4:2'"),
        ({"prune": True}, "prune.sparsity must be settings by name, got True"),
        ({"prune": {}}, "prune.sparsity must be given"),
        ({"prune": {"sparsity": 0.5, "scop": "lamp"}}, "prune must be settings among sparsity, "),
        (
            {"prune": {"sparsity": 0.5, "end": 2}},
            "prune.end must be a number of at most 1.0",
        ),
        ({"quantize": "0bit"}, "quantize: bits must be in [1, 16], got 0"),
        ({"quantize": "17bit"}, "quantize: bits must be in [1, 16], got 17"),
        (
            {"quantize": "int8"},
            "quantize: bits must be a whole number in [1, 16], such as 5 ",
        ),
        (
            {"target_bytes": "2 elephants"},
            "target_bytes: target_bytes must be a size such as 2000000, 400k",
        ),
        ({"target_bytes": "1e9"}, "target_bytes: target_bytes must be a size such as 2000000, "),
        ({"target_bytes": 0}, "target_bytes.target_bytes must be a whole number of at least 1"),
        ({"target_bytes": True}, "target_bytes.target_bytes must be a whole number, got True"),
        ({"coder": "zip"}, "coder must be huffman or best, got 'zip'"),
        (
            {"quantize": {"bits": "5bit", "init": "x"}},
            "quantize.init must be linear, density or ",
        ),
        (
            {"quantize": "5bit", "target_bytes": 9},
            "quantize must be left out where ",
        ),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": 2**63}, "seed must be a whole number of at most 9223372036854775807, got "),
        ({"seed": 2**70}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number, got 1.5"),
        ({"task": "mnist", "epochs": -1}, "epochs must be a whole number of at least 0, got -1"),
        ({"epochs": 3}, "task must be given for epochs or a training to mean anything, got None"),
        (
            {"prune": {"sparsity": 0.5, "train": {"epochs": 3}}},
            "task must be given for epochs or a training to mean anything, got None",
        ),
        ({"dense": {"epochs": 0}}, "dense.epochs must be a whole number of at least 1, got 0"),
        ({"dense": {"epochs": 1, "rate": 2}}, "dense must be settings among epochs, batch, "),
        (
            {"prune": {"sparsity": 0.5, "train": {"epochs": 1, "rate": 2}}},
            "prune.train must be settings among epochs, batch, ",
        ),
        ({"prune": 0.5, "steps": ["quantize"]}, "steps must be each of prune once, got "),
        ({"fine_tune": {"epochs": 3}}, "recipe must be settings among model, weights, "),
        ({"device": "tpu"}, "device must be auto, cpu or cuda, got 'tpu'"),
        ({"onnx": {"opset": 17}}, "onnx.opset must be a whole number of at least 18, got 17"),
        ({"onnx": None}, "onnx must be settings by name, got None"),
        (
            {"sparsity": 0.5, "colour": 1},
            "recipe must be settings among model, weights, input, ",
        ),
        ({7: 8}, "recipe must be settings among model, weights, input, "),
    ],
)
def test_wrong_settings_are_told(data: dict[str, Any], said: str) -> None:
    given = data if "model" in data or not data else {"model": "lenet-5"} | data
    with pytest.raises(SettingsError) as caught:
        from_mapping(given)
    assert str(caught.value).startswith(said)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("model: lenet-5  # Caffe's\nprune: 0.9\ndata: größe\n", encoding="utf-8")
    assert read(file) == from_mapping({"model": "lenet-5", "prune": 0.9, "data": "größe"})


@pytest.mark.parametrize("section", ["2:4", "{sparsity: 2:4}", "\n  sparsity: 2:4\n", "'2:4'"])
def test_a_pattern_is_no_number_to_the_base_of_60(tmp_path: Path, section: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(f"model: lenet-5\nprune: {section}\nseed: 3")
    assert read(file) == from_mapping({"model": "lenet-5", "prune": "2:4", "seed": 3})


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"[" * 5000, SettingsError, "is not YAML"),
        (b"model: [", SettingsError, "is not YAML"),
        (b"model: !!python/object:os.system x", SettingsError, "is not YAML"),
        (b"model: 2020-13-45", SettingsError, "is not YAML"),
        (b"- model", SettingsError, "must be settings by name, got 'list'"),
        (b"", SettingsError, "must be settings by name, got 'NoneType'"),
        (b"model: \xff", DataError, "cannot be read"),
        (None, DataError, "cannot be read"),
    ],
)
def test_a_file_that_is_no_recipe(
    tmp_path: Path, content: bytes | None, error: type[CompressError], said: str
) -> None:
    file = tmp_path / "recipe.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(error) as caught:
        read(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


@given(st.text(max_size=40) | st.from_regex(r"(model|prune|seed): [^\n]{0,12}\n", fullmatch=True))
def test_any_text_is_a_recipe_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(text, encoding="utf-8", errors="replace")
    try:
        recipe = read(file)
    except CompressError:
        return
    assert isinstance(recipe, Recipe)


def test_every_setting_of_a_run_is_documented() -> None:
    assert {*documented(Recipe)} == {*Recipe.__dataclass_fields__} - {"passes"}


@pytest.mark.parametrize("cls", SETTINGS)
def test_every_setting_is_documented(cls: type) -> None:
    texts = documented(cls)
    assert list(texts) == list(cls.__dataclass_fields__)  # type: ignore[attr-defined]  # a dataclass
    assert all(len(text) > 5 for text in texts.values()), texts
