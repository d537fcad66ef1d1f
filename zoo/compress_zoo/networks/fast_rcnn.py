"""Fast R-CNN: one network from a picture and its regions to classes and boxes.

What SPP-net trained in stages is trained at once, by one loss, through one level of pooling (7x7)
on VGG-16's conv5. Of 134.7 million weights, 119.5 million are in fc6 and fc7, which run for every
region: with 2000 regions they are nearly half of the time. The paper therefore splits
them by a truncated SVD (`truncate`), at no retraining: compression that this toolkit's pruning
stands beside.

Source: Girshick 2015, arXiv:1504.08083, sec. 2 and 3.1: model L.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_zoo.networks.regions import RoiPool, rows


class FastRcnn(nn.Module):
    """Score regions for each class, and say how to move their boxes.

    Args:
        num_classes: with the background, which comes first.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        import torchvision

        self.features = torchvision.models.vgg16(weights=None).features[:-1]  # without pool5
        self.roi_pool = RoiPool(7, scale=1 / 16)
        self.fc6 = nn.Linear(512 * 7 * 7, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.cls_score = nn.Linear(4096, num_classes)
        self.bbox_pred = nn.Linear(4096, 4 * num_classes)
        self.relu, self.dropout = nn.ReLU(), nn.Dropout(0.5)
        nn.init.normal_(self.cls_score.weight, std=0.01)
        nn.init.normal_(self.bbox_pred.weight, std=0.001)
        nn.init.zeros_(self.cls_score.bias)
        nn.init.zeros_(self.bbox_pred.bias)

    def forward(self, pictures: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores before the softmax `(batch, n, classes)`, deltas `(batch, n, classes, 4)`.

        Args:
            pictures: `(batch, 3, height, width)`.
            regions: opposite corners in whole pixels, `(batch, n, 4)`.
        """
        pooled = self.roi_pool(self.features(pictures), rows(regions)).flatten(1)
        fc6 = self.dropout(self.relu(self.fc6(pooled)))
        fc7 = self.dropout(self.relu(self.fc7(fc6)))
        n = regions.shape[1]
        scores = self.cls_score(fc7).unflatten(0, (-1, n))
        return scores, self.bbox_pred(fc7).unflatten(1, (-1, 4)).unflatten(0, (-1, n))


def multi_task_loss(scores: Tensor, deltas: Tensor, labels: Tensor, truth: Tensor) -> Tensor:
    """Return the loss of classes and, for regions that hold an object, of boxes. Source: eq. 1.

    Args:
        scores: before the softmax, `(regions, classes)`.
        deltas: `(regions, classes, 4)`.
        labels: class of each region, 0 for the background, `(regions,)`.
        truth: normalized deltas to the object's box, `(regions, 4)`; not read for background.
    """
    given = deltas[torch.arange(len(labels)), labels]
    boxes = functional.smooth_l1_loss(given, truth, reduction="none").sum(1)
    classes = functional.cross_entropy(scores, labels, reduction="none")
    return (classes + torch.where(labels > 0, boxes, 0.0)).mean()


@torch.no_grad()
def truncate(layer: nn.Linear, rank: int) -> nn.Sequential:
    """Split a layer in two without a nonlinearity between: its `rank` largest singular values.

    Weights fall from in * out to rank * (in + out). The paper keeps 1024 for fc6, 256 for fc7.
    """
    left, values, right = torch.linalg.svd(layer.weight, full_matrices=False)
    first = nn.Linear(layer.in_features, rank, bias=False)
    second = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
    first.weight.copy_(values[:rank, None] * right[:rank])
    second.weight.copy_(left[:, :rank])
    if layer.bias is not None:
        second.bias.copy_(layer.bias)
    return nn.Sequential(first, second)
