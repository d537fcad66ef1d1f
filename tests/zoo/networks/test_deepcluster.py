import numpy as np
import torch
from compress_zoo.networks.deepcluster import (
    DeepClusterAlexNet,
    Sobel,
    pseudo_labels,
    uniform_sample,
)
from torch import nn


def test_sobel_sees_edges_and_no_colour() -> None:
    sobel, step = Sobel(), torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 3.0  # an edge across x
    gradients = sobel(step)[0]
    assert gradients[0, 4].tolist() == [0, 0, 0, -12, -12, 0, 0, 12]  # the last is the border
    assert gradients[1, 2:6].abs().max() == 0
    assert torch.equal(sobel(step.transpose(2, 3))[0, 1], gradients[0].T)
    red, blue = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    red[:, 0, 2:5], blue[:, 2, 2:5] = 1.0, 1.0
    assert torch.equal(sobel(red), sobel(blue))


def test_sobel_has_no_weights() -> None:
    with torch.device("meta"):
        assert not list(Sobel().parameters())
        features = DeepClusterAlexNet()(torch.empty(2, 3, 224, 224))
        logits = DeepClusterAlexNet().train_logits(
            torch.empty(2, 3, 224, 224), nn.Linear(4096, 10_000)
        )
    assert features.shape == (2, 4096)
    assert logits.shape == (2, 10_000)


def test_clusters_are_found() -> None:
    generator = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 25)
    centres = generator.normal(size=(4, 32)) * 10
    features = (centres[truth] + generator.normal(size=(100, 32)) * 0.1).astype(np.float32)
    labels = pseudo_labels(features, 4, seed=0, dimensions=3)
    assert labels.dtype == np.int64
    assert len(set(zip(labels, truth, strict=True))) == 4  # the same groups, under other names
    assert len(set(labels)) == 4


def test_draw_is_uniform_over_clusters() -> None:
    labels = np.array([0] * 90 + [3] * 9 + [1])
    drawn = uniform_sample(labels, 3000, np.random.default_rng(0))
    shares = np.bincount(labels[drawn], minlength=4) / 3000
    assert np.allclose(shares, [1 / 3, 1 / 3, 0, 1 / 3], atol=0.04)
    assert len(set(drawn)) == 100  # every image of a cluster comes
