"""The settings of a run: one record, in YAML and back, and where the command line's help is from.

Its sections are the rows of the table of passes, and a few settings of the run itself. It imports
no torch, so that `compress --help` and a bad recipe answer at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
import yaml
from msgspec import Meta

from compress import settings
from compress.artifact.settings import Coder
from compress.errors import DataError, SettingsError, require
from compress.export.settings import OnnxSettings
from compress.passes import table
from compress.passes.table import Pass
from compress.passes.targets import Targets
from compress.training.settings import TrainSettings

_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides the result of a run."""

    model: Annotated[
        str,
        Meta(
            description="a network: a name that compress zoo lists, timm:NAME, torchvision:NAME, "
            "hf:NAME, FILE.py:FUNCTION, MODULE:FUNCTION or FILE.onnx"
        ),
    ]
    weights: Annotated[
        str | None,
        Meta(
            description="pretrained, random, trained (a dense baseline on the task, made once and "
            "kept), or a file, safetensors or Song Han's published .net; by default those that the "
            "network comes with, else trained where there is a task"
        ),
    ] = None
    input: Annotated[
        str | None, Meta(description="shape of the network's input, such as 3x224x224")
    ] = None
    task: Annotated[
        str | None,
        Meta(
            description="data to train and measure on: a name, or FILE.py:NAME; without one "
            "nothing is trained"
        ),
    ] = None
    data: Annotated[str | None, Meta(description="root of the data sets")] = None
    calibration: Annotated[
        str | None,
        Meta(
            description="samples without labels that errors are made to cancel on: a folder of "
            "images, or a .npy, .npz or .txt file; by default some of the task's training part"
        ),
    ] = None
    passes: Mapping[str, Any] = field(default_factory=dict)  #: settings of each pass, by its name
    steps: Annotated[
        tuple[str, ...] | None, Meta(description="order of the passes, where it is another")
    ] = None
    coder: Annotated[
        Coder,
        Meta(
            description="how codes and positions are written: huffman, or best, which is smaller "
            "and slower to open"
        ),
    ] = "huffman"
    dense: Annotated[
        TrainSettings | None, Meta(description="training of the dense network; else the task's own")
    ] = None
    epochs: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="rounds of each training that goes with a pass, 0 for none"),
    ] = None
    onnx: Annotated[OnnxSettings, Meta(description="form of the exported network")] = OnnxSettings()  # noqa: RUF009  (frozen)
    seed: Annotated[
        int, Meta(ge=0, le=_LARGEST_SEED, description="number that every random step begins with")
    ] = 0
    device: Annotated[Literal["auto", "cpu", "cuda"], Meta(description="what to train on")] = "auto"

    def __post_init__(self) -> None:
        settings.check(self)
        require(bool(self.model.strip()), "model", "a network's name or file", self.model)
        for row in self.rows:
            for other in row.instead_of:
                if other in self.passes:
                    raise SettingsError(f"{row.name} must be left out where there is {other}")
        if self.steps is not None:
            right = sorted(self.steps) == sorted(self.passes)
            require(right, "steps", f"each of {', '.join(self.passes)} once", list(self.steps))
        trainings = [getattr(held, "train", None) for held in self.passes.values()]
        trains = any(one is not None for one in (self.epochs, self.dense, *trainings))
        named = self.task is not None or not trains
        require(named, "task", "given for epochs or a training to mean anything", self.task)

    @property
    def rows(self) -> tuple[Pass, ...]:
        """Return the passes in the order of the run."""
        rows = {row.name: row for row in table.PASSES}
        names = self.steps or [name for name in rows if name in self.passes]
        return tuple(rows[name] for name in names)


def from_mapping(data: Mapping[str, Any]) -> Recipe:
    """Check settings as JSON's types; raise `SettingsError` with the key that is wrong."""
    rows = {row.name: row for row in table.PASSES}
    known = [name for name in _names(Recipe) if name != "passes"]
    _require_known(data, [*known, *rows], "recipe")
    plain = {key: value for key, value in data.items() if key not in rows}
    for key, cls in (("dense", TrainSettings), ("onnx", OnnxSettings)):
        if isinstance(plain.get(key), Mapping):
            _require_known(plain[key], _names(cls), key)
    given = {name: data[name] for name in rows if data.get(name) is not None}
    passes = {name: section(rows[name], value) for name, value in given.items()}
    recipe: Recipe = _converted({**plain, "passes": passes}, Recipe, "")
    return recipe


def to_mapping(recipe: Recipe) -> dict[str, Any]:
    """Return the settings as JSON's types; `from_mapping` gives them back."""
    data: dict[str, Any] = {}
    for name in _names(Recipe):
        if name == "passes":
            data |= {row.name: section_of(recipe.passes[row.name]) for row in recipe.rows}
        else:
            data[name] = msgspec.to_builtins(getattr(recipe, name))
    return data


def section(row: Pass, value: Any) -> Any:  # noqa: ANN401  (JSON's types to settings)
    """Return a pass's settings; a plain value is the one that its option takes.

    Raises:
        SettingsError: with the key that is wrong.
    """
    plain = dict(value) if isinstance(value, Mapping) else {row.short: value}
    _require_known(plain, _names(row.settings), row.name)
    if isinstance(plain.get("train"), Mapping):
        _require_known(plain["train"], _names(TrainSettings), f"{row.name}.train")
    short = plain.get(row.short)
    if isinstance(short, (str, int, float)) and not isinstance(short, bool):
        try:
            plain[row.short] = msgspec.to_builtins(row.parse(str(short)))
        except SettingsError as error:
            raise SettingsError(f"{row.name}: {error}") from None
    return _converted(plain, row.settings, row.name)


def section_of(held: Any) -> dict[str, Any]:  # noqa: ANN401  (any settings)
    """Return a pass's settings as JSON's types."""
    data: dict[str, Any] = msgspec.to_builtins(held)
    for name in _names(type(held)):
        value = getattr(held, name)
        if isinstance(value, Targets):
            data[name] = str(value)
    return {name: value for name, value in data.items() if value is not None}


def read(path: Path) -> Recipe:
    """Read a recipe from YAML; raise `DataError` or `SettingsError` where it is none."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"recipe {path} cannot be read: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a 13th month
        raise SettingsError(f"recipe {path} is not YAML: {str(error).splitlines()[0]}") from error
    require(isinstance(data, dict), f"recipe {path}", "settings by name", type(data).__name__)
    return from_mapping(data)


def to_yaml(recipe: Recipe) -> str:
    """Return the recipe as YAML, settings that are not given left out."""
    given = {key: value for key, value in to_mapping(recipe).items() if value is not None}
    text: str = yaml.safe_dump(given, sort_keys=False)
    return text


class _Loader(yaml.SafeLoader):
    """Reads 2:4 as it is written; by YAML 1.1 it is a number to the base of 60."""


_Loader.yaml_implicit_resolvers = {
    first: [("tag:yaml.org,2002:str", re.compile(r"[0-9]+:[0-9]+$")), *found]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _names(cls: type[Any]) -> list[str]:
    return [field.name for field in fields(cls)]


def _require_known(given: Mapping[str, Any], known: Sequence[str], name: str) -> None:
    unknown = ", ".join(sorted(str(key) for key in given if key not in known))
    require(not unknown, name, f"settings among {', '.join(known)}", unknown)


def _converted(plain: Mapping[str, Any], cls: type[Any], section: str) -> Any:  # noqa: ANN401
    try:
        return msgspec.convert(plain, cls)
    except msgspec.ValidationError as error:
        said = _in_our_words(str(error), plain, cls)
        raise SettingsError(f"{section}.{said}" if section else said) from error


_EXPECTED = {  # msgspec's names of types
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "object": "settings by name",
}


_BOUNDS = {">=": "of at least", "<=": "of at most", ">": "above", "<": "below"}


def _in_our_words(said: str, plain: Mapping[str, Any], cls: type[Any]) -> str:
    """Return what msgspec says of a value, with what may stand there."""
    problem, _, place = said.partition(" - at `$.")
    place = place.removesuffix("`")
    keys = place.split(".") if place else []
    missing = re.fullmatch(r"Object missing required field `(\w+)`", problem)
    if missing:
        return f"{'.'.join([*keys, missing[1]])} must be given"
    got: Any = plain
    kinds: tuple[Any, ...] = (cls,)
    for key in keys:
        got = got.get(key) if isinstance(got, Mapping) else got
        hints = [get_type_hints(kind).get(key) for kind in kinds if is_dataclass(kind)]
        kinds = tuple(kind for hint in hints for kind in (get_args(hint) or (hint,)))
    choices = [
        name for kind in kinds for name in get_args(kind) or (kind,) if isinstance(name, str)
    ]
    expected = re.match(r"Expected `(\w+)[^`]*`(?: (>=|<=|>|<) (\S+))?", problem)
    if choices:
        may = " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
    elif expected and expected[1] in _EXPECTED:
        may = _EXPECTED[expected[1]]
        if expected[2]:
            may += f" {_BOUNDS[expected[2]]} {expected[3]}"
    else:
        return f"{place or 'recipe'}: {problem}"
    return f"{place} must be {may}, got {got!r}"
