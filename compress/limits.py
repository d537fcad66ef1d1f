"""What the system leaves this process: cores and memory, as far as it tells.

Where memory ends, native code does not raise: it crashes, aborts, or waits for a thread for ever.
So what a step needs is held against what is there before it begins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from math import ceil
from pathlib import Path, PurePosixPath

from compress.errors import MemoryShortError

_MIB = 1 << 20
_THREAD = 128 * _MIB  # address space that a thread may take: its stack, and malloc's arena for it
_PROC, _CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60  # bytes: cgroups of version 1 write "no limit" as a number near 2^63


def cores() -> int:
    """Return how many threads of this process can run at once: by its affinity and its quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(count or 1, _quota()))


def threads(wanted: int) -> int:
    """Return how many of so many threads have room in the address space; one is there already."""
    free = free_address_space()
    return wanted if free is None else max(1, min(wanted, free // _THREAD))


def require_memory(what: str, resident: int, address_space: int | None = None) -> None:
    """Raise `MemoryShortError` where a step needs more memory than is free.

    Args:
        what: the step, as the subject of a sentence.
        resident: bytes that it takes.
        address_space: bytes that it maps, where these are more.
    """
    for needed, free in (
        (address_space or resident, free_address_space()),
        (resident, free_memory()),
    ):
        if free is not None and needed > free:
            raise MemoryShortError(
                f"{what} needs about {ceil(needed / _MIB)} MiB of memory, and {free // _MIB} MiB "
                "are free; raise the limit, or close other programs"
            )


def free_address_space() -> int | None:
    """Return the bytes that this process may still map (`ulimit -v`); None where any number."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        mapped = int((_PROC / "self" / "statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return max(0, limit - mapped * resource.getpagesize())


def free_memory() -> int | None:
    """Return the bytes that the machine and this process's container have left; None if unknown."""
    found = [free for free in (_available(), *_left_in_groups()) if free is not None]
    return min(found, default=None)


def _available() -> int | None:
    """Return what the machine has left, swap included."""
    try:
        lines = (_PROC / "meminfo").read_text().splitlines()
    except OSError:
        return None
    told = {line.partition(":")[0]: line.split()[1] for line in lines if line.endswith(" kB")}
    if "MemAvailable" not in told:
        return None
    return (int(told["MemAvailable"]) + int(told.get("SwapFree", 0))) * 1024


def _left_in_groups() -> Iterator[int | None]:
    """Yield what each control group that this process is in leaves of its limit."""
    for folder in _groups("memory"):
        for limit, used in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            most, taken = _number(folder / limit), _number(folder / used)
            if most is not None and taken is not None and most < _UNLIMITED:
                yield max(0, most - taken + _reclaimable(folder))


def _reclaimable(folder: Path) -> int:
    """Return how much of a group's memory is files that the system can read again."""
    told = dict[str, str]()
    with suppress(OSError):
        lines = (folder / "memory.stat").read_text().splitlines()
        told = dict(line.split()[:2] for line in lines if len(line.split()) == 2)
    own = "total_" if "total_inactive_file" in told else ""  # of version 1: with those below it
    return sum(int(told.get(f"{own}{kind}_file", 0)) for kind in ("inactive", "active"))


@cache
def _quota() -> int:
    """Return how many cores the control groups give, rounded up."""
    found = [os.cpu_count() or 1]
    for folder in _groups("cpu"):
        with suppress(OSError, ValueError, ZeroDivisionError):
            most, period = (folder / "cpu.max").read_text().split()
            found.append(ceil(int(most) / int(period)))  # "max" is no number
        most_us, period_us = (
            _number(folder / f"cpu.cfs_{part}_us") for part in ("quota", "period")
        )
        if most_us and period_us and most_us > 0:
            found.append(ceil(most_us / period_us))
    return max(1, min(found))


def _groups(controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control groups, of both versions, up to the root."""
    try:
        lines = (_PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = _CGROUP / controllers if controllers else _CGROUP
        own = PurePosixPath(path)
        for place in (own, *own.parents):
            # A container sees its own group as the root, whatever its path is outside.
            yield root / place.relative_to("/")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
