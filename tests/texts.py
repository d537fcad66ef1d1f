"""A tokenizer of four words, as a file that goes with a network."""

from __future__ import annotations

from tests import needs

VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "cat": 2, "dog": 3, "bird": 4}


def tokenizer() -> bytes:
    """Return a tokenizer.json."""
    needs.module("tokenizers")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    made = Tokenizer(WordLevel(VOCABULARY, "[UNK]"))
    made.pre_tokenizer = Whitespace()
    return made.to_str().encode()
