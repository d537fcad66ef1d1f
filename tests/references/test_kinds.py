"""The table of references: each text is of one kind, and none needs torch before it is resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.errors import CompressError, SettingsError
from compress.references import KINDS, Torch, resolve
from compress.references.subject import Given
from tests import needs
from tests.cli.console import spawn

IMAGENET = 1000


class Classes:
    """A task of so many classes; nothing else is asked of it."""

    def __init__(self, count: int) -> None:
        self.classes = tuple(map(str, range(count)))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("timm:x", "timm:NAME"),
        ("torchvision:x", "torchvision:NAME"),
        ("hf:a/b", "hf:ORG/NAME|hf:FOLDER"),
        ("a/b.ONNX", "FILE.onnx"),
        ("b.pt2", "FILE.pt2"),
        ("b.pth", "FILE.pt2"),
        ("b.py:f", "FILE.py:FUNCTION|MODULE:FUNCTION"),
        ("b.py", "FILE.py:FUNCTION|MODULE:FUNCTION"),
        ("a.b:f", "FILE.py:FUNCTION|MODULE:FUNCTION"),
        ("resnet50", "NAME"),
    ],
)
def test_the_kind_of_a_text(text: str, form: str) -> None:
    assert next(kind for kind in KINDS if kind.takes(text)).form == form


@pytest.mark.parametrize("text", ["timm:", "torchvision:", "hf:"])
def test_a_prefix_alone(text: str) -> None:
    with pytest.raises(SettingsError, match=f"must have a name behind {text}"):
        resolve(text)


@pytest.mark.parametrize("suffix", ["pt2", "pt", "pth", "ckpt"])
def test_files_that_run_code_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net.{suffix}"
    path.write_bytes(b"x")
    with pytest.raises(SettingsError, match="runs code that it holds") as caught:
        resolve(str(path))
    assert ("net.onnx" in str(caught.value)) == (suffix == "pt2")


def test_a_row_of_the_zoo() -> None:
    subject = resolve("resnet18")
    assert (subject.name, next(iter(subject.inputs)).shape) == ("resnet18", (3, 224, 224))
    source = subject.source
    assert isinstance(source, Torch)
    assert source.load_pretrained is not None
    assert source.is_made_for(None)
    assert source.is_made_for(Classes(IMAGENET))  # type: ignore[arg-type]  # enough of a task
    assert not source.is_made_for(Classes(10))  # type: ignore[arg-type]  # as above
    assert resolve("resnet18", inputs="3x64x64").inputs == [Given("input", (3, 64, 64))]
    with pytest.raises(CompressError, match=r"the nearest are .*resnet50"):
        resolve("resnt50")
    with pytest.raises(CompressError, match="compress zoo lists them"):
        resolve("qqqq")


def test_a_row_with_the_classes_of_a_task() -> None:
    needs.module("torch")
    source = resolve("lenet-5").source
    assert isinstance(source, Torch)
    assert source.load_pretrained is None
    assert list(source.build(Classes(7)).parameters())[-1].shape == (7,)  # type: ignore[arg-type]


def test_references_load_no_library() -> None:
    script = """
import sys
import compress.references
from compress.references import resolve
resolve("resnet18"), resolve("all-minilm-l6-v2")
heavy = {"torch", "timm", "torchvision", "transformers", "onnx", "onnxruntime"}
print(sorted(heavy & set(sys.modules)))
"""
    done = spawn(script)
    assert (done.out, done.err) == ("[]\n", "")


@pytest.mark.parametrize(
    ("text", "missing", "extra"),
    [
        ("timm:resnet18", "timm", "timm"),
        ("torchvision:resnet18", "torchvision", "torch"),
        ("hf:x/y", "transformers", "nlp"),
        ("os:getcwd", "torch", "torch"),
    ],
)
def test_a_missing_extra_is_told_in_one_line(text: str, missing: str, extra: str) -> None:
    needs.module("torch")
    script = f"""
import sys
sys.modules[{missing!r}] = None
from compress.errors import MissingExtraError
from compress.references import resolve
try:
    resolve({text!r}, inputs="1")
except MissingExtraError as error:
    print(error)
"""
    done = spawn(script)
    assert f"pip install 'compress-toolkit[{extra}]'" in done.out, done.err
