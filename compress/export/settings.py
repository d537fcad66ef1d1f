"""Settings of an export. It imports no torch, so that a recipe is read without it."""

from __future__ import annotations

from dataclasses import dataclass

from compress.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxSettings:
    """How a module is exported to ONNX."""

    opset: int = 20  #: version of the ONNX operators, in [18, 25]
    dynamic_batch: bool = True  #: let the first dimension of inputs and outputs vary

    def __post_init__(self) -> None:
        require(18 <= self.opset <= 25, "opset", "in [18, 25]", self.opset)
