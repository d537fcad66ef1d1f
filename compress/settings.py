"""Settings that carry their bounds and their help as data, checked wherever they are made.

A field is written `Annotated[int, Meta(ge=1, description="...")]`, with msgspec's `Meta`: recipes,
options, help and docs read it there, and `check` holds every record to it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Meta

from compress.errors import require

_BOUNDS: tuple[
    tuple[str, str, Callable[[float, float], bool]], ...
] = (  # field of `Meta`, how its condition reads, and whether a value meets it
    ("ge", "at least {}", operator.ge),
    ("gt", "above {}", operator.gt),
    ("le", "at most {}", operator.le),
    ("lt", "below {}", operator.lt),
)


def check(settings: Any) -> None:  # noqa: ANN401  (any dataclass)
    """Raise `SettingsError` where a number is out of its bounds; for `__post_init__`."""
    found = metas(type(settings))
    for field in fields(settings):
        value = getattr(settings, field.name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            continue
        met = [
            (text.format(f"{bound:g}"), holds(value, bound))
            for meta in found[field.name]
            for name, text, holds in _BOUNDS
            if (bound := getattr(meta, name)) is not None
        ]
        is_met = all(ok for _, ok in met)
        require(is_met, field.name, " and ".join(text for text, _ in met), value)


def documented(cls: type) -> dict[str, str]:
    """Return what a settings class says of each field."""
    return {
        name: meta.description
        for name, found in metas(cls).items()
        for meta in found
        if meta.description is not None
    }


def metas(cls: type[Any]) -> dict[str, tuple[Meta, ...]]:
    """Return the `Meta` of each field, those within a union among them."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: tuple(_found(hints[field.name])) for field in fields(cls)}


def _found(hint: Any) -> Iterator[Meta]:  # noqa: ANN401  (a type)
    if get_origin(hint) is Annotated:
        yield from (extra for extra in hint.__metadata__ if isinstance(extra, Meta))
    for part in get_args(hint):
        yield from _found(part)
