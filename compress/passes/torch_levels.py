"""Biases that make up for a shift: what compression added to a channel's mean is taken away.

Errors of shared weights do not cancel where inputs have a mean, as behind a ReLU; the shift of a
channel is the same at all places of an image, so a bias, which costs no byte more, removes it. A
BatchNorm has its statistics moved, the variance too: with the mean alone, what errors take from a
channel's variance would add up from layer to layer. Where an activation that cuts is behind a bias
(`behind`) it is the mean behind that. Layers are corrected from front to back in one pass, each on
what the corrected ones before it give; later batches of samples move them less and less, to the
mean of what all of them ask for.

Sources: Nagel et al. 2019, arXiv:1906.04721, sec. 4.2 (empirical bias correction); Hubara et al.
2020, arXiv:2006.10518 (tuning of BatchNorm).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from compress.passes.behind import Bounds, places, shift_behind
from compress.passes.torch_behind import cut_behind
from compress.passes.torch_tokens import at_tokens, level_of_tokens, tokens_in

Inputs = tuple[Tensor, ...]  # an input each
Levels = Mapping[str, Sequence[Tensor]]  # of each channel, at each call of a layer, by its name

_CUT = 8  # samples that are cut at once
_MOST = 0.7  # logarithm of what a batch may change a variance by: a channel may be all but dead
_See = Callable[[str, nn.Module, Tensor], Tensor | None]  # may return another tensor


@torch.no_grad()
def channel_levels(model: nn.Module, batches: Iterable[Inputs]) -> list[Levels]:
    """Return, for each batch, what a bias decides of each channel.

    That is the mean of what a layer with a bias gives, behind an activation that cuts it. For a
    BatchNorm it is how far the mean of what it is given lies above the one that it takes away, and
    the logarithm of its variance as a part of the one that it divides by, shape `(2, channels)`.

    Args:
        model: before compression.
        batches: of what it takes, an input each, on its device.
    """
    found: list[dict[str, list[Tensor]]] = []

    for batch in batches:
        found.append({})
        given = _Given(tokens_in(batch), cut_behind(model, batch))
        with _watched(model, partial(_record, found[-1], given)):
            model.eval()(*batch)
    return list(found)


@torch.no_grad()
def correct_biases(model: nn.Module, batches: Iterable[Inputs], levels: Sequence[Levels]) -> int:
    """Give channels their earlier levels again, in place; return how many layers changed.

    A layer that is called several times gets the mean of what its calls ask for.

    Args:
        model: after compression.
        batches: what `levels` were taken on.
        levels: from `channel_levels`, before compression.
    """
    asked: Counter[str] = Counter()  # samples so far, by layer
    for batch, earlier in zip(batches, levels, strict=True):
        calls = {name: iter(own) for name, own in earlier.items()}
        given = _Given(tokens_in(batch), cut_behind(model, batch))
        with _watched(model, partial(_move, calls, asked, len(batch[0]), given)):
            model.eval()(*batch)
    return len(asked)


@dataclass(frozen=True, slots=True)
class _Given:
    """What is known of a batch before it is run."""

    tokens: Tensor | None
    cuts: Mapping[str, Bounds]  #: of activations, by the layer before


def _record(
    found: dict[str, list[Tensor]], given: _Given, name: str, layer: nn.Module, values: Tensor
) -> None:
    """Take note of a layer's levels."""
    found.setdefault(name, []).append(_level(layer, values, given.tokens, given.cuts.get(name)))


def _move(
    calls: Mapping[str, Iterator[Tensor]],
    asked: Counter[str],
    n: int,
    given: _Given,
    name: str,
    layer: nn.Module,
    values: Tensor,
) -> Tensor | None:
    """Move a layer's bias by its part of the shift; return what it now gives, if that changed."""
    earlier = next(calls.get(name, iter(())), None)
    if earlier is None:
        return None  # called more often than before compression
    bounds = given.cuts.get(name)
    shift = earlier - _level(layer, values, given.tokens, bounds)
    if not bool(torch.isfinite(shift).all()):
        return None  # nothing was given, or it overflows
    if bounds is not None:
        shift = _shift_behind(_rows(layer, values), earlier, shift, bounds)
    asked[name] += n
    shift *= n / asked[name]
    if isinstance(layer, _BatchNorm):
        assert layer.running_mean is not None
        assert layer.running_var is not None
        layer.running_mean -= shift[0]
        part = torch.exp(-shift[1].clamp(-_MOST, _MOST))
        layer.running_var.copy_(((layer.running_var + layer.eps) * part - layer.eps).clamp(min=0))
        return None
    assert isinstance(layer.bias, Tensor)
    layer.bias += shift
    return values + shift.view(-1, *(1,) * (values.ndim - 1 - _channel(layer, values)))


def _level(
    layer: nn.Module, values: Tensor, tokens: Tensor | None, bounds: Bounds | None
) -> Tensor:
    channel = _channel(layer, values)
    axes = [axis for axis in range(values.ndim) if axis != channel]
    if bounds is not None:
        some = torch.split(values, _CUT)  # a whole copy is slow to have
        sums = [part.clamp(*bounds).sum(axes, dtype=torch.float32) for part in some]
        total = torch.stack(sums).sum(0)
        return (total / (values.numel() / len(total))).to(values.dtype)
    if isinstance(layer, nn.Linear) and values.ndim == 3:
        return level_of_tokens(at_tokens(values, tokens))
    if not isinstance(layer, _BatchNorm):
        return values.mean(axes)
    # What it is given does not change when it is corrected; what it makes of that does.
    assert layer.running_mean is not None
    assert layer.running_var is not None
    variance, mean = torch.var_mean(values, axes, correction=0)
    parts = (variance + layer.eps) / (layer.running_var + layer.eps)
    return torch.stack([mean - layer.running_mean, parts.log()])


def _rows(layer: nn.Module, values: Tensor) -> Tensor:
    """Return some values of each channel, shape `(channels, n)`; of images every so many pixels."""
    by_channel = values.movedim(_channel(layer, values), 0)
    if by_channel.ndim == 4:
        skip = int(places(by_channel[0].numel()) ** 0.5)
        by_channel = by_channel[:, :, ::skip, ::skip]
    return by_channel.flatten(1)[:, :: places(by_channel[0].numel())]


def _shift_behind(rows: Tensor, earlier: Tensor, missing: Tensor, bounds: Bounds) -> Tensor:
    some, before, short = (given.float().cpu() for given in (rows, earlier, missing))
    shift = shift_behind(some.numpy(), before.double().numpy(), short.double().numpy(), bounds)
    return torch.from_numpy(shift).to(rows.device, rows.dtype)


def _channel(layer: nn.Module, values: Tensor) -> int:
    """Return the axis of the channels; a convolution may be given one sample without its axis."""
    if isinstance(layer, _BatchNorm):
        return 1
    return values.ndim - 1 - (len(layer.kernel_size) if isinstance(layer, _ConvNd) else 0)


@contextmanager
def _watched(model: nn.Module, see: _See) -> Iterator[None]:
    """Call `see` with the output of each biased layer and the input of each BatchNorm."""
    handles = []

    def given(
        layer: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Any], name: str
    ) -> None:
        see(name, layer, inputs[0] if inputs else named["input"])

    def gave(layer: nn.Module, _: object, output: Tensor, name: str) -> Tensor | None:
        return see(name, layer, output)

    for name, layer in model.named_modules():
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None:
            hook = partial(given, name=name)
            handles.append(layer.register_forward_pre_hook(hook, with_kwargs=True))
        elif isinstance(layer, _ConvNd | nn.Linear) and layer.bias is not None:
            handles.append(layer.register_forward_hook(partial(gave, name=name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
