import torch
from compress_zoo.networks.two_stream import stream
from compress_zoo.video import two_stream
from torch import nn


def test_layers_are_those_of_figure_1() -> None:
    with torch.device("meta"):
        model = two_stream(101)
        maps, sizes = torch.empty(1, 20, 224, 224), {}
        for name, layer in model.temporal.named_children():
            maps = layer(maps)
            sizes[name] = tuple(maps.shape[1:])
    assert (sizes["conv1"], sizes["pool2"]) == ((96, 109, 109), (256, 13, 13))
    assert (sizes["pool5"], sizes["full6"], sizes["full7"]) == ((512, 6, 6), (4096,), (2048,))


def test_only_the_spatial_stream_normalizes_its_second_layer() -> None:
    with torch.device("meta"):
        model = two_stream(101)
    norms = [
        sum(isinstance(layer, nn.LocalResponseNorm) for layer in part.modules())
        for part in (model.spatial, model.temporal)
    ]
    assert norms == [2, 1]


def test_streams_are_averaged_as_probabilities() -> None:
    with torch.device("meta"):
        model = two_stream(2).eval()
    model.spatial, model.temporal = nn.Flatten(), nn.Flatten()
    given = model(torch.tensor([[100.0, 0.0]]), torch.tensor([[0.0, 0.0]]))
    torch.testing.assert_close(given, torch.tensor([[0.75, 0.25]]))


def test_dropout_is_the_papers() -> None:
    with torch.device("meta"):
        drops = [
            layer.p for layer in stream(3, 2, second_norm=True) if isinstance(layer, nn.Dropout)
        ]
    assert drops == [0.9, 0.9]
