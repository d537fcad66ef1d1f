import numpy as np
import pytest
import torch
from torch import nn

from compress.preprocess import Preprocessing
from compress.tasks.images import Images
from compress.tasks.pictures import Arrays
from tests.tasks.images import Made

PREPROCESSING = Preprocessing(mode="L", crop=(8, 8))
CHANGES = {"shift": 0.05, "scale": 0.05}


def stripes(count: int, seed: int) -> Arrays:
    """Make noisy images of three classes: a bright stripe lies across, upright, or nowhere."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 160, (count, 8, 8))
    labels = np.arange(count) % 3
    for image, label in zip(pixels, labels, strict=True):
        place = random.integers(1, 7)
        if label == 0:
            image[place] += 95
        elif label == 1:
            image[:, place] += 95
    return Arrays(pixels.astype(np.uint8), labels.astype(np.int64))


@pytest.fixture
def preprocessing() -> Preprocessing:
    return PREPROCESSING


@pytest.fixture
def pictures() -> Arrays:
    return stripes(200, seed=1)


@pytest.fixture
def train(pictures: Arrays) -> Images:
    return Images(pictures, PREPROCESSING)


@pytest.fixture
def validation() -> Images:
    return Images(stripes(90, seed=2), PREPROCESSING)


@pytest.fixture
def task() -> Made:
    return Made(preprocessing=PREPROCESSING, changes=CHANGES, classes=("across", "up", "none"))


@pytest.fixture
def model() -> nn.Module:
    """Build a network with all that must be resumed: convolution, BatchNorm, dropout."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 24),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(24, 3),
    )
