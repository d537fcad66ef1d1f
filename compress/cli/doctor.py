"""`compress doctor`: versions, providers, and what works on this machine: it tries what it says."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import typer

from compress import limits, places
from compress.cli.output import Json, grid, print_json, show
from compress.errors import CompressError

EXAMPLE = "compress doctor"


@dataclass(frozen=True, slots=True)
class _Part:
    """What is installed together, and what that lets one do."""

    able: str
    packages: Mapping[str, str]  #: what pip calls them: what Python does
    install: str  #: what to type where one is missing


def _extra(name: str) -> str:
    return f"pip install 'compress-toolkit[{name}]'"


_PARTS = {
    "base": _Part(
        "pack, unpack, inspect, verify, eval, predict, zoo, run --model FILE.onnx",
        {
            "numpy": "numpy", "onnxruntime": "onnxruntime", "onnx": "onnx",
            "safetensors": "safetensors", "numba": "numba", "pillow": "PIL", "typer": "typer",
            "rich": "rich", "msgspec": "msgspec", "pyyaml": "yaml", "filelock": "filelock",
            "platformdirs": "platformdirs", "psutil": "psutil",
            "typing-extensions": "typing_extensions",
        },
        "pip install compress-toolkit",
    ),
    "torch": _Part(
        "run, import",
        {
            "torch": "torch", "torchvision": "torchvision", "torch-pruning": "torch_pruning",
            "onnxscript": "onnxscript", "scikit-learn": "sklearn", "accelerate": "accelerate",
        },
        _extra("torch,report"),
    ),
    "report": _Part(
        "run's report.html", {"jinja2": "jinja2", "matplotlib": "matplotlib"}, _extra("report")
    ),
    "signing": _Part(
        "sign, keygen, verify --key", {"cryptography": "cryptography"}, _extra("signing")
    ),
    "nlp": _Part(
        "networks of texts: --task sst2, --task stsb, predict --text, hf:NAME",
        {"transformers": "transformers", "tokenizers": "tokenizers"},
        _extra("nlp"),
    ),
    "timm": _Part("networks of timm: the zoo's, timm:NAME", {"timm": "timm"}, _extra("timm")),
    "tensorrt": _Part("TensorRT engines", {"tensorrt": "tensorrt"}, _extra("tensorrt")),
    "jetson": _Part("power on a Jetson", {"jetson-stats": "jtop"}, _extra("jetson")),
}  # fmt: skip


def command(as_json: Json = False) -> None:
    """Show versions, execution providers, and which commands work here."""
    packages = {
        name: {package: _version(package) for package in part.packages}
        for name, part in _PARTS.items()
    }
    problems = {name: _problem(name, packages[name]) for name in _PARTS}
    machine = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": limits.cores(),
        "data": _told(places.data),
        "kernels": _told(_kernels),
        "providers": _providers(),
    }
    able = {part.able: problems[name] is None for name, part in _PARTS.items()}
    if as_json:
        found = {_PARTS[name].able: text for name, text in problems.items() if text is not None}
        print_json({"machine": machine, "packages": packages, "works": able, "problems": found})
        return
    for key, value in machine.items():
        typer.echo(f"{key:10} {', '.join(value) if isinstance(value, list) else value}")
    table = grid("extra", "package", "version")
    for extra, group in packages.items():
        for package, version in group.items():
            table.add_row(extra, package, version or "not installed")
    typer.echo()
    show(table)
    typer.echo()
    for name, part in _PARTS.items():
        problem = problems[name]
        if problem is None:
            typer.echo(f"works: {part.able}")
        elif None in packages[name].values():
            typer.echo(f"not installed: {part.able} ({part.install})")
        else:
            typer.echo(f"does not work: {part.able} ({problem})")


def _problem(name: str, versions: Mapping[str, str | None]) -> str | None:
    """Try a part; return why it does not work, or None."""
    part = _PARTS[name]
    missing = [package for package, version in versions.items() if version is None]
    if missing:
        return f"{', '.join(missing)} not installed: {part.install}"
    try:
        for module in part.packages.values():
            import_module(module)
        if name == "base":
            _try_base()
    except Exception as error:  # noqa: BLE001  (whatever stops a library from working)
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return None


def _try_base() -> None:
    """Code a small model, decode it, and run it."""
    import tempfile

    import numpy as np
    from onnx import TensorProto, helper

    from compress.artifact import archive
    from compress.runtime import load

    weights = np.tile(np.array([0.5, -0.25, 0, 1], np.float32), 512)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "doctor",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor("w", TensorProto.FLOAT, [32, 64], weights.tobytes(), raw=True)],
    )
    opsets = [helper.make_opsetid("", 20)]
    with tempfile.TemporaryDirectory(prefix="compress-") as folder:
        file = Path(folder) / "doctor.safetensors"
        archive.write(file, helper.make_model(graph, opset_imports=opsets, ir_version=9), {})
        found = load(file, threads=1).run({"x": np.ones((1, 32), np.float32)})["y"]
    expected = weights.reshape(32, 64).sum(0)
    if not np.allclose(found[0], expected):
        raise ArithmeticError("a small network gives other numbers than it should")


def _told(place: Callable[[], object]) -> str:
    try:
        return str(place())
    except (CompressError, ImportError) as error:
        return str(error)


def _kernels() -> str:
    """Return where compiled kernels are kept, so that the next start is quick."""
    from compress.kernels import compiled

    place = compiled.folder()
    return str(place or "kept nowhere, compiled at each start: set COMPRESS_CACHE to a folder")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _providers() -> list[Any]:
    from compress.runtime import ort

    try:
        return list(ort.module().get_available_providers())
    except ImportError:  # missing, or built for another machine
        return []
