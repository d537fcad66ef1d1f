import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks.registry import get, tasks
from compress_zoo.tasks.stsb import Stsb

from compress.training.task import Task


def test_tasks_are_what_training_expects() -> None:
    for found in tasks():
        assert get(found.name) is found
        if isinstance(found, Stsb):  # for measuring only
            continue
        task: Task = found  # checked by mypy
        assert task.metric == "accuracy"
        assert set(task.augmentation) <= {"rotate_degrees", "shift", "scale", "flip"}


@pytest.mark.parametrize(("name", "nearest"), [("minst", "mnist"), ("imagefolders", "imagefolder")])
def test_unknown_name_lists_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ZooError, match=f"task must be a known name.*nearest are .*{nearest}"):
        get(name)
