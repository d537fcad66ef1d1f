"""What the system leaves a process, in files as Linux writes them, and held against a need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compress import limits
from compress.errors import MemoryShortError
from tests.cli.console import spawn

MIB = 1 << 20


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Return a function that writes files below /proc and /sys/fs/cgroup of this test's own."""
    monkeypatch.setattr(limits, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(limits, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    if hasattr(os, "sched_getaffinity"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(48)))

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        limits._quota.cache_clear()

    write()
    yield write
    limits._quota.cache_clear()


def test_nothing_is_told(system):
    """No /proc, no groups: what is known is how many cores there are."""
    assert limits.free_memory() is None
    assert limits.cores() in (48, 64)


def test_what_the_machine_has_left(system):
    system(proc__meminfo="MemTotal: 99 kB\nMemAvailable:  2048 kB\nSwapFree: 1024 kB\nHuge: 0\n")
    assert limits.free_memory() == 3 * MIB


@pytest.mark.parametrize(
    ("files", "free", "cores"),
    [
        (
            {
                "proc__self__cgroup": "0::/a/b\n",
                "cgroup__a__memory_DOT_max": f"{9 * MIB}\n",
                "cgroup__a__memory_DOT_current": f"{4 * MIB}\n",
                "cgroup__a__memory_DOT_stat": f"anon 7\ninactive_file {MIB}\nactive_file 0\n",
                "cgroup__a__b__memory_DOT_max": "max\n",
                "cgroup__a__b__cpu_DOT_max": "150000 100000\n",
            },
            6 * MIB,
            2,
        ),
        (
            {
                "proc__self__cgroup": "0::/\n",
                "cgroup__memory_DOT_max": f"{MIB}\n",
                "cgroup__memory_DOT_current": f"{4 * MIB}\n",
                "cgroup__cpu_DOT_max": "max 100000\n",
            },
            0,
            48,
        ),
        (
            {
                "proc__self__cgroup": "4:memory:/x\n2:cpu,cpuacct:/x\n0::/\n",
                "cgroup__memory__memory_DOT_limit_in_bytes": f"{8 * MIB}\n",
                "cgroup__memory__memory_DOT_usage_in_bytes": f"{8 * MIB}\n",
                "cgroup__memory__memory_DOT_stat": f"inactive_file 1\ntotal_inactive_file {MIB}\n",
                "cgroup__memory__x__memory_DOT_limit_in_bytes": "9223372036854771712\n",
                "cgroup__memory__x__memory_DOT_usage_in_bytes": "5\n",
                "cgroup__cpu,cpuacct__x__cpu_DOT_cfs_quota_us": "20000\n",
                "cgroup__cpu,cpuacct__x__cpu_DOT_cfs_period_us": "100000\n",
                "cgroup__cpu,cpuacct__cpu_DOT_cfs_quota_us": "-1\n",
                "cgroup__cpu,cpuacct__cpu_DOT_cfs_period_us": "100000\n",
            },
            MIB,
            1,
        ),
    ],
)
def test_what_control_groups_leave(system, files, free, cores):
    """Of version 2, alone in a container, and of version 1; the narrowest one counts."""
    system(proc__meminfo="MemAvailable: 999999 kB\n", **files)
    assert limits.free_memory() == free
    if hasattr(os, "sched_getaffinity"):
        assert limits.cores() == cores


def test_a_need_is_held_against_both_limits(monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: 100 * MIB)
    monkeypatch.setattr(limits, "free_address_space", lambda: 200 * MIB)
    limits.require_memory("this", 100 * MIB, 200 * MIB)
    with pytest.raises(MemoryShortError, match="this needs about 101 MiB of memory, and 100 MiB"):
        limits.require_memory("this", 100 * MIB + 1)
    with pytest.raises(MemoryShortError, match="needs about 201 MiB of memory, and 200 MiB"):
        limits.require_memory("this", 0, 200 * MIB + 1)
    assert limits.threads(9) == 1
    monkeypatch.setattr(limits, "free_address_space", lambda: None)
    monkeypatch.setattr(limits, "free_memory", lambda: None)
    limits.require_memory("this", 1 << 50)
    assert limits.threads(9) == 9


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells what is mapped")
def test_the_address_space_is_what_the_limit_leaves():
    """A process that lowers its limit has that much less, and all commands refuse in one line."""
    outcome = spawn(
        "import resource, sys\n"
        "from compress import limits; from compress.cli.main import main\n"
        "assert limits.free_address_space() is None\n"
        "hard = resource.getrlimit(resource.RLIMIT_AS)[1]\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, hard))\n"
        "assert 0 < limits.free_address_space() < 400 << 20\n"
        "sys.argv = ['compress', 'verify', 'none']; main()"
    )
    assert outcome.code == 1
    assert outcome.err.startswith("compress: this command needs about ")
    assert outcome.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells what is mapped")
def test_every_limit_ends_in_a_result_or_in_one_line(tmp_path):
    """A small file of large weights, from no room to enough: no crash, no hang, no traceback."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.zeros((1024, 1024), np.float32)
    weights[:, ::7] = 0.5
    tensors = [numpy_helper.from_array(weights + n, f"w{n}") for n in range(24)]
    names = ["x", *(f"h{n}" for n in range(24))]
    nodes = [helper.make_node("MatMul", [names[n], f"w{n}"], [names[n + 1]]) for n in range(24)]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1024]) for n in ("x", "h23")]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], tensors)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9),
         tmp_path / "a.onnx")  # fmt: skip
    np.save(tmp_path / "x.npy", np.zeros((1, 1024), np.float32))
    packed, script = tmp_path / "a.safetensors", "from compress.cli.main import main; main()"
    command = (
        "import resource, sys; limit = int(sys.argv.pop(1)) << 20\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (limit, limit)); {script}"
    )
    assert spawn(script, "pack", tmp_path / "a.onnx", "-o", packed).code == 0
    for words in (
        ("verify", packed),
        ("unpack", packed, "-o", tmp_path / "b.onnx"),
        ("predict", packed, "--input", tmp_path / "x.npy"),
    ):
        codes = []
        for mib in range(300, 1800, 100):
            (tmp_path / "b.onnx").unlink(missing_ok=True)
            outcome = spawn(command, str(mib), *words)
            codes.append(outcome.code)
            assert outcome.code in (0, 1), (words, mib, outcome)
            assert outcome.err.count("\n") == outcome.code, (words, mib, outcome)
        assert codes == sorted(codes, reverse=True)  # more room never makes it worse
        assert codes[-1] == 0
