"""The STS benchmark: pairs of sentences, each with how alike people found them, 0 to 5.

The files are `ROOT/stsb/{train,dev,test}.csv` with the columns sentence1, sentence2 and score.

Source: Cer et al. 2017, arXiv:1708.00055.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from compress_zoo.errors import ZooError
from compress_zoo.tasks.task import Part

_FILES = {"train": "train.csv", "validation": "dev.csv", "test": "test.csv"}


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of sentences in memory."""

    sentences: tuple[tuple[str, str], ...]
    scores: NDArray[np.float64]  #: shape `(n,)`, in [0, 5]

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.sentences)


@dataclass(frozen=True, slots=True)
class Stsb:
    """Pairs of sentences, ranked by meaning. Nothing is trained on it here."""

    name: str = "stsb"
    metric: Literal["spearman"] = "spearman"

    def pairs(self, part: Part, root: Path) -> Pairs:
        """Read a part; raise `ZooError` for a file that is missing or is none."""
        path = root / "stsb" / _FILES[part]
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream, strict=True))
            sentences = tuple((row["sentence1"], row["sentence2"]) for row in rows)
            scores = np.array([float(row["score"]) for row in rows])
        except OSError as error:
            raise ZooError(
                f"stsb: {path} cannot be read: {error.strerror}; put the STS benchmark there, or "
                "name another root with --data or $COMPRESS_DATA"
            ) from error
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise ZooError(
                f"{path} must have the columns sentence1, sentence2 and score: {error!r}"
            ) from error
        if (
            len(rows) < 2
            or not np.isfinite(scores).all()
            or None in {t for p in sentences for t in p}
        ):
            raise ZooError(f"{path} must have two pairs or more, each with a score")
        return Pairs(sentences, scores)
