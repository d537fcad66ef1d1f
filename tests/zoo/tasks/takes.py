"""What a network takes, as tasks are told."""

from __future__ import annotations

from typing import Any

from compress_zoo.entry import Input

from compress.tasks import Takes


def images(*shape: int, **told: Any) -> Takes:
    """Return what a network on images takes."""
    return Takes(name="net", inputs=[Input(shape)], **told)
