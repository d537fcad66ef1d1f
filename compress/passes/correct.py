"""Biases that make up for a shift: what compression added to a channel's mean is taken away.

Errors of shared weights do not cancel where inputs have a mean, as behind a ReLU; the shift of a
channel is the same at all places of an image, so a bias, which costs no byte more, removes it. A
layer without a bias has its shift taken out of the BatchNorm behind it. Layers are corrected from
front to back in one pass, each on what the corrected ones before it give; later batches of samples
move the biases less and less, to the mean of what all of them ask for.

Source: Nagel et al. 2019, arXiv:1906.04721, sec. 4.2 (empirical bias correction).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

Means = Sequence[Mapping[str, Tensor]]  # of each channel, by the layer's name, for each batch

_BATCH = 64  # samples
_See = Callable[[str, nn.Module, Tensor], Tensor | None]  # may return another tensor


@torch.inference_mode()
def channel_means(model: nn.Module, samples: Tensor) -> Means:
    """Return each channel's mean of what a biased layer gives, and of what a BatchNorm is given.

    Args:
        model: before compression.
        samples: what it takes, shape `(n, …)`.
    """
    found: list[dict[str, Tensor]] = []

    def record(name: str, layer: nn.Module, values: Tensor) -> None:
        found[-1].setdefault(name, _mean(layer, values))

    with _watched(model, record):
        for batch in torch.split(samples, _BATCH):
            found.append({})
            model.eval()(batch)
    return found


@torch.no_grad()
def correct_biases(model: nn.Module, samples: Tensor, means: Means) -> int:
    """Give channels their earlier means again, in place; return how many layers changed.

    Args:
        model: after compression.
        samples: what `means` were taken on.
        means: from `channel_means`, before compression.
    """
    done: set[str] = set()
    for count, (batch, earlier) in enumerate(
        zip(torch.split(samples, _BATCH), means, strict=True), start=1
    ):
        done.clear()
        with _watched(model, partial(_move, earlier, done, 1 / count)):
            model.eval()(batch)
    return len(done)


def _move(
    earlier: Mapping[str, Tensor],
    done: set[str],
    fraction: float,
    name: str,
    layer: nn.Module,
    values: Tensor,
) -> Tensor | None:
    """Move a layer's bias by a fraction of its shift; return what it now gives, if that changed."""
    if name in done or name not in earlier:
        return None  # a layer that is used twice is corrected at its first use
    done.add(name)
    shift = fraction * (earlier[name] - _mean(layer, values))
    if isinstance(layer, _BatchNorm):
        assert layer.running_mean is not None
        layer.running_mean -= shift
        return None
    assert isinstance(layer.bias, Tensor)
    layer.bias += shift
    return values + shift.view(-1, *(1,) * (values.ndim - 2 if isinstance(layer, _ConvNd) else 0))


def _mean(layer: nn.Module, found: Tensor) -> Tensor:
    channel = 1 if isinstance(layer, _ConvNd | _BatchNorm) else found.ndim - 1
    return found.mean([axis for axis in range(found.ndim) if axis != channel])


@contextmanager
def _watched(model: nn.Module, see: _See) -> Iterator[None]:
    """Call `see` with the output of each biased layer and the input of each BatchNorm."""
    handles = []
    for name, layer in model.named_modules():
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None:
            handles.append(
                layer.register_forward_pre_hook(
                    lambda own, inputs, name=name: see(name, own, inputs[0])
                )
            )
        elif isinstance(layer, _ConvNd | nn.Linear) and layer.bias is not None:
            handles.append(
                layer.register_forward_hook(
                    lambda own, _, output, name=name: see(name, own, output)
                )
            )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
