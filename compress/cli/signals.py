"""Ctrl-C and SIGTERM: one line, the exit code that shells count, and nothing left behind.

While the program starts there is nothing to clean up, and it leaves at once. While a command runs,
both raise `KeyboardInterrupt`, so that each `finally` on the way is done.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BASE = 128  # shells add it to a signal's number

_received = [signal.SIGINT]  # the last one


def code() -> int:
    """Return the exit code of a command that was interrupted: 130 by Ctrl-C, 143 by SIGTERM."""
    return _BASE + _received[-1]


def leave_at_once() -> None:
    """End the process on either signal, without a traceback out of half an import."""
    _handle(_leave)


@contextmanager
def interrupting() -> Iterator[None]:
    """Let both signals raise `KeyboardInterrupt` here; behind it they do what they did before."""
    before = _handle(_interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handle(handler: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    """Set a handler where the signal is not ignored, as it is behind `nohup` and `&`."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {
        number: found for number, found in before.items() if found not in (None, signal.SIG_IGN)
    }
    for number in before:
        signal.signal(number, handler)
    return before


def _leave(number: int, _: FrameType | None) -> NoReturn:
    os.write(2, b"compress: interrupted\n")
    os._exit(_BASE + number)


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    _received[-1] = signal.Signals(number)
    raise KeyboardInterrupt
