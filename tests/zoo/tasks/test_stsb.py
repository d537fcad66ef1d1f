from pathlib import Path

import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks.stsb import Stsb

from compress.tasks import Part
from tests import needs

HEADER = "sentence1,sentence2,score\n"


def _write(root: Path, text: str, name: str = "test.csv") -> Path:
    (root / "stsb").mkdir(exist_ok=True)
    (root / "stsb" / name).write_text(text, encoding="utf-8")
    return root


def test_pairs_in_their_order(tmp_path: Path) -> None:
    _write(tmp_path, f'{HEADER}A cat.,"A cat, ""he"" said.",4.75\nÉté,Summer,0\n')
    pairs = Stsb(root=tmp_path).texts("test")
    assert pairs.samples == (("A cat.", 'A cat, "he" said.'), ("Été", "Summer"))
    assert pairs.numbers.tolist() == [4.75, 0]
    assert len(pairs) == 2


def test_the_part_for_validation_is_dev(tmp_path: Path) -> None:
    _write(tmp_path, f"{HEADER}a,b,1\nc,d,2\n", "dev.csv")
    assert len(Stsb(root=tmp_path).texts("validation")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "two pairs or more"),
        (f"{HEADER}a,b,1\n", "two pairs or more"),
        (f"{HEADER}a,b,nan\nc,d,1\n", "each with a score"),
        (f"{HEADER}a,b,\nc,d,1\n", "must have the columns"),
        (f"{HEADER}a\nc,d,1\n", "must have the columns"),
        ("a,b,c\n1,2,3\n4,5,6\n", "must have the columns"),
        (f'{HEADER}a,"b"x,1\nc,d,1\n', "must have the columns"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ZooError, match=said):
        Stsb(root=_write(tmp_path, text)).texts("test")


def test_real_files() -> None:
    root = needs.data("stsb")
    parts: tuple[Part, ...] = ("train", "validation", "test")
    assert [len(Stsb(root=root).texts(part)) for part in parts] == [5_749, 1_500, 1_379]
