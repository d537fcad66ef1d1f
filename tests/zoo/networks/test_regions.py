from pathlib import Path

import onnxruntime
import pytest
import torch
import torchvision
from compress_zoo.networks.regions import RoiPool, deltas, move, rows
from torch import Tensor, nn

from compress.export.onnx import export
from compress.export.settings import OnnxSettings


def test_rows_name_the_picture_and_order_the_corners() -> None:
    regions = torch.tensor([[[5, 6, 1, 2]], [[1, 9, 3, 4]]])
    assert rows(regions).tolist() == [[0, 1, 2, 5, 6], [1, 1, 4, 3, 9]]


def test_pooling_by_hand() -> None:
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    pooled = RoiPool(2, scale=0.5)(maps, torch.tensor([[0, 0, 2, 6, 6]]))
    # cells 0 to 3 across and 1 to 3 down: two bins each, which share row 2
    assert pooled.tolist() == [[[[9, 11], [13, 15]]]]


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool = RoiPool(3, scale=0.25)

    def forward(self, maps: Tensor, regions: Tensor) -> Tensor:
        return self.pool(maps, rows(regions))


def test_exported_pooling_is_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    maps, regions = torch.randn(2, 4, 9, 11), torch.randint(0, 36, (2, 50, 4))
    path = tmp_path / "pooled.onnx"
    export(Pooled(), [maps, regions], path, OnnxSettings(), input_names=["maps", "regions"])
    session = onnxruntime.InferenceSession(path)
    for n in (1, 2):  # any batch
        feeds = {"maps": maps[:n].numpy(), "regions": regions[:n].numpy()}
        wanted = Pooled()(maps[:n], regions[:n]).numpy()
        assert (session.run(None, feeds)[0] == wanted).all()


def test_moving_is_the_inverse_of_deltas() -> None:
    torch.manual_seed(0)
    boxes, truth = torch.rand(2, 9, 4, dtype=torch.double)
    boxes[:, 2:] += boxes[:, :2] + 0.1
    truth[:, 2:] += truth[:, :2] + 0.1
    torch.testing.assert_close(move(boxes, deltas(boxes, truth)), truth)
    coder = torchvision.models.detection._utils.BoxCoder((1.0, 1.0, 1.0, 1.0))
    torch.testing.assert_close(deltas(boxes, truth), coder.encode_single(truth, boxes))


def test_deltas_by_hand() -> None:
    given = deltas(torch.tensor([0.0, 0, 10, 10]), torch.tensor([0.0, 0, 20, 10]))
    assert given.tolist() == pytest.approx([0.5, 0, 0.6931472, 0])
