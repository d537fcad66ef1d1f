"""Runs that are ended from outside, in children of one process that has loaded everything.

    python killed.py RECIPE FOLDER N...

In `FOLDER/whole` is an undisturbed run, in `FOLDER/N` one whose process is killed (SIGKILL) when it
is about to put its N-th file in place (even N) or just has (odd N), and then resumed. A line is
printed for each: N, the name of the file, whether it was killed, the exit codes.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

import accelerate  # noqa: F401, TID253  (loaded here, once)
import sklearn.datasets  # noqa: F401, TID253
import torch
import torch._dynamo
from torch import nn

from compress.cli.main import main
from compress.export.onnx import export
from compress.export.settings import OnnxSettings
from compress.pipeline import run  # noqa: F401
from compress.report import page  # noqa: F401


def child(words: list[str], out: Path, kill_at: int | None = None) -> int:
    """Run a command; return its exit code, or less than 0 where a signal ended it."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    log = os.open(out.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["COMPRESS_CACHE"] = str(out.with_suffix(".cache"))
    if kill_at is not None:
        kill(kill_at, out.with_suffix(".name"))
    sys.argv = ["compress", "run", *words, "--out", str(out)]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        os._exit(code)


def kill(at: int, note: Path) -> None:
    """End this process at a file."""
    replace, count = Path.replace, 0

    def counted(self: Path, target: Path) -> Path:
        nonlocal count
        place, after = divmod(at, 2)
        if count == place:
            note.write_text(target.name)
            if after:
                replace(self, target)
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        return replace(self, target)

    Path.replace = counted  # type: ignore[method-assign, assignment]  # this is the child


def all_points(recipe: str, folder: Path, points: list[int]) -> None:
    """Kill and resume at each point."""
    torch.set_num_threads(1)  # threads do not outlive a fork
    export(nn.Linear(2, 2), [torch.ones(2, 2)], folder / "first.onnx", OnnxSettings())
    words = ["--recipe", recipe]
    print("whole", "-", child(words, folder / "whole"), flush=True)  # noqa: T201
    for at in points:
        out = folder / str(at)
        first = child(words, out, kill_at=at)
        second = child([*words, "--resume"], out)
        name = out.with_suffix(".name")
        print(at, name.read_text() if name.exists() else "-", first, second, flush=True)  # noqa: T201


if __name__ == "__main__":
    all_points(sys.argv[1], Path(sys.argv[2]), [int(word) for word in sys.argv[3:]])
