"""The kinds of references to a network: one table, whose first row that takes a text resolves it.

Adding a kind is one file with a function `(text, asked) -> Subject`, and one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from compress.errors import SettingsError
from compress.references.asked import Asked
from compress.references.inputs import parsed
from compress.references.subject import Subject

if TYPE_CHECKING:
    from compress.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row."""

    form: str  #: how such a reference is written
    help: str  #: what it is
    resolve: str  #: MODULE:FUNCTION, called with what stands behind the prefix, and what is asked
    prefix: str = ""  #: what a text of this kind begins with
    looks_so: Callable[[str], bool] = lambda text: True  #: whether a text may be of this kind

    def takes(self, text: str) -> bool:
        """Return whether a text is of this kind."""
        return text.startswith(self.prefix) and self.looks_so(text)

    def __call__(self, text: str, asked: Asked) -> Subject:
        """Resolve a text of this kind."""
        module, _, name = self.resolve.partition(":")
        resolve: Callable[[str, Asked], Subject] = getattr(import_module(module), name)
        return resolve(text.removeprefix(self.prefix), asked)


KINDS = (
    Kind(
        form="timm:NAME",
        help="any network of timm",
        resolve="compress.references.timm:resolve",
        prefix="timm:",
    ),
    Kind(
        form="torchvision:NAME",
        help="a classifier or a segmentation network of torchvision",
        resolve="compress.references.torchvision:resolve",
        prefix="torchvision:",
    ),
    Kind(
        form="hf:ORG/NAME|hf:FOLDER",
        help="a network of transformers for texts or images, of the hub or a folder",
        resolve="compress.references.hub:resolve",
        prefix="hf:",
    ),
    Kind(
        form="FILE.onnx",
        help="an ONNX file, whose graph stays as it is",
        looks_so=lambda text: text.lower().endswith(".onnx"),
        resolve="compress.references.onnx:resolve",
    ),
    Kind(
        form="FILE.pt2",
        help="torch.export's file, which cannot be read without running what it holds",
        looks_so=lambda text: text.lower().endswith((".pt2", ".pt", ".pth", ".ckpt", ".bin")),
        resolve="compress.references.refused:resolve",
    ),
    Kind(
        form="FILE.py:FUNCTION|MODULE:FUNCTION",
        help="a function of one's own that returns an nn.Module or a Subject",
        looks_so=lambda text: ":" in text or text.endswith(".py"),
        resolve="compress.references.function:resolve",
    ),
    Kind(
        form="NAME",
        help="a row of compress zoo",
        resolve="compress.references.rows:resolve",
    ),
)


def resolve(text: str, *, task: Task | None = None, inputs: str | None = None) -> Subject:
    """Return the network that a reference says.

    Args:
        text: in one of the forms of `KINDS`.
        task: that the network is for: the number of its classes, and the shape of its inputs where
            nothing else tells.
        inputs: shapes of the network's inputs, see `inputs.parsed`.

    Raises:
        CompressError: in one line, when there is no such network.
    """
    kind = next(kind for kind in KINDS if kind.takes(text))
    if kind.prefix and text == kind.prefix:
        raise SettingsError(f"model must have a name behind {kind.prefix}, got {text!r}")
    asked = Asked(text=text, task=task, inputs=None if inputs is None else parsed(inputs))
    return kind(text, asked)


def forms() -> str:
    """Return how references are written, for an error."""
    return ", ".join(kind.form for kind in KINDS)
