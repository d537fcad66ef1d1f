"""Runs that are ended and resumed, in children of one process that has loaded everything.

    python killed.py RECIPE FOLDER PATTERN:2:before:KILL,PATTERN:1:after:INT,...

`FOLDER/whole` gets an undisturbed run. For each further word a run is ended by a signal when it is
about to put the second file in place whose name fits the pattern (or just has: `after`), resumed
until the next such point, and at last resumed to its end. The word `all` stands for all places of
the undisturbed run. A line is printed for each: the folder, the word, the exit codes.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import accelerate  # noqa: F401  (loaded here, once)
import sklearn.datasets  # noqa: F401
import torch
import torch._dynamo
from torch import nn

from compress.cli.main import main
from compress.export.onnx import export
from compress.export.settings import OnnxSettings
from compress.pipeline import run  # noqa: F401
from compress.report import page  # noqa: F401

COUNT = "*:0:before:KILL"  # no file is the one before the first


def end_all(recipe: str, folder: Path, points: list[str]) -> None:
    """End and resume a run at each point."""
    torch.set_num_threads(1)  # threads do not outlive a fork
    export(nn.Linear(2, 2), [torch.ones(2, 2)], folder / "first.onnx", OnnxSettings())
    gc.freeze()  # no child looks for garbage among what is loaded
    words = ["run", "--recipe", recipe, "--out"]
    whole = child([*words, str(folder / "whole")], folder / "whole.log", COUNT)
    print("whole", "-", whole)  # noqa: T201
    if points == ["all"]:
        placed = int((folder / "whole.log").read_text().splitlines()[-1])
        points = [f"*:{n}:{w}:KILL" for n in range(1, placed + 1) for w in ("before", "after")]
    for number, point in enumerate(points):
        out, log = str(folder / str(number)), folder / f"{number}.log"
        first, *others = point.split(",")
        codes = [child([*words, out], log, first)]
        codes += [child([*words, out, "--resume"], log, other) for other in (*others, None)]
        print(number, point, *codes)  # noqa: T201


def child(words: list[str], log: Path, point: str | None = None) -> int:
    """Run a command; return its exit code, or less than 0 where a signal ended it."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    place = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(place, 1)
    os.dup2(place, 2)
    os.environ["COMPRESS_CACHE"] = words[words.index("--out") + 1] + ".cache"
    placed = arm(*(point or COUNT).split(":"))
    sys.argv = ["compress", *words]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except Exception:  # noqa: BLE001  (a child goes no further up)
        traceback.print_exc()
        code = 70
    finally:
        if point == COUNT:
            print(placed())  # noqa: T201
        sys.stdout.flush()
        os._exit(code)


def arm(pattern: str, number: str, when: str, ending: str) -> Callable[[], int]:
    """Let this process get a signal at a file; return what counts the files that fit."""
    replace, count = Path.replace, 0

    def signalling(self: Path, target: Path) -> Path:
        nonlocal count
        fits = fnmatch(Path(target).name, pattern)
        count += fits
        here = fits and count == int(number)
        if here and when == "before":
            os.kill(os.getpid(), signal.Signals[f"SIG{ending}"])
        result = replace(self, target)
        if here and when == "after":
            os.kill(os.getpid(), signal.Signals[f"SIG{ending}"])
        return result

    Path.replace = signalling  # type: ignore[method-assign, assignment]  # of this child alone
    return lambda: count


if __name__ == "__main__":
    end_all(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
