import torch
from compress_zoo.registry import get


def test_pirl_is_a_resnet_50_with_two_projections_and_a_jigsaw() -> None:
    with torch.device("meta"):
        model = get("pirl").build()
    resnet50, classifier = 25_557_032, 2048 * 1000 + 1000
    heads = 2 * (2048 * 128 + 128) + 9 * 128 * 128 + 128
    assert sum(p.numel() for p in model.parameters()) == resnet50 - classifier + heads


def test_cmc_has_half_the_weights_of_one_network() -> None:
    with torch.device("meta"):
        model, whole = get("cmc").build(), get("deepcluster-alexnet").build()
    halves = [sum(p.numel() for p in half.parameters()) for half in model.children()]
    full = sum(p.numel() for p in whole.parameters())
    assert all(0.24 < half / full < 0.27 for half in halves)
