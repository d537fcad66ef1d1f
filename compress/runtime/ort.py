"""ONNX Runtime, imported here and nowhere else in this package, and quiet.

It makes no reports to its maker: `compress/__init__.py` sets ORT_DISABLE_TELEMETRY before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from compress.errors import require
from compress.threads import n_cores

_SILENT = 4  # of ONNX Runtime's severities: what it raises is told once, by the one who catches it
_MAX_MESSAGE = 2000  # characters of a message that are looked at
_MAX_REASON = 300  # and told


def module() -> Any:  # noqa: ANN401  (onnxruntime has no types)
    """Import ONNX Runtime, without its warnings of devices that it does not know."""
    if "onnxruntime" in sys.modules:
        return sys.modules["onnxruntime"]
    with _no_stderr():
        return import_module("onnxruntime")


def options(threads: int | None, *, prepack: bool) -> Any:  # noqa: ANN401
    """Return the options of a session; arguments as of `load`."""
    out = module().SessionOptions()
    out.log_severity_level = _SILENT
    if not prepack:
        out.add_session_config_entry("session.disable_prepacking", "1")
    if threads is None and n_cores() < (os.cpu_count() or 1):
        threads = n_cores()  # ONNX Runtime itself looks at the machine, and not at what is ours
    if threads is not None:
        out.intra_op_num_threads = threads
    return out


def run_options() -> Any:  # noqa: ANN401
    """Return the options of one run."""
    out = module().RunOptions()
    out.log_severity_level = _SILENT
    return out


def known(providers: Sequence[str]) -> list[str]:
    """Return those of the providers that there are here; raise `SettingsError` if there is none."""
    available = module().get_available_providers()
    found = [provider for provider in providers if provider in available]
    require(bool(found), "providers", f"some of {', '.join(available)}", tuple(providers))
    return found


def reason(error: Exception) -> str:
    """Return ONNX Runtime's message in one line, without codes and places in its source.

    >>> reason(RuntimeError("[ONNXRuntimeError] : 1 : FAIL : a/b.cc:12 void F(int, int) no room"))
    'no room'
    """
    words = str(error)[:_MAX_MESSAGE].split()
    if words[:1] == ["[ONNXRuntimeError]"]:  # : 2 : INVALID_ARGUMENT : the message
        words = words[6:]
    kept: list[str] = []
    at = 0
    while at < len(words):
        if _is_place(words[at]):
            at += _after_function(words[at + 1 : at + 32]) + 1
        else:
            kept.append(words[at])
            at += 1
    line = " ".join(kept)[:_MAX_REASON] or type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _is_place(word: str) -> bool:
    """Tell whether a word is a line of a source file, as in "a/b.cc:12"."""
    file, _, line = word.rpartition(":")
    return file.endswith((".cc", ".h")) and line.isdecimal()


def _after_function(words: Sequence[str]) -> int:
    """Return how many words the function takes that stands behind a place."""
    if len(words) > 1 and "(" in words[1][1:]:  # what it returns, its name and its arguments
        for number, word in enumerate(words):
            if ")" in word:
                return number + 1
    return min(len(words), 1)


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Lead what native code prints on stderr to nowhere for a moment."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
