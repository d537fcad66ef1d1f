"""A network that a function of the user's own builds: `FILE.py:FUNCTION` or `MODULE:FUNCTION`.

The function is called without an argument, or with `classes=N` where it takes that and the task has
classes. It returns an nn.Module, or a Subject that says all. What it names may be a module, too.

Whether its weights are random is found by building the network at two seeds: weights that are the
same both times are meant, as those that a checkpoint gave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from compress.errors import SettingsError
from compress.references import inputs, source
from compress.references.asked import Asked, file_name, library
from compress.references.module import copied
from compress.references.subject import Given, Subject, Torch

if TYPE_CHECKING:
    from torch import nn


def resolve(text: str, asked: Asked) -> Subject:
    """Return the network of a function; its module may say what it takes.

    Raises:
        SettingsError: when there is no such function, it fails, or returns something else, or
            nothing tells the shape of the network's input.
    """
    found, where = source.load(text, "model")
    torch = library("torch", "torch")
    if isinstance(found, Subject):
        return found
    build = _builder(found, where, text, asked)
    first = _seeded(build, 0)
    if isinstance(first, Subject):
        return first
    is_trained = isinstance(found, torch.nn.Module) or _same(first, _seeded(build, 1))
    return Subject(
        name=file_name(text.rpartition(":")[2]),
        source=Torch(
            build=(lambda _: copied(first)) if is_trained else (lambda _: build()),
            is_trained=is_trained,
        ),
        inputs=_inputs(first, text, asked),
        preprocessing=getattr(first, "preprocessing", None) if is_trained else None,
    )


def _builder(found: Any, where: str, text: str, asked: Asked) -> Callable[[], Any]:  # noqa: ANN401
    """Return what makes the network, in evaluation mode."""
    torch = library("torch", "torch")
    if isinstance(found, torch.nn.Module):
        return lambda: copied(found)
    if not callable(found):
        raise SettingsError(f"model {text} must be a function, got {type(found).__name__}")
    takes = source.parameters(found, text, "model", known=("classes",))
    given = {"classes": asked.classes} if "classes" in takes and asked.classes else {}
    source.parameters(found, text, "model", known=tuple(given))

    def build() -> Any:  # noqa: ANN401
        made = source.called(found, where, text, "model", **given)
        if isinstance(made, Subject):
            return made
        if not isinstance(made, torch.nn.Module):
            raise SettingsError(
                f"model {text} must return an nn.Module or a Subject, got {type(made).__name__}"
            )
        return made.cpu().eval()

    return build


def _seeded(build: Callable[[], Any], seed: int) -> Any:  # noqa: ANN401
    torch = library("torch", "torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def _same(first: nn.Module, second: nn.Module) -> bool:
    """Tell whether two networks have the same parameters."""
    torch = library("torch", "torch")
    one, other = dict(first.named_parameters()), dict(second.named_parameters())
    return one.keys() == other.keys() and all(
        torch.equal(held, other[name]) for name, held in one.items()
    )


def _inputs(module: nn.Module, text: str, asked: Asked) -> tuple[Given, ...]:
    """Return what a module takes: as asked, as it says, or as the task's samples are."""
    names = inputs.arguments(module)
    if asked.inputs is not None:
        return inputs.named(asked.inputs, names)
    found = inputs.known(module, asked.task, names)
    if found is None:
        raise SettingsError(
            f"model {text} does not tell the shape of its input: give --input such as 3x224x224, "
            "or its module an attribute input_size or example_inputs"
        )
    return found
