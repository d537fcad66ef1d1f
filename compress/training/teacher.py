"""A network that teaches another: the student's loss goes for its answers, too.

Source: Hinton, Vinyals & Dean 2015, arXiv:1503.02531, sec. 2 (scores softened by a temperature T,
their cross entropy times T^2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor, nn

from compress.errors import DataError
from compress.training.data import Values, answer, floats_of

_LEAST = 1e-12  # mean square of an output


@dataclass(frozen=True, slots=True)
class Teacher:
    """A network that is not trained, and how much its answers count."""

    model: nn.Module
    share: float  #: of the loss; the task's own has the rest
    temperature: float  #: of scores
    key: str  #: of all that decides what it gives

    def to(self, device: torch.device) -> None:
        """Move to where the student is trained."""
        self.model.to(device).eval().requires_grad_(False)

    def loss(
        self,
        own: Tensor,
        inputs: Values,
        outputs: Any,  # noqa: ANN401  (the network's own)
        *,
        scores: bool,
    ) -> Tensor:
        """Return the loss of a batch that is taught.

        Args:
            own: the task's loss.
            inputs: of the batch.
            outputs: of the student.
            scores: outputs are scores of classes, shape `(n, classes, ...)`.

        Raises:
            DataError: when the student's outputs are not of the teacher's shapes.
        """
        with torch.no_grad():
            wanted = floats_of(answer(self.model, inputs))
        given = floats_of(outputs)
        shapes = [[tuple(held.shape) for held in side] for side in (given, wanted)]
        if shapes[0] != shapes[1]:
            raise DataError(
                "a teacher must have its student's outputs, of shapes "
                f"{', '.join(map(str, shapes[0]))}, got {', '.join(map(str, shapes[1]))}"
            )
        apart = [
            _softened(student, teacher, self.temperature) if scores else _relative(student, teacher)
            for student, teacher in zip(given, wanted, strict=True)
        ]
        return (1 - self.share) * own + self.share * torch.stack(apart).mean()


def _softened(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return the divergence of softened scores times T^2, so that T is no matter of its size."""
    given, wanted = ((held / temperature).log_softmax(1) for held in (student, teacher))
    apart = F.kl_div(given, wanted, reduction="none", log_target=True).sum(1)
    return temperature**2 * apart.mean()


def _relative(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the squared error as a part of what the teacher gives, sample by sample."""
    error, size = (
        held.square().reshape(len(held), -1).mean(1) for held in (student - teacher, teacher)
    )
    return (error / size.clamp(min=_LEAST)).mean()
