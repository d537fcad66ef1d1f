"""What `--task` says, made a task: of the zoo, or of one's own file or module."""

from __future__ import annotations

import inspect
from pathlib import Path

from compress.errors import SettingsError
from compress.references import source
from compress.tasks import Task


def resolve_task(text: str, root: Path) -> Task:
    """Return the task that a reference says.

    Args:
        text: a name of the zoo, `FILE.py:NAME` or `MODULE:NAME`. The last two are a task, or a
            function that returns one, which is given the root where it takes `root`.
        root: of the data sets.

    Raises:
        CompressError: in one line, when there is no such task.
    """
    if ":" not in text and not text.endswith(".py"):
        from compress_zoo.tasks import registry

        return registry.get(text, root)
    found, where = source.load(text, "task")
    if callable(found) and not isinstance(found, Task):
        takes = source.parameters(found, text, "task", known=("root",))
        given = {"root": root} if "root" in takes else {}
        found = source.called(found, where, text, "task", **given)
    if not isinstance(found, Task) or inspect.isclass(found):
        raise SettingsError(
            f"task {text} must be a compress.tasks.Task, or a function that returns one, "
            f"got {type(found).__name__}"
        )
    return found
