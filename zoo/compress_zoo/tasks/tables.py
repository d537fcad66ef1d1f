"""Files of tasks that are tables: a line of names, then a row a line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from compress_zoo.errors import ZooError


def columns(
    task: str,
    path: Path,
    kinds: Mapping[str, Callable[[str], Any]],
    **dialect: Any,  # noqa: ANN401  (csv's own)
) -> tuple[list[Any], ...]:
    """Return the items of some columns of a file, each column in the order of the rows.

    Args:
        task: that the file belongs to.
        path: of the file, in UTF-8.
        kinds: what each item is made, by the column's name; it raises `ValueError` for a wrong one.
        dialect: as `csv.DictReader` takes it.

    Raises:
        ZooError: when it cannot be read, or is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, **dialect))
        return tuple([kind(_there(row[name])) for row in rows] for name, kind in kinds.items())
    except OSError as error:
        raise ZooError(f"{task}: {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, csv.Error) as error:
        *names, last = kinds
        told = f"{', '.join(names)} and {last}" if names else last
        raise ZooError(f"{path} must have the columns {told}: {error!r}") from error


def _there(item: str | None) -> str:
    """Return an item; raise `ValueError` where a row is cut short."""
    if item is None:
        raise ValueError("a row is cut short")
    return item
