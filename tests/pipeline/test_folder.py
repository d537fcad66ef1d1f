"""A folder that holds a run: nothing in it is lost without a word, and nothing of others at all."""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import compress
from compress.errors import CompressError, OutputError, SettingsError
from compress.pipeline.folder import Begun, Folder
from compress.pipeline.work import Work
from compress.recipe import Recipe, from_mapping, to_yaml
from compress.report.data import Report

NAME = "lenet-300-100"
RANDOM = {"model": NAME, "weights": "random", "quantize": "2bit"}
NAMES = {f"{NAME}.safetensors", f"{NAME}.onnx", "recipe.yaml", "report.json", "report.html"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    compress.run(RANDOM, folder)
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def entered(
    folder: Path,
    recipe: Recipe | None = None,
    *,
    resume: bool = False,
    force: bool = False,
    versions: dict[str, str] | None = None,
    weights: str | None = None,
    data: str | None = None,
    keep: bool = True,
) -> Report | None:
    """Begin a run as far as its first stage's end."""
    recipe = recipe or from_mapping(RANDOM)
    begun = Begun(recipe.model, recipe, weights, data, versions or {"torch": "2"})
    with closing(Work(folder)) as work, closing(Folder(folder, work, begun)) as entered:
        report = entered.enter(resume=resume, force=force)
        if report is None and keep and work.facts("dense") is None:
            with work.stage("dense"):
                pass
    return report


OTHER = from_mapping({**RANDOM, "seed": 1})


def test_results_are_not_written_over_without_a_word(copied: Path) -> None:
    before = content(copied)
    with pytest.raises(SettingsError, match=r"holds the results of a run: --resume .* --force"):
        compress.run(RANDOM, copied)
    with pytest.raises(SettingsError, match="holds the results of a run"):
        compress.run({**RANDOM, "quantize": "3bit"}, copied)
    assert content(copied) == before


def test_a_finished_run_is_read_again(copied: Path) -> None:
    before = content(copied)
    report = compress.run(RANDOM, copied, resume=True)
    assert report == Report.from_json(before["report.json"])
    assert content(copied) == before


@pytest.mark.parametrize("change", [{"seed": 1}, {"quantize": "3bit"}, {"weights": "pretrained"}])
def test_a_finished_run_is_not_resumed_as_another(change: dict[str, Any], copied: Path) -> None:
    before = content(copied)
    with pytest.raises(SettingsError, match=r"results of a run with other settings; .* --force"):
        entered(copied, from_mapping({**RANDOM, **change}), resume=True)
    with pytest.raises(SettingsError, match="results of a run with other weights"):
        entered(copied, weights="0" * 64, resume=True)
    with pytest.raises(SettingsError, match="results of a run with other data"):
        entered(copied, data="0" * 64, resume=True)
    assert content(copied) == before


def test_force_replaces_a_run_and_only_that(copied: Path, tmp_path: Path) -> None:
    (copied / "mine.txt").write_text("mine")
    before = content(copied)
    report = compress.run({**RANDOM, "quantize": "3bit"}, copied, force=True)
    after = content(copied)
    assert after.keys() == NAMES | {"mine.txt"}
    assert after["mine.txt"] == b"mine"
    assert all(after[name] != before[name] for name in NAMES)
    assert Report.from_json(after["report.json"]) == report
    assert set(report.files) == {f"{NAME}.safetensors", f"{NAME}.onnx", "recipe.yaml"}


def test_data_beside_a_large_network_are_results_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress.artifact.onnx_file._LIMIT", 1000)
    report = compress.run(RANDOM, tmp_path)
    (data,) = tmp_path.glob("*.data")
    assert set(report.files) == {f"{NAME}.safetensors", f"{NAME}.onnx", data.name, "recipe.yaml"}
    assert compress.run(RANDOM, tmp_path, resume=True) == report
    compress.run({**RANDOM, "seed": 1}, tmp_path, force=True)
    (other,) = tmp_path.glob("*.data")
    assert other != data


def test_results_stay_until_the_first_new_one(copied: Path) -> None:
    """What ends before its export, for whatever reason, has lost nothing."""
    before = content(copied)
    with pytest.raises(CompressError, match="matches no layer"):
        compress.run({**RANDOM, "prune": "convolution=0.5"}, copied, force=True)
    assert content(copied) == before


def test_another_network_s_run_is_replaced_whole(copied: Path) -> None:
    recipe = from_mapping({"model": "other", "weights": "random"})
    begun = Begun("other", recipe, None, None, {})
    with closing(Work(copied)) as work, closing(Folder(copied, work, begun)) as folder:
        assert folder.enter(resume=False, force=True) is None
        folder.replace()
        left = {path.name for path in copied.iterdir() if path.name != ".lock"}
        assert left == {".work", "recipe.yaml"}
    with pytest.raises(OSError, match="report"):
        (copied / "report.json").read_bytes()


@pytest.mark.parametrize("name", [f"{NAME}.onnx", f"{NAME}.safetensors"])
def test_a_result_that_was_changed_is_the_user_s(name: str, copied: Path) -> None:
    (copied / name).write_bytes(b"mine")
    before = content(copied)
    with pytest.raises(SettingsError, match=f"{name} is not as its run wrote it; move it away"):
        compress.run(RANDOM, copied, resume=True)
    with pytest.raises(OutputError, match=f"{name} is there and not as a run .* move it away"):
        compress.run(RANDOM, copied, force=True)
    assert content(copied) == before


def test_a_result_that_is_missing_is_made_again(
    copied: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = content(copied)
    (copied / f"{NAME}.onnx").unlink()
    compress.run(RANDOM, copied, resume=True)
    assert any(
        "done anew" in said and f"{NAME}.onnx is missing" in said for said in caplog.messages
    )
    after = content(copied)
    assert {n: after[n] for n in NAMES if "report" not in n} == {
        n: before[n] for n in NAMES if "report" not in n
    }


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("how", [{}, {"resume": True}, {"force": True}])
def test_a_file_that_no_run_wrote_is_not_touched(
    name: str, how: dict[str, bool], tmp_path: Path
) -> None:
    (tmp_path / name).write_text("model: mine")
    with pytest.raises(OutputError, match="move it away or choose another --out"):
        entered(tmp_path, **how)
    assert content(tmp_path) == {name: b"model: mine"}


def test_a_recipe_may_stand_in_the_folder_of_its_run(tmp_path: Path) -> None:
    text = f"# mine\n{json.dumps(RANDOM)}\n"
    (tmp_path / "recipe.yaml").write_text(text)
    entered(tmp_path)
    assert (tmp_path / "recipe.yaml").read_text() == text


def test_an_unfinished_run_needs_a_word(tmp_path: Path) -> None:
    entered(tmp_path)
    before = content(tmp_path / ".work")
    with pytest.raises(SettingsError, match="ended early: --resume goes on with it, --force"):
        entered(tmp_path)
    for what, changed in (
        ("settings", {"recipe": OTHER}), ("weights", {"weights": "0"}), ("data", {"data": "0"}),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=f"run with other {what}; resume it with those"):
            entered(tmp_path, resume=True, **changed)
    assert content(tmp_path / ".work") == before
    entered(tmp_path, resume=True)
    assert content(tmp_path / ".work") == before
    entered(tmp_path, OTHER, force=True)
    assert (tmp_path / "recipe.yaml").read_text() == to_yaml(OTHER)


def test_a_run_that_fails_at_once_leaves_the_folder_free(tmp_path: Path) -> None:
    entered(tmp_path, keep=False)
    assert list(tmp_path.iterdir()) == []
    for recipe in (OTHER, from_mapping(RANDOM)):
        work = Work(tmp_path)
        folder = Folder(tmp_path, work, Begun(NAME, recipe, None, None, {}))
        folder.enter(resume=False, force=False)  # and killed before anything else
        work._lock.close()


def test_resume_and_force_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="force must be left out with resume"):
        entered(tmp_path, resume=True, force=True)


@pytest.mark.parametrize("damage", ["versions", "bit", "earlier", "gone"])
def test_a_work_folder_of_another_version_begins_anew(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entered(tmp_path)
    begun = tmp_path / ".work" / "begun.json"
    versions = {"torch": "2"}
    match damage:
        case "versions":
            versions = {"torch": "3", "numpy": "2"}
        case "bit":
            begun.write_bytes(begun.read_bytes().replace(b"torch", b"tarch"))
        case "earlier":
            begun.rename(begun.with_name("recipe.yaml")).write_text(to_yaml(from_mapping(RANDOM)))
        case _:  # as it is after a kill while the folder was cleaned up: nothing is lost
            begun.unlink()
    with caplog.at_level(logging.WARNING):
        entered(tmp_path, resume=True, versions=versions, keep=False)
    said = " ".join(caplog.messages)
    assert ("the run begins anew" in said) == (damage != "gone")
    assert ("numpy none, now 2, torch 2, now 3" in said) == (damage == "versions")
    assert not (tmp_path / ".work").exists()


@pytest.mark.parametrize("damage", ["bit", "earlier"])
def test_another_run_s_damaged_work_folder_is_still_another_s(damage: str, tmp_path: Path) -> None:
    entered(tmp_path)
    begun = tmp_path / ".work" / "begun.json"
    if damage == "bit":
        begun.write_bytes(begun.read_bytes().replace(b"torch", b"tarch"))
    else:
        begun.rename(begun.with_name("recipe.yaml"))
    with pytest.raises(SettingsError, match="other settings"):
        entered(tmp_path, OTHER, resume=True)
