"""A published Deep Compression artefact into a compressed file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compress import files
from compress.artifact import container, convert, published
from compress.artifact.settings import Coder
from compress.errors import DataError, FormatError, UnsupportedLayerError
from compress.export.settings import OnnxSettings
from compress.references.subject import Subject, Torch

if TYPE_CHECKING:
    from torch import nn


# Caffe's input: BGR from 0 to 255 less the mean of ImageNet. The channels of the first layer are
# turned round instead, so that the file takes RGB.
PREPROCESSING: Mapping[str, Any] = {
    "mode": "RGB", "resize": 256, "crop": [227, 227], "scale": 1.0,
    "mean": [123.0, 117.0, 104.0], "std": [1.0],
}  # fmt: skip


def import_net(
    source: Path,
    subject: Subject,
    target: Path,
    *,
    coder: Coder = "huffman",
    force: bool = False,
) -> None:
    """Read Song Han's format into a compressed file; the weights keep their bits.

    Args:
        source: the published file.
        subject: the network that it holds.
        target: the compressed file.
        coder: of codes and positions.
        force: let any file that is there give way, and not compressed files alone.

    Raises:
        DataError: when the file cannot be read or is not of this network.
        OutputError: when `target` cannot be written, or is another's file.
        UnsupportedLayerError: when the network has weights that the format does not know.
    """
    over = files.anything if force else container.is_packed
    files.guard(target, sources=(source,), over=over)  # before the network is built
    if not isinstance(subject.source, Torch):
        raise DataError(f"{subject.name} is a file already; name a network")
    import torch

    from compress.export.onnx import export

    model = subject.source.build(None)
    load_net(source, model, subject.name)
    size: Any = PREPROCESSING["crop"]
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"{subject.name}.onnx"
        facts = {"model": subject.name, "preprocessing": dict(PREPROCESSING)}
        export(model, [torch.zeros(2, 3, *size)], plain, OnnxSettings(), facts=facts)
        convert.pack(plain, target, {"model": subject.name}, coder=coder, force=force)


def load_net(source: Path, model: nn.Module, name: str) -> None:
    """Make a model the network that was published in Song Han's format, weights bit for bit.

    Args:
        source: the published file.
        model: the network of the zoo, changed in place.
        name: of the network.

    Raises:
        DataError: when the file cannot be read or is not of this network.
        UnsupportedLayerError: when the network has weights that the format does not know.
    """
    import torch

    from compress.passes.weights import weights_of

    as_published(model, name)
    weights = weights_of(model)[0]
    if any(weight.kind not in ("conv", "fc") for weight in weights):
        raise UnsupportedLayerError(f"{name} has other layers than conv and fc")
    parameters = dict(model.named_parameters())
    for weight in weights:
        if f"{weight.module}.bias" not in parameters:
            raise UnsupportedLayerError(
                f"{name} cannot be in this format, which gives every layer a bias: "
                f"{weight.module} has none"
            )
    try:
        data = source.read_bytes()
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror}") from error
    try:
        layers = list(published.decode(data, [tuple(w.parameter.shape) for w in weights]))
    except FormatError as error:
        raise DataError(f"{source} does not hold {name}: {error}") from error
    for place, (weight, (values, biases)) in enumerate(zip(weights, layers, strict=True)):
        first = place == 0 and values.shape[1] == 3
        turned = values[:, ::-1].copy() if first else values
        weight.parameter.data = torch.from_numpy(np.ascontiguousarray(turned))
        parameters[f"{weight.module}.bias"].data = torch.from_numpy(biases)


def as_published(model: nn.Module, name: str) -> None:
    """Change a network to the one that was published under its name."""
    if name == "squeezenet1_0":  # Caffe's last convolution, 1x1, pads its input by 1
        last: Any = model.get_submodule("classifier.1")
        last.padding = (1, 1)
