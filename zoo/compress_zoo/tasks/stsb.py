"""The STS benchmark: pairs of sentences, each with how alike people found them, 0 to 5.

The files are `ROOT/stsb/{train,dev,test}.csv` with the columns sentence1, sentence2 and score; else
the hub's `mteb/stsbenchmark-sts` is taken, which has the same pairs.

Source: Cer et al. 2017, arXiv:1708.00055.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compress.tasks import Part
from compress.tasks.texts import PairTask, Texts, texts_of
from compress_zoo.errors import ZooError
from compress_zoo.tasks.hub import Hub
from compress_zoo.tasks.recipes import fine_tuning, of_stage
from compress_zoo.tasks.tables import columns

_FILES = {"train": "train.csv", "validation": "dev.csv", "test": "test.csv"}
_HUB = Hub(
    task="stsb",
    repository="mteb/stsbenchmark-sts",
    columns=("sentence1", "sentence2", "score"),
    own="sentence1, sentence2 and score",
)
_COLUMNS = {"sentence1": str, "sentence2": str, "score": float}
_TRAINING = fine_tuning(lr=2e-5)


@dataclass(frozen=True, kw_only=True)
class Stsb(PairTask):
    """Pairs of sentences, ranked by meaning: 5,749 to train on, 1,500 and 1,379."""

    root: Path  #: of the data sets

    name = "stsb"
    highest = 5.0

    def training(self, stage: str, model: str) -> Mapping[str, Any]:
        """Return settings of fine-tuning."""
        return of_stage(_TRAINING, stage)

    def texts(self, part: Part) -> Texts:
        """Read a part; raise `ZooError` for a file that is missing or is none."""
        path = self.root / "stsb" / _FILES[part]
        if path.is_file():
            first, second, told = columns(self.name, path, _COLUMNS, strict=True)
        else:
            first, second, told = _HUB.load(part, path)
        scores = np.array(told, np.float64)
        if len(scores) < 2 or not np.isfinite(scores).all() or None in {*first, *second}:
            raise ZooError(f"{path} must have two pairs or more, each with a score")
        return texts_of(list(zip(first, second, strict=True)), scores)
