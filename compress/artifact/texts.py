"""What is no tensors' data, coded as LZMA: the graph, and files that go with the model."""

from __future__ import annotations

import lzma
from typing import Any

from compress.artifact.container import Streams
from compress.errors import FormatError

MAX_BYTES = 1 << 29  # of what is decoded
PLAIN_BYTES = 1 << 28  # before format 4
# So many bytes, and so many times the stream. Real graphs shrink 30 to 60 times.
_FREE_BYTES, _EXPANSION = 1 << 20, 1 << 8

# Bare LZMA, its settings fixed by the format; 1 MiB of dictionary keeps a reader's memory small.
LZMA: dict[str, Any] = {
    "format": lzma.FORMAT_RAW,
    "filters": [{"id": lzma.FILTER_LZMA1, "preset": 9, "dict_size": 1 << 20, "lc": 4, "pb": 0}],
}


def limit(n_bytes: int, version: int) -> int:
    """Return how many bytes a stream of so many may decode to, in a format of this version."""
    most = MAX_BYTES if version >= 4 else PLAIN_BYTES
    return min(_FREE_BYTES + _EXPANSION * n_bytes, most)


def encode(data: bytes) -> bytes:
    """Return bytes as a stream."""
    return lzma.compress(data, **LZMA)


def decode(streams: Streams, name: str, version: int) -> bytes:
    """Return what a stream holds; one that is missing is damaged.

    Raises:
        FormatError: when it is no LZMA, or holds too much.
    """
    coded = streams[name].data if name in streams else b""
    decoder = lzma.LZMADecompressor(**LZMA)
    try:
        data = decoder.decompress(coded, limit(len(coded), version))
    except lzma.LZMAError as error:
        raise FormatError(f"the {name} is damaged: {error}") from error
    if not decoder.eof or decoder.unused_data:
        raise FormatError(f"the {name} is cut short, too large or followed by more")
    return data
