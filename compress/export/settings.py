"""Settings of an export. It imports no torch, so that a recipe is read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typing_extensions import Doc

from compress.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxSettings:
    """How a module is exported to ONNX."""

    opset: Annotated[int, Doc("version of the ONNX operators, in [18, 25]")] = 20
    dynamic_batch: Annotated[bool, Doc("let the first dimension of inputs and outputs vary")] = True

    def __post_init__(self) -> None:
        require(18 <= self.opset <= 25, "opset", "in [18, 25]", self.opset)
