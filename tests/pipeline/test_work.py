"""The work folder of a run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from compress.errors import OutputError, SettingsError
from compress.pipeline.work import Work


def test_one_run_at_a_time_in_a_folder(tmp_path: Path) -> None:
    with (
        closing(Work(tmp_path, "a", resume=False)),
        pytest.raises(OutputError, match="another run is at work"),
    ):
        Work(tmp_path, "b", resume=False)
    Work(tmp_path, "b", resume=False).close()


def test_a_refused_resume_leaves_the_folder_free(tmp_path: Path) -> None:
    with closing(Work(tmp_path, "a", resume=False)) as work, work.stage("dense") as record:
        record["params"] = 3
    with pytest.raises(SettingsError, match="other settings"):
        Work(tmp_path, "b", resume=True)
    with closing(Work(tmp_path, "a", resume=True)) as again:
        facts = again.facts("dense")
    assert facts is not None
    assert facts["params"] == 3
