import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
SCRIPT = str(Path(__file__).with_name("launched.py"))


def _start(*command: str) -> None:
    path = os.pathsep.join(map(str, (ROOT, ROOT / "zoo")))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("torchrun", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_two_processes_train_like_one(tmp_path: Path, torchrun: bool) -> None:
    """At the same global batch, with a teacher, a masked layer and a shared one.

    63 divides by 2 unevenly.
    """
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    if torchrun:
        _start(SCRIPT, one)
        run = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2")
        _start("-m", *run, SCRIPT, two)
    else:  # as it would, without its seconds
        _start(SCRIPT, one, two)
    alone = load_file(tmp_path / "one.0.safetensors")
    first, second = (load_file(tmp_path / f"two.{rank}.safetensors") for rank in (0, 1))
    assert alone.keys() == first.keys() == second.keys()
    moved = False
    for name, expected in alone.items():
        assert torch.equal(first[name], second[name]), name
        if expected.is_floating_point():
            torch.testing.assert_close(first[name], expected, rtol=1e-3, atol=1e-4)
            moved |= not torch.equal(first[name], expected)
        else:
            assert torch.equal(first[name], expected), name
    assert moved  # else the two would not have shared the work
    mask, weight = first["constraints/ip1.weight:keep"], first["model/ip1.weight"]
    assert not weight[~mask].any()
    assert weight[mask].any()
    assert len(np.unique(first["model/ip2.weight"].numpy())) <= 16
