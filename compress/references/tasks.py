"""What `--task` says, made a task: a name of the zoo, or an object in someone's own file."""

from __future__ import annotations

import inspect
from pathlib import Path

from compress.errors import CompressError, SettingsError
from compress.references.python import attribute
from compress.tasks import Task


def resolve_task(text: str, root: Path) -> Task:
    """Return a task.

    Args:
        text: a name of the zoo; or FILE.py:NAME or MODULE:NAME of a `Task`, or of a function that
            returns one, which is given `root` where it takes that.
        root: of the data sets.

    Raises:
        CompressError: when there is no such task, in one line.
    """
    if ":" not in text:
        from compress_zoo.tasks import registry

        return registry.get(text, root)
    found = attribute(text, "task")
    if callable(found):
        options = {"root": root} if "root" in inspect.signature(found).parameters else {}
        try:
            found = found(**options)
        except CompressError:
            raise
        except Exception as error:
            raise SettingsError(f"task {text} failed: {type(error).__name__}: {error}") from error
    if not isinstance(found, Task):
        raise SettingsError(
            f"task {text} must be a compress.tasks.Task or return one, got {type(found).__name__}"
        )
    return found
