"""Sessions out of compressed files: the outputs of plain ONNX Runtime, bit for bit, and errors."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections import namedtuple
from contextlib import suppress
from pathlib import Path

import ml_dtypes
import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from compress import limits, runtime
from compress.artifact import archive, container, convert
from compress.errors import DataError, FormatError, MemoryShortError, OutputError, SettingsError
from compress.runtime import folder, session

RNG = np.random.default_rng(0)
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def sparse(*shape):
    return np.where(RNG.random(shape) < 0.1, RNG.choice(np.float32([-1, 0.5, 2]), shape), 0).astype(
        np.float32
    )


def tensor(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def a_model(nodes, initializers, inputs, outputs):
    graph = helper.make_graph(nodes, "net", inputs, outputs, initializers)
    onnx_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    onnx_model.ir_version = 10
    return onnx_model


def mlp():
    """Two dense layers and one pruned and shared; large and small initializers."""
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "w2", "b2"], ["c"], transB=1),
        helper.make_node("MatMul", ["c", "w3"], ["y"]),
    ]
    field = helper.make_tensor("b1", FLOAT, [1200], floats(1200))  # in float_data
    initializers = [
        tensor("w1", floats(64, 1200)),
        field,
        tensor("w2", sparse(200, 1200)),
        tensor("b2", floats(200)),
        tensor("w3", floats(200, 3)),
    ]
    return a_model(
        nodes, initializers, [value("x", FLOAT, ["n", 64])], [value("y", FLOAT, ["n", 3])]
    )


def types():
    """Large initializers of int8, int4, int64, bool, float16, bfloat16 and double."""
    nodes = [
        helper.make_node("DequantizeLinear", ["i8", "s"], ["a"]),
        helper.make_node("DequantizeLinear", ["i4", "s"], ["b"]),
        helper.make_node("Gather", ["table", "i64"], ["c"]),
        helper.make_node("Where", ["flags", "c", "f64"], ["d"]),
        *(
            helper.make_node("Cast", [name], [f"{name} float"], to=FLOAT)
            for name in ("f16", "bf16", "d")
        ),
        helper.make_node("Sum", ["a", "b", "d float", "f16 float", "bf16 float", "x"], ["y"]),
    ]
    n = 20_000
    initializers = [
        tensor("i8", RNG.integers(-100, 100, n).astype(np.int8)),
        tensor("i4", RNG.integers(-8, 8, n).astype(ml_dtypes.int4)),
        tensor("s", np.float32(0.25)),
        tensor("table", RNG.normal(size=n)),
        tensor("i64", RNG.permutation(n)),
        tensor("flags", RNG.random(n) < 0.5),
        tensor("f64", RNG.normal(size=n)),
        tensor("f16", floats(n).astype(np.float16)),
        tensor("bf16", floats(n).astype(ml_dtypes.bfloat16)),
    ]
    return a_model(nodes, initializers, [value("x", FLOAT, [1])], [value("y", FLOAT, [n])])


def branches():
    """If and Loop with large and small initializers of their own, and one from outside."""

    def branch(name):
        out = value(f"{name} out", FLOAT, None)
        nodes = [
            helper.make_node("Add", ["x", f"{name} w"], [f"{name} a"]),
            helper.make_node("Mul", [f"{name} a", "outer"], [f"{name} out"]),
        ]
        return helper.make_graph(nodes, name, [], [out], [tensor(f"{name} w", floats(3000))])

    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go on"]),
            helper.make_node("Add", ["state", "step"], ["next"]),
        ],
        "body",
        [value("i", INT64, []), value("go", BOOL, []), value("state", FLOAT, None)],
        [value("go on", BOOL, []), value("next", FLOAT, None)],
        [tensor("step", floats(3000))],
    )
    nodes = [
        helper.make_node(
            "If", ["which"], ["z"], then_branch=branch("yes"), else_branch=branch("no")
        ),
        helper.make_node("Loop", ["times", ""], ["y"], body=body),
    ]
    nodes[1].input.append("z")
    return a_model(
        nodes,
        [tensor("outer", floats(3000)), tensor("times", np.int64(3))],
        [value("x", FLOAT, [3000]), value("which", BOOL, [])],
        [value("y", FLOAT, None)],
    )


def lookup(weights):
    """Rows of a table."""
    node = helper.make_node("Gather", ["w", "i"], ["y"])
    shape = ["n", weights.shape[1]]
    return a_model(
        [node], [tensor("w", weights)], [value("i", INT64, ["n"])], [value("y", FLOAT, shape)]
    )


INPUTS = {
    "mlp": {"x": floats(7, 64)},
    "types": {"x": floats(1)},
    "branches": {"x": floats(3000), "which": np.array(True)},
}
MODELS = {"mlp": mlp, "types": types, "branches": branches}


def packed(path, onnx_model, metadata=None):
    copy = ModelProto()
    copy.CopyFrom(onnx_model)
    archive.write(path, copy, {**convert.describe(onnx_model), **(metadata or {})})
    return path


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    """A place of the test's own instead of the one that all processes share."""
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr(folder, "_SHARED_MEMORY", place)
    return place


def leftovers(place):
    return [path for path in place.iterdir() if path.name.startswith("compress-")]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("place", ["memory", "no memory"])
def test_outputs_are_those_of_the_unpacked_model(tmp_path, memory, name, place, monkeypatch):
    if place == "no memory":
        monkeypatch.setattr(folder, "_SHARED_MEMORY", tmp_path / "none")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = packed(tmp_path / "net.safetensors", MODELS[name]())
    plain = convert.unpack(path)
    expected = onnxruntime.InferenceSession(str(plain)).run(None, INPUTS[name])
    net = runtime.load(path, prepack=True)  # as ONNX Runtime does by itself
    outputs = net.run(INPUTS[name])
    assert [output.tobytes() for output in outputs.values()] == [e.tobytes() for e in expected]
    assert list(outputs) == [output.name for output in net.outputs]
    assert leftovers(memory) == leftovers(tmp_path) == []
    again = runtime.load(plain, prepack=True).run(INPUTS[name])
    assert [output.tobytes() for output in again.values()] == [e.tobytes() for e in expected]


def test_large_initializers_are_mapped_and_live_as_long_as_the_session(tmp_path):
    """An operator that ONNX Runtime does not repack its weights for reads them where they are."""

    def mapped():
        return sum("compress-" in line for line in Path("/proc/self/maps").read_text().splitlines())

    gc.collect()
    before = mapped()
    table = floats(500, 64)
    path = packed(tmp_path / "a", lookup(table))
    nets = [runtime.load(path) for _ in range(2)]
    for net in nets:
        np.testing.assert_array_equal(net.run({"i": np.arange(500)})["y"], table)
    assert mapped() > before
    del nets, net
    gc.collect()
    assert mapped() == before


def test_what_a_session_tells(tmp_path):
    net = runtime.load(packed(tmp_path / "a", mlp(), {"model": "mlp"}), threads=1)
    assert net.inputs == (session.Value("x", "tensor(float)", ("n", 64)),)
    assert net.outputs == (session.Value("y", "tensor(float)", ("n", 3)),)
    assert net.providers == ("CPUExecutionProvider",)
    assert net.metadata["model"] == "mlp"
    with pytest.raises(DataError, match="does not tell how an image"):
        net.preprocessing()
    (tmp_path / "a.onnx").write_bytes(mlp().SerializeToString())
    assert runtime.load(tmp_path / "a.onnx").metadata == {"model": "net"}


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"wrong": floats(1, 64)},
        {"x": floats(1, 64), "more": floats(1)},
        {"x": floats(1, 63)},
        {"x": np.zeros((1, 64), np.complex64)},
        {"x": None},
    ],
)
def test_inputs_that_do_not_fit(tmp_path, inputs, capfd):
    """One error names the input; ONNX Runtime itself prints nothing."""
    net = runtime.load(packed(tmp_path / "a", mlp()))
    with pytest.raises(DataError, match=r"input:? '?(x|wrong|more)"):
        net.run(inputs)
    assert capfd.readouterr().err == ""
    assert net.run(INPUTS["mlp"])["y"].shape == (7, 3)


def test_a_size_that_does_not_fit_is_told(tmp_path):
    net = runtime.load(packed(tmp_path / "a", mlp()))
    with pytest.raises(DataError, match="Got: 63 Expected: 64"):
        net.run({"x": floats(1, 63)})


def test_what_an_operator_refuses_is_told_once(tmp_path, capfd):
    """ONNX Runtime would print a line of its own, in red, for what it raises."""
    onnx_model = mlp()
    onnx_model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "k"
    net = runtime.load(packed(tmp_path / "a", onnx_model))
    with pytest.raises(DataError, match="Gemm") as found:
        net.run({"x": floats(1, 63)})
    assert ".h:" not in str(found.value)
    assert capfd.readouterr().err == ""


def test_memory_that_is_too_short(tmp_path, memory, monkeypatch):
    """Nothing is begun where the weights do not fit the address space; short memory is not used."""
    path = packed(tmp_path / "a", mlp())
    monkeypatch.setattr(limits, "free_address_space", lambda: 60 << 20)
    with pytest.raises(MemoryShortError, match=r"opening .*a needs about \d+ MiB"):
        runtime.load(path)
    assert leftovers(memory) == []
    assert memory in folder.places(1 << 20)
    monkeypatch.setattr(folder, "free_memory", lambda: 1 << 20)
    assert memory not in folder.places(1 << 20)


def test_a_graph_that_does_not_run(tmp_path, memory):
    onnx_model = mlp()
    onnx_model.graph.node[0].op_type = "Nonsense"
    with pytest.raises(FormatError, match="a is no network for ONNX Runtime"):
        runtime.load(packed(tmp_path / "a", onnx_model))
    (tmp_path / "a.onnx").write_bytes(b"\xff" * 9)
    with pytest.raises(FormatError, match=r"a\.onnx is no network"):
        runtime.load(tmp_path / "a.onnx")
    assert leftovers(memory) == []


def test_files_that_are_not_there(tmp_path):
    for name in ("none.safetensors", "none.onnx"):
        with pytest.raises(DataError, match=f"{name} is not a file"):
            runtime.load(str(tmp_path / name))


def test_memory_that_fills_up_gives_way_to_the_disk(tmp_path, monkeypatch):
    """Whether the weights or the graph found no room; the other place gets all of it."""
    path = packed(tmp_path / "a", mlp())
    expected = runtime.load(path).run(INPUTS["mlp"])["y"]
    for part in ("_allocate", "_write"):
        real, calls = getattr(session, part), []

        def full(*given, real=real, calls=calls):
            calls.append(given)
            if len(calls) == 1:
                raise OSError(28, "No space left on device")
            return real(*given)

        monkeypatch.setattr(session, part, full)
        memory, disk = tmp_path / f"memory{part}", tmp_path / f"disk{part}"
        memory.mkdir()
        disk.mkdir()
        monkeypatch.setattr(session, "places", lambda n, found=(memory, disk): found)
        np.testing.assert_array_equal(runtime.load(path).run(INPUTS["mlp"])["y"], expected)
        assert len(calls) > 1
        assert [*memory.iterdir(), *disk.iterdir()] == []


def test_facts_of_a_plain_file(tmp_path):
    """Those under our own key are told; what is not ours, or too large, is not looked at."""
    facts = {"model": "mlp", "labels": ["a", "b", "c"]}
    rows = [
        (json.dumps(facts), facts),
        ("[1]", {"model": "net"}),
        ("{", {"model": "net"}),
        ("[" * 100_000, {"model": "net"}),
        (json.dumps({"labels": "x" * (1 << 20)}), {"model": "net"}),
    ]
    for text, expected in rows:
        onnx_model = mlp()
        helper.set_model_props(onnx_model, {"compress": text, "author": "somebody"})
        (tmp_path / "a.onnx").write_bytes(onnx_model.SerializeToString())
        assert runtime.load(tmp_path / "a.onnx").metadata == expected


def test_providers_that_are_not_here(tmp_path):
    """ONNX Runtime would warn and take the CPU; a list with the CPU in it asks for that."""
    path = packed(tmp_path / "a", mlp())
    both = runtime.load(path, providers=("NoExecutionProvider", "CPUExecutionProvider"))
    assert both.providers == ("CPUExecutionProvider",)
    with pytest.raises(SettingsError, match=r"providers must be some of .*CPUExecutionProvider"):
        runtime.load(path, providers=("NoExecutionProvider",))


def test_damage_is_a_format_error_wherever_it_is(tmp_path, memory):
    """With and without the checksum, also in a tensor that is decoded into the mapped file."""
    good = container.open_file(packed(tmp_path / "a", mlp()))
    own = [name for name in good.streams if ":" in name]
    assert own
    for name in good.streams:
        for at in range(0, len(good.streams[name]), 4999):
            changed = good.streams[name].copy()
            changed[at] ^= 0x55
            streams = {**good.streams, name: changed}
            container.write(tmp_path / "b", {}, {n: d.tobytes() for n, d in streams.items()})
            with suppress(FormatError):
                runtime.load(tmp_path / "b", threads=1)
    assert leftovers(memory) == []


def test_damage_in_a_large_tensor_names_it(tmp_path, memory):
    good = container.open_file(packed(tmp_path / "a", mlp()))
    streams = {name: data.tobytes() for name, data in good.streams.items()}
    (name,) = [name for name in streams if name.endswith(":w1")]
    streams[name] = streams[name][:-1] + bytes([streams[name][-1] ^ 0x80])
    container.write(tmp_path / "b", {}, streams)
    with pytest.raises(FormatError, match="b: w1: "):
        runtime.load(tmp_path / "b")
    assert leftovers(memory) == []


def test_no_room_for_the_weights(tmp_path, monkeypatch):
    """Memory that is full is not used, and a disk that is full is an OutputError."""
    path = packed(tmp_path / "a", mlp())
    usage = namedtuple("usage", ["free"])
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage(0))
    assert folder.places(1) == (Path(tempfile.gettempdir()),)
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    with pytest.raises(OutputError, match="no room for the weights"):
        runtime.load(path)


def test_a_full_disk(tmp_path, memory):
    """A limit on the size of files fails the weights' file as a full disk does."""
    code = (
        "import resource, sys; from pathlib import Path; from compress import runtime\n"
        "from compress.errors import OutputError; from compress.runtime import folder\n"
        "folder._SHARED_MEMORY = Path(sys.argv[2])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n"
        "try: runtime.load(sys.argv[1])\n"
        "except OutputError as error: print(error)"
    )
    path = packed(tmp_path / "a", mlp())
    assert "no room for the weights" in run(code, path, memory)
    assert leftovers(memory) == []


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_device_needs_no_torch(tmp_path):
    """Loading and running imports numpy, onnx, ONNX Runtime, safetensors and numba, no more."""
    path = packed(tmp_path / "a", mlp())
    np.save(tmp_path / "x.npy", INPUTS["mlp"]["x"])
    code = (
        "import json, sys, numpy; from compress import runtime\n"
        "net = runtime.load(sys.argv[1])\n"
        "y = net.run({'x': numpy.load(sys.argv[2])})['y']\n"
        "print(json.dumps([y.tobytes().hex(), sorted(sys.modules)]))"
    )
    output, modules = json.loads(run(code, path, tmp_path / "x.npy"))
    assert output == runtime.load(path).run(INPUTS["mlp"])["y"].tobytes().hex()
    heavy = {"torch", "torchvision", "sklearn", "matplotlib", "transformers", "compress_zoo"}
    assert not heavy & set(modules)
    assert "compress.training" not in modules


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no /dev/shm: run on Linux")
def test_no_second_copy_is_made(tmp_path):
    """128 MB of weights, mostly zeros, cost about their own size of memory, no more."""
    weights = np.zeros((1000, 32_000), np.float32)
    weights[:, ::40] = RNG.choice(np.float32([-1, 2]), (1000, 800))
    code = (
        "import re, sys; from pathlib import Path; import numpy, onnx, onnxruntime\n"
        "from compress import runtime\n"
        "def peak(): return int(re.search('VmHWM:.*?([0-9]+)',"
        " Path('/proc/self/status').read_text())[1]) << 10\n"
        "runtime.load(sys.argv[1]); before = peak(); net = runtime.load(sys.argv[2])\n"
        "net.run({'i': numpy.array([3])}); print(peak() - before)"
    )
    small = packed(tmp_path / "small", mlp())
    large = packed(tmp_path / "large", lookup(weights))
    assert weights.nbytes < int(run(code, small, large)) < 1.3 * weights.nbytes
