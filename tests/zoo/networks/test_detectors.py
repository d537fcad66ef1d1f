from pathlib import Path

import onnxruntime
import pytest
import torch
from compress_zoo.networks.detectors import (
    SELECTIONS,
    FasterRcnn,
    Selection,
    Ssd,
    _not_suppressed,
    select,
)
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from compress.export.onnx import export
from compress.export.settings import OnnxSettings


def without_transform(detector: nn.Module, side: int) -> nn.Module:
    """Let a detector take pictures as they are, as our networks do."""
    detector.transform = detection.transform.GeneralizedRCNNTransform(
        side, side, [0.0] * 3, [1.0] * 3, size_divisible=1, fixed_size=(side, side)
    )
    return detector.eval()


@torch.no_grad()
def normalize(detector: nn.Module, pictures: Tensor) -> None:
    """Set batch normalization to what pictures give: as built, the last maps are all but zero."""
    for layer in detector.backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    detector.backbone.train()(pictures)
    detector.backbone.eval()


def assert_same(found: tuple[Tensor, Tensor, Tensor], wanted: dict[str, Tensor]) -> None:
    assert len(wanted["boxes"]) > 10
    torch.testing.assert_close(found[0], wanted["boxes"], rtol=1e-4, atol=1e-3)
    assert torch.equal(found[1], wanted["labels"])
    torch.testing.assert_close(found[2], wanted["scores"])


def test_ssdlite_finds_what_torchvision_finds() -> None:
    torch.manual_seed(0)
    name = "ssdlite320_mobilenet_v3_large"
    build = getattr(detection, name)
    detector = build(weights=None, weights_backbone=None, num_classes=4)
    for layer in detector.head.modules():  # scores far apart, boxes far from the anchors
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    detector, pictures = without_transform(detector, 320), torch.randn(2, 3, 320, 320)
    normalize(detector, pictures)
    with torch.no_grad():
        wanted = detector(list(pictures))
        boxes, scores, *_ = Ssd(detector)(pictures)
    for picture in range(2):
        found = select(boxes[picture], scores[picture], SELECTIONS[name])
        assert_same(found, wanted[picture])


def test_faster_rcnn_finds_what_torchvision_finds() -> None:
    torch.manual_seed(0)
    name = "fasterrcnn_resnet50_fpn"
    detector = detection.fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=3, rpn_pre_nms_top_n_test=30
    )
    detector, pictures = without_transform(detector, 128), torch.randn(2, 3, 128, 128)
    normalize(detector, pictures)
    nn.init.normal_(detector.roi_heads.box_predictor.cls_score.weight, std=1.0)
    with torch.no_grad():
        wanted = detector(list(pictures))
        boxes, scores = FasterRcnn(detector)(pictures)
    assert (scores == 0).all(2).any()  # some regions are suppressed
    for picture in range(2):
        found = select(boxes[picture], scores[picture], SELECTIONS[name])
        assert_same(found, wanted[picture])


@pytest.mark.parametrize("name", list(SELECTIONS))
def test_selection_is_torchvisions(name: str) -> None:
    with torch.device("meta"):
        detector = getattr(detection, name)(weights=None, weights_backbone=None)
    ours, theirs = SELECTIONS[name], getattr(detector, "roi_heads", detector)
    assert (ours.score, ours.overlap) == (theirs.score_thresh, theirs.nms_thresh)
    assert ours.limit == theirs.detections_per_img
    assert ours.candidates == getattr(theirs, "topk_candidates", None)


def test_published_weights_fit() -> None:
    """The parts that hold weights have torchvision's names."""
    with torch.device("meta"):
        ssd = detection.ssd300_vgg16(weights=None, weights_backbone=None)
        assert Ssd(ssd).state_dict().keys() == ssd.state_dict().keys()
        detector = detection.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None)
        frozen = resnet_fpn_backbone(
            backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d
        )
        published = detection.FasterRCNN(frozen, num_classes=91).state_dict()
        FasterRcnn(detector).load_state_dict(dict(published))  # else it raises


class Kept(nn.Module):
    def forward(self, boxes: Tensor, scores: Tensor, levels: Tensor) -> Tensor:
        return _not_suppressed(boxes, scores, levels, 0.4, 3)


def test_exported_suppression_is_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    boxes, scores, levels = torch.rand(2, 60, 4), torch.rand(2, 60), torch.randint(0, 3, (2, 60))
    boxes[..., 2:] = boxes[..., :2] + 0.3
    path, names = tmp_path / "kept.onnx", ["boxes", "scores", "levels"]
    export(Kept(), [boxes, scores, levels], path, OnnxSettings(), input_names=names)
    session = onnxruntime.InferenceSession(path)
    for n in (1, 2):  # any batch
        samples = [boxes[:n], scores[:n], levels[:n]]
        kept = Kept()(*samples)
        assert 0 < kept.sum() < kept.numel()
        feeds = {name: sample.numpy() for name, sample in zip(names, samples, strict=True)}
        assert (session.run(None, feeds)[0] == kept.numpy()).all()


def test_selection_by_hand() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10], [0, 0, 0, 5]])
    scores = torch.tensor([[0.1, 0.9, 0.0], [0.2, 0.8, 0.6], [0.9, 0.1, 0.3], [0.0, 0.9, 0.9]])
    by = Selection(score=0.2, overlap=0.5, limit=2, side=1.0)
    found, labels, probabilities = select(boxes, scores, by)
    assert found.tolist() == [[0, 0, 10, 10], [0, 0, 10, 9]]
    assert labels.tolist() == [1, 2]
    assert probabilities.tolist() == pytest.approx([0.9, 0.6])


def test_only_the_best_candidates_of_a_class_are_looked_at() -> None:
    boxes = torch.arange(4.0)[:, None] * 10 + torch.tensor([0.0, 0, 5, 5])
    scores = torch.tensor([[0, 0.5], [0, 0.9], [0, 0.7], [0, 0.1]])
    by = Selection(score=0.0, overlap=0.5, limit=9, candidates=2)
    assert select(boxes, scores, by)[2].tolist() == pytest.approx([0.9, 0.7])
