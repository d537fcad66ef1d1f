"""Settings of an export. It imports no torch, so that a recipe is read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from compress import settings


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxSettings:
    """How a module is exported to ONNX."""

    opset: Annotated[int, Meta(ge=18, le=25, description="version of the ONNX operators")] = 20
    dynamic_batch: Annotated[
        bool, Meta(description="let the first dimension of inputs and outputs vary")
    ] = True

    def __post_init__(self) -> None:
        settings.check(self)
