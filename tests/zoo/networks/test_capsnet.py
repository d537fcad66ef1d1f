import numpy as np
import pytest
import torch
from compress_zoo.networks.capsnet import CapsNet, Decoder, loss, margin_loss, route, squash
from compress_zoo.registry import get


def parameters(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_are_the_papers() -> None:
    with torch.device("meta"):
        decoder = Decoder(10)
    assert round(get("capsnet").params / 1e6, 1) == 6.8
    assert round((get("capsnet").params + parameters(decoder)) / 1e6, 1) == 8.2


def test_squash() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0], [3e3, 4e3]])
    torch.testing.assert_close(squash(x)[0], torch.tensor([0.6, 0.8]) * 25 / 26)
    assert not squash(x)[1].any()
    assert squash(x)[2].norm().item() == pytest.approx(1)


def test_route_against_procedure_1() -> None:
    predictions = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    for sample in range(2):
        u = predictions[sample].numpy().astype(np.float64)
        b = np.zeros((5, 3))
        for _ in range(3):
            c = np.exp(b) / np.exp(b).sum(axis=1, keepdims=True)
            v = np.zeros((3, 4))
            for j in range(3):
                s = sum(c[i, j] * u[i, j] for i in range(5))
                v[j] = s @ s / (1 + s @ s) * s / np.sqrt(s @ s)
            for i in range(5):
                for j in range(3):
                    b[i, j] += u[i, j] @ v[j]
        torch.testing.assert_close(
            route(predictions, 3)[sample], torch.tensor(v, dtype=torch.float32)
        )


def test_each_capsule_has_matrices_of_its_own() -> None:
    model = CapsNet(10).eval()
    images = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    seen = {}
    model.predict.register_forward_hook(
        lambda _, inputs, output: seen.update(u=inputs[0], v=output)
    )
    model(images)
    primary, predictions = seen["u"].view(1152, 8), seen["v"].view(1152, 10, 16)
    matrices = model.predict.weight.view(1152, 10, 16, 8)
    expected = torch.einsum("ijkl,il->ijk", matrices, primary)
    torch.testing.assert_close(predictions, expected)
    # a primary capsule is eight channels at one place: kind 1, row 0, column 2
    maps = model.primary(torch.relu(model.conv1(images)))
    torch.testing.assert_close(primary[36 + 2], squash(maps[0, 8:16, 0, 2]))


def test_margin_loss_by_hand() -> None:
    lengths = torch.tensor([[0.5, 0.3, 0.0], [0.05, 0.95, 0.1]])
    value = margin_loss(lengths, torch.tensor([0, 1]))
    assert value.item() == pytest.approx((0.4**2 + 0.5 * 0.2**2) / 2)


def test_decoder_sees_one_capsule() -> None:
    decoder = Decoder(10)
    capsules = torch.rand(2, 10, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([3, 0])
    images = decoder(capsules, labels)
    assert images.shape == (2, 784)
    others = capsules.clone()
    others[0, 4:] = 9.0
    others[1, 1:] = 9.0
    assert torch.equal(decoder(others, labels), images)
    others[0, 3] = 9.0
    assert not torch.equal(decoder(others, labels)[0], images[0])


def test_one_step_of_training_makes_the_loss_smaller() -> None:
    torch.manual_seed(0)
    network, decoder = CapsNet(10), Decoder(10)
    images, labels = torch.rand(4, 1, 28, 28), torch.tensor([0, 1, 2, 3])
    weights = [*network.parameters(), *decoder.parameters()]
    optimizer = torch.optim.SGD(weights, lr=1e-3)
    before = loss(network, decoder, images, labels)
    before.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in weights)
    optimizer.step()
    assert loss(network, decoder, images, labels).item() < before.item()
