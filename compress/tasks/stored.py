"""Arrays in .npy and .npz files; nothing in them can run, and a header cannot ask for memory."""

from __future__ import annotations

import math
import zipfile
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from compress import limits
from compress.errors import DataError, MemoryShortError

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npy(path: Path) -> NDArray[Any]:
    """Read an array; raise `DataError` where a file is none."""
    try:
        with path.open("rb") as stream:
            n_bytes = path.stat().st_size
            limits.require_memory(f"reading {path}", n_bytes)
            return _array(stream, n_bytes)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is not a readable .npy array: {_reason(error)}") from error


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read arrays by name; raise `DataError` where a file holds none."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            limits.require_memory(f"reading {path}", 2 * sum(m.file_size for m in members))
            return {
                member.filename.removesuffix(".npy"): _array(
                    BytesIO(archive.read(member)), member.file_size
                )
                for member in members
            }
    except MemoryShortError:
        raise
    except Exception as error:  # damaged archives raise errors of many kinds, zlib's among them
        raise DataError(f"{path} holds no readable .npz arrays: {_reason(error)}") from error


def _array(stream: IO[bytes], n_bytes: int) -> NDArray[Any]:
    """Read an array whose header fits the bytes that are there."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of its header is not known")
    shape, _, kind = _HEADERS[version](stream)
    if kind.hasobject:
        raise ValueError("it holds objects of Python, which are not read")
    if math.prod(shape) * kind.itemsize > n_bytes - stream.tell():
        raise ValueError(f"{n_bytes} bytes do not hold the shape {shape} of {kind}")
    stream.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
