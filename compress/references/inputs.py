"""What a network takes, as it is written on the command line, or told by a module or a task."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.errors import CompressError, SettingsError, require
from compress.references.subject import Given
from compress.tasks.outputs import all_of

if TYPE_CHECKING:
    from torch import nn

    from compress.tasks import Input, Task

_ONE = re.compile(
    r"(?:(?P<name>[A-Za-z_][\w.]*)=)?(?P<shape>\d+(?:x\d+)*|scalar)(?::(?P<below>\d+))?"
)
_WORDS = "shapes such as 3x224x224, or NAME=128:30522 for integers below 30522, with commas between"


def parsed(text: str) -> tuple[Given, ...]:
    """Read shapes as they are written: of one sample each, in the order of the arguments.

    `:N` behind a shape is for integers below N; `scalar` is the shape of one number a sample.

    Raises:
        SettingsError: when the text is none.

    >>> parsed("3x224x224")
    (Given(name='input', shape=(3, 224, 224), below=None),)
    >>> [(one.name, one.shape, one.below) for one in parsed("input_ids=128:30522,mask=128:2")]
    [('input_ids', (128,), 30522), ('mask', (128,), 2)]
    """
    parts = [part.strip() for part in text.split(",")]
    found = [_ONE.fullmatch(part) for part in parts]
    made = []
    for place, one in enumerate(found):
        if one is None:
            raise SettingsError(f"input must be {_WORDS}, got {text!r}")
        shape = () if one["shape"] == "scalar" else tuple(map(int, one["shape"].split("x")))
        below = None if one["below"] is None else int(one["below"])
        require(0 not in shape and below != 0, "input", "without a 0", text)
        made.append(Given(one["name"] or _numbered(place, len(parts)), shape, below))
    names = [one.name for one in made]
    require(len(set(names)) == len(names), "input", "of names that differ", text)
    return tuple(made)


def named(given: Sequence[Given], names: Sequence[str]) -> tuple[Given, ...]:
    """Give inputs without a name of their own those of a network's arguments.

    Args:
        given: as `parsed` returns them.
        names: of the arguments; where they are fewer, the inputs stay as they are.
    """
    if len(given) == 1 or len(names) < len(given):
        return tuple(given)
    return tuple(
        Given(names[place], one.shape, one.below)
        if one.name == _numbered(place, len(given))
        else one
        for place, one in enumerate(given)
    )


def sized(
    own: Sequence[Input],
    preprocessing: Mapping[str, Any] | None,
    asked: Sequence[Given] | None,
    network: str,
) -> tuple[Sequence[Input], Mapping[str, Any] | None]:
    """Give a network's inputs the shapes that are asked for; images are resized in proportion.

    Args:
        own: inputs of the network, whose names and kinds stay.
        preprocessing: of its images.
        asked: as `parsed` returns them; None for the network's own.
        network: its name, for errors.

    Raises:
        SettingsError: when there are more or fewer, or with other axes.
    """
    if asked is None:
        return own, preprocessing
    if [len(given.shape) for given in asked] != [len(given.shape) for given in own]:
        shapes = ", ".join(f"{one.name}={'x'.join(map(str, one.shape)) or 'scalar'}" for one in own)
        raise SettingsError(f"input must be shapes as those of {network}, {shapes}")
    made = [Given(one.name, given.shape, one.below) for one, given in zip(own, asked, strict=True)]
    if preprocessing is None or len(made) != 1 or len(made[0].shape) != 3:
        return made, preprocessing
    sides, crop = list(made[0].shape[1:]), preprocessing["crop"]
    old = preprocessing.get("resize")
    resize: Any = None
    if isinstance(old, int):
        resize = round(old * min(sides) / min(crop))
    elif old is not None:
        resize = [
            round(size * side / was) for size, side, was in zip(old, sides, crop, strict=True)
        ]
    return made, {**preprocessing, "crop": sides, "resize": resize}


def of_arrays(arrays: Sequence[Any], names: Sequence[str] = ()) -> tuple[Given, ...]:
    """Return what a network takes by examples, arrays or tensors, batch first.

    Raises:
        SettingsError: when one has no batch, or holds neither floats of 32 bits nor integers.
    """
    made = []
    for place, array in enumerate(arrays):
        kind = str(getattr(array, "dtype", type(array).__name__)).removeprefix("torch.")
        if not hasattr(array, "shape") or not len(array.shape):
            raise SettingsError(f"example {place} must be an array, batch first, got {kind}")
        is_float, is_whole = kind == "float32", kind.startswith(("int", "uint"))
        if not is_float and not is_whole:
            raise SettingsError(f"example {place} must hold float32 or integers, got {kind}")
        below = None if is_float else int(array.max()) + 1 if 0 not in array.shape else 1
        shape = tuple(int(side) for side in array.shape[1:])
        made.append(Given(_numbered(place, len(arrays)), shape, below))
    return named(made, names)


def known(
    module: nn.Module, task: Task | None, names: Sequence[str] = ()
) -> tuple[Given, ...] | None:
    """Return what a module takes as it says itself, or as a task's samples are."""
    found = of_attributes(module, names)
    return of_task(task, names) if found is None and task is not None else found


def of_task(task: Task, names: Sequence[str] = ()) -> tuple[Given, ...] | None:
    """Return what a task's samples are; None where that follows from the network."""
    try:
        parts = (task.load("test"), task.load("validation"), task.load("train"))
        part = next((part for part in parts if part is not None and len(part)), None)
        if part is None:
            return None
        inputs = all_of(part.batch(np.arange(1))[0])
    except CompressError:  # it has to be suited to a network before
        return None
    return of_arrays([a.astype(np.float32) if a.dtype.kind == "f" else a for a in inputs], names)


def of_attributes(module: nn.Module, names: Sequence[str] = ()) -> tuple[Given, ...] | None:
    """Return what a module says of its inputs by itself; None where it says nothing.

    Examples are `example_inputs`, or Lightning's `example_input_array`; shapes are `input_size`, as
    timm's configurations have it too.
    """
    for attribute in ("example_inputs", "example_input_array"):
        found = getattr(module, attribute, None)
        found = found() if inspect.ismethod(found) else found
        if found is not None:
            return of_arrays(found if isinstance(found, (tuple, list)) else [found], names)
    size = getattr(module, "input_size", None)
    config = getattr(module, "default_cfg", None)
    if size is None and isinstance(config, dict):
        size = config.get("input_size")
    if _is_shape(size):
        size = (size,)
    if not isinstance(size, (tuple, list)) or not size or not all(map(_is_shape, size)):
        return None
    shapes = [Given(_numbered(place, len(size)), tuple(one)) for place, one in enumerate(size)]
    return named(shapes, names)


def arguments(module: nn.Module) -> list[str]:
    """Return the names of what a module's forward pass takes by place."""
    found = inspect.signature(module.forward).parameters.values()
    return [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _is_shape(size: Any) -> bool:  # noqa: ANN401  (what a module has under a name)
    return (
        isinstance(size, (tuple, list))
        and bool(size)
        and all(isinstance(side, int) and side > 0 for side in size)
    )


def _numbered(place: int, count: int) -> str:
    return "input" if count == 1 else f"input_{place}"
