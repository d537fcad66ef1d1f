"""A row of the zoo, by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress.references import heads
from compress.references.asked import Asked, classes_of, made_for
from compress.references.inputs import sized
from compress.references.subject import Subject, Torch

if TYPE_CHECKING:
    from compress_zoo.entry import Entry

_IMAGENET = 1000  # classes of what is published for imagefolder


def resolve(name: str, asked: Asked) -> Subject:
    """Return the network of a row; raise `ZooError` with the nearest names where there is none."""
    from compress_zoo import registry

    entry = registry.get(name)
    taken, preprocessing = sized(entry.inputs, entry.preprocessing, asked.inputs, name)
    return Subject(
        name=entry.name,
        source=_source(entry),
        inputs=taken,
        batch=entry.batch,
        tolerance=entry.tolerance,
        preprocessing=preprocessing,
        attached=entry.attached,
    )


def _source(entry: Entry) -> Torch:
    load = entry.load_pretrained if entry.is_pretrained else None
    if entry.library == "transformers" and heads.are_texts(entry.inputs):
        return heads.encoder(entry.build, load, [given.name for given in entry.inputs])
    return Torch(
        build=lambda task: entry.build(classes_of(task)),
        load_pretrained=load,
        is_made_for=made_for(_IMAGENET if entry.task == "imagefolder" else None),
    )
