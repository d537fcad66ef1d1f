"""Networks of a user's own file or module, and what goes wrong in them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from compress.errors import CompressError, MissingExtraError, SettingsError
from compress.references import Onnx, Subject, Torch, resolve
from compress.references.subject import Given
from compress.tasks import Arrays
from tests import needs

FILE = """
import torch
from torch import nn
from neighbour import WIDTH
from compress.references import Onnx, Subject

def plain(): return nn.Linear(WIDTH, 2)
def classes(classes=3): return nn.Linear(WIDTH, classes)
def seeded():
    torch.manual_seed(0)
    return nn.Linear(WIDTH, 2)
def sized():
    net = nn.Linear(WIDTH, 2)
    net.input_size = (WIDTH,)
    return net
def fails(): return nn.Linear("x")
def leaves(): raise SystemExit("bye\\nnow")
def number(): return 3
def asks(width, depth): return nn.Linear(width, depth)
class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(WIDTH, 2)
    def forward(self, left, right):
        return self.a(left) + self.a(right)
class Space:
    inner = nn.Linear(WIDTH, 2)
ready = nn.Linear(WIDTH, 2)
from pathlib import Path
subject = Subject(name="mine", source=Onnx(path=Path("x.onnx")), inputs=())
def subjects(): return subject
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file of networks, with a neighbour that it imports."""
    needs.module("torch")
    (tmp_path / "neighbour.py").write_text("WIDTH = 4\n")
    path = tmp_path / "net.py"
    path.write_text(FILE)
    sys.modules.pop("neighbour", None)
    return str(path)


def of(subject: Subject) -> Torch:
    assert isinstance(subject.source, Torch)
    return subject.source


def task(classes: int = 5) -> Arrays:
    part = (np.zeros((8, 4), np.float32), np.arange(8) % classes)
    return Arrays(test=part, classes=[str(number) for number in range(classes)])


def test_a_functions_network(file: str) -> None:
    subject = resolve(f"{file}:plain", inputs="4")
    assert (subject.name, subject.inputs) == ("plain", (Given("input", (4,)),))
    source = of(subject)
    assert source.load_pretrained is None
    assert not source.is_trained  # its weights are drawn
    first, second = source.build(None), source.build(None)
    assert not first.training
    assert not np.array_equal(first.weight.detach(), second.weight.detach())


def test_the_classes_of_a_task_are_asked_for_where_they_can_be(file: str) -> None:
    data = task()
    subject = resolve(f"{file}:classes", task=data)
    assert subject.inputs == (Given("input", (4,)),)  # of the task's samples
    assert of(subject).build(data).out_features == 5
    assert of(resolve(f"{file}:plain", task=data)).build(data).out_features == 2
    assert of(resolve(f"{file}:classes", inputs="4")).build(None).out_features == 3


@pytest.mark.parametrize("name", ["seeded", "ready", "Space.inner"])
def test_weights_that_are_the_same_each_time_are_meant(file: str, name: str) -> None:
    source = of(resolve(f"{file}:{name}", inputs="4"))
    assert source.is_trained
    first, second = source.build(None), source.build(None)
    assert first is not second
    assert np.array_equal(first.weight.detach(), second.weight.detach())


def test_a_class_and_the_names_of_its_arguments(file: str) -> None:
    subject = resolve(f"{file}:Two", inputs="4,4")
    assert [given.name for given in subject.inputs] == ["left", "right"]


def test_a_subject_says_all(file: str) -> None:
    for name in ("subject", "subjects"):
        subject = resolve(f"{file}:{name}")
        assert (subject.name, type(subject.source)) == ("mine", Onnx)


def test_a_module_tells_its_input(file: str) -> None:
    assert resolve(f"{file}:sized").inputs == (Given("input", (4,)),)
    assert resolve(f"{file}:sized", inputs="2x4").inputs == (Given("input", (2, 4)),)


def test_a_module_of_the_current_folder(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(file).parent)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (Path(file).parent / "named_net.py").write_text("from net import plain\n")
    for name in ("named_net", "net"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert resolve("named_net:plain", inputs="4").name == "plain"


def test_a_file_is_run_once_for_its_content(tmp_path: Path) -> None:
    needs.module("torch")
    path = tmp_path / "counts.py"
    text = "import pathlib, torch\nlog = pathlib.Path(__file__).with_name('log')\n"
    text += "log.write_text((log.read_text() if log.exists() else '') + 'x')\n"
    text += "def net(): return torch.nn.Linear(1, 1)\n"
    path.write_text(text)
    for _ in range(2):
        resolve(f"{path}:net", inputs="1")
    assert (tmp_path / "log").read_text() == "x"
    path.write_text(text + "# another\n")
    resolve(f"{path}:net", inputs="1")
    assert (tmp_path / "log").read_text() == "xx"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fails", r"net.py, line 16: TypeError: .*missing 1 required positional argument"),
        ("leaves", r"net.py, line 17: SystemExit: bye now"),
        ("number", r"must return an nn.Module or a Subject, got int"),
        ("asks", r"with no argument but classes, it asks for width, depth"),
        ("plian", r"must name what .*net.py has, got .*the nearest are plain"),
        ("WIDTH", r"must be a function, got int"),
        ("plain", r"does not tell the shape of its input: give --input such as 3x224x224"),
        ("", r"must name a function, such as .*net.py:NAME"),
    ],
)
def test_what_goes_wrong_is_one_line(file: str, name: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        resolve(f"{file}:{name}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no.py cannot be read: No such file"):
        resolve(f"{tmp_path / 'no.py'}:net")
    with pytest.raises(SettingsError, match=r"must name a function, such as .*no.py:NAME"):
        resolve(f"{tmp_path / 'no.py'}")
    path = tmp_path / "broken.py"
    for text, said in (
        ("def f(:\n", r"broken.py, line 1: SyntaxError"),
        ("x = 1\n1 / 0\n", r"broken.py, line 2: ZeroDivisionError: division by zero"),
        ("import no_such_thing\n", r"line 1: ModuleNotFoundError: No module named 'no_such_thing'"),
    ):
        path.write_text(text)
        with pytest.raises(SettingsError, match=said) as caught:
            resolve(f"{path}:net")
        assert caught.value.__cause__ is not None
    folders = list(sys.path)
    assert folders.count(str(tmp_path)) <= 1


def test_torch_that_is_missing_is_told_with_its_extra(tmp_path: Path) -> None:
    path = tmp_path / "imports.py"
    path.write_text("raise ModuleNotFoundError('no torch', name='torch')\n")
    with pytest.raises(MissingExtraError, match=r"compress-toolkit\[torch\]"):
        resolve(f"{path}:net")


def test_our_own_errors_pass(tmp_path: Path) -> None:
    path = tmp_path / "ours.py"
    path.write_text("from compress.errors import DataError\nraise DataError('no weights')\n")
    with pytest.raises(CompressError, match=r"^no weights$"):
        resolve(f"{path}:net")


@pytest.mark.parametrize("text", ["mynet:MyNet", "no.such.module:net", "os.no:net"])
def test_a_module_that_is_not_there_gets_the_forms(text: str) -> None:
    with pytest.raises(SettingsError, match=r"got '.*'; the forms are timm:NAME, .*FILE.onnx"):
        resolve(text)
