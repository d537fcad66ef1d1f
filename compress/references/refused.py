"""Files that run code when they are read: refused, with a way to go on.

A pickle calls what it names. torch.export's `.pt2` is read, by torch 2.14, with pickle (example
inputs and tensors of subclasses: `weights_only=False`), with `sympify`, which evaluates sizes as
Python, with `exec` for its guards, and calls any function of torch that its graph names. None of it
can be turned off from outside, so that such a file is as trusted as a program.

Source: torch/export/pt2_archive/_package.py, torch/_export/serde/serialize.py and
torch/export/_unlift.py of torch 2.14.
"""

from __future__ import annotations

from pathlib import Path

from compress.errors import SettingsError
from compress.references.asked import Asked
from compress.references.subject import Subject


def resolve(text: str, asked: Asked) -> Subject:
    """Raise `SettingsError`: such a file is not read."""
    onnx = Path(text).with_suffix(".onnx").name
    if text.lower().endswith(".pt2"):
        raise SettingsError(
            f"model {asked.text}: reading a .pt2 file runs code that it holds; where it is yours, "
            f"turn it into ONNX with torch.onnx.export(torch.export.load({text!r}), f={onnx!r}) "
            f"and give --model {onnx}"
        )
    raise SettingsError(
        f"model {asked.text}: reading a pickled file runs code that it holds; give a function that "
        "builds the network and loads it, FILE.py:FUNCTION, or --weights FILE.safetensors"
    )
