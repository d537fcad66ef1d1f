"""Random affine changes of training images: each sample its own. It needs torch.

What is drawn depends on the generator and the place in the epoch's order alone, never on how many
processes share the work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor

from compress.errors import require

#: What a task may ask for: largest rotation in degrees either way, largest shift as a fraction of
#: the side either way, largest relative change of size either way, probability of a mirror image.
CHANGES = ("rotate_degrees", "shift", "scale", "flip")


def draw(
    augmentation: Mapping[str, float], strength: float, count: int, generator: torch.Generator
) -> Tensor | None:
    """Draw one affine map a sample, shape `(count, 2, 3)`; None where nothing would change.

    Args:
        augmentation: of `CHANGES`, those that the task has.
        strength: factor on all of them.
        count: number of samples.
        generator: on the CPU.
    """
    unknown = sorted(set(augmentation) - set(CHANGES))
    require(not unknown, "augmentation", f"of {', '.join(CHANGES)}", unknown)
    turn, shift, scale, flip = (augmentation.get(name, 0.0) * strength for name in CHANGES)
    if not any((turn, shift, scale, flip)):
        return None
    # six numbers a sample, uniform in [-1, 1]: angle, two shifts, two sizes, mirror
    uniform = torch.rand((6, count), generator=generator) * 2 - 1
    angle = uniform[0] * math.radians(turn)
    wide, tall = 1 + uniform[3:5] * min(scale, 0.9)
    mirrored = torch.where((uniform[5] + 1) / 2 < flip, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    maps = torch.empty(count, 2, 3)  # from output to input, both sides in [-1, 1]
    maps[:, 0, 0], maps[:, 0, 1] = cos * wide * mirrored, -sin * tall
    maps[:, 1, 0], maps[:, 1, 1] = sin * wide * mirrored, cos * tall
    maps[:, :, 2] = (uniform[1:3] * (2 * shift)).T
    return maps


def transform(inputs: Tensor, maps: Tensor) -> Tensor:
    """Move images `(n, channels, height, width)` by maps `(n, 2, 3)`; edges are continued."""
    grid = F.affine_grid(maps, list(inputs.shape), align_corners=False)
    return F.grid_sample(inputs, grid, padding_mode="border", align_corners=False)
