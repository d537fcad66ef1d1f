import pytest
import torch
from compress_zoo.genotypes import NASNET_A
from compress_zoo.nasnet import amoebanet_a
from compress_zoo.networks.cells import CellNetwork
from compress_zoo.registry import get
from torch import nn


def _millions(model: nn.Module) -> float:
    return round(sum(p.numel() for p in model.parameters()) / 1e6, 1)


def test_nasnet_a_mobile_has_the_papers_size() -> None:
    entry = get("nasnet-a-mobile")
    assert (round(entry.params / 1e6, 1), round(entry.macs / 1e6)) == (5.3, 564)  # Table 3
    with torch.device("meta"):
        assert entry.build().classifier.in_features == 1056


@pytest.mark.parametrize(("width", "millions"), [(32, 2.6), (36, 3.2)])
def test_amoebanet_a_has_the_papers_size(width: int, millions: float) -> None:
    with torch.device("meta"):
        assert _millions(amoebanet_a(10, width)) == millions  # Table 1


@pytest.mark.parametrize(
    ("stem", "stem_cells", "width", "classes", "millions"),
    [
        (nn.Conv2d(3, 96, 3, padding=1, bias=False), 0, 32, 10, 3.3),  # 6 @ 768, Table 1
        (nn.Conv2d(3, 96, 3, stride=2, bias=False), 2, 168, 1000, 88.8),  # 6 @ 4032, Table 2: 88.9
    ],
)
def test_the_interpreter_makes_the_other_nasnets(
    stem: nn.Conv2d, stem_cells: int, width: int, classes: int, millions: float
) -> None:
    with torch.device("meta"):
        model = CellNetwork(
            NASNET_A, stem=stem, stem_cells=stem_cells, cells=6, width=width, num_classes=classes,
            dropout=0.0,
        )  # fmt: skip
    assert _millions(model) == millions
    if classes == 1000:  # the very number that timm's own has
        assert sum(p.numel() for p in model.parameters()) == get("nasnetalarge").params
