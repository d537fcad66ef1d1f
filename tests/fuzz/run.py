"""Fuzz a decoder, guided by coverage: `python -m tests.fuzz.run TARGET [--minutes M]`.

It needs atheris: `pip install -e '.[fuzz]'`. Inputs that reach something new are kept in
`runs/fuzz/TARGET`. One that breaks the target ends the run and is written to
`runs/fuzz/TARGET-crash-…`, or `-timeout-…` after ten seconds; `--input FILE` runs it again.
`--minimise` makes the target's file in `tests/fuzz/corpus` anew from what was kept: that is what
the tests run, without atheris. Options of libFuzzer (`-max_len=99`) are passed on.

What the fuzzer sees: branches and comparisons of the Python in `compress` and in the second reader,
`tests.artifact.reader`, which is plain Python and asked beside most decoders: there it sees what a
compiled kernel does. The compiled kernels themselves it does not see. With `NUMBA_DISABLE_JIT=1` in
the environment they run as Python, ten to thirty times slower, and it does. With
`NUMBA_BOUNDSCHECK=1` and a `NUMBA_CACHE_DIR` of its own, an index out of bounds is an error at full
speed. It never sees numpy, protobuf, LZMA and safetensors.

Each input may take 640 MiB and ten seconds. atheris itself holds up to 90 KB more after each;
at 4 GiB the run ends with `-oom-…`, which then is no fault of the target.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import pkgutil
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

from compress import kernels

if os.environ.get("NUMBA_DISABLE_JIT") != "1":  # what is imported before is not instrumented
    for _kernel in pkgutil.iter_modules(kernels.__path__, "compress.kernels."):
        importlib.import_module(_kernel.name)
with atheris.instrument_imports(include=["compress", "tests"]):
    from tests.fuzz.seeds import corpus, corpus_file, seeds
    from tests.fuzz.targets import TARGETS, Target

_ROOM = 640 << 20  # bytes of address space for one input; a graph may have 256 MiB
_CORPUS_BYTES = 16 << 10
_MERGE = "-set_cover_merge=1"
_SHARED_MEMORY = Path("/dev/shm")  # targets that read files write them first


def main() -> None:
    """Run a target on what atheris finds."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--input", type=Path, help="run this file only")
    parser.add_argument("--minimise", action="store_true", help="write the small corpus")
    given, passed_on = parser.parse_known_args()
    tempfile.tempdir = str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None
    kept = Path("runs/fuzz") / given.target
    kept.mkdir(parents=True, exist_ok=True)
    if given.minimise:
        minimise(given.target, kept)
        return
    options = ["-timeout=10", "-rss_limit_mb=4096", f"-artifact_prefix={kept}-", *passed_on]
    if given.input:
        options.append(str(given.input))
    elif _MERGE not in passed_on:
        for data in (*seeds(given.target), *corpus(given.target)):
            (kept / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        seconds = round(60 * given.minutes)
        options += [f"-max_total_time={seconds}", "-use_value_profile=1", "-max_len=20000"]
        options += ["-print_final_stats=1", str(kept)]
    # libFuzzer starts itself anew to minimise: by this name, through a shell.
    name = f"{sys.executable} -m tests.fuzz.run {given.target}"
    atheris.Setup([name, *options], lambda data: bounded(TARGETS[given.target], data))
    atheris.Fuzz()


def bounded(target: Target, data: bytes) -> None:
    """Run a target that may take so much memory, whatever atheris has gathered before."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM, resource.RLIM_INFINITY))
    try:
        target(data)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)


def minimise(target: str, kept: Path) -> None:
    """Write few of the inputs that were kept which reach what all do; the largest stay out."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.fuzz.run", target, _MERGE, folder, str(kept)]
        subprocess.run(command, check=True)
        found = [path.read_bytes() for path in Path(folder).iterdir()]
    found.sort(key=lambda data: (len(data), data))
    while sum(map(len, found)) > _CORPUS_BYTES:
        found.pop()
    corpus_file(target).write_text("".join(f"{data.hex()}\n" for data in found))
    sys.stderr.write(f"{len(found)} inputs, {sum(map(len, found))} bytes\n")


if __name__ == "__main__":
    main()
