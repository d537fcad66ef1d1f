"""How a run goes, on stderr: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress.cli.output import notes
from compress.report.wording import roughly

if TYPE_CHECKING:
    from rich.console import Console

    from compress.pipeline.notify import Training

_EVERY = 10.0  # seconds, at least, from one epoch's line or note to the next
_SURE = 2.0  # seconds of steps, after which the end of a training can be told
_SHORT = 60.0  # seconds: of a training that ends sooner no end is told
_DAY = 24 * 3600


@dataclass(slots=True)
class _Pace:
    """How fast a training goes; what was done before it was resumed does not count."""

    epochs: int
    line: float  #: when a line was printed last
    first: tuple[int, float] | None = None  #: the first step that was told, and when
    is_told: bool = False  #: when it ends

    def left(self, done: int, total: int, now: float) -> float | None:
        """Return the seconds that are left, None where that cannot be told yet."""
        if self.first is None:
            self.first = done, now
        steps, seconds = done - self.first[0], now - self.first[1]
        return (total - done) * seconds / steps if steps and seconds >= _SURE else None


class Progress:
    """Bars on a terminal; a line a stage, and a line an epoch of a training, elsewhere."""

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Print on `console`, by default stderr."""
        self._console, self._clock = console or notes(), clock
        self._bars: Any = None
        self._pace: _Pace | None = None
        self._name = ""  # of the stage, also when it is over
        self._noted = 0.0  # when there was a note last

    @property
    def has_begun(self) -> bool:
        """Tell whether there was any stage."""
        return bool(self._name)

    def training(self, begins: Training) -> None:
        """Say what is trained; when that ends is told after some steps."""
        self._pace = _Pace(begins.epochs, self._clock())
        epochs = "1 epoch" if begins.epochs == 1 else f"{begins.epochs} epochs"
        self._say(
            f"trains {begins.what} for {epochs} of {begins.samples:,} samples; {begins.shorten}"
        )

    def step(self, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Move the stage's bar; tell the end of a training and its epochs."""
        words = [f"{key} {value:.4g}" for key, value in figures.items()]
        if self._pace is not None:
            words += self._told(self._pace, done, total)
        if self._bars is not None:
            self._bars.update(self._bar, completed=done, total=total, figures="  ".join(words))
        elif self._pace is not None and not done * self._pace.epochs % total:
            self._epoch(self._pace, words)

    def note(self, words: str, *, often: bool = False) -> None:
        """Say what a stage is at; what comes often stands beside the bar, or in a line at times."""
        if often and self._bars is not None:
            self._bars.update(self._bar, figures=words)
        elif not often or self._clock() - self._noted >= _EVERY:
            self._noted = self._clock()
            self._say(words)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show a stage while it lasts."""
        start, self._name, self._pace = self._clock(), name, None
        if self._console.is_terminal:
            from rich import progress

            columns = (
                progress.TextColumn("{task.description:8}"),
                progress.BarColumn(),
                progress.TimeElapsedColumn(),
                progress.TextColumn("{task.fields[figures]}"),
            )
            with progress.Progress(*columns, console=self._console, transient=True) as self._bars:
                self._bar = self._bars.add_task(name, total=None, figures="")
                try:
                    yield
                finally:
                    self._bars = None
        else:
            yield
        self._say(f"{self._clock() - start:7.1f} s")

    def _told(self, pace: _Pace, done: int, total: int) -> list[str]:
        """Say once when a training ends; return the words that stand in its lines."""
        now = self._clock()
        left = pace.left(done, total, now)
        if left is None:
            return []
        end = _at(now + left, now)
        if not pace.is_told:
            pace.is_told = True
            if left >= _SHORT:
                self._say(f"takes about {roughly(left)}, ends {end}")
                pace.line = now
        return [f"{roughly(left)} left", f"ends {end}"]

    def _epoch(self, pace: _Pace, words: list[str]) -> None:
        """Say what an epoch gave, though not more often than one reads."""
        now = self._clock()
        if now - pace.line >= _EVERY:
            pace.line = now
            first, *others = words
            self._say(", ".join([f"{first} of {pace.epochs}", *others]))

    def _say(self, text: str) -> None:
        self._console.print(f"{self._name:8} {text}", soft_wrap=True)


def _at(moment: float, now: float) -> str:
    """Return a moment as the clock shows it, with its day where that is another."""
    far = moment - now >= _DAY or time.localtime(moment).tm_yday != time.localtime(now).tm_yday
    return time.strftime("%a %d %b %H:%M" if far else "%H:%M", time.localtime(moment))
