"""torchvision's detectors as networks from tensors to tensors, and the selection after them.

torchvision's take a list of pictures and give as many boxes as they find. torch.export stops at
that: `batched_nms` branches on the number of boxes above a threshold, which is not known before the
network runs. So what is exported ends one step earlier, with shapes that are fixed: the box of
every candidate, and its probability of each class. `select` then does what torchvision does to
those. It is the same for all three, and where weights are random, so that scores nearly tie, the
candidates can still be compared one by one.

The parts are torchvision's own, under its names: its published weights fit. Pictures come
normalized, at the size that the network is to see.

Source: Ren et al. 2015, arXiv:1506.01497; Lin et al. 2017, arXiv:1612.03144; Liu et al. 2016,
arXiv:1512.02325.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torchvision.models.detection import SSD, FasterRCNN

_GRID = 7  # of RoI pooling
_SAMPLES = 2  # of RoI pooling, a bin and axis
_LEVELS = (2, 3, 4, 5)  # of the pyramid: a cell of level n is 2^n pixels
_CANONICAL_SIDE, _CANONICAL_LEVEL = 224, 4  # a region of that side belongs to that level


class Ssd(nn.Module):
    """SSD without the selection: the boxes that its default boxes are moved to."""

    def __init__(self, detector: SSD) -> None:
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.head
        self.anchor_generator = detector.anchor_generator
        self._coder = detector.box_coder

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return boxes `(batch, n, 4)` in pixels, probabilities `(batch, n, classes)`.

        And of what they are made: moves of the default boxes and logits, of the same shapes. Where
        weights are random, moves are small beside the boxes, and all probabilities the same.
        """
        features = list(self.backbone(pictures).values())
        raw = self.head(features)
        moves: Tensor = raw["bbox_regression"]
        logits: Tensor = raw["cls_logits"]
        anchors = _anchors(self.anchor_generator, pictures, features).expand_as(moves)
        boxes = self._coder.decode_single(moves.flatten(0, 1), anchors.flatten(0, 1)).view_as(moves)
        return _clipped(boxes, pictures), torch.softmax(logits, 2), moves, logits


class FasterRcnn(nn.Module):
    """Faster R-CNN on a feature pyramid, without the last selection.

    Of each level the best regions are taken by objectness, and all of them go through the second
    stage; those that overlap a better one of their level get the probability 0 for every class.
    Given a `rpn_post_nms_top_n_test` that is not smaller than their number, torchvision finds the
    same. Suppression inside the graph is ONNX's NonMaxSuppression; what is left, in torchvision a
    shorter list, is a mask here.

    torchvision's published weights are for a batch normalization that adds nothing to the variance;
    this one adds 1e-5.
    """

    def __init__(self, detector: FasterRCNN) -> None:
        super().__init__()
        self.backbone, self.rpn = detector.backbone, detector.rpn
        self.roi_heads = detector.roi_heads

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes `(batch, n, classes, 4)` in pixels, probabilities `(batch, n, classes)`."""
        features = list(self.backbone(pictures).values())
        regions, kept = self.propose(pictures, features)
        batch, n = kept.shape
        images = torch.arange(batch, device=pictures.device)[:, None, None].expand(batch, n, 1)
        rows = torch.cat([images.to(regions.dtype), regions], 2).flatten(0, 1)
        pooled = self.roi_heads.box_head(_pool(features, rows))
        logits, moves = self.roi_heads.box_predictor(pooled)
        boxes = self.roi_heads.box_coder.decode(moves, [rows[:, 1:]]).unflatten(0, (-1, n))
        scores = torch.softmax(logits, 1).view(batch, n, -1) * kept[:, :, None]
        return _clipped(boxes, pictures), scores

    def propose(self, pictures: Tensor, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the regions `(batch, n, 4)`, and which are not suppressed `(batch, n)`."""
        rpn = self.rpn
        objectness, moves = rpn.head(features)
        anchors = _anchors(rpn.anchor_generator, pictures, features)
        regions, scores, levels, start = [], [], [], 0
        for level, (given, by) in enumerate(zip(objectness, moves, strict=True)):
            score = given.permute(0, 2, 3, 1).flatten(1)  # cells, then the anchors of a cell
            by = by.unflatten(1, (-1, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3)
            n = score.shape[1]
            # By position: where weights are random, the order by score is the weakest of facts.
            best = score.topk(min(n, rpn.pre_nms_top_n()), 1).indices.sort(1).values
            taken = anchors[start : start + n][best.flatten()]
            by = by.gather(1, best[:, :, None].expand(-1, -1, 4)).flatten(0, 1)
            box = rpn.box_coder.decode_single(by, taken).unflatten(0, (-1, best.shape[1]))
            regions.append(_clipped(box, pictures))
            scores.append(score.gather(1, best))
            levels.append(torch.full_like(best, level))
            start += n
        boxes = torch.cat(regions, 1)
        kept = _not_suppressed(
            boxes, torch.cat(scores, 1), torch.cat(levels, 1), rpn.nms_thresh, len(features)
        )
        size = boxes[..., 2:] - boxes[..., :2]
        return boxes, kept & (size >= rpn.min_size).all(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How the boxes of a picture are chosen from the candidates."""

    score: float  #: least probability
    overlap: float  #: greatest IoU with a more probable box of the class
    limit: int  #: most boxes
    candidates: int | None = None  #: most boxes of a class before suppression; None for all
    side: float = 0.0  #: least width and height, in pixels


#: torchvision's settings, by the row's name
SELECTIONS = {
    "fasterrcnn_resnet50_fpn": Selection(score=0.05, overlap=0.5, limit=100, side=0.01),
    "ssd300_vgg16": Selection(score=0.01, overlap=0.45, limit=200, candidates=400),
    "ssdlite320_mobilenet_v3_large": Selection(
        score=0.001, overlap=0.55, limit=300, candidates=300
    ),
}


def select(boxes: Tensor, scores: Tensor, by: Selection) -> tuple[Tensor, Tensor, Tensor]:
    """Return boxes `(found, 4)`, labels and scores of one picture, the most probable first.

    Args:
        boxes: of the candidates, `(n, 4)`, or for each class, `(n, classes, 4)`.
        scores: of each class; the first is the background, `(n, classes)`.
        by: what is selected.
    """
    from torchvision.ops import batched_nms

    n, classes = scores.shape
    boxes = boxes.reshape(n, -1, 4).expand(n, classes, 4)
    good = (scores > by.score) & (boxes[..., 2:] - boxes[..., :2] >= by.side).all(2)
    good[:, 0] = False
    if by.candidates is not None and by.candidates < n:
        best = scores.where(good, -1.0).topk(by.candidates, 0).indices
        good &= torch.zeros_like(good).scatter(0, best, value=True)
    labels = torch.arange(classes).expand(n, classes)[good]
    boxes, scores = boxes[good], scores[good]
    kept = batched_nms(boxes, scores, labels, by.overlap)[: by.limit]
    return boxes[kept], labels[kept], scores[kept]


def _anchors(generator: nn.Module, pictures: Tensor, features: list[Tensor]) -> Tensor:
    """Return the anchors of all levels, `(anchors, 4)`: the same for each picture of a batch."""
    from torchvision.models.detection.image_list import ImageList

    height, width = pictures.shape[2:]
    anchors: Tensor = generator(ImageList(pictures[:1], [(height, width)]), features)[0]
    return anchors


def _clipped(boxes: Tensor, pictures: Tensor) -> Tensor:
    height, width = pictures.shape[2:]
    across, down = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack([across, down], -1).flatten(-2)


def _not_suppressed(
    boxes: Tensor, scores: Tensor, levels: Tensor, overlap: float, n_levels: int
) -> Tensor:
    """Tell which boxes overlap no better one of their picture and level, `(batch, n)`.

    All are suppressed at once, moved so far apart that those of two levels or pictures never meet.
    """
    from torchvision.ops import nms

    if boxes.is_meta:  # there are no values to compare
        return torch.empty_like(scores, dtype=torch.bool)
    pictures = torch.arange(boxes.shape[0], device=boxes.device)[:, None]
    groups = pictures * n_levels + levels
    apart = boxes + groups[:, :, None].to(boxes.dtype) * (boxes.max() + 1)
    kept: Tensor = nms(apart.flatten(0, 1), scores.flatten(), overlap)
    mask = torch.zeros_like(scores, dtype=torch.bool).flatten()
    return mask.index_fill(0, kept, value=True).view_as(scores)


def _pool(features: list[Tensor], rows: Tensor) -> Tensor:
    """Pool each region from the level of its size, `(regions, channels, 7, 7)`.

    Every level pools every region, and one is chosen: no shape then depends on the regions.
    Source: arXiv:1612.03144, eq. 1.
    """
    from torchvision.ops import roi_align

    side = (rows[:, 3:] - rows[:, 1:3]).prod(1).sqrt()
    wanted = torch.floor(_CANONICAL_LEVEL + torch.log2(side / _CANONICAL_SIDE) + 1e-6)
    wanted = wanted.clamp(_LEVELS[0], _LEVELS[-1])[:, None, None, None]
    pooled: Tensor = roi_align(features[0], rows, _GRID, 2.0 ** -_LEVELS[0], _SAMPLES)
    for level, maps in zip(_LEVELS[1:], features[1:], strict=False):  # the last is the RPN's alone
        there = roi_align(maps, rows, _GRID, 2.0**-level, _SAMPLES)
        pooled = torch.where(wanted == level, there, pooled)
    return pooled
