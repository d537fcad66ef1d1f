"""All rows of the zoo, by name. Nothing is built, downloaded or imported by listing them."""

from __future__ import annotations

from zoo import (
    alexnet,
    capsnet,
    captioning,
    cifar_resnet,
    control,
    detection,
    efficientnet,
    generation,
    inception,
    language_models,
    lenet,
    mobilenet,
    nasnet,
    nin,
    prelu_net,
    representation,
    resnet,
    segmentation,
    seq2seq,
    shufflenet,
    speech,
    squeezenet,
    stn,
    super_resolution,
    tagging,
    text_classification,
    vgg,
    video,
    word_vectors,
    xception,
)
from zoo.entry import Entry
from zoo.errors import unknown

_ENTRIES = (
    *lenet.ENTRIES,
    *alexnet.ENTRIES,
    *nin.ENTRIES,
    *vgg.ENTRIES,
    *inception.ENTRIES,
    *prelu_net.ENTRIES,
    *resnet.ENTRIES,
    *cifar_resnet.ENTRIES,
    *stn.ENTRIES,
    *capsnet.ENTRIES,
    *squeezenet.ENTRIES,
    *mobilenet.ENTRIES,
    *shufflenet.ENTRIES,
    *xception.ENTRIES,
    *nasnet.ENTRIES,
    *efficientnet.ENTRIES,
    *segmentation.ENTRIES,
    *super_resolution.ENTRIES,
    *detection.ENTRIES,
    *video.ENTRIES,
    *word_vectors.ENTRIES,
    *text_classification.ENTRIES,
    *tagging.ENTRIES,
    *language_models.ENTRIES,
    *seq2seq.ENTRIES,
    *captioning.ENTRIES,
    *generation.ENTRIES,
    *representation.ENTRIES,
    *speech.ENTRIES,
    *control.ENTRIES,
)


def entries(family: str | None = None) -> tuple[Entry, ...]:
    """Return all rows, or those of one family; raise `ZooError` where there is no such family."""
    if family is None:
        return _ENTRIES
    found = tuple(entry for entry in _ENTRIES if entry.family == family)
    if not found:
        raise unknown("family", family, {entry.family for entry in _ENTRIES})
    return found


def get(name: str) -> Entry:
    """Return the row of a name; raise `ZooError` with the nearest names where there is none."""
    for entry in _ENTRIES:
        if entry.name == name:
            return entry
    raise unknown("model", name, (entry.name for entry in _ENTRIES))
