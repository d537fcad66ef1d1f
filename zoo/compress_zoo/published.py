"""What comes with published weights: a package that holds them, and how they want their images."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from compress_zoo.errors import ZooError

if TYPE_CHECKING:
    from torch import Tensor

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


@dataclass(frozen=True, slots=True)
class Package:
    """A Python package with a state dict.

    A file of safetensors has the network's names; one of torch its order, under other names.
    """

    name: str  #: as pip calls it
    file: str  #: from where packages are installed
    sha256: str  #: of the file

    def path(self) -> Path | None:
        """Return where the file is, or None where the package is not installed."""
        try:
            return Path(str(metadata.distribution(self.name).locate_file(self.file)))
        except metadata.PackageNotFoundError:
            return None

    def beside(self, name: str) -> bytes | None:
        """Return what a file beside the weights holds; None where there is none."""
        path = self.path()
        found = path.with_name(name) if path is not None else None
        return found.read_bytes() if found is not None and found.is_file() else None

    def state(self, path: Path, names: Iterable[str]) -> dict[str, Tensor]:
        """Load the weights under the network's names.

        Args:
            path: what `path` returned.
            names: of the network's state dict, in order.

        Raises:
            ZooError: when the file is missing or changed, or is for another network.
        """
        import torch

        try:
            data = path.read_bytes()
        except OSError as error:
            raise ZooError(f"{path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ZooError(f"{path} is not the file that was published; reinstall {self.name}")
        wanted = list(names)
        if self.file.endswith(".safetensors"):
            from safetensors.torch import load

            named = load(data)
            if not named.keys() >= set(wanted):  # more: buffers that are computed by now
                raise ZooError(f"{path} holds the weights of another network")
            return {name: named[name] for name in wanted}
        stream = io.BytesIO(data)
        held = torch.load(stream, weights_only=True)  # noqa: TID251  (its hash is known)
        if [_kind(name) for name in held] != [_kind(name) for name in wanted]:
            raise ZooError(f"{path} holds the weights of another network")
        return dict(zip(wanted, held.values(), strict=True))


def pixels(
    crop: int,
    resize: int,
    *,
    resample: Literal["bilinear", "bicubic"] = "bicubic",
    scale: float = 1 / 255,
    mean: Sequence[float] = _MEAN,
    std: Sequence[float] = _STD,
) -> dict[str, object]:
    """Return the preprocessing of square colour images, as JSON's types.

    Args:
        crop: side of the input.
        resize: short side of the image before the crop.
        resample: filter of the resize.
        scale: factor on a pixel of 0 to 255.
        mean: of all channels or of each, after the scale.
        std: of all channels or of each, after the scale.
    """
    return {
        "mode": "RGB",
        "crop": [crop, crop],
        "resize": resize,
        "resample": resample,
        "scale": scale,
        "mean": list(mean),
        "std": list(std),
    }


def _kind(name: str) -> str:
    """Return what a tensor is to its layer: weight, running_mean and so on."""
    return name.rpartition(".")[2]
