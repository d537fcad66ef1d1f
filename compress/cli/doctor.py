"""`compress doctor`: versions, providers, and what will work on this machine."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

import typer

from compress import limits
from compress.cli import names
from compress.cli.output import Json, grid, print_json, show

EXAMPLE = "compress doctor"

_PACKAGES = {
    "base": (
        "numpy",
        "onnxruntime",
        "onnx",
        "safetensors",
        "numba",
        "pillow",
        "typer",
        "rich",
        "msgspec",
        "pyyaml",
    ),
    "torch": ("torch", "torchvision", "torch-pruning", "onnxscript", "scikit-learn", "accelerate"),
    "report": ("jinja2", "matplotlib"),
    "signing": ("cryptography",),
    "tensorrt": ("tensorrt",),
    "jetson": ("jetson-stats",),
}
_ABLE = {
    "base": "pack, unpack, inspect, verify, eval, predict, zoo",
    "torch": "run",
    "report": "run's report.html",
    "signing": "sign, keygen, verify --key",
    "tensorrt": "TensorRT engines",
    "jetson": "power on a Jetson",
}


def command(as_json: Json = False) -> None:
    """Show versions, execution providers, and which commands will work here."""
    packages = {
        extra: {package: _version(package) for package in group}
        for extra, group in _PACKAGES.items()
    }
    machine = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": limits.cores(),
        "data": str(names.data_root(None)),
        "providers": _providers(),
    }
    able = {_ABLE[extra]: all(group.values()) for extra, group in packages.items()}
    if as_json:
        print_json({"machine": machine, "packages": packages, "works": able})
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
    for what, works in able.items():
        typer.echo(f"{'works' if works else 'does not work'}: {what}")
    if not able[_ABLE["torch"]]:
        typer.echo("to run passes: pip install 'compress-toolkit[torch,report]'")


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
