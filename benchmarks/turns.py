"""Several codecs on the same data, timed in turns, so that what slows the machine slows them all.

Seconds are the processor's, which leaves out what other processes took. On several threads they
are those of the thread that starts the others and of the busiest of these, and at least an equal
share of all: what an idle machine with as many cores would take. The fastest of all turns counts:
noise only adds.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from typing import Any
from unittest import mock


@dataclass(frozen=True, slots=True)
class Codec:
    """One side of a comparison."""

    source: Callable[[], Any]  #: returns what is coded; not timed
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    threads: int = 1


@dataclass(slots=True)
class Speed:
    """What was measured of a codec."""

    coded: Any = None
    encode_seconds: float = inf
    decode_seconds: float = inf


def measure(
    codecs: Mapping[str, Codec], budget_seconds: float = 1, turns: int = 15
) -> dict[str, Speed]:
    """Time each codec once in a turn.

    Args:
        codecs: by name.
        budget_seconds: a step that has taken so long is not repeated; its first time, in which ours
            may be compiled, does not count.
        turns: at most.
    """
    speeds = {name: Speed() for name in codecs}
    encode_spent, decode_spent = dict.fromkeys(codecs, 0.0), dict.fromkeys(codecs, 0.0)
    for turn in range(turns):
        for name, codec in codecs.items():
            speed = speeds[name]
            if encode_spent[name] < budget_seconds:
                seconds, speed.coded = _timed(codec.encode, codec.source(), codec.threads)
                speed.encode_seconds = min(speed.encode_seconds, seconds)
                encode_spent[name] += seconds if turn else 0
            if decode_spent[name] < budget_seconds:
                seconds, _ = _timed(codec.decode, speed.coded, codec.threads)
                speed.decode_seconds = min(speed.decode_seconds, seconds)
                decode_spent[name] += seconds if turn else 0
    return speeds


def _timed(step: Callable[[Any], Any], given: Any, threads: int) -> tuple[float, Any]:  # noqa: ANN401
    """Return the seconds of a step, and its result.

    Ours take as many threads as the machine has cores: here it has as many as `threads`.
    """
    helpers: Counter[int] = Counter()  # nanoseconds of each thread of a pool
    submit = ThreadPoolExecutor.submit

    def submit_timed(
        pool: ThreadPoolExecutor,
        task: Callable[..., Any],
        *args: Any,  # noqa: ANN401
    ) -> Future[Any]:
        def timed() -> Any:  # noqa: ANN401
            begin = time.thread_time_ns()
            try:
                return task(*args)
            finally:
                helpers[threading.get_ident()] += time.thread_time_ns() - begin

        return submit(pool, timed)

    with (
        mock.patch.object(os, "cpu_count", return_value=threads),
        mock.patch.object(ThreadPoolExecutor, "submit", submit_timed),
    ):
        everything, own = time.process_time_ns(), time.thread_time_ns()
        result = step(given)
        everything, own = time.process_time_ns() - everything, time.thread_time_ns() - own
    longest = own + max(helpers.values(), default=0)
    return max(longest, everything // threads) / 1e9, result
