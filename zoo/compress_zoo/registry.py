"""All rows of the zoo, by name. Nothing is built, downloaded or imported by listing them."""

from __future__ import annotations

from collections.abc import Callable

from compress_zoo import (
    alexnet,
    attention,
    bert,
    capsnet,
    captioning,
    cifar_resnet,
    control,
    convs2s,
    detection,
    efficientnet,
    generation,
    gmlp,
    gpt,
    inception,
    language_models,
    lenet,
    mobilenet,
    nasnet,
    nin,
    perceiver,
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
    text_to_text,
    transformer,
    vgg,
    video,
    word_vectors,
    xception,
)
from compress_zoo.entry import Entry
from compress_zoo.errors import unknown

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
    *attention.ENTRIES,
    *convs2s.ENTRIES,
    *transformer.ENTRIES,
    *gpt.ENTRIES,
    *bert.ENTRIES,
    *text_to_text.ENTRIES,
    *gmlp.ENTRIES,
    *captioning.ENTRIES,
    *perceiver.ENTRIES,
    *generation.ENTRIES,
    *representation.ENTRIES,
    *speech.ENTRIES,
    *control.ENTRIES,
)


def entries(
    family: str | None = None, *, task: str | None = None, source: str | None = None
) -> tuple[Entry, ...]:
    """Return all rows, or those of a family, for a task, from a library.

    Raises:
        ZooError: when no row at all has the family, the task or the source.
    """
    found: tuple[Entry, ...] = _ENTRIES
    facts: tuple[tuple[str, str | None, Callable[[Entry], str]], ...] = (
        ("family", family, lambda entry: entry.family),
        ("task", task, lambda entry: entry.task),
        ("source", source, lambda entry: entry.library),
    )
    for fact, wanted, of in facts:
        if wanted is not None:
            if wanted not in map(of, _ENTRIES):
                raise unknown(fact, wanted, set(map(of, _ENTRIES)))
            found = tuple(entry for entry in found if of(entry) == wanted)
    return found


def get(name: str) -> Entry:
    """Return the row of a name; raise `ZooError` with the nearest names where there is none."""
    for entry in _ENTRIES:
        if entry.name == name:
            return entry
    raise unknown("model", name, (entry.name for entry in _ENTRIES))
