"""`compress warm`: compile, at an installation, what the first start would compile."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from compress.cli.output import Json, print_json
from compress.errors import OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXAMPLE = "compress warm"


def command(as_json: Json = False) -> None:
    """Compile what packing and opening files needs, and keep it for the next start."""
    from compress.kernels import compiled

    start, place = time.perf_counter(), compiled.folder()
    if place is None:
        raise OutputError("no place for compiled kernels can be written; set COMPRESS_CACHE to one")
    _round_trips()
    seconds = round(time.perf_counter() - start, 1)
    if as_json:
        print_json({"folder": str(place), "seconds": seconds})
    else:
        typer.echo(f"{place}: kernels are compiled, in {seconds} s")


def _round_trips() -> None:
    """Pack and unpack weights of each width, with few values, with zeros, and dense."""
    import numpy as np
    from safetensors.numpy import save_file

    from compress.artifact import convert

    rng = np.random.default_rng(0)
    arrays: dict[str, NDArray[Any]] = {}
    for kind in (np.uint8, np.float16, np.float32, np.float64):
        for rows, columns in ((64, 96), (1, 6000), (300, 300)):
            shape = (rows, columns)
            dense = (rng.normal(0, 1, shape) * 40).astype(kind)
            few = np.arange(1, 33).astype(kind)[rng.geometric(0.2, shape).clip(1, 32) - 1]
            for density in (0.03, 0.3, 1):
                keep = rng.random(shape) < density
                name = f"{np.dtype(kind)}-{rows}-{density}"
                arrays |= {f"{name}-few": few * keep, f"{name}-dense": dense * keep}
    with tempfile.TemporaryDirectory(prefix="compress-") as folder:
        source = Path(folder) / "all.safetensors"
        save_file({name: np.asarray(array) for name, array in arrays.items()}, source)
        for coder in ("huffman", "best"):
            packed = Path(folder) / f"{coder}.packed.safetensors"
            convert.pack(source, packed, coder=coder)
            convert.unpack(packed, Path(folder) / f"{coder}.safetensors")
