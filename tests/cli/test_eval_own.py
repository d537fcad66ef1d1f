"""`compress eval` on a task in a user's own file, with a metric of their own; no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.cli.console import compress, spawn
from tests.cli.test_predict import network

TASK = """
import numpy as np
from compress.tasks import Arrays

x = np.arange(12.0).reshape(4, 3)


def within_one(outputs, targets):
    return np.abs(outputs - targets).max(1) <= 1


mine = Arrays(test=(x, x + [[0], [1], [2], [0]]), metric=within_one)
plain = Arrays(test=(x, x + 0.5), name="plain")
short = Arrays(test=(x[:, :2], x))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a network that gives its input back, and a file of tasks beside it."""
    (tmp_path / "own.py").write_text(TASK)
    shown = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return network(tmp_path / "m.onnx", nodes, ["n", 3], [shown])


def test_a_metric_of_ones_own(file: Path) -> None:
    said = ("eval", file, "--task", f"{file.parent / 'own.py'}:mine")
    assert compress(*said, "--json").json() == {"metric": "within one", "value": 0.75, "n": 4}
    assert compress(*said).out == "within one 0.75 on 4 samples\n"
    said = ("eval", file, "--task", f"{file.parent / 'own.py'}:plain")
    assert compress(*said).out == "mean absolute error 0.5 on 4 samples\n"


def test_tasks_that_do_not_fit(file: Path) -> None:
    own = file.parent / "own.py"
    said = compress("eval", file, "--task", f"{own}:short").error()
    assert said == f"{file} takes x of shape (3,) a sample, and task arrays has (2,)"
    for name in ("missing", "within_one", "x"):
        compress("eval", file, "--task", f"{own}:{name}").error()
    compress("eval", file, "--task", f"{file.parent / 'gone.py'}:mine").error()


def test_it_loads_no_torch(file: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom compress.cli.eval import command\n"
        "command(Path(sys.argv[1]), sys.argv[2], as_json=True)\n"
        "print({'torch', 'transformers'} & set(sys.modules))\n"
    )
    done = spawn(script, file, f"{file.parent / 'own.py'}:mine")
    assert done.code == 0, done.err
    assert done.out.endswith("set()\n")


def test_inputs_of_ones_own_are_of_any_type(tmp_path: Path, file: Path) -> None:
    """Whole numbers become what the network takes."""
    np.save(tmp_path / "x.npy", np.arange(6, dtype=np.uint8).reshape(2, 3))
    (tmp_path / "whole.py").write_text(
        "import numpy as np\nfrom pathlib import Path\nfrom compress.tasks import Arrays\n"
        "x = np.load(Path(__file__).with_name('x.npy'))\n"
        "task = Arrays(test=(x, x.astype(float)))\n"
    )
    said = ("eval", file, "--task", f"{tmp_path / 'whole.py'}:task", "--json")
    assert compress(*said).json() == {"metric": "mean absolute error", "value": 0, "n": 2}
