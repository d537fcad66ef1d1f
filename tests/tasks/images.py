"""A task of pictures that a test makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from compress.preprocess import Preprocessing
from compress.tasks import Part
from compress.tasks.images import ImageTask
from compress.tasks.pictures import Pictures


@dataclass(frozen=True, kw_only=True)
class Made(ImageTask):
    """Pictures by part."""

    parts: Mapping[Part, Pictures] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    changes: Mapping[str, float] = field(default_factory=dict)  # type: ignore[misc]

    name = "made"

    def default_preprocessing(self, shape: tuple[int, int, int]) -> Preprocessing:
        """Take pictures as they are."""
        return Preprocessing(mode="L" if shape[0] == 1 else "RGB", crop=shape[1:])

    def pictures(self, part: Part) -> Pictures | None:
        """Return a part."""
        return self.parts.get(part)
