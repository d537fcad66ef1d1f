from pathlib import Path

import numpy as np
import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks.sst2 import Sst2

from compress.tasks import Part
from tests import needs

HEADER = "sentence\tlabel\n"


def _write(root: Path, text: str, name: str = "test.tsv") -> Path:
    (root / "sst2").mkdir(exist_ok=True)
    (root / "sst2" / name).write_text(text, encoding="utf-8")
    return root


def test_sentences_in_their_order(tmp_path: Path) -> None:
    """Quotation marks are letters like others."""
    _write(tmp_path, f'{HEADER}a "fine film\t1\nÉté , no more\t0\n')
    found = Sst2(root=tmp_path).texts("test")
    assert found.samples == (('a "fine film',), ("Été , no more",))
    assert found.numbers.tolist() == [1, 0]
    assert Sst2(root=tmp_path).classes == ("negative", "positive")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must have a sentence or more"),
        (HEADER, "must have a sentence or more"),
        (f"{HEADER}good\t2\n", "with the label 0 or 1"),
        (f"{HEADER}good\tyes\n", "must have the columns sentence and label"),
        (f"{HEADER}good\n", "must have the columns sentence and label"),
        ("text\tlabel\ngood\t1\n", "must have the columns sentence and label"),
        (b"sentence\tlabel\n\xff\t1\n", "must have the columns sentence and label"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str | bytes, said: str) -> None:
    _write(tmp_path, "")
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "sst2" / "test.tsv").write_bytes(data)
    with pytest.raises(ZooError, match=said):
        Sst2(root=tmp_path).texts("test")


def test_real_files() -> None:
    root = needs.data("sst2")
    parts: tuple[Part, ...] = ("train", "validation", "test")
    counts = [np.bincount(Sst2(root=root).texts(part).numbers).tolist() for part in parts]
    assert counts == [[3_310, 3_610], [428, 444], [912, 909]]
