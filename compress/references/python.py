"""Networks of someone's own code, which runs because its user names it."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.errors import CompressError, SettingsError
from compress.references.file import named
from compress.references.subject import Given, Subject, Torch
from compress.tasks import Task
from compress.tasks.outputs import all_of

if TYPE_CHECKING:
    from torch import Tensor, nn


def resolve(text: str, task: Task | None, inputs: Sequence[Given]) -> Subject:
    """Return the network that a function returns.

    The function is called without arguments, or with `classes`, the number of the task's classes,
    where it takes that. It returns a module of torch with the weights that are meant (`--weights
    random` and `trained` take them for a start), or a `Subject`. What the network takes is said by
    `--input`, else by the task's samples, else by the module's attribute `example_inputs` (tensors,
    batch first) or `input_size` (without the batch).

    Args:
        text: FILE.py:FUNCTION or MODULE:FUNCTION.
        task: that the network is for.
        inputs: as `--input` says.
    """
    function = attribute(text, "model")
    if not callable(function):
        raise SettingsError(f"model {text} must be a function that returns a network")
    first = _called(text, function, task)
    if isinstance(first, Subject):
        return first
    model = _module(text, first)

    def build(own: Task | None) -> nn.Module:
        return _module(text, _called(text, function, own))

    taken = inputs or _of_task(task) or _of_module(model)
    if not taken:
        raise SettingsError(
            f"the input of {text} is not known: give --input, such as --input 3x224x224"
        )
    name = named(text.rpartition(":")[2])
    return Subject(name=name, source=Torch(build=build, is_trained=True), inputs=tuple(taken))


def of_module(
    model: nn.Module, examples: Sequence[Tensor], name: str, task: Task | None = None
) -> Subject:
    """Return a network that Python gives; it is copied, and keeps its weights.

    Args:
        model: of torch.
        examples: of its inputs, batch first; by default those of the task's samples.
        name: of the run's files.
        task: that the network is for.
    """
    taken = _of_examples(examples) or _of_task(task) or _of_module(model)
    if not taken:
        raise SettingsError("examples must be given with a model: a tensor for each input")
    source = Torch(build=lambda _: copy.deepcopy(model), is_trained=True)
    return Subject(name=named(name), source=source, inputs=taken)


def attribute(text: str, what: str) -> Any:  # noqa: ANN401  (whatever stands there)
    """Return what a file or a module has under a name.

    Args:
        text: FILE.py:NAME or MODULE:NAME.
        what: is asked for: model or task.

    Raises:
        SettingsError: when there is no such file, module or name, or its code fails.
    """
    place, _, name = text.rpartition(":")
    if not place or not name:
        raise SettingsError(f"{what} must be FILE.py:NAME or MODULE:NAME, got {text!r}")
    module = _file(place, what) if place.endswith(".py") else _imported(place, text, what)
    if not hasattr(module, name):
        known = [own for own in vars(module) if not own.startswith("_")]
        raise SettingsError(f"{place} has no {name}; it has {', '.join(known[:20]) or 'nothing'}")
    return getattr(module, name)


def _file(place: str, what: str) -> ModuleType:
    path = Path(place).expanduser().resolve()
    if not path.is_file():
        raise SettingsError(f"{what} {place} is not a file")
    name = f"_compress_{path.stem}_{abs(hash(path)):x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # what dataclasses look for
    sys.path.insert(0, str(path.parent))  # its neighbours, as Python itself would find them
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _failed(place, error) from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _imported(place: str, text: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and not place.startswith(error.name):
            raise _failed(place, error) from error
        from compress.references.networks import forms

        known = f"; a network is one of {forms()}" if what == "model" else ""
        raise SettingsError(f"{what} {text}: there is no module {place}{known}") from error
    except Exception as error:
        raise _failed(place, error) from error


def _called(text: str, function: Callable[..., Any], task: Task | None) -> Any:  # noqa: ANN401
    options: dict[str, Any] = {}
    if task is not None and task.classes and "classes" in _parameters(function):
        options["classes"] = len(task.classes)
    try:
        return function(**options)
    except CompressError:
        raise
    except Exception as error:
        raise _failed(text, error) from error


def _parameters(function: Callable[..., Any]) -> Sequence[str]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # of some compiled functions
        return ()


def _failed(place: str, error: Exception) -> SettingsError:
    """Return the error for someone's code that raised, with the line that did."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return SettingsError(f"{place} failed{at}: {type(error).__name__}: {error}")


def _module(text: str, found: Any) -> nn.Module:  # noqa: ANN401  (what a function returned)
    from torch import nn

    if not isinstance(found, nn.Module):
        raise SettingsError(f"{text} must return a torch module, got {type(found).__name__}")
    return found


def _of_task(task: Task | None) -> tuple[Given, ...]:
    """Return the inputs that a task's samples are, where they are so without a network."""
    from compress.tasks.arrays import Arrays

    if not isinstance(task, Arrays):
        return ()
    samples = task.load("test")
    assert samples is not None
    arrays = all_of(samples.batch(np.arange(min(len(samples), 64)))[0])
    return tuple(
        Given(_input_name(place, len(arrays)), array.shape[1:], _below(array))
        for place, array in enumerate(arrays)
    )


def _of_module(model: nn.Module) -> tuple[Given, ...]:
    examples = getattr(model, "example_inputs", None)
    if examples is not None:
        return _of_examples(all_of(examples))
    size = getattr(model, "input_size", None)
    if isinstance(size, (tuple, list)) and size and all(isinstance(s, int) for s in size):
        return (Given("input", tuple(size)),)
    return ()


def _of_examples(examples: Sequence[Tensor]) -> tuple[Given, ...]:
    return tuple(
        Given(_input_name(place, len(examples)), tuple(e.shape[1:]), _below(e.detach().numpy()))
        for place, e in enumerate(examples)
    )


def _input_name(place: int, count: int) -> str:
    return "input" if count == 1 else f"input_{place}"


def _below(array: Any) -> int | None:  # noqa: ANN401  (an array of any type)
    return None if array.dtype.kind == "f" else int(array.max(initial=0)) + 1
