"""What a run says while it goes: on a terminal, and where its output is kept."""

from __future__ import annotations

import io
import time
from collections.abc import Generator

import pytest
from rich.console import Console

from compress.cli.progress import Progress
from compress.pipeline.notify import Training

NOON = time.mktime((2026, 3, 4, 12, 0, 0, 0, 0, -1))
TRAINING = Training(what="resnet20", epochs=90, samples=45_000, shorten="for fewer: --epochs N")
STEPS = 176


class Clock:
    """Tell a time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def trained(
    progress: Progress, clock: Clock, seconds: float, epochs: int = 3
) -> Generator[None, None, None]:
    """Train for some epochs, as `fit` tells it; stop after each step."""
    with progress.stage("dense"):
        progress.training(TRAINING)
        for step in range(epochs * STEPS):
            clock.now += seconds
            figures = {"epoch": float(step // STEPS + 1), "loss": 1.25}
            if (step + 1) % STEPS == 0:
                progress.step(step + 1, 90 * STEPS, figures | {"accuracy": 0.5})
            elif step % 10 == 0:
                progress.step(step + 1, 90 * STEPS, figures)
            yield


def lines(clock: Clock, seconds: float) -> list[str]:
    stream = io.StringIO()
    for _ in trained(Progress(Console(file=stream, width=80), clock), clock, seconds):
        pass
    return stream.getvalue().splitlines()


def test_a_long_training_says_what_it_does_and_when_it_ends(clock: Clock) -> None:
    said = lines(clock, 0.606)  # 90 epochs of 176 steps: 9,600 s
    assert said[0] == (
        "dense    trains resnet20 for 90 epochs of 45,000 samples; for fewer: --epochs N"
    )
    assert said[1] == "dense    takes about 2 h 39 min, ends 14:39"
    assert said[2:5] == [
        f"dense    epoch {epoch} of 90, loss 1.25, accuracy 0.5, {left} left, ends 14:39"
        for epoch, left in ((1, "2 h 38 min"), (2, "2 h 36 min"), (3, "2 h 34 min"))
    ]
    assert said[5] == "dense      320.0 s"


def test_lines_come_no_faster_than_one_reads(clock: Clock) -> None:
    said = lines(clock, 0.03)  # an epoch of 5.3 s
    assert [line.split(",")[0] for line in said[1:-1]] == [
        "dense    takes about 7 min 53 s",
        "dense    epoch 3 of 90",
    ]


def test_the_first_words_come_before_the_first_step(clock: Clock) -> None:
    stream = io.StringIO()
    steps = trained(Progress(Console(file=stream), clock), clock, 60.0)
    next(steps)
    assert "trains resnet20" in stream.getvalue()
    steps.close()


def test_a_resumed_training_is_timed_from_where_it_goes_on(clock: Clock) -> None:
    stream = io.StringIO()
    progress = Progress(Console(file=stream), clock)
    with progress.stage("dense"):
        progress.training(TRAINING)
        for done in (8_001, 8_011):
            clock.now += 10.0
            progress.step(done, 16_001, {"epoch": 46.0, "loss": 1.0})
    assert "takes about 2 h 13 min, ends 14:13" in stream.getvalue()  # 7,990 steps of a second


def test_another_day_is_named(clock: Clock) -> None:
    assert any(line.endswith("ends Thu 05 Mar 14:24") for line in lines(clock, 6.0))


def test_a_terminal_shows_the_end_beside_its_bar(clock: Clock) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=160, force_terminal=True, color_system=None)
    for _ in trained(Progress(console, clock), clock, 0.606):
        pass
    assert "takes about 2 h 39 min, ends 14:39" in stream.getvalue()
    assert "ends 14:39" in stream.getvalue().split("takes about")[1][30:]
    assert "epoch 1 of 90" not in stream.getvalue()


def test_a_search_says_what_it_does_and_now_and_then_how_far_it_is(clock: Clock) -> None:
    stream = io.StringIO()
    progress = Progress(Console(file=stream, width=80), clock)
    with progress.stage("share"):
        progress.note("looks for weights")
        for tried in range(6):
            clock.now += 4
            progress.note(f"try {tried}", often=True)
    assert [line.strip() for line in stream.getvalue().splitlines()] == [
        "share    looks for weights",
        "share    try 2",
        "share    try 5",
        "share       24.0 s",
    ]
