"""Any folder of labelled images, in ImageNet's layout: `ROOT/PART/CLASS/image`.

Parts are `train` (or `training`), `val` (`valid`, `validation`, `dev`) and `test` (`testing`).
`compress.tasks.folders` says which files count. ImageNet publishes no labels of its test part, so where `test` is
missing, `val` is what is tested on, and every tenth image of each class of `train` validates. A root that holds the class folders themselves is a test part. Classes are
numbered by sorted folder name, or by `ROOT/classes.tsv` (index, folder, name) where that is, so
that a few of ImageNet's classes keep their numbers.

Images are decoded when they are asked for. It needs numpy and Pillow, no torch.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from typing_extensions import assert_never

from compress.preprocess import Preprocessing
from compress.tasks import Part, folders
from compress.tasks.images import ImageTask
from compress.tasks.pictures import Files
from compress_zoo.errors import ZooError
from compress_zoo.tasks.recipes import Recipe, of_stage, tenth

_LOG = logging.getLogger(__name__)

_PARTS = {  # names of a part's folder, in any case of letters
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_TOLD = 3  # names in a note
_MAX_TABLE_BYTES = 16 << 20
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's

_TRAINING: Mapping[str, Recipe] = MappingProxyType(
    {  # torchvision's reference recipe for the ResNets, at its learning rate for one worker
        "dense": {
            "epochs": 90,
            "batch": 256,
            "optimizer": "sgd",
            "lr": 0.1,
            "weight_decay": 1e-4,
            "warmup_epochs": 1,
            "augment": 1,
        },
        "prune": {
            "epochs": 10,
            "batch": 256,
            "optimizer": "sgd",
            "lr": 0.01,
            "weight_decay": 1e-4,
            "augment": 1,
        },
        "quantize": {
            "epochs": 2,
            "batch": 256,
            "optimizer": "adam",
            "lr": 1e-4,
            "weight_decay": 0.0,
            "augment": 1,
        },
    }
)

_Item = tuple[Path, int]


@dataclass(frozen=True, kw_only=True)
class ImageFolder(ImageTask):
    """A folder of images, one folder a class."""

    root: Path  #: holds the folders of the parts, or those of the classes

    name = "imagefolder"
    changes = MappingProxyType({"shift": 0.1, "scale": 0.2, "flip": 0.5})

    @cached_property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # read once, where it is asked
        """Names from `classes.tsv`, else the folders' names."""
        table = _read_table(self.root)
        if table:
            names = dict(table.values())
            return tuple(names[index] for index in sorted(names))
        return tuple(_numbers(self.root))

    def training(self, stage: str, model: str) -> Mapping[str, Any]:
        """Return settings for training at ImageNet's scale; alike for all models."""
        return of_stage(_TRAINING, stage)

    def default_preprocessing(self, shape: tuple[int, int, int]) -> Preprocessing:
        """Resize the short side to 256 for a crop of 224, alike for other sizes."""
        channels, height, width = shape
        tall, wide = round(height * 256 / 224), round(width * 256 / 224)
        return Preprocessing(
            mode="L" if channels == 1 else "RGB",
            crop=(height, width),
            resize=tall if tall == wide else (tall, wide),
            mean=(sum(_MEAN) / 3,) if channels == 1 else _MEAN,
            std=(sum(_STD) / 3,) if channels == 1 else _STD,
        )

    def pictures(self, part: Part) -> Files | None:
        """Return a part, or None where the folder has no such part.

        Raises:
            ZooError: when the folder is missing or holds no images, or a class has no number.
        """
        root, parts = self.root, _parts(self.root)
        splits = "train" in parts and not ("val" in parts and "test" in parts)
        match part:
            case "test":
                folder = parts.get("test", parts.get("val"))
                items = _items(root, folder) if folder else None
            case "validation" if splits:
                items = _split(_items(root, parts["train"]), validates=True)
            case "validation":
                folder = parts.get("val") if "test" in parts else None
                items = _items(root, folder) if folder else None
            case "train" if splits:
                items = _split(_items(root, parts["train"]), validates=False)
            case "train":
                items = _items(root, parts["train"]) if "train" in parts else None
            case _:
                assert_never(part)
        if not items:  # no such part, or no class with an image to spare for validation
            return None
        return Files(tuple(path for path, _ in items), np.array([i for _, i in items], np.int64))


def _parts(root: Path) -> dict[str, Path]:
    """Return the folders of the parts that are there, under the keys train, val and test."""
    found = {}
    for key, names in _PARTS.items():
        places = [p for p in folders.subfolders(root) if p.name.lower() in names and _is_part(p)]
        if len(places) > 1:
            places = [p for p in places if folders.class_folders(p)] or places[:1]
        if len(places) > 1:
            raise ZooError(
                f"imagefolder: {places[0]} and {places[1].name} name the same part; leave one"
            )
        if places:
            found[key] = places[0]
    if not found and folders.class_folders(root):
        found = {"test": root}
    if not found:
        state = "holds no images in class folders" if root.is_dir() else "is not a folder"
        raise ZooError(
            f"imagefolder: {root} {state}; put images at {root / 'val' / 'CLASS' / 'NAME.jpg'} "
            "(and train, test beside val), or name another root with --data or $COMPRESS_DATA"
        )
    return found


def _is_part(folder: Path) -> bool:
    """Tell a part from a class that is called as one (of trains, for instance)."""
    return not folders.loose(folder) or bool(folders.class_folders(folder))


def _items(root: Path, folder: Path) -> list[_Item]:
    """List a part's images with their classes, by sorted class and name."""
    numbers, classes = _numbers(root), folders.class_folders(folder)
    items: list[_Item] = []
    unread: list[Path] = []
    for name, places in classes.items():
        if name not in numbers:
            raise ZooError(
                f"imagefolder: {places[0]} is not a known class; name it in {root / 'classes.tsv'} "
                "or add it to every part"
            )
        for place in places:
            found, others = folders.pictures(place)
            items += [(path, numbers[name]) for path in found]
            unread += others
    empty = {*folders.subfolders(folder)}.difference(*classes.values())
    _tell_left_out(folder, "folders without a picture are no classes", empty)
    _tell_left_out(folder, "pictures in no class folder are left out", folders.loose(folder))
    _tell_left_out(folder, "files that Pillow cannot read are left out", unread)
    if not items:
        raise ZooError(
            f"imagefolder: {folder} holds no images; put them at {folder}/CLASS/NAME.jpg"
        )
    return items


def _tell_left_out(folder: Path, what: str, paths: Iterable[Path]) -> None:
    """Say what in a part is not counted, though its owner may think so."""
    names = sorted(str(path.relative_to(folder)) for path in paths)
    if names:
        more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
        _tell(f"imagefolder: {folder}: {what}: {', '.join(names[:_TOLD])}{more}")


@lru_cache(maxsize=64)
def _tell(note: str) -> None:
    """Give a note once: parts are listed several times."""
    _LOG.warning("%s", " ".join(note.split()))


def _numbers(root: Path) -> dict[str, int]:
    """Number the class folders: by the table, else by their order in the part trained on."""
    table = _read_table(root)
    if table:
        return {folders.class_name(name): index for name, (index, _) in table.items()}
    parts = _parts(root)
    first = next(parts[key] for key in ("train", "val", "test") if key in parts)
    return {name: index for index, name in enumerate(folders.class_folders(first))}


def _read_table(root: Path) -> dict[str, tuple[int, str]]:
    """Read `classes.tsv`: folder to index and name; empty where there is none."""
    path = root / "classes.tsv"
    if not path.is_file():
        return {}
    if path.stat().st_size > _MAX_TABLE_BYTES:
        raise ZooError(f"{path} must be at most {_MAX_TABLE_BYTES} bytes")
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        table = {row["wnid"]: (int(row["index"]), row["name"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise ZooError(f"{path} must have the columns index, wnid and name: {error!r}") from error
    if any(None in (folder, name) for folder, (_, name) in table.items()):
        raise ZooError(f"{path} must have an index, a wnid and a name in each row")
    if not rows or sorted(index for index, _ in table.values()) != list(range(len(rows))):
        raise ZooError(f"{path} must number its classes from 0, each once")
    return table


def _split(items: list[_Item], *, validates: bool) -> list[_Item]:
    """Keep every tenth image of each class, or the others; a class of one is trained on."""
    chosen = tenth(np.array([label for _, label in items], np.int64))
    return [item for item, taken in zip(items, chosen, strict=True) if taken == validates]
