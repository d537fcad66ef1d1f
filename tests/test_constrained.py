"""Constraints hold through training, travel with the model and survive a checkpoint."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.constrained import Constraints, Mask, Shared, constraints_of
from compress.errors import FormatError, SettingsError

# Deep Compression, Fig. 3: the gradients and codes of 4x4 weights, and one step of their centroids.
GRADIENTS = torch.tensor(
    [
        [-0.03, -0.01, 0.03, 0.02],
        [-0.01, 0.01, -0.02, 0.12],
        [-0.01, 0.02, 0.04, 0.01],
        [-0.07, -0.02, 0.01, -0.02],
    ]
)
CODES = torch.tensor([[3, 0, 2, 1], [1, 1, 0, 3], [0, 3, 1, 0], [3, 1, 2, 2]], dtype=torch.int8)
CENTROIDS = torch.tensor([-1.00, 0.00, 1.50, 2.00])
SUMS = torch.tensor([-0.03, 0.04, 0.02, 0.04])
FINE_TUNED = torch.tensor([-0.97, -0.04, 1.48, 1.96])


def is_positive_zero(values: Tensor) -> bool:
    return not values.contiguous().view(torch.int32).any()


def shared_square() -> tuple[nn.Linear, Shared]:
    model = nn.Linear(4, 4, bias=False)
    shared = Shared(CODES, CENTROIDS.clone())
    constraints_of(model).by_name["weight"] = shared
    return model, shared


def test_the_papers_worked_example():
    model, shared = shared_square()
    constraints = constraints_of(model)
    constraints.apply(model)
    torch.testing.assert_close(model.weight.detach(), CENTROIDS[CODES.long()], rtol=0, atol=0)

    optimizer = torch.optim.SGD([p for _, p in constraints.trained_parameters(model)], lr=1.0)
    model.weight.grad = GRADIENTS.clone()
    constraints.collect_gradients(model)
    assert shared.codebook.grad is not None
    by_hand = torch.stack([GRADIENTS[code == CODES].sum() for code in range(4)])
    torch.testing.assert_close(shared.codebook.grad, by_hand)
    torch.testing.assert_close(shared.codebook.grad, SUMS, rtol=0, atol=1e-6)
    optimizer.step()
    constraints.apply(model)
    torch.testing.assert_close(shared.codebook.detach(), FINE_TUNED, rtol=0, atol=1e-6)
    assert sorted(model.weight.unique().tolist()) == sorted(shared.codebook.tolist())
    assert model.weight.grad is None


@pytest.mark.parametrize("pruned", [0.0, 0.9])
def test_centroid_gradient_is_autograds(pruned):
    generator = torch.Generator().manual_seed(0)
    model = nn.Conv2d(16, 64, 3, bias=False)
    codes = torch.randint(0, 7, model.weight.shape, generator=generator).to(torch.int16)
    codes[torch.rand(codes.shape, generator=generator) < pruned] = -1
    shared = Shared(codes, torch.randn(7, generator=generator))
    constraints_of(model).by_name["weight"] = shared
    constraints_of(model).apply(model)
    images = torch.randn(2, 16, 5, 5, generator=generator)
    model(images).square().sum().backward()
    constraints_of(model).collect_gradients(model)

    leaf = shared.codebook.detach().clone().requires_grad_()
    weight = torch.where(codes < 0, torch.zeros(()), leaf[codes.long()])
    nn.functional.conv2d(images, weight, model.bias).square().sum().backward()
    assert leaf.grad is not None
    torch.testing.assert_close(shared.codebook.grad, leaf.grad, rtol=1e-4, atol=1e-4)


def test_gradients_of_several_backwards_are_summed_once():
    model, shared = shared_square()
    constraints = constraints_of(model)
    constraints.apply(model)
    seen = []
    for _ in range(2):  # two steps of two backwards each: nothing is left over from the first
        for _ in range(2):
            model(torch.ones(1, 4)).sum().backward()
        constraints.collect_gradients(model)
        seen.append(shared.codebook.grad)
    assert seen[0] is not None
    expected = 2.0 * torch.bincount(CODES.view(-1).int()).float()
    torch.testing.assert_close(seen[0], expected)
    torch.testing.assert_close(seen[1], expected)


def test_a_mask_gives_positive_zeros_and_stops_gradients():
    model = nn.Linear(8, 8)
    keep = torch.rand(8, 8, generator=torch.Generator().manual_seed(0)) < 0.5
    constraints_of(model).by_name["weight"] = Mask(keep)
    with torch.no_grad():
        model.weight[0, 0] = float("nan")
        keep[0, 0] = False
    constraints_of(model).apply(model)
    assert is_positive_zero(model.weight.detach()[~keep])
    model(torch.randn(4, 8)).sum().backward()
    constraints_of(model).collect_gradients(model)
    assert model.weight.grad is not None
    assert is_positive_zero(model.weight.grad[~keep])
    assert model.weight.grad[keep].abs().min() > 0


def test_frozen_and_unused_parameters():
    model, shared = shared_square()
    constraints_of(model).collect_gradients(model)
    assert shared.codebook.grad is None
    model.weight.requires_grad_(False)
    assert constraints_of(model).trained_parameters(model) == []


def test_trained_parameters_lists_a_tied_weight_once_and_the_codebook_for_it():
    model = nn.Sequential(nn.Embedding(6, 4), nn.Linear(4, 6))
    model[1].weight = model[0].weight
    shared = Shared(torch.zeros(6, 4, dtype=torch.int8), torch.ones(1))
    constraints_of(model).by_name["0.weight"] = shared
    trained = constraints_of(model).trained_parameters(model)
    assert [name for name, _ in trained] == ["0.weight", "1.bias"]
    assert trained[0][1] is shared.codebook


def test_sparse_gradients_of_an_embedding():
    model = nn.Embedding(6, 4, sparse=True)
    codes = torch.zeros(6, 4, dtype=torch.int8)
    codes[2] = -1
    shared = Shared(codes, torch.ones(1))
    constraints_of(model).by_name["weight"] = shared
    model(torch.tensor([0, 2, 2])).sum().backward()
    constraints_of(model).collect_gradients(model)
    assert shared.codebook.grad is not None
    assert shared.codebook.grad.tolist() == [4.0]


def test_a_weight_that_is_not_contiguous_is_written():
    model = nn.Linear(3, 5, bias=False)
    model.weight.data = torch.zeros(3, 5).T
    codes = torch.arange(15, dtype=torch.int8).view(5, 3) - 1
    constraints_of(model).by_name["weight"] = Shared(codes, torch.arange(1.0, 15.0))
    constraints_of(model).apply(model)
    assert model.weight.flatten().tolist() == list(map(float, range(15)))


def test_deepcopy_carries_constraints_and_the_state_dict_does_not():
    model, shared = shared_square()
    twin = copy.deepcopy(model)
    assert list(model.state_dict()) == ["weight"]
    other = constraints_of(twin).by_name["weight"]
    assert isinstance(other, Shared)
    assert other.codebook is not shared.codebook
    assert torch.equal(other.codes, shared.codes)
    shared.codebook.data.fill_(9)
    assert torch.equal(other.codebook.detach(), CENTROIDS)


def test_state_round_trip_keeps_the_codebook_an_optimizer_holds():
    model, shared = shared_square()
    constraints = constraints_of(model)
    constraints.by_name["bias"] = Mask(torch.tensor([True, False]))
    state = {name: tensor.clone() for name, tensor in constraints.state().items()}
    assert set(state) == {"weight:codes", "weight:codebook", "bias:keep"}
    shared.codebook.data.fill_(9)
    constraints.load_state(state)
    back = constraints.by_name["weight"]
    assert isinstance(back, Shared)
    assert back.codebook is shared.codebook
    assert torch.equal(back.codebook.detach(), CENTROIDS)

    fresh = Constraints()
    fresh.load_state(state)
    assert set(fresh.state()) == set(state)
    assert all(torch.equal(fresh.state()[key], state[key]) for key in state)
    state["bias:keep"].fill_(False)
    assert fresh.state()["bias:keep"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"w:other": torch.ones(1)}, "no part 'w:other'"),
        ({"w:codes": torch.zeros(2, dtype=torch.int8)}, "must come together"),
        ({"w:keep": torch.ones(2)}, "a mask must be bool"),
        ({"w:codes": torch.zeros(2), "w:codebook": torch.ones(1)}, "codes must be int8"),
        (
            {"w:codes": torch.tensor([0, 3], dtype=torch.int8), "w:codebook": torch.ones(3)},
            r"codes must be in \[-1, 3\), got 0 to 3",
        ),
        (
            {"w:codes": torch.tensor([0], dtype=torch.int8), "w:codebook": torch.ones(1, 1)},
            "one row of floats",
        ),
    ],
)
def test_a_state_that_is_none_is_refused(tensors, message):
    constraints = Constraints()
    with pytest.raises(FormatError, match=message):
        constraints.load_state(tensors)
    assert constraints.by_name == {}


def test_a_constraint_that_does_not_fit_is_refused():
    model = nn.Linear(2, 2)
    constraints_of(model).by_name["wieght"] = Mask(torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(SettingsError, match="wieght must fit a weight of shape"):
        constraints_of(model).apply(model)
    constraints_of(model).by_name = {"weight": Mask(torch.ones(2, 3, dtype=torch.bool))}
    with pytest.raises(SettingsError, match=r"shape \(2, 3\), got \(2, 2\)"):
        constraints_of(model).collect_gradients(model)


def test_many_weights_cross_the_blocks():
    rng = np.random.default_rng(0)
    model = nn.Linear(1000, 700, bias=False)
    codes = torch.from_numpy(rng.integers(-1, 300, (700, 1000)).astype(np.int16))
    shared = Shared(codes, torch.from_numpy(rng.normal(size=300).astype(np.float32)))
    constraints_of(model).by_name["weight"] = shared
    constraints_of(model).apply(model)
    table = np.append(shared.codebook.detach().numpy(), np.float32(0))
    assert np.array_equal(model.weight.detach().numpy(), table[codes.numpy()])
    gradient = rng.normal(size=(700, 1000)).astype(np.float32)
    model.weight.grad = torch.from_numpy(gradient)
    constraints_of(model).collect_gradients(model)
    sums = np.bincount(codes.numpy().ravel() + 1, gradient.ravel().astype(np.float64))[1:]
    assert shared.codebook.grad is not None
    np.testing.assert_allclose(shared.codebook.grad.numpy(), sums, rtol=1e-5, atol=1e-4)
