"""Shapes of inputs as text."""

from __future__ import annotations

import re

from compress.errors import SettingsError
from compress.references.subject import Given

_SHAPE = re.compile(r"(?:(\w+)=)?(\d+(?:x\d+)*)(?:<(\d+))?")


def parse(text: str) -> tuple[Given, ...]:
    """Read the inputs of a network, without the batch.

    `3x224x224` is an input of floats; `128<30522` one of integers below 30,522; a name stands
    before it, `tokens=128<30522`; several are parted by commas.

    Raises:
        SettingsError: when the text says no shape.

    >>> [(i.name, i.shape, i.below) for i in parse("3x32x32,length=1<9")]
    [('input_0', (3, 32, 32), None), ('length', (1,), 9)]
    """
    parts = [part.strip() for part in text.split(",")]
    found = []
    for place, part in enumerate(parts):
        match = _SHAPE.fullmatch(part)
        if match is None or len(part) > 200:
            raise SettingsError(
                f"input must be a shape such as 3x224x224, or 128<30522 for integers, got {part!r}"
            )
        name, sizes, below = match.groups()
        shape = tuple(int(size) for size in sizes.split("x"))
        if not all(0 < size < 1 << 31 for size in shape) or below == "0":
            raise SettingsError(f"input must have sizes above 0, got {part!r}")
        alone = "input" if len(parts) == 1 else f"input_{place}"
        found.append(Given(name or alone, shape, int(below) if below else None))
    return tuple(found)
