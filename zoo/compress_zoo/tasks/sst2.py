"""The Stanford Sentiment Treebank with two classes: sentences of films' reviews.

The files are `ROOT/sst2/{train,dev,test}.tsv` with the columns sentence and label; else the hub's
`SetFit/sst2` is taken, which has the same sentences.

Source: Socher et al. 2013, Recursive deep models for semantic compositionality over a sentiment
treebank; whole sentences alone.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.tasks import Part
from compress.tasks.texts import SentenceTask, Texts, texts_of
from compress_zoo.errors import ZooError
from compress_zoo.tasks.hub import Hub
from compress_zoo.tasks.recipes import fine_tuning, of_stage
from compress_zoo.tasks.tables import columns

_FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
_HUB = Hub(
    task="sst2", repository="SetFit/sst2", columns=("text", "label"), own="sentence and label"
)
_COLUMNS = {"sentence": str, "label": int}
_TRAINING = fine_tuning(lr=5e-5)  # from the start, a network wants a higher one


@dataclass(frozen=True, kw_only=True)
class Sst2(SentenceTask):
    """Two classes: 6,920 sentences to train on, 872 to validate and 1,821 to test."""

    root: Path  #: of the data sets

    name = "sst2"
    classes = ("negative", "positive")

    def training(self, stage: str, model: str) -> Mapping[str, Any]:
        """Return settings of fine-tuning."""
        return of_stage(_TRAINING, stage)

    def texts(self, part: Part) -> Texts:
        """Read a part; raise `ZooError` for a file that is missing or is none."""
        path = self.root / "sst2" / _FILES[part]
        if path.is_file():
            sentences, labels = columns(
                self.name, path, _COLUMNS, delimiter="\t", quoting=csv.QUOTE_NONE
            )
        else:
            sentences, labels = _HUB.load(part, path)
        if not sentences or not {*labels} <= {0, 1}:
            raise ZooError(f"{path} must have a sentence or more, each with the label 0 or 1")
        return texts_of([(sentence,) for sentence in sentences], labels)
