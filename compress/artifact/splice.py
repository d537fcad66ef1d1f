"""Putting other bytes in the place of some in a serialized message; all others stay as they are.

protobuf allows many writings of one message, so nothing is written anew but what changes: the new
bytes and, where these are of another length, the lengths of the messages around them.
Source: protobuf's encoding, https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from mmap import mmap
from typing import TYPE_CHECKING

from compress.artifact.wire import DELIMITED, fields
from compress.codecs.cursor import varint

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

TENSOR = "onnx.TensorProto"
RAW_DATA, FLOAT_DATA, INT32_DATA, DOUBLE_DATA = 9, 4, 5, 10
EXTERNAL_DATA = 13
_MAX_DEPTH = 100  # as protobuf's own readers have it

Path = tuple[tuple[int, int], ...]  # field number, and which of its occurrences; outermost first


@dataclass(frozen=True, slots=True)
class Head:
    """The length before a message, a text or packed numbers."""

    at: int  #: where it stands
    begin: int  #: of what it is the length of
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """An occurrence of a field of a tensor."""

    number: int  #: of the field
    begin: int
    end: int
    heads: tuple[Head, ...]  #: the lengths around it, outermost first; its own where it has one
    is_delimited: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """Other bytes for a part."""

    part: Part
    data: bytes | memoryview


def tensors(
    data: bytes | mmap, kind: Descriptor, numbers: frozenset[int]
) -> dict[Path, list[Part]]:
    """Return where the tensors of a message are, and their occurrences of some of their fields.

    A message that stands in pieces is one: its pieces have the same place.

    Args:
        data: the message.
        kind: of the message.
        numbers: of the fields of a tensor.
    """
    search = _Search(data, numbers)
    search.message((0, len(data)), kind, (), ())
    return search.found


def splice(data: bytes | mmap, edits: Sequence[Edit]) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a message in which parts have other bytes, front to back.

    Args:
        data: the message.
        edits: of parts that do not overlap.
    """
    changes = {(e.part.begin, e.part.end): e.data for e in edits}
    grown: Counter[Head] = Counter()  # bytes that are added within
    heads = {head for edit in edits for head in edit.part.heads}
    for edit in edits:
        for head in edit.part.heads:
            grown[head] += len(edit.data) - (edit.part.end - edit.part.begin)
    # Inner ones begin later: when one is looked at, all within it have been.
    for head in sorted(heads, key=lambda head: head.at, reverse=True):
        if grown[head]:
            length = varint(head.end - head.begin + grown[head])
            changes[head.at, head.begin] = length
            for around in heads:
                if around.begin <= head.at < around.end:
                    grown[around] += len(length) - (head.begin - head.at)
    at = 0
    for begin, end in sorted(changes):
        yield data[at:begin]
        yield changes[begin, end]
        at = end
    yield data[at:]


@dataclass(slots=True)
class _Search:
    """The tensors of a message, as far as they were found."""

    data: bytes | mmap
    numbers: frozenset[int]
    found: dict[Path, list[Part]] = field(default_factory=dict)
    seen: Counter[tuple[Path, int]] = field(default_factory=Counter)  # of repeated fields

    def message(
        self, span: tuple[int, int], kind: Descriptor, path: Path, heads: tuple[Head, ...]
    ) -> None:
        """Take in a message."""
        known = kind.fields_by_number
        parts = self.found.setdefault(path, []) if kind.full_name == TENSOR else None
        for own in fields(self.data, *span):
            is_delimited = own.wire == DELIMITED
            around = (*heads, Head(own.at, own.begin, own.end)) if is_delimited else heads
            about = known.get(own.number)
            if parts is not None:
                if own.number in self.numbers:
                    parts.append(Part(own.number, own.begin, own.end, around, is_delimited))
            elif is_delimited and about is not None and about.message_type is not None:
                place, index = (path, own.number), 0
                if _is_repeated(about):
                    index = self.seen[place]
                    self.seen[place] += 1
                if len(heads) < _MAX_DEPTH:
                    inner = (*path, (own.number, index))
                    self.message((own.begin, own.end), about.message_type, inner, around)


def _is_repeated(about: FieldDescriptor) -> bool:
    if hasattr(about, "is_repeated"):
        return bool(about.is_repeated)
    return bool(about.label == about.LABEL_REPEATED)  # protobuf before 6.30
