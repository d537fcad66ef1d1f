"""Folders of pictures as people have them: which files count, and which are left out.

Pictures are found at any depth below a class's folder, through links, in torchvision's order. What
systems leave behind does not count: names that begin with a dot (`._photo.png`, `.DS_Store`),
`__MACOSX`, `@eaDir`, `Thumbs.db`. A file counts by its suffix, or, where that says nothing, by its
content. A folder without a picture is no class.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from compress.errors import DataError

_SUFFIXES = frozenset(
    (
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".webp", ".ppm", ".pgm",
        ".pbm", ".pnm", ".tif", ".tiff", ".gif", ".jp2", ".j2k", ".avif", ".tga",
    )
)  # fmt: skip
_OTHERS = frozenset(  # what lies beside pictures and is none; spares a look at the content
    (
        ".txt", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".md", ".html", ".py", ".npy",
        ".npz", ".mat", ".db", ".ini", ".log", ".zip", ".gz", ".tar", ".pt", ".onnx",
    )
)  # fmt: skip
_UNREAD = frozenset(  # pictures that Pillow does not read: their owner is told
    (
        ".heic", ".heif", ".jxl", ".svg", ".eps", ".pdf", ".psd", ".exr", ".hdr", ".dcm", ".raw",
        ".dng", ".cr2", ".cr3", ".nef", ".arw",
    )
)  # fmt: skip
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM")  # known by their first bytes
_SYSTEM = frozenset(
    (
        "__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found", "thumbs.db", "desktop.ini",
        "system volume information",
    )
)  # fmt: skip


def subfolders(root: Path) -> list[Path]:
    """Return the folders in a folder, by name; none where it is not there."""
    try:
        with os.scandir(root) as found:
            names = [entry.name for entry in found if entry.is_dir() and not _is_left(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(root, error) from error
    return [root / name for name in sorted(names)]


def class_folders(root: Path) -> dict[str, list[Path]]:
    """Return the folders that hold pictures, by the name of their class, in its order.

    Names count alike however accents are written: macOS takes them apart, others do not.
    """
    found: dict[str, list[Path]] = {}
    for place in subfolders(root):
        if holds_picture(place):
            found.setdefault(class_name(place.name), []).append(place)
    return dict(sorted(found.items()))


def class_name(folder: str) -> str:
    """Return the name of a class from that of its folder, which may be no text at all."""
    return unicodedata.normalize("NFC", os.fsencode(folder).decode(errors="replace"))


def pictures(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the pictures at any depth below a folder, and those that Pillow does not read."""
    found: list[Path] = []
    unread: list[Path] = []
    for place, names in sorted(_files(folder), key=lambda entry: str(entry[0])):
        for name in names:
            if _is_picture(place / name):
                found.append(place / name)
            elif Path(name).suffix.lower() in _UNREAD:
                unread.append(place / name)
    return found, unread


def holds_picture(folder: Path) -> bool:
    """Tell whether there is a picture at any depth below a folder."""
    return any(_is_picture(place / name) for place, names in _files(folder) for name in names)


def loose(folder: Path) -> list[Path]:
    """Return the pictures right in a folder."""
    _, names = next(_files(folder), (folder, []))
    return [folder / name for name in names if _is_picture(folder / name)]


def _files(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder below one, with the names of its files; no folder comes twice."""
    seen = set()
    own = os.path.realpath(folder)

    def stop(error: OSError) -> None:
        raise _unreadable(folder, error) from error

    for place, below, names in os.walk(folder, followlinks=True, onerror=stop):
        real = os.path.realpath(place)
        is_above = own.startswith(os.path.join(real, ""))  # noqa: PTH118 (text, as realpath gives)
        if real in seen or is_above:  # a link that leads back, perhaps to other classes
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not _is_left(name))
        yield Path(place), sorted(name for name in names if not _is_left(name))


def _is_left(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM


def _is_picture(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in _SUFFIXES or suffix in _OTHERS:
        return suffix in _SUFFIXES
    try:
        with Image.open(path, formats=_FORMATS):
            return True
    except Exception:  # noqa: BLE001 (Pillow raises what it likes for what is no picture)
        return False


def _unreadable(folder: Path, error: OSError) -> DataError:
    place = error.filename or folder
    return DataError(f"{place} cannot be read: {error.strerror}")
