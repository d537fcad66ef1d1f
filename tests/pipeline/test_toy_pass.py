"""A pass is one file and one row: they give it an option, a section, a stage, a report's row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from compress import recipe as recipes
from compress.errors import SettingsError
from compress.passes.context import Context, Passed
from compress.passes.network import Network
from compress.pipeline.run import run
from compress.recipe import from_mapping
from compress.report.summary import table as summary
from tests.cli.console import spawn
from tests.pipeline import courses
from tests.pipeline.courses import Net, counted, row, subject

TOY = '''
"""A pass that rounds weights."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from compress.passes.chosen import all_of
from compress.passes.context import Layer, Passed


@dataclass(frozen=True, slots=True, kw_only=True)
class ToySettings:
    """Step that weights are rounded to."""

    step: Annotated[float, Meta(gt=0, description="what weights are multiples of")]
    above: Annotated[float, Meta(ge=0, description="size of weights that are left alone")] = 1e9


def toy(network, settings, context):
    print("the toy is run")
    weights, skipped = all_of(network)
    for weight in weights:
        weight.set_values(np.round(weight.values() / settings.step) * np.float32(settings.step))
    layers = [
        Layer(w.name, w.kind, w.shape, w.values().size, int(np.count_nonzero(w.values())))
        for w in weights
    ]
    return Passed(layers=tuple(layers), skipped=tuple(skipped), notes=("weights were rounded",))
'''

SCRIPT = """
import sys

from toy_for_test import ToySettings

from compress.passes import table

table.PASSES = (
    *table.PASSES,
    table.Pass(
        name="toy_rounding", settings=ToySettings, run="toy_for_test:toy", short="step",
        parse=float, metavar="STEP",
    ),
)
from compress.cli.main import main

sys.argv = ["compress", *sys.argv[1:]]
main()
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "toy_for_test.py").write_text(TOY)

    def compress(*words: object) -> Any:
        import compress as package

        path = f"{tmp_path}:{Path(package.__file__ or '').parents[1]}"
        script = f"import sys\nsys.path[:0] = {path.split(':')!r}\n{SCRIPT}"
        return spawn(
            script, *map(str, words), environment={"COMPRESS_CACHE": str(tmp_path / "cache")}
        )

    return compress


def test_the_command_line_has_it(toy: Any, tmp_path: Path) -> None:
    told = toy("run", "--help").out
    assert "--toy-rounding" in told
    assert "Step that weights are rounded to." in " ".join(told.replace("│", "").split())
    words = ("run", "--model", "lenet-300-100", "--weights", "random", "--toy-rounding", "0.02")
    done = toy(*words, "--prune", "0.5", "--out", tmp_path / "one")
    assert done.code == 0, done.err
    assert done.out.startswith("the toy is run\n")
    assert "toy_rounding" in done.out.removeprefix("the toy is run\n")
    assert "weights were rounded" in done.err
    text = (tmp_path / "one" / "recipe.yaml").read_text()
    assert "\ntoy_rounding:\n  step: 0.02\n  above: 1000000000.0\n" in text
    assert "toy_rounding" in (tmp_path / "one" / "report.html").read_text()
    again = toy("run", "--recipe", tmp_path / "one" / "recipe.yaml", "--out", tmp_path / "two")
    assert again.code == 0, again.err
    assert "the toy is run" not in again.out
    packed = [tmp_path / name / "lenet-300-100.safetensors" for name in ("one", "two")]
    assert packed[0].read_bytes() == packed[1].read_bytes()


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESS_CACHE", str(tmp_path / "cache"))
    cut = row("cut", run=f"{__name__}:cut", rebuild=f"{__name__}:rebuild")
    courses.with_rows(monkeypatch, row(), cut)


@pytest.mark.usefixtures("rows")
def test_a_recipe_has_it() -> None:
    for given in (3, "3", {"digits": 3}):
        recipe = from_mapping({"model": "net", "counted": given})
        assert recipe.passes["counted"].digits == 3
        assert from_mapping(recipes.to_mapping(recipe)) == recipe
    with pytest.raises(SettingsError, match=r"^counted.digits must be .* of at least 0, got -1$"):
        from_mapping({"model": "net", "counted": -1})
    with pytest.raises(SettingsError, match=r"^counted must be settings among digits, .* 'more'$"):
        from_mapping({"model": "net", "counted": {"digits": 1, "more": 2}})
    steps = from_mapping(
        {"model": "net", "counted": 3, "prune": 0.5, "steps": ["counted", "prune"]}
    )
    assert [one.name for one in steps.rows] == ["counted", "prune"]


@pytest.mark.usefixtures("rows")
def test_a_run_has_it_and_keeps_what_it_leaves(tmp_path: Path) -> None:
    recipe = from_mapping({"model": "net", "weights": "random", "counted": 1})
    report = run(recipe, subject(), tmp_path / "one")
    assert [stage.name for stage in report.stages] == [
        "dense", "counted", "export", "pack", "check",
    ]  # fmt: skip
    assert report.used["counted"]["digits"] == 1
    assert summary(report) is not None
    again = run(recipe, subject(), tmp_path / "two")
    assert courses.runs == [1]
    assert again.files == report.files
    assert [stage.seconds for stage in again.stages][1] == report.stages[1].seconds


def cut(network: Network, settings: Any, context: Context) -> Passed:
    """Leave some units of the first layer out, and round."""
    plan = {"units": 5}
    rebuild(network, plan)
    passed = counted(network, settings, context)
    return Passed(layers=passed.layers, plan=plan)


def rebuild(network: Any, plan: Any) -> None:
    """Make the layers smaller."""
    model = network.model
    for name, inputs, outputs in (("first", 16, plan["units"]), ("last", plan["units"], 2)):
        layer = nn.Linear(inputs, outputs)
        layer.weight.data = getattr(model, name).weight.data[:outputs, :inputs].clone()
        layer.bias.data = getattr(model, name).bias.data[:outputs].clone()
        setattr(model, name, layer)


@pytest.mark.usefixtures("rows")
def test_a_structure_is_rebuilt_from_its_plan(tmp_path: Path) -> None:
    settings = {"model": "net", "weights": "random", "counted": 2, "cut": 1}
    settings |= {"steps": ["cut", "counted"]}
    first = run(from_mapping(settings), subject(Net), tmp_path / "one")
    again = run(from_mapping(settings), subject(Net), tmp_path / "two")
    assert courses.runs == [1, 2]
    assert again.files == first.files
    assert (5, 16) in {layer.shape for layer in again.layers}
    run(from_mapping(settings | {"counted": 3}), subject(Net), tmp_path / "three")
    assert courses.runs == [1, 2, 3]
    assert np.isfinite(first.parity.max_rel)
