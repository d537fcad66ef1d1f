"""One target for each decoder: what it does with a fuzzer's bytes.

A target is given any bytes. The first few choose the decoder's settings and how many symbols are
wanted; the rest is what is decoded. It returns whether that was something, and raises what no
reader may: an error that is not documented, or `AssertionError` where what was decoded is not what
the encoder gives, or not what the second reader, written from SPEC.md alone, reads.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz import files, symbols

Target = Callable[[bytes], bool]

TARGETS: dict[str, Target] = {
    "archive": files.archive_file,
    "container": files.container_file,
    "fixed": symbols.fixed_codec,
    "huffman": symbols.huffman_codec,
    "levels": symbols.levels_codec,
    "model": files.model_file,
    "pieces": files.pieces_of_files,
    "preprocessing": files.preprocessing,
    "published": files.published_file,
    "recipe": files.recipe,
    "rising": symbols.rising_codec,
    "stream": symbols.stream_of_symbols,
    "tensors": symbols.tensor,
}
