"""The weights of a model that can be compressed, and the settings that are addressed to them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Generic, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy

from compress.errors import DataError, SettingsError, require

Kind = Literal["conv", "fc", "embedding", "rnn"]
T = TypeVar("T", float, int)

PLAIN = "*"  # the key of the value for all weights that no other entry names
MAX_BITS = 16

_KINDS: tuple[Kind, ...] = get_args(Kind)
_MODULES: tuple[tuple[Kind, tuple[type[nn.Module], ...]], ...] = (
    ("conv", (_ConvNd,)),  # transposed ones too
    ("fc", (nn.Linear, nn.Bilinear, nn.MultiheadAttention)),
    ("embedding", (nn.Embedding, nn.EmbeddingBag)),
    ("rnn", (nn.RNNBase, nn.RNNCellBase)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A parameter that passes may change, by its canonical name."""

    name: str  #: the one of `model.named_parameters()`: a tied parameter has one
    module: str  #: name of the module that holds it
    kind: Kind
    parameter: nn.Parameter
    names: frozenset[str]  #: all that address it: parameter and modules, aliases of a tied one too

    def values(self) -> NDArray[np.float32]:
        """Return the numbers in order, shape `(n,)`; on a CPU they may be the parameter's own."""
        values: NDArray[np.float32] = self.parameter.detach().float().cpu().reshape(-1).numpy()
        return values

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Put the weight's name before an error about its numbers."""
        try:
            yield
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from error


@dataclass(frozen=True, slots=True)
class Skipped:
    """A parameter that a pass leaves alone."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Targets(Generic[T]):
    """Values for weights: by layer or parameter name, by glob, by kind, or plain (`*`).

    Of the entries that match a weight a name wins over a glob, a glob over a kind, a kind over the
    plain value; of globs the one with more literal characters, then the later one.
    """

    entries: tuple[tuple[str, T], ...]  #: key and value, each key once

    def __post_init__(self) -> None:
        keys = [key for key, _ in self.entries]
        require(bool(keys), "targets", "at least one value", "none")
        for key in keys:
            require(keys.count(key) == 1, "targets", "given once for each layer or kind", key)

    @classmethod
    def plain(cls, value: T) -> Targets[T]:
        """Return one value for all weights."""
        return cls(((PLAIN, value),))

    def __str__(self) -> str:
        """Return the text that parses to this."""
        texts = ((key, _text(value)) for key, value in self.entries)
        return ",".join(value if key == PLAIN else f"{key}={value}" for key, value in texts)

    def resolve(self, weights: Sequence[Weight]) -> dict[str, tuple[T, bool]]:
        """Return each addressed weight's value by its name, and whether the value is the plain one.

        Raises:
            SettingsError: when an entry matches no weight.
        """
        for key, _ in self.entries:
            if key != PLAIN and not any(_rank(key, weight) for weight in weights):
                raise SettingsError(_no_match(key, weights))
        resolved: dict[str, tuple[T, bool]] = {}
        for weight in weights:
            ranked = [
                (rank, place)
                for place, (key, _) in enumerate(self.entries)
                if (rank := _rank(key, weight)) is not None
            ]
            if ranked:
                key, value = self.entries[max(ranked)[1]]
                resolved[weight.name] = value, key == PLAIN
        return resolved


def weights_of(model: nn.Module) -> tuple[list[Weight], list[Skipped]]:
    """List a model's compressible weights and why each other parameter is none.

    A weight is a floating-point parameter of two or more dimensions that a convolution, linear,
    embedding or recurrent module holds.
    """
    names: dict[nn.Parameter, list[str]] = {}
    kinds: dict[nn.Parameter, Kind] = {}
    holders: dict[nn.Parameter, nn.Module] = {}
    for module_name, module in model.named_modules():
        kind = _kind_of(module)
        for own_name, parameter in module.named_parameters(recurse=False):
            full = f"{module_name}.{own_name}" if module_name else own_name
            names.setdefault(parameter, []).append(full)
            holders.setdefault(parameter, module)
            if kind is not None:
                kinds.setdefault(parameter, kind)
    weights, skipped = [], []
    for name, parameter in model.named_parameters():
        reason = _not_a_weight(name, parameter, holders[parameter], kinds.get(parameter))
        if reason is not None:
            skipped.append(Skipped(name, reason))
            continue
        modules = [full.rpartition(".")[0] for full in names[parameter]]
        address = frozenset([*names[parameter], *filter(None, modules)])
        weights.append(Weight(name, modules[0], kinds[parameter], parameter, address))
    return weights, skipped


def sparsity_targets(text: str) -> Targets[float]:
    """Parse sparsities like `0.9`, `conv=0.6,fc=0.92` or `features.0=0.2,fc=0.9,*=0.9`.

    >>> sparsity_targets("conv=0.6,fc=0.92").entries
    (('conv', 0.6), ('fc', 0.92))
    """
    targets = Targets(tuple(_entries(text, "sparsity", _sparsity)))
    require_sparsities(targets)
    return targets


def bits_targets(text: str) -> Targets[int]:
    """Parse bits like `5bit`, `conv=8bit,fc=5bit` or `features.0=8bit,*=5bit`.

    >>> bits_targets("conv=8bit,fc=5bit").entries
    (('conv', 8), ('fc', 5))
    """
    targets = Targets(tuple(_entries(text, "bits", _bits)))
    require_bits(targets)
    return targets


def require_sparsities(targets: Targets[float]) -> None:
    """Raise `SettingsError` unless all values are sparsities."""
    for key, value in targets.entries:
        require(0 <= value < 1, _of("sparsity", key), "in [0, 1)", value)


def require_bits(targets: Targets[int]) -> None:
    """Raise `SettingsError` unless all values are bits of a code."""
    for key, value in targets.entries:
        require(1 <= value <= MAX_BITS, _of("bits", key), f"in [1, {MAX_BITS}]", value)


def _kind_of(module: nn.Module) -> Kind | None:
    return next((kind for kind, types in _MODULES if isinstance(module, types)), None)


def _not_a_weight(
    name: str, parameter: nn.Parameter, holder: nn.Module, kind: Kind | None
) -> str | None:
    """Return why a parameter is no weight, or None when it is one."""
    if is_lazy(parameter):
        return "not initialized: run the model once"
    if not parameter.is_floating_point():
        return f"its numbers are {str(parameter.dtype).removeprefix('torch.')}, not floats"
    if parameter.ndim < 2:
        return "a bias" if "bias" in name.rpartition(".")[2] else "a vector: too small to matter"
    if kind is None:
        return f"{type(holder).__name__} is no conv, fc, embedding or rnn layer"
    return "empty" if parameter.numel() == 0 else None


def _rank(key: str, weight: Weight) -> tuple[int, int] | None:
    """Return how specific a key is for a weight: larger wins; None where it does not match."""
    if key == PLAIN:
        return 0, 0
    if key in _KINDS:
        return (1, 0) if key == weight.kind else None
    if key in weight.names:
        return 3, 0
    if any(fnmatchcase(name, key) for name in weight.names):
        return 2, len(re.sub(r"\[.*?\]|[*?]", "", key))
    return None


def _no_match(key: str, weights: Sequence[Weight]) -> str:
    names = sorted({name for weight in weights for name in weight.names})
    if key in _KINDS:
        kinds = sorted({weight.kind for weight in weights})
        return f"target {key!r} matches no layer; the model's kinds are {', '.join(kinds)}"
    near = difflib.get_close_matches(key, names, n=3, cutoff=0.3) or names[:3]
    return f"target {key!r} matches no layer; nearest are {', '.join(near)}"


def _entries(text: str, what: str, read: Callable[[str, str], T]) -> Iterator[tuple[str, T]]:
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.rpartition("="))
        require(bool(key) == bool(equals), what, "VALUE or LAYER=VALUE,…", text)
        yield key or PLAIN, read(value, _of(what, key or PLAIN))


def _sparsity(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"{name} must be a number in [0, 1), got {text!r}") from None


def _bits(text: str, name: str) -> int:
    match = re.fullmatch(r"(-?[0-9]{1,9})bit", text)
    if match is None:
        raise SettingsError(f"{name} must be given like 5bit, got {text!r}")
    return int(match[1])


def _text(value: float) -> str:
    return f"{value}bit" if isinstance(value, int) else repr(value)


def _of(what: str, key: str) -> str:
    return what if key == PLAIN else f"{what} of {key}"
