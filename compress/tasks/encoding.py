"""Texts to what a network takes: numbers of tokens, padded alike. It needs the extra nlp."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from compress.errors import DataError, FormatError, MissingExtraError
from compress.tasks.task import Takes

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Tokens = tuple[NDArray[np.int64], NDArray[np.int64]]  # numbers of tokens and of types, of one text

_MAX_TOKENS = 128  # where neither the tokenizer nor the network sets a length
_NEEDED = frozenset(("input_ids", "attention_mask"))
_INPUTS = _NEEDED | {"token_type_ids"}


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """A tokenizer, and how one network wants its texts."""

    tokenizer: Tokenizer
    names: tuple[str, ...]  #: of the inputs, in the order of the network's arguments
    length: int | None  #: that every text is padded to; None for the longest of a batch
    pad: tuple[int, int]  #: numbers of the padding's token and type
    pads_left: bool
    digest: str  #: of the tokenizer

    @classmethod
    def of(cls, takes: Takes) -> Self:
        """Take what a network tells.

        Raises:
            DataError: when the network takes no texts, or tells no tokenizer.
            FormatError: when the tokenizer is none.
            MissingExtraError: when the library of tokenizers is not installed.
        """
        if takes.tokenizer is None:
            raise DataError(
                f"{takes.name} holds no tokenizer.json, without which it takes no texts"
            )
        names = [given.name for given in takes.inputs]
        shapes = {tuple(given.shape) for given in takes.inputs}
        if not {*names} <= _INPUTS or not {*names} >= _NEEDED or len(shapes) != 1:
            raise DataError(f"the network must take input_ids and attention_mask, got {names}")
        match next(iter(shapes)):
            case (size,):
                length = size or None
            case shape:
                raise DataError(f"the network must take one text a row, got inputs of {shape}")
        tokenizer, pad, pads_left = _opened(takes.tokenizer, length)
        digest = hashlib.sha256(takes.tokenizer).hexdigest()
        return cls(tokenizer, tuple(names), length, pad, pads_left, digest)

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each text, cut to what the network takes and not padded."""
        return [
            (np.array(found.ids, np.int64), np.array(found.type_ids, np.int64))
            for found in self.tokenizer.encode_batch(list(texts))
        ]

    def inputs(self, texts: Sequence[Tokens]) -> tuple[NDArray[np.int64], ...]:
        """Return an array `(n, tokens)` for each input of the network."""
        made = self._padded(texts)
        return tuple(made[name] for name in self.names)

    def mask(self, texts: Sequence[Tokens]) -> NDArray[np.int64]:
        """Return 1 for each token and 0 for padding, as `inputs` are padded."""
        return self._padded(texts)["attention_mask"]

    def _padded(self, texts: Sequence[Tokens]) -> dict[str, NDArray[np.int64]]:
        longest = self.length or max((len(ids) for ids, _ in texts), default=0)
        shape = len(texts), max(longest, 1)
        made = {
            "input_ids": np.full(shape, self.pad[0], np.int64),
            "attention_mask": np.zeros(shape, np.int64),
            "token_type_ids": np.full(shape, self.pad[1], np.int64),
        }
        for row, (ids, types) in enumerate(texts):
            part = slice(shape[1] - len(ids), None) if self.pads_left else slice(len(ids))
            made["input_ids"][row, part] = ids
            made["attention_mask"][row, part] = 1
            made["token_type_ids"][row, part] = types
        return made


def _opened(data: bytes, length: int | None) -> tuple[Tokenizer, tuple[int, int], bool]:
    """Open a tokenizer that cuts; return the numbers of padding and its side, too."""
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingExtraError("tokenizers", "nlp") from error
    try:
        tokenizer = Tokenizer.from_buffer(data)
    except Exception as error:  # the library raises nothing narrower
        raise FormatError(f"tokenizer.json is no tokenizer: {error}") from error
    own = (tokenizer.truncation or {}).get("max_length", _MAX_TOKENS)
    tokenizer.enable_truncation(own if length is None else min(own, length))
    padding: dict[str, Any] = tokenizer.padding or {}
    tokenizer.no_padding()
    pad = padding.get("pad_id", 0), padding.get("pad_type_id", 0)
    return tokenizer, pad, padding.get("direction") == "left"
