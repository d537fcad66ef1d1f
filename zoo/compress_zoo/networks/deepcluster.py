"""DeepCluster: an AlexNet that learns from the clusters of its own features.

In turns, k-means groups the features of all images, and the network learns to tell the groups.
It sees edges only: a fixed Sobel filter stands in front and removes colour. The head that names
the clusters is thrown away after every turn, so what is deployed ends with the 4096 features; of
its 58 million weights 94% are in two fully connected layers.

Source: Caron et al. 2018, arXiv:1807.05520, section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_zoo.networks.alexnet_bn import SIDE, convolutions

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEATURES = 4096
_SOBEL = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))


class Sobel(nn.Module):
    """Grey gradients along x and y, `(batch, 2, h, w)`; nothing here is learnt or pruned."""

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        across = torch.tensor(_SOBEL)
        self.register_buffer("kernels", torch.stack([across, across.T])[:, None])

    def forward(self, images: Tensor) -> Tensor:
        """Return the gradients of the mean over the channels."""
        return functional.conv2d(images.mean(1, keepdim=True), self.kernels, padding=1)


class DeepClusterAlexNet(nn.Module):
    """Features `(batch, 4096)` of images `(batch, 3, 224, 224)`.

    While a head is trained on them, a ReLU comes first (`train_logits`); clustering and whatever
    is built on the features takes them as they are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sobel = Sobel()
        self.convolutions = convolutions(2)
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(256 * SIDE**2, FEATURES),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(FEATURES, FEATURES),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the features."""
        features: Tensor = self.classifier(self.convolutions(self.sobel(images)).flatten(1))
        return features

    def train_logits(self, images: Tensor, head: nn.Linear) -> Tensor:
        """Return the clusters' logits by a head of the present turn."""
        logits: Tensor = head(self(images).relu())
        return logits


def pseudo_labels(
    features: NDArray[np.float32], clusters: int, seed: int, *, dimensions: int = 256
) -> NDArray[np.int64]:
    """Return the cluster of each image: its label for the next turn of the training.

    Features are reduced by PCA, whitened, scaled to length 1 and clustered by k-means. A cluster
    that runs empty is moved: to the farthest point (scikit-learn), where the paper splits another.

    Args:
        features: of all images, `(images, 4096)`.
        clusters: k; the paper's is 10,000 for ImageNet.
        seed: of the first centroids.
        dimensions: kept by PCA.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    whitened = PCA(dimensions, whiten=True, random_state=seed).fit_transform(features)
    whitened /= np.linalg.norm(whitened, axis=1, keepdims=True)
    labels = KMeans(clusters, n_init=1, random_state=seed).fit_predict(whitened)
    return np.asarray(labels, np.int64)


def uniform_sample(
    labels: NDArray[np.int64], count: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw images so that every cluster comes equally often: large ones would win otherwise."""
    order = np.argsort(labels, kind="stable")
    sizes = np.bincount(labels)
    filled = np.flatnonzero(sizes)
    drawn = generator.choice(filled, count)
    starts = np.cumsum(sizes) - sizes
    places = starts[drawn] + generator.integers(sizes[drawn])
    return np.asarray(order[places], np.int64)
