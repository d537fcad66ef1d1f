"""Independent parts of one piece of work, on several threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock, Thread
from typing import TypeVar

from compress import limits

_PARALLEL = 1 << 22  # from this many symbols on, a second thread pays

_P = TypeVar("_P")
_T = TypeVar("_T")


def n_threads(count: int) -> int:
    """Return how many threads are worth their start for so many symbols."""
    return n_cores() if count >= _PARALLEL else 1


def n_cores() -> int:
    """Return how many threads run at once, and have room."""
    return limits.threads(limits.cores())


def side_by_side(part: Callable[[_P], _T], places: Sequence[_P], threads: int) -> list[_T]:
    """Do all parts, in the order of their places, on so many threads at most.

    The calling thread is one of them: where no other starts, it does all.
    """
    threads = min(threads, len(places))
    if threads <= 1:
        return [part(place) for place in places]
    done: dict[int, _T] = {}
    failed: dict[int, BaseException] = {}
    waiting, lock = iter(range(len(places))), Lock()

    def work() -> None:
        while not failed:
            with lock:
                number = next(waiting, None)
            if number is None:
                return
            try:
                done[number] = part(places[number])
            except BaseException as error:  # noqa: BLE001  (raised below, where it is waited for)
                failed[number] = error

    others = _started(work, threads - 1)
    try:
        work()
    finally:
        for thread in others:
            thread.join()
    if failed:
        raise failed[min(failed)]
    return [done[number] for number in range(len(places))]


def _started(work: Callable[[], None], count: int) -> list[Thread]:
    """Start so many threads, or as many as the system gives."""
    started = []
    for _ in range(count):
        thread = Thread(target=work)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            break
        started.append(thread)
    return started
