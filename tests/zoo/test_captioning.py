import torch
from compress_zoo.registry import get


def test_show_and_tell_reads_with_a_googlenet_that_has_512_outputs() -> None:
    with torch.device("meta"):
        model = get("show-and-tell").build()
        assert model.encoder(torch.empty(2, 3, 224, 224)).shape == (2, 512)
    assert not any(name.startswith("encoder.aux") for name, _ in model.named_parameters())


def test_dvsa_sees_with_an_alexnet_without_its_classifier() -> None:
    torch.manual_seed(0)
    model = get("dvsa").build()
    with torch.no_grad():
        features = model.cnn(torch.randn(1, 3, 224, 224))
    assert features.shape == (1, 4096)
    assert features.min() == 0  # behind the rectifier
    weights = sum(p.numel() for p in model.cnn.parameters())
    assert 55e6 < weights < 60e6  # "approximately 60 million" with the classifier
