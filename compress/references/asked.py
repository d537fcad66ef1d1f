"""What is asked of a reference, and what all kinds make of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from compress.errors import MissingExtraError, SettingsError
from compress.references.subject import Given

if TYPE_CHECKING:
    from compress.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A reference, and what stands beside it."""

    text: str  #: the whole reference, for errors
    task: Task | None = None
    inputs: tuple[Given, ...] | None = None  #: as the user gives them

    @property
    def classes(self) -> int | None:
        """Return the task's number of classes; None where it has none."""
        return classes_of(self.task)


def classes_of(task: Task | None) -> int | None:
    """Return a task's number of classes; None where it has none."""
    return len(task.classes) or None if task is not None else None


def made_for(published: int | None) -> Callable[[Task | None], bool]:
    """Return whether weights for so many classes do a task as they are."""
    return lambda task: classes_of(task) in (None, published)


def load_state(model: Any, state: Mapping[str, Any], name: str) -> None:  # noqa: ANN401
    """Load published weights into a network; raise `SettingsError` where they are for another."""
    try:
        model.load_state_dict(state)
    except RuntimeError as error:  # names or shapes differ
        raise SettingsError(
            f"the published weights of {name} do not fit this network, which was built for other "
            "classes; use --weights random|trained|FILE"
        ) from error


def library(name: str, extra: str) -> Any:  # noqa: ANN401  (a module)
    """Import a library, or a module of it, that an extra brings."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        package = (error.name or name).partition(".")[0]
        raise MissingExtraError(
            package, "torch" if package.startswith("torch") else extra
        ) from error


def file_name(text: str) -> str:
    """Return a name for files: letters, digits, `.`, `_` and `-` alone.

    >>> file_name("org/a net")
    'org-a-net'
    """
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.") or "network"
