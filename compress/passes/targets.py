"""Settings that differ by layer: values by name, glob or kind of layer, and their text form.

No torch here: a wrong setting is told before it is loaded.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Generic, Literal, Protocol, TypeVar, get_args

from compress.errors import SettingsError, require

Kind = Literal["conv", "fc", "embedding", "rnn"]

PLAIN = "*"  # the key of the value for all weights that no other entry names
MAX_BITS = 16
MAX_GROUP = 32  # weights, the M of N:M
_LONGEST = 40  # characters of a size

_KINDS: tuple[Kind, ...] = get_args(Kind)


class Addressed(Protocol):
    """A weight as targets see it."""

    @property
    def name(self) -> str:
        """Its canonical name; a tied one has one."""

    @property
    def kind(self) -> Kind:
        """The kind of its layer."""

    @property
    def names(self) -> frozenset[str]:
        """All names that address it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """N:M: of each `m` weights in a row, along what a layer adds up, at most `n` are nonzero."""

    n: int
    m: int

    @classmethod
    def parse(cls, text: str) -> Pattern | None:
        """Return what `2:4` says; None for a text of another form."""
        match = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9})", text)
        return None if match is None else cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        """Return the text that parses to this."""
        return f"{self.n}:{self.m}"


Sparsity = float | Pattern
T = TypeVar("T", bound=Sparsity)


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

    def resolve(self, weights: Sequence[Addressed]) -> dict[str, tuple[T, bool]]:
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


def sparsity_targets(text: str) -> Targets[Sparsity]:
    """Parse sparsities like `0.9`, `2:4`, `conv=0.6,fc=2:4` or `features.0=0.2,fc=0.9,*=0.9`.

    >>> sparsity_targets("conv=0.6,fc=2:4").entries
    (('conv', 0.6), ('fc', Pattern(n=2, m=4)))
    """
    targets = Targets(tuple(_entries(text, "sparsity", _sparsity)))
    require_sparsities(targets)
    return targets


def macs_removed(text: str) -> float:
    """Parse a share of the MACs.

    >>> macs_removed("0.5")
    0.5
    """
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"macs_removed must be a number in (0, 1), got {text!r}") from None


def bits_targets(text: str) -> Targets[int]:
    """Parse bits like `5`, `5bit`, `conv=8bit,fc=5bit` or `features.0=8,*=5`.

    >>> bits_targets("conv=8bit,fc=5").entries
    (('conv', 8), ('fc', 5))
    """
    targets = Targets(tuple(_entries(text, "bits", _bits)))
    require_bits(targets)
    return targets


def bits_or_auto(text: str) -> Targets[int] | str:
    """Parse bits as `bits_targets` does, or `auto`.

    >>> bits_or_auto("auto")
    'auto'
    """
    if text.strip() == "auto":
        return "auto"
    try:
        return bits_targets(text)
    except SettingsError as error:
        raise SettingsError(f"{error}, and it may be auto") from None


def n_bytes(text: str) -> int:
    """Parse a size: `2000000`, `400k`, `2MB` (decimal) or `1.9MiB` (binary), in any case.

    >>> n_bytes("400k"), n_bytes("1.5MB"), n_bytes("2 MiB")
    (400000, 1500000, 2097152)
    """
    match = re.fullmatch(r"(-?[0-9][0-9_]*(?:\.[0-9]+)?) ?(?:([kmg])(i?))?b?", text.strip().lower())
    if match is None or len(text) > _LONGEST:
        raise SettingsError(
            f"target_bytes must be a size such as 2000000, 400k, 2MB or 1.9MiB, got {text!r}"
        )
    number, unit, binary = match.groups()
    power = " kmg".index(unit) if unit else 0
    scale: int = (1024 if binary else 1000) ** power
    return round(float(number) * scale)


def require_sparsities(targets: Targets[Sparsity]) -> None:
    """Raise `SettingsError` unless all values are sparsities."""
    for key, value in targets.entries:
        name = _of("sparsity", key)
        if isinstance(value, Pattern):
            fits = 1 <= value.n < value.m <= MAX_GROUP
            require(fits, name, f"N:M with 1 <= N < M <= {MAX_GROUP}", str(value))
        else:
            require(0 <= value < 1, name, "in [0, 1)", value)


def require_bits(targets: Targets[int]) -> None:
    """Raise `SettingsError` unless all values are bits of a code."""
    for key, value in targets.entries:
        require(1 <= value <= MAX_BITS, _of("bits", key), f"in [1, {MAX_BITS}]", value)


def _rank(key: str, weight: Addressed) -> tuple[int, int] | None:
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


def _no_match(key: str, weights: Sequence[Addressed]) -> str:
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


def _sparsity(text: str, name: str) -> Sparsity:
    if (pattern := Pattern.parse(text)) is not None:
        return pattern
    try:
        return float(text)
    except ValueError:
        raise SettingsError(
            f"{name} must be a number in [0, 1) or N:M, such as 2:4, got {text!r}"
        ) from None


def _bits(text: str, name: str) -> int:
    match = re.fullmatch(r"(-?[0-9]{1,9})(?: ?bits?)?", text)
    if match is None:
        raise SettingsError(
            f"{name} must be a whole number in [1, {MAX_BITS}], such as 5 or 5bit, got {text!r}"
        )
    return int(match[1])


def _text(value: Sparsity) -> str:
    return f"{value}bit" if isinstance(value, int) else str(value)


def _of(what: str, key: str) -> str:
    return what if key == PLAIN else f"{what} of {key}"
