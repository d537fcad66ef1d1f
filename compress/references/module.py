"""A network that Python gives: an nn.Module, and examples of what it takes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from compress.errors import SettingsError
from compress.references import inputs
from compress.references.asked import file_name
from compress.references.subject import Subject, Torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from compress.tasks import Task


def of_module(
    module: nn.Module,
    examples: Sequence[Tensor] | Tensor = (),
    name: str | None = None,
    task: Task | None = None,
) -> Subject:
    """Return a network that is there already; it is copied, and keeps its weights.

    Args:
        module: of torch, on any device; it stays as it is.
        examples: of its inputs in their order, batch first: float32 or integers; by default what
            the module says by itself, or those of the task's samples.
        name: of the run's files, by default the class's.
        task: that the network is for.

    Raises:
        SettingsError: when an example is none, or the module cannot be copied.
    """
    given = list(examples) if isinstance(examples, (tuple, list)) else [examples]
    names = inputs.arguments(module)
    taken = inputs.of_arrays(given, names) if given else inputs.known(module, task, names)
    if taken is None:
        raise SettingsError("examples must hold one for each input of the network, got none")
    own = copied(module)
    return Subject(
        name=file_name(name or type(module).__name__),
        source=Torch(build=lambda _: copied(own), is_trained=True),
        inputs=taken,
    )


def copied(module: Any) -> nn.Module:  # noqa: ANN401  (a module)
    """Return a copy of a module on the CPU, in evaluation mode."""
    try:
        made: nn.Module = copy.deepcopy(module)
    except Exception as error:  # what a module holds raises what it likes
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"model {type(module).__name__} cannot be copied: {reason}; give a function that "
            "builds it, FILE.py:FUNCTION"
        ) from error
    return made.cpu().eval()
