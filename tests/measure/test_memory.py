"""Peak memory: it rises with what is taken, and starts anew where the system allows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compress.measure import memory

MIB = 1 << 20
SLACK = MIB  # the kernel counts pages in lots, a lot for each processor


def test_the_peak_rises_with_what_is_taken() -> None:
    before = memory.peak_rss_bytes()
    held = np.ones(64 * MIB, np.uint8)
    during = memory.peak_rss_bytes()
    del held
    assert before > MIB
    assert during >= before - SLACK
    assert memory.peak_rss_bytes() >= during - SLACK  # what is given back stays in the peak


def test_a_new_peak_is_no_higher() -> None:
    held = np.ones(64 * MIB, np.uint8)
    before = memory.peak_rss_bytes()
    del held
    memory.reset_peak()
    assert memory.peak_rss_bytes() <= before + SLACK


@pytest.mark.parametrize("status", ["VmRSS:\t 12 kB\n", None])
def test_systems_that_do_not_tell_by_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str | None
) -> None:
    file = tmp_path / "status"
    if status is not None:
        file.write_text(status)
    monkeypatch.setattr(memory, "_STATUS", file)
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "missing" / "clear_refs")
    memory.reset_peak()
    assert memory.peak_rss_bytes() > MIB
