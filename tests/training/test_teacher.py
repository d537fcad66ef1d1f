"""A loss that goes for another network's answers, too."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from compress.errors import DataError
from compress.training.teacher import Teacher


def taught(share: float, temperature: float, teacher: nn.Module) -> Teacher:
    return Teacher(teacher, share, temperature, "key")


def linear(outputs: int = 3, seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(4, outputs)


X = torch.linspace(-1, 1, 20).view(5, 4)
OWN = torch.tensor(2.0)


def loss(teacher: Teacher, student: nn.Module, *, scores: bool = True) -> Tensor:
    return teacher.loss(OWN, X, student(X), scores=scores)


def test_the_divergence_of_softened_scores() -> None:
    student, teacher, t = linear(), linear(seed=1), 4.0
    given, wanted = (torch.softmax(net(X) / t, 1) for net in (student, teacher))
    apart = (wanted * (wanted / given).log()).sum(1).mean() * t**2
    found = loss(taught(0.3, t, teacher), student)
    assert found.item() == pytest.approx(0.7 * 2 + 0.3 * apart.item(), rel=1e-5)


@pytest.mark.parametrize("scores", [True, False])
def test_nothing_is_added_by_a_teacher_that_gives_the_same(scores: bool) -> None:
    net = linear()
    assert loss(taught(0.5, 2.0, net), net, scores=scores).item() == pytest.approx(1)


def test_other_outputs_are_compared_by_their_size() -> None:
    student, teacher = linear(), linear(seed=1)
    small, large = (
        loss(taught(1.0, 1.0, scaled(teacher, by)), scaled(student, by), scores=False).item()
        for by in (1e-2, 1e3)
    )
    assert small == pytest.approx(large, rel=1e-4)
    assert math.isfinite(small)


def test_samples_count_alone_however_a_batch_is_divided() -> None:
    student, own = linear(), taught(1.0, 1.0, linear(seed=1))
    for scores in (True, False):
        whole, *parts = (
            own.loss(OWN, x, student(x), scores=scores).item() * len(x) for x in (X, X[:2], X[2:])
        )
        assert sum(parts) == pytest.approx(whole, rel=1e-5)


def scaled(net: nn.Linear, by: float) -> nn.Linear:
    made = linear()
    made.load_state_dict({name: by * held for name, held in net.state_dict().items()})
    return made


def test_only_the_student_learns() -> None:
    student, teacher = linear(), linear(seed=1)
    own = taught(1.0, 2.0, teacher)
    own.to(torch.device("cpu"))
    loss(own, student).backward()
    assert student.weight.grad is not None
    assert student.weight.grad.any()
    assert teacher.weight.grad is None
    assert not teacher.training


def test_outputs_of_other_shapes_are_told() -> None:
    with pytest.raises(DataError, match=r"of shapes \(5, 3\), got \(5, 2\)$"):
        loss(taught(0.5, 2.0, linear(2)), linear())
