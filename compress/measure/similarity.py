"""How well a network of sentences ranks pairs by meaning; it needs no torch.

A sentence's vector is the mean of its tokens' last hidden states, padding left out. The metric is
Spearman's correlation of the pairs' cosines with the scores that people gave.

Source: Reimers and Gurevych 2019, arXiv:1908.10084, sec. 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError, FormatError, MissingExtraError
from compress.measure.answers import Network

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Floats = NDArray[np.float64]

_BATCH = 32
_MAX_TOKENS = 128  # where neither the tokenizer nor the network sets a length
_INPUTS = frozenset(("input_ids", "attention_mask", "token_type_ids"))


class Pairs(Protocol):
    """Pairs of sentences, and how alike people found them."""

    @property
    def sentences(self) -> Sequence[tuple[str, str]]:
        """The pairs."""

    @property
    def scores(self) -> Floats:
        """The score of each pair, shape `(n,)`; more is more alike."""


def spearman_of(
    network: Network,
    tokenizer: bytes,
    pairs: Pairs,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """Return Spearman's correlation of a network's cosines with the scores of pairs.

    Args:
        network: takes `input_ids`, `attention_mask` and maybe `token_type_ids`, each
            `(batch, tokens)`; its first output is `(batch, tokens, width)`.
        tokenizer: a tokenizer.json; its own truncation is kept.
        pairs: at least two.
        progress: called with the sentences done and the sentences in all.

    Raises:
        DataError: when the network takes no texts, a vector is not finite, or the pairs have no
            order.
        FormatError: when the tokenizer is none.
        MissingExtraError: when the library of tokenizers is not installed.
    """
    texts = [text for pair in pairs.sentences for text in pair]
    vectors = embed(network, tokenizer, texts, progress=progress)
    first, second = vectors[::2], vectors[1::2]
    unknown = int((~np.isfinite(vectors).all(1)).sum())
    if unknown:
        raise DataError(
            f"the network's outputs are not finite for {unknown} of {len(texts)} sentences, "
            "so it has no correlation: look for NaN or an overflow in its weights or their type"
        )
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return spearman(
        (first * second).sum(1) / np.maximum(norms, np.finfo(np.float64).tiny), pairs.scores
    )


def embed(
    network: Network,
    tokenizer: bytes,
    texts: Sequence[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """Return the vectors of texts, shape `(n, width)`; arguments as of `spearman_of`."""
    names = [given.name for given in network.inputs]
    shape = tuple(network.inputs[0].shape)
    if not {"input_ids", "attention_mask"} <= {*names} <= _INPUTS or len(shape) != 2:
        raise DataError(f"the network must take input_ids and attention_mask, got {names}")
    batch, length = (size if isinstance(size, int) else None for size in shape)
    tokens = _tokenizer(tokenizer, length)
    vectors = []
    step = batch or _BATCH
    for begin in range(0, len(texts), step):
        chosen = list(texts[begin : begin + step])
        padded = chosen + [""] * ((batch or 0) - len(chosen))  # a fixed batch is filled up
        found = tokens.encode_batch(padded)
        inputs = {
            "input_ids": np.array([one.ids for one in found], np.int64),
            "attention_mask": np.array([one.attention_mask for one in found], np.int64),
            "token_type_ids": np.array([one.type_ids for one in found], np.int64),
        }
        states = network.run({name: inputs[name] for name in names})[network.outputs[0].name]
        mask = inputs["attention_mask"]
        if states.ndim != 3 or states.shape[:2] != mask.shape:
            raise DataError(
                f"the first output must hold a vector a token, got {states.shape} for {mask.shape}"
            )
        vectors.append(pool(states, mask)[: len(chosen)])
        if progress is not None:
            progress(begin + len(chosen), len(texts))
    return np.concatenate(vectors)


def pool(states: NDArray[Any], mask: NDArray[Any]) -> Floats:
    """Return the mean of the tokens that a mask leaves, shape `(n, width)`; 0 where it leaves none.

    Args:
        states: shape `(n, tokens, width)`.
        mask: 1 for a token and 0 for padding, shape `(n, tokens)`.

    >>> pool(np.array([[[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]]]), np.array([[1, 1, 0]]))
    array([[2., 4.]])
    """
    sums: Floats = np.where(mask[..., None] != 0, states, 0).sum(1, dtype=np.float64)
    counts: Floats = mask.sum(1, dtype=np.float64, keepdims=True)
    return sums / np.maximum(counts, 1)


def spearman(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return Spearman's rank correlation, in [-1, 1]; raise `DataError` where all are equal.

    >>> spearman(np.array([1, 2, 3]), np.array([10, 30, 20]))
    0.5
    """
    x, y = (found - found.mean() for found in (ranks(a), ranks(b)))
    spread = float(np.sqrt((x @ x) * (y @ y)))
    if spread == 0:
        raise DataError("a rank correlation needs values that differ")
    return float(x @ y) / spread


def ranks(values: NDArray[Any]) -> Floats:
    """Return the rank of each value, from 1; equal values share the mean of their ranks.

    >>> ranks(np.array([5, 7, 5, 9]))
    array([1.5, 3. , 1.5, 4. ])
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[places]


def _tokenizer(data: bytes, length: int | None) -> Tokenizer:
    """Load a tokenizer that pads to the network's length, or to a batch's longest text."""
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
    padding = tokenizer.padding or {}
    kept = {
        key: padding[key]
        for key in ("direction", "pad_id", "pad_type_id", "pad_token")
        if key in padding
    }
    tokenizer.enable_padding(**kept, length=length)
    return tokenizer
