"""The process's peak memory, stage by stage."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak() -> None:
    """Start a new peak, where the system allows it (Linux)."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def peak_rss_bytes() -> int:
    """Return the largest resident memory since the last `reset_peak`, or since the start."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM"):  # not every container's kernel tells it
            return int(line.split()[1]) * 1024
    if resource is None:
        now = psutil.Process().memory_info()
        return int(getattr(now, "peak_wset", now.rss))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
