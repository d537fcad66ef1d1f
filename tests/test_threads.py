"""Parts of one piece of work, side by side."""

from __future__ import annotations

import threading

import pytest

from compress.threads import side_by_side


@pytest.mark.parametrize("threads", [1, 2, 9])
@pytest.mark.parametrize("places", [range(0), range(1), range(5)])
def test_results_are_in_the_order_of_places(places: range, threads: int) -> None:
    assert side_by_side(str, places, threads) == [str(place) for place in places]


def test_parts_run_at_the_same_time() -> None:
    everyone = threading.Barrier(3)
    assert len(side_by_side(lambda _: everyone.wait(timeout=60), range(3), 3)) == 3


def test_one_part_is_done_where_it_is_called() -> None:
    own = threading.get_ident()
    assert side_by_side(lambda _: threading.get_ident(), range(1), 9) == [own]
    assert side_by_side(lambda _: threading.get_ident(), range(2), 1) == [own, own]


def test_an_error_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda place: 1 // place, range(2), 2)


def test_where_no_thread_starts_the_caller_does_all(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert side_by_side(str, range(5), 3) == list("01234")


def test_nothing_begins_behind_an_error():
    begun = []

    def part(place):
        begun.append(place)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        side_by_side(part, range(1000), 3)
    assert len(begun) <= 3
