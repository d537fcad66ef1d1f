import torch
from compress_zoo.networks.memory_bank import MemoryBank, log_probabilities
from torch.nn import functional


def test_vectors_move_half_way_and_keep_length_1() -> None:
    bank = MemoryBank(5, 8, seed=0)
    images = torch.tensor([1, 3])
    before, others = bank.read(images), bank.read(torch.tensor([0, 2, 4]))
    new = functional.normalize(torch.ones(2, 8), dim=1).requires_grad_()
    bank.update(images, new)
    expected = functional.normalize(before + new.detach(), dim=1)
    torch.testing.assert_close(bank.read(images), expected)
    assert not bank.read(images).requires_grad
    assert torch.equal(bank.read(torch.tensor([0, 2, 4])), others)


def test_negatives_are_remembered_vectors() -> None:
    bank = MemoryBank(3, 4, seed=0)
    negatives = bank.negatives(50)
    known = bank.read(torch.arange(3))
    found = (negatives[:, None] == known).all(-1)
    assert negatives.shape == (50, 4)
    assert (found.sum(1) == 1).all()
    assert found.any(0).all()


def test_probabilities_by_hand() -> None:
    anchor, positive = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]])
    negatives = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    scores = torch.tensor([0.6, 0.0, -1.0]) / 0.5
    expected = scores.exp() / scores.exp().sum()
    found = log_probabilities(anchor, positive, negatives, temperature=0.5)
    torch.testing.assert_close(found.exp()[0], expected)
