"""Data sets of texts from Hugging Face's hub, where `datasets` is installed and a network is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.tasks import Part
from compress_zoo.errors import ZooError, first_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Where a task's data is, when it is not in files."""

    task: str
    repository: str  #: OWNER/NAME
    columns: tuple[str, ...]  #: as the hub calls them
    own: str  #: the columns of the files, as an error tells them

    def load(self, part: Part, missing: Path) -> tuple[Any, ...]:
        """Return the columns of a part; raise `ZooError` where they cannot be had.

        Args:
            part: of the data.
            missing: the file that was looked for first.
        """
        try:
            from datasets import load_dataset

            found = load_dataset(self.repository, split=part)
            return tuple(list(found[name]) for name in self.columns)
        except ModuleNotFoundError as error:
            why = "datasets, which downloads it, is not installed"
            raise self._absent(missing, why) from error
        except Exception as error:  # whatever comes of a network, a cache and another's files
            why = f"{self.repository} cannot be downloaded ({first_line(error)})"
            raise self._absent(missing, why) from error

    def _absent(self, missing: Path, why: str) -> ZooError:
        return ZooError(
            f"{self.task}: {missing} is not there, and {why}; put the files "
            f"{{train,dev,test}}{missing.suffix} there, with the columns {self.own}, or name "
            "another root with --data or $COMPRESS_DATA"
        )
