"""The header of a safetensors file, in the very bytes that its library writes.

Of several metadata entries the library writes the order that its hash table has, which is another
one each time; here they are sorted, so that the same file has the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Of the header: the library lays data out by type, the last of these first, then by name.
TYPES = (
    "BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0",
    "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "C64",
    "F64", "I64", "U64",
)  # fmt: skip
_ALIGNMENT = 8  # of the data
_SIZE = 8  # bytes of the header's size, which stands before it


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor in a header."""

    name: str
    type: str  #: one of `TYPES`
    shape: tuple[int, ...]
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Laid:
    """A file laid out: its first bytes, where the data of each entry begin, and its size."""

    head: bytes
    begins: tuple[int, ...]  #: by entry, in the file
    n_bytes: int


def lay_out(entries: Sequence[Entry], metadata: Mapping[str, str]) -> Laid:
    """Return the layout of a file of these tensors.

    Raises:
        ValueError: when a name is no Unicode.
    """
    header: dict[str, object] = {}
    if metadata:
        header["__metadata__"] = dict(sorted(metadata.items()))
    places = [0] * len(entries)
    end = 0
    order = sorted(
        range(len(entries)),
        key=lambda i: (-TYPES.index(entries[i].type), entries[i].name.encode()),
    )
    for index in order:
        entry = entries[index]
        places[index] = end
        end += entry.n_bytes
        header[entry.name] = {
            "dtype": entry.type,
            "shape": list(entry.shape),
            "data_offsets": [places[index], end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    head = len(text).to_bytes(_SIZE, "little") + text
    return Laid(head, tuple(len(head) + place for place in places), len(head) + end)


def read_header(data: bytes) -> tuple[tuple[Entry, ...], dict[str, str], tuple[int, ...]]:
    """Return entries, metadata and where the data of each entry begin in the file.

    Args:
        data: the first bytes of a file that the library has found to be whole.

    Raises:
        ValueError: when they are no header.
    """
    size = int.from_bytes(data[:_SIZE], "little")
    header = json.loads(data[_SIZE : _SIZE + size])
    metadata = header.pop("__metadata__", None) or {}
    entries, begins = [], []
    for name, facts in header.items():
        begin, end = facts["data_offsets"]
        entries.append(Entry(name, facts["dtype"], tuple(facts["shape"]), end - begin))
        begins.append(_SIZE + size + begin)
    return tuple(entries), metadata, tuple(begins)


def header_bytes(first: bytes) -> int:
    """Return the size of a file's header, by its first eight bytes."""
    return _SIZE + int.from_bytes(first, "little")
