"""Tasks of sentences and of pairs of sentences, as a network's own tokenizer reads them."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from compress.errors import DataError
from compress.tasks.encoding import Encoder, Tokens
from compress.tasks.metrics import ACCURACY, SPEARMAN
from compress.tasks.task import Indices, Part, Samples, Takes, Task, Values

if TYPE_CHECKING:
    from torch import Tensor

_TOKEN_BYTES = 16  # number and type


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Texts as they are, one or two a sample, each sample with a number."""

    samples: tuple[tuple[str, ...], ...]
    numbers: NDArray[Any]  #: labels or scores, shape `(n,)`

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """Samples: rows of tokens, and labels; of pairs scores and the mask of tokens."""

    texts: Texts
    encoder: Encoder
    held: tuple[tuple[Tokens, ...], ...] | None = None  #: of each sample, where all are encoded

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.texts)

    def digest(self, indices: Indices | None = None) -> str:
        """Digest texts and numbers; the tokenizer is the network's."""
        chosen = np.arange(len(self)) if indices is None else np.asarray(indices, np.int64)
        numbers = self.texts.numbers[chosen].tolist()
        told = [(*self.texts.samples[i], n) for i, n in zip(chosen, numbers, strict=True)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def batch(self, indices: Indices) -> tuple[Values, Values]:
        """Return inputs, a row for each text, and targets, one for each sample."""
        chosen = np.asarray(indices, np.int64)
        if self.held is not None:
            rows = [tokens for i in chosen for tokens in self.held[i]]
        else:
            rows = self.encoder.encode([text for i in chosen for text in self.texts.samples[i]])
        inputs, numbers = self.encoder.inputs(rows), self.texts.numbers[chosen]
        if len(rows) == len(chosen):
            return inputs, numbers
        return inputs, (numbers, self.encoder.mask(rows))

    def unpadded(self) -> Sentences:
        """Return the same samples, padded to the longest of a batch."""
        return replace(self, encoder=replace(self.encoder, length=None))

    def in_memory(self, limit_bytes: int) -> Sentences | None:
        """Encode all texts once."""
        found = self.encoder.encode([text for sample in self.texts.samples for text in sample])
        if _TOKEN_BYTES * sum(len(ids) for ids, _ in found) > limit_bytes:
            return None
        tokens = iter(found)
        held = tuple(tuple(next(tokens) for _ in sample) for sample in self.texts.samples)
        return replace(self, held=held)


@dataclass(frozen=True, kw_only=True)
class TextTask(Task):
    """Texts, as a network with a tokenizer takes them: what is common to all of them."""

    encoder: Encoder | None = None  #: None until a network is known

    @abstractmethod
    def texts(self, part: Part) -> Texts | None:
        """Return a part of the data, or None where the task has no such part."""

    def suited(self, takes: Takes) -> Self:
        """Take the network's tokenizer, length and inputs."""
        if takes.tokenizer is None:
            raise DataError(
                f"{takes.name} holds no tokenizer.json, without which task {self.name} has no input"
            )
        return replace(self, encoder=Encoder.of(takes))

    def load(self, part: Part) -> Samples | None:
        """Return a part of the data; the task must be suited to a network."""
        found = self.texts(part)
        return None if found is None else Sentences(found, self._known)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return what decides inputs and targets beside the data."""
        made = self._known
        return {
            "task": self.name, **self.facts, "tokenizer": made.digest, "inputs": list(made.names),
            "length": made.length,
        }  # fmt: skip

    @property
    def _known(self) -> Encoder:
        if self.encoder is None:
            raise DataError(f"task {self.name} must be suited to a network before it has inputs")
        return self.encoder


class SentenceTask(TextTask):
    """Sentences, each of one class."""

    metric = ACCURACY

    def loss(
        self,
        outputs: Any,  # noqa: ANN401  (the network's own)
        targets: Any,  # noqa: ANN401
        **options: float,
    ) -> Tensor:
        """Return the cross entropy."""
        from compress.tasks.losses import cross_entropy

        return cross_entropy(outputs, targets, **options)


class PairTask(TextTask):
    """Pairs of sentences, each with a score: how alike people found them."""

    metric = SPEARMAN
    highest: ClassVar[float] = 1.0  #: score of two sentences that mean the same

    def loss(self, outputs: Any, targets: Any) -> Tensor:  # noqa: ANN401  (the network's own)
        """Return the squared error of the cosines."""
        from compress.tasks.losses import cosine_error

        return cosine_error(outputs, targets, self.highest)


def texts_of(samples: Sequence[tuple[str, ...]], numbers: Sequence[float] | NDArray[Any]) -> Texts:
    """Return texts with their labels, which become int64, or scores, which become float32."""
    given = np.asarray(numbers)
    return Texts(tuple(samples), given.astype(np.float32 if given.dtype.kind == "f" else np.int64))
