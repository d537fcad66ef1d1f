import torch
from compress_zoo.networks.stn import SpatialTransformer, st_cnn_affine
from torch import nn

IMAGES = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))


class Fixed(nn.Module):
    """A localisation that always returns the same map."""

    def __init__(self, *theta: float) -> None:
        super().__init__()
        self.theta = torch.tensor(theta, dtype=torch.float32)

    def forward(self, x):
        return self.theta.expand(len(x), 6)


def test_starts_from_the_identity() -> None:
    model = st_cnn_affine(10)
    torch.testing.assert_close(model.transformer(IMAGES), IMAGES)


def test_quarter_turn() -> None:
    # the target (x, y) reads the source at (y, -x)
    turned = SpatialTransformer(Fixed(0, 1, 0, -1, 0, 0))(IMAGES)
    torch.testing.assert_close(turned, IMAGES.rot90(1, (3, 2)), atol=1e-5, rtol=0)


def test_shift_reads_zeros_beyond_the_edge() -> None:
    # half the width of [-1, 1] to the right: 14 pixels
    shifted = SpatialTransformer(Fixed(1, 0, 1, 0, 1, 0))(IMAGES)
    torch.testing.assert_close(shifted[..., :14], IMAGES[..., 14:], atol=1e-5, rtol=0)
    assert not shifted[..., 15:].any()


def test_localisation_learns() -> None:
    model = st_cnn_affine(10)
    loss = nn.functional.cross_entropy(model(IMAGES), torch.tensor([3, 7]))
    loss.backward()
    assert model.transformer.localisation.theta.weight.grad.any()
    assert model.transformer.localisation.theta.bias.grad.all()
