"""The settings of a run: one record, in YAML and back, and where the command line's help is from.

It imports no torch, so that `compress --help` and a bad recipe answer at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
import yaml
from typing_extensions import Doc

from compress.artifact.settings import Coder
from compress.errors import DataError, SettingsError, require
from compress.export.settings import OnnxSettings
from compress.passes.settings import BudgetSettings, PruneSettings, ShareSettings
from compress.passes.targets import Targets, bits_targets, n_bytes, sparsity_targets
from compress.training.settings import TrainSettings

_Parse = Callable[[str], Targets[float] | Targets[int] | int]

_PARSED: dict[tuple[str, str], _Parse] = {  # section, and the setting that stands for it, as text
    ("prune", "sparsity"): sparsity_targets,
    ("quantize", "bits"): bits_targets,
    ("budget", "target_bytes"): n_bytes,
}
_SECTIONS = {
    "prune": PruneSettings,
    "quantize": ShareSettings,
    "budget": BudgetSettings,
    "baseline": TrainSettings,
    "fine_tune": TrainSettings,
    "centroids": TrainSettings,
    "onnx": OnnxSettings,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides the result of a run."""

    model: Annotated[str, Doc("name of a network of the zoo, which compress zoo lists")]
    weights: Annotated[
        str | None,
        Doc(
            "pretrained, random, trained (a dense baseline on the task, made once and kept), or a "
            "file, safetensors or Song Han's published .net; by default pretrained, or trained "
            "where a task can be trained on"
        ),
    ] = None
    task: Annotated[
        str | None,
        Doc("what to train on: digits, mnist or imagefolder; without one nothing is trained"),
    ] = None
    data: Annotated[str | None, Doc("root of the data sets")] = None
    prune: Annotated[
        PruneSettings | None,
        Doc("part of the weights to set to zero: 0.9, or by kind conv=0.6,fc=0.92"),
    ] = None
    quantize: Annotated[
        ShareSettings | None,
        Doc("bits a weight that values are shared at: 5, or by kind conv=8,fc=5"),
    ] = None
    budget: Annotated[
        BudgetSettings | None,
        Doc(
            "size of the file: weights are shared after training, at bits of each layer that make "
            "it take so many bytes, such as 2000000, 2MB or 1.9MiB"
        ),
    ] = None
    coder: Annotated[
        Coder,
        Doc(
            "how codes and positions are written: huffman, or best, which is smaller and slower "
            "to open"
        ),
    ] = "huffman"
    baseline: Annotated[
        TrainSettings | None, Doc("training of the dense baseline; else the task's own")
    ] = None
    fine_tune: Annotated[
        TrainSettings | None, Doc("training after pruning; else the task's own")
    ] = None
    centroids: Annotated[
        TrainSettings | None, Doc("training of the centroids; else the task's own")
    ] = None
    epochs: Annotated[
        int | None, Doc("rounds of fine-tuning and of the centroids' training, 0 for none")
    ] = None
    onnx: Annotated[OnnxSettings, Doc("form of the exported network")] = OnnxSettings()  # noqa: RUF009  (frozen)
    seed: Annotated[int, Doc("number that every random step begins with, in [0, 2**63)")] = 0
    device: Annotated[Literal["auto", "cpu", "cuda"], Doc("what to train on")] = "auto"

    def __post_init__(self) -> None:
        named = bool(re.fullmatch(r"[\w.-]+", self.model))
        require(named, "model", "a name that compress zoo lists, such as resnet50", self.model)
        require(0 <= self.seed < 2**63, "seed", "in [0, 2**63)", self.seed)
        require(self.epochs is None or self.epochs >= 0, "epochs", "0 or more", self.epochs)
        if self.quantize is not None and self.budget is not None:
            raise SettingsError(
                "quantize must be left out where target_bytes (budget) decides the bits"
            )
        trains = self.epochs is not None or self.fine_tune is not None or self.centroids is not None
        named = self.task is not None or not trains
        require(named, "task", "given for epochs or a training to mean anything", self.task)


def from_mapping(data: Mapping[str, Any]) -> Recipe:
    """Check settings as JSON's types; raise `SettingsError` with the key that is wrong."""
    plain = dict(data)
    for (section, key), parse in _PARSED.items():
        value = plain.get(section)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            value = {key: value}
        if isinstance(value, Mapping):
            plain[section] = {**value, **_parsed(value, section, key, parse)}
    _require_known(plain, Recipe, "recipe")
    for section, cls in _SECTIONS.items():
        if isinstance(plain.get(section), Mapping):
            _require_known(plain[section], cls, section)
    try:
        return msgspec.convert(plain, Recipe)
    except msgspec.ValidationError as error:
        raise SettingsError(_in_our_words(str(error), plain)) from error


def to_mapping(recipe: Recipe) -> dict[str, Any]:
    """Return the settings as JSON's types; `from_mapping` gives them back."""
    data: dict[str, Any] = msgspec.to_builtins(recipe)
    for section, key in _PARSED:
        value = getattr(getattr(recipe, section), key, None)
        if isinstance(value, Targets):
            data[section][key] = str(value)
    return data


def read(path: Path) -> Recipe:
    """Read a recipe from YAML; raise `DataError` or `SettingsError` where it is none."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
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


def documented(cls: type) -> dict[str, str]:
    """Return what a settings class says of each field."""
    hints = get_type_hints(cls, include_extras=True)
    return {
        field.name: text.documentation
        for field in fields(cls)
        for text in getattr(hints[field.name], "__metadata__", ())
        if isinstance(text, Doc)
    }


def _require_known(given: Mapping[str, Any], cls: type, name: str) -> None:
    known = [field.name for field in fields(cls)]
    unknown = ", ".join(sorted(str(key) for key in given if key not in known))
    require(not unknown, name, f"settings among {', '.join(known)}", unknown)


def _parsed(value: Mapping[str, Any], section: str, key: str, parse: _Parse) -> dict[str, Any]:
    text = value.get(key)
    if not isinstance(text, (str, int, float)) or isinstance(text, bool):
        return {}
    try:
        return {key: msgspec.to_builtins(parse(str(text)))}
    except SettingsError as error:
        raise SettingsError(f"{section}: {error}") from None


_EXPECTED = {  # msgspec's names of types
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "object": "settings by name",
}


def _in_our_words(said: str, plain: Mapping[str, Any]) -> str:
    """Return what msgspec says of a value, with what may stand there."""
    problem, _, place = said.partition(" - at `$.")
    place = place.removesuffix("`")
    keys = place.split(".") if place else []
    missing = re.fullmatch(r"Object missing required field `(\w+)`", problem)
    if missing:
        return f"{'.'.join([*keys, missing[1]])} must be given"
    got: Any = plain
    kinds: tuple[Any, ...] = (Recipe,)
    for key in keys:
        got = got.get(key) if isinstance(got, Mapping) else got
        hints = [get_type_hints(kind).get(key) for kind in kinds if is_dataclass(kind)]
        kinds = tuple(kind for hint in hints for kind in (get_args(hint) or (hint,)))
    choices = [
        name for kind in kinds for name in get_args(kind) or (kind,) if isinstance(name, str)
    ]
    expected = re.match(r"Expected `(\w+)", problem)
    if choices:
        may = " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
    elif expected and expected[1] in _EXPECTED:
        may = _EXPECTED[expected[1]]
    else:
        return f"{place or 'recipe'}: {problem}"
    return f"{place} must be {may}, got {got!r}"
