import math

import pytest
import torch

from compress.errors import SettingsError
from compress.tasks.augment import draw, transform
from compress.training.data import generator


def _maps(strength: float = 1.0, **augmentation: float) -> torch.Tensor:
    maps = draw(augmentation, strength, 500, generator(3))
    assert maps is not None
    return maps


def test_nothing_to_change() -> None:
    assert draw({}, 1.0, 5, generator(0)) is None
    assert draw({"shift": 0.1}, 0.0, 5, generator(0)) is None


def test_unknown_change() -> None:
    with pytest.raises(SettingsError, match=r"augmentation must be of rotate_degrees, .*blur"):
        draw({"blur": 1.0}, 1.0, 5, generator(0))


def test_rotation_stays_in_its_range() -> None:
    maps = _maps(0.5, rotate_degrees=20)
    degrees = torch.rad2deg(torch.atan2(maps[:, 1, 0], maps[:, 0, 0]))
    assert 9 < degrees.max() <= 10.001
    assert -10.001 <= degrees.min() < -9
    torch.testing.assert_close(torch.linalg.det(maps[:, :, :2]), torch.ones(500))


def test_shift_moves_by_a_fraction_of_the_side() -> None:
    maps = _maps(shift=0.25)
    assert 0.48 < maps[:, :, 2].abs().max() <= 0.5  # the side is 2 long
    image = torch.zeros(1, 1, 8, 8)
    image[..., 3, 4] = 1
    quarter = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
    moved = transform(image, quarter)
    assert (moved[0, 0, 3].argmax().item(), round(moved.sum().item(), 4)) == (2, 1.0)


def test_scale_and_mirror() -> None:
    maps = _maps(scale=0.2, flip=0.25)
    sizes = maps[:, [0, 1], [0, 1]]
    assert 0.799 <= sizes.abs().min() < sizes.abs().max() <= 1.201
    assert math.isclose((sizes[:, 0] < 0).float().mean().item(), 0.25, abs_tol=0.06)
    assert (sizes[:, 1] > 0).all()
    image = torch.rand(1, 3, 5, 6)
    mirror = torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    torch.testing.assert_close(transform(image, mirror), image.flip(3))


def test_a_draw_repeats() -> None:
    assert torch.equal(_maps(shift=0.1, flip=0.5), _maps(shift=0.1, flip=0.5))
