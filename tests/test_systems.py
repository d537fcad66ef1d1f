"""Systems that have less than Linux has: what they lack is hidden, and the base install works."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto, helper, save

from tests.cli.console import spawn

# What Windows lacks, and some of it macOS; these libraries know which system it is by other means.
HIDDEN = """
import os, sys
import filelock, numba, onnxruntime, platformdirs, psutil
for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty"):
    sys.modules[name] = None
for name in ("posix_fallocate", "fork", "forkpty", "getuid", "geteuid", "sched_getaffinity",
             "memfd_create"):
    if hasattr(os, name):
        delattr(os, name)
import pathlib
there = os.access
os.access = lambda path, mode: not str(path).startswith("/dev/shm") and there(path, mode)
read = pathlib.Path.read_text
def read_text(path, *more, **named):
    if str(path).startswith("/proc/"):
        raise FileNotFoundError(2, "No such file or directory", str(path))
    return read(path, *more, **named)
pathlib.Path.read_text = read_text
"""


def test_the_base_install_without_what_linux_has(tmp_path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [64, 32], [0.5, -0.25] * 1024)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 32])],
        [weights],
    )
    model = tmp_path / "m.onnx"
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), model
    )
    script = f"""{HIDDEN}
from pathlib import Path
import numpy as np
import compress
from compress.cli.main import main
from compress.measure import memory
model = Path(sys.argv[1])
packed, back = model.with_suffix(".safetensors"), model.with_name("back.onnx")
compress.pack(model, packed)
compress.unpack(packed, back)
assert back.read_bytes() == model.read_bytes()
(out,) = compress.runtime.load(packed).run({{"x": np.ones((1, 64), np.float32)}}).values()
assert out.tolist() == [[32.0, -16.0] * 16]
memory.reset_peak()
assert memory.peak_rss_bytes() > 1 << 20
sys.argv = ["compress", "verify", str(packed)]
main()
"""
    done = spawn(script, model)
    assert (done.code, done.err) == (0, "")
    assert "tensors" in done.out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "back.onnx", "m.onnx", "m.safetensors",
    ]  # fmt: skip
