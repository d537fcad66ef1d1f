"""The command line, called in this process as the console script calls it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from compress.cli.main import main

PYTHON = (sys.executable, "-W", "error")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Return the one object on stdout; raise where there is more, or a NaN."""
        assert self.code == 0, self.err
        found = json.loads(self.out, parse_constant=lambda name: 1 / 0)
        assert isinstance(found, dict)
        return found

    def error(self) -> str:
        """Return the one line of a command that failed on bad input."""
        assert self.code == 1, (self.code, self.out, self.err)
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("compress: ")
        return lines[0].removeprefix("compress: ")


def compress(*words: object) -> Outcome:
    """Run a command in this process; words that are no text are made it."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["compress", *map(str, words)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Outcome(code, out.getvalue(), err.getvalue())


def spawn(script: str, *words: str | Path, environment: Mapping[str, str] | None = None) -> Outcome:
    """Run a script in a process of its own, which imports the package of this one."""
    done = subprocess.run(
        [*PYTHON, "-c", script, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=spawned_environment() | dict(environment or {}),
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def spawned_environment() -> dict[str, str]:
    """Return this process's environment, on one core and with the package's folder."""
    import compress as package

    assert package.__file__ is not None
    root = str(Path(package.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
