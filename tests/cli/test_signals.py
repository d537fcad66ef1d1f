"""Ctrl-C and SIGTERM end a command in one line, and with what shells expect of it."""

from __future__ import annotations

import os
import signal

import pytest

from compress.artifact import archive
from compress.cli import signals
from tests.cli.console import compress, spawn

ENDS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_a_command_cleans_up_and_tells_it_in_one_line(number, code, tmp_path, monkeypatch):
    steps = []

    def read(path):
        try:
            steps.append("reads")
            os.kill(os.getpid(), number)
            steps.append("goes on")
        finally:
            steps.append("cleans up")

    monkeypatch.setattr(archive, "read", read)
    before = [signal.getsignal(one) for one, _ in ENDS]
    outcome = compress("verify", tmp_path / "a.safetensors")
    assert (outcome.code, outcome.err) == (code, "compress: interrupted\n")
    assert steps == ["reads", "cleans up"]
    assert [signal.getsignal(one) for one, _ in ENDS] == before


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_a_start_is_left_at_once(number, code):
    outcome = spawn(
        "import os; from compress.cli import signals; signals.leave_at_once()\n"
        f"try: os.kill(os.getpid(), {int(number)}); print('goes on')\n"
        "finally: print('cleans up')"
    )
    assert (outcome.code, outcome.out, outcome.err) == (code, "", "compress: interrupted\n")


def test_a_signal_that_is_ignored_stays_so():
    """As behind `nohup`, or for Ctrl-C behind `&`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals.interrupting():
            os.kill(os.getpid(), signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_command_begins_with_nothing_that_takes_long():
    """What is imported before the handlers stand ends in a traceback where it is interrupted."""
    outcome = spawn(
        "import sys; import compress.cli.start\n"
        "print({'typer', 'rich', 'numpy', 'compress.cli.main'} & set(sys.modules))"
    )
    assert outcome.out == "set()\n", outcome.err
