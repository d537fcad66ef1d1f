from pathlib import Path

import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks import NAMES, registry

from compress.tasks import Task
from compress.training.settings import TrainSettings

ROOT = Path("/nowhere")


def test_names_that_help_and_errors_tell_are_those_of_the_rows() -> None:
    assert registry.names() == NAMES
    with pytest.raises(
        ZooError, match=r"there are cifar10, digits, imagefolder, mnist, sst2, stsb$"
    ):
        registry.get("nothing", ROOT)


@pytest.mark.parametrize("name", NAMES)
def test_tasks_are_what_training_expects(name: str) -> None:
    task: Task = registry.get(name, ROOT)
    assert task.name == name
    assert task.metric.name in ("accuracy", "spearman")
    for stage in ("dense", "prune", "quantize", "one that comes later"):
        assert TrainSettings(**task.training(stage, "any")).epochs > 0


@pytest.mark.parametrize(("name", "nearest"), [("minst", "mnist"), ("imagefolders", "imagefolder")])
def test_unknown_name_lists_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ZooError, match=f"task must be a known name.*nearest are .*{nearest}"):
        registry.get(name, ROOT)
