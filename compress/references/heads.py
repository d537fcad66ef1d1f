"""Bare encoders of texts: where a task has classes they get a head, whose weights are new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from compress.references.asked import classes_of
from compress.references.subject import Torch
from compress.tasks import Input

if TYPE_CHECKING:
    from torch import nn

    from compress.tasks import Task

TEXTS = ("input_ids", "attention_mask", "token_type_ids")  # what an encoder may take, in order


def are_texts(inputs: Sequence[Input]) -> bool:
    """Tell whether inputs are a text's alone."""
    names = {given.name for given in inputs}
    return "input_ids" in names and names <= {*TEXTS}


def encoder(
    build: Callable[[], Any], load: Callable[[nn.Module], None] | None, names: Sequence[str]
) -> Torch:
    """Return a bare encoder, which gets a head for a task's classes.

    Args:
        build: makes the network of transformers, with random weights.
        load: loads published weights into it; None where there are none.
        names: of its inputs.
    """

    def built(task: Task | None) -> nn.Module:
        bare, classes = build(), classes_of(task)
        if classes is None:
            return bare  # type: ignore[no-any-return]  # transformers' own
        from compress.references.head import Classifier

        return Classifier(bare, classes, names).eval()

    def load_encoder(model: nn.Module) -> None:
        assert load is not None
        from compress.references.head import Classifier

        load(model.encoder if isinstance(model, Classifier) else model)

    return Torch(
        build=built,
        load_pretrained=load_encoder if load is not None else None,
        is_made_for=lambda task: classes_of(task) is None,
        load_backbone=load_encoder if load is not None else None,
    )
