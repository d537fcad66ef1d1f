"""The kinds of references to networks, each named once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from compress.errors import SettingsError
from compress.references import shapes
from compress.references.subject import Given, Subject
from compress.tasks import Task

Inputs = Sequence[Given]  # as `--input` says
_Resolve = Callable[[str, Task | None, Inputs], Subject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A form of a reference."""

    form: str  #: as help writes it
    means: str  #: what it refers to
    run: str  #: MODULE:FUNCTION, called with the text behind the prefix, the task and the inputs
    prefix: str = ""  #: that a text begins with
    suffix: str = ""  #: that a text ends with, in any case of letters
    holds: str = ""  #: text within it


KINDS = (
    Kind(
        form="timm:NAME",
        means="a network of timm",
        run="compress.references.from_timm:resolve",
        prefix="timm:",
    ),
    Kind(
        form="torchvision:NAME",
        means="a network of torchvision.models",
        run="compress.references.from_torchvision:resolve",
        prefix="torchvision:",
    ),
    Kind(
        form="hf:ORG/NAME or hf:FOLDER",
        means="a network of transformers, of the hub or of a folder",
        run="compress.references.from_transformers:resolve",
        prefix="hf:",
    ),
    Kind(
        form="FILE.onnx",
        means="an ONNX file, whose graph stays as it is",
        run="compress.references.file:onnx",
        suffix=".onnx",
    ),
    Kind(
        form="FILE.pt2",
        means="what torch.export saved",
        run="compress.references.file:pt2",
        suffix=".pt2",
    ),
    Kind(
        form="FILE.py:FUNCTION or MODULE:FUNCTION",
        means="a function that returns a network of torch",
        run="compress.references.python:resolve",
        holds=":",
    ),
    Kind(form="NAME", means="a row of the zoo", run="compress.references.zoo:resolve"),
)


def resolve(text: str, *, task: Task | None = None, inputs: str | None = None) -> Subject:
    """Return the network that a reference says. Code runs only of a file or module that it names.

    Args:
        text: the reference, of one of `KINDS`.
        task: that the network is for.
        inputs: shapes of its inputs where nothing else tells them, see `shapes.parse`.

    Raises:
        CompressError: when there is no such network, or a library is missing, in one line.
    """
    kind = next(kind for kind in KINDS if _is(kind, text))
    module, _, name = kind.run.partition(":")
    function: _Resolve = getattr(import_module(module), name)
    given = shapes.parse(inputs) if inputs is not None else ()
    return function(text.removeprefix(kind.prefix), task, given)


def forms() -> str:
    """Return the forms of a reference as a sentence's part."""
    return ", ".join(kind.form for kind in KINDS)


def require_file(text: str) -> Path:
    """Return the path of a file that a reference names; raise `SettingsError` where none is."""
    path = Path(text).expanduser()
    if not path.is_file():
        raise SettingsError(f"model {text} is not a file")
    return path


def _is(kind: Kind, text: str) -> bool:
    return (
        text.startswith(kind.prefix) and text.lower().endswith(kind.suffix) and kind.holds in text
    )
