"""Levels of a tensor by context mixing: adaptive binary decisions, arithmetic coded.

A level is a code's distance from the code of zero. It is coded as decisions: is it zero, its sign,
its magnitude as an Elias gamma number. What each of the first of these is like is predicted by
several counters, one for each of its contexts (neighbours, the row, the column, the place in the
kernel), and a small network, trained on the way, mixes their predictions. Everything is whole
numbers, so that any machine decodes what another one coded.

Sources: logistic mixing, Mahoney 2005, "Adaptive weighing of context models for lossless data
compression"; the binarization of weights, Wiedemann et al. 2020, arXiv:1907.11900 (DeepCABAC);
the coder's interval arithmetic, Witten, Neal & Cleary 1987.

Private kernels: arguments are checked by the caller (`compress.codecs`). All release the GIL.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compress.kernels.compiled import compiled

Levels = NDArray[np.uint16]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Number = Any  # a scalar of a compiled function: an int64 or a bool there, nothing that mypy knows

N_CONTEXTS = 6
_MAGNITUDE = 12  # Elias gamma classes: magnitudes are below 2**12
_MIXED = 2 + _MAGNITUDE - 1  # decisions that are mixed: zero, sign, is it a higher class
_TREE_BITS = 7  # bits below a magnitude's leading one that have counters of their own
_TREE = _MAGNITUDE << _TREE_BITS
_CLASSES = 16  # of a context's halves

# A probability has 16 bits; a stretched one, ln(p / (1 - p)), 8 bits of fraction.
_LIMIT = 3071
_STRETCH = np.round(256 * np.log((np.arange(4096) + 0.5) / (4095.5 - np.arange(4096)))).astype(
    np.int32
)
_SQUASH = np.clip(
    np.round(65536 / (1 + np.exp(-np.arange(-_LIMIT, _LIMIT + 1) / 256))), 1, 65535
).astype(np.int32)
_MAX_SEEN = 254
_RATE = 655360 // (10 * np.arange(_MAX_SEEN + 1) + 16)  # of a counter that has seen so many

_MAX_CHANGES = 80  # of the bits of a step, folded: 32 up or down, and more than that
# Places in the coder's state.
_LOW, _HIGH, _CODE, _AT = range(4)


class Model(NamedTuple):
    """What was learned from the levels so far; it is changed by coding."""

    chance: NDArray[np.uint16]  #: of a one, in 2**-16, of each mixed decision in each context
    seen: NDArray[np.uint8]  #: how often, up to 254
    weights: Ints  #: of the mixer, `(decisions, contexts + 1)`, in 2**-16
    tree_chance: NDArray[np.uint16]  #: of the decisions that are not mixed
    tree_seen: NDArray[np.uint8]


def fresh_model() -> Model:
    """Return a model that has seen nothing."""
    n_mixed = N_CONTEXTS * _CLASSES**2 * _MIXED
    weights = np.full((_MIXED, N_CONTEXTS + 1), 1 << 14, np.int64)
    weights[:, N_CONTEXTS] = 0
    return Model(
        np.full(n_mixed, 1 << 15, np.uint16),
        np.zeros(n_mixed, np.uint8),
        weights,
        np.full(_TREE, 1 << 15, np.uint16),
        np.zeros(_TREE, np.uint8),
    )


def copy_model(model: Model) -> Model:
    """Return a model that has seen the same."""
    return Model(
        model.chance.copy(),
        model.seen.copy(),
        model.weights.copy(),
        model.tree_chance.copy(),
        model.tree_seen.copy(),
    )


def encode(codes: Levels, zero: int, columns: int, kernel: int, model: Model, out: Bytes) -> int:
    """Code the levels; return the bytes written, or -1 where `out` is too small.

    Args:
        codes: shape `(n,)`, below 4096.
        zero: the code whose level is 0.
        columns: codes to a row.
        kernel: codes to an input channel; it divides `columns`.
        model: is trained.
        out: receives the bytes.
    """
    coder = _begin(out[:0])
    if not _levels(codes, zero, columns, kernel, model, coder, out, False):
        return -1
    return int(_finish(coder, out))


def decode(
    data: Bytes, zero: int, n_codes: int, columns: int, kernel: int, model: Model, out: Levels
) -> bool:
    """Decode as many codes as `out` holds, each below `n_codes`; False where `data` is not theirs.

    `data` is theirs when the encoder would have written it.
    """
    coder = _begin(data)
    if not _levels(out, zero, columns, kernel, model, coder, data, True):
        return False
    return _is_finished(coder, data) and int(out.max(initial=0)) < n_codes


def encode_rising(items: Ints, n_bits: int, out: Bytes) -> int:
    """Code ascending numbers below `2**n_bits`; return the bytes written, or -1 without room."""
    coder = _begin(out[:0])
    if not _rising(items, n_bits, coder, out, False):
        return -1
    return int(_finish(coder, out))


def decode_rising(data: Bytes, n_bits: int, out: Ints) -> bool:
    """Decode as many numbers below `2**n_bits` as `out` holds; False where `data` is not theirs."""
    coder = _begin(data)
    return bool(_rising(out, n_bits, coder, data, True)) and _is_finished(coder, data)


def _begin(data: Bytes) -> Ints:
    """Return a coder that has read the first bytes of `data`."""
    first = int.from_bytes(data[:4].tobytes().ljust(4, b"\0"), "big")
    return np.array([0, 0xFFFFFFFF, first, 0], np.int64)


def _is_finished(coder: Ints, data: Bytes) -> bool:
    """Tell whether `data` ends as the encoder would have ended it."""
    at = int(coder[_AT])
    tail = np.zeros(at + 4, np.uint8)
    end = int(_finish(coder, tail))
    return end == len(data) and bool((tail[at:end] == data[at:]).all())


@compiled()
def _finish(coder: Ints, out: Bytes) -> Number:
    """Write the fewest bytes that tell the interval, zeros behind them; return the end, or -1."""
    at = coder[_AT]
    for n_bytes in range(5):
        unit = np.int64(1) << (32 - 8 * n_bytes)
        value = (coder[_LOW] + unit - 1) // unit * unit
        if value <= coder[_HIGH]:
            if at + n_bytes > out.shape[0]:
                return -1
            for i in range(n_bytes):
                out[at + i] = value >> (24 - 8 * i) & 255
            return int(at + n_bytes)
    return -1


@compiled(inline="always")
def _class_of(size: Number) -> Number:
    """Return the class of a size: 0, 1, 2, 3, then two to an octave, 15 at most."""
    n_bits = np.int64(0)
    rest = size
    while rest > 3:
        rest >>= 1
        n_bits += 1
    return min(rest if n_bits == 0 else 2 * n_bits + rest, 15)


@compiled(inline="always")
def _sign(level: Number) -> Number:
    return 1 if level > 0 else (2 if level < 0 else 0)


@compiled()
def _levels(
    codes: Levels,
    zero: Number,
    columns: Number,
    kernel: Number,
    model: Model,
    coder: Ints,
    data: Bytes,
    decodes: Number,
) -> Number:
    """Code one level after the other, the way `decodes` tells; False where `data` is too short."""
    inputs, places = np.zeros(N_CONTEXTS + 1, np.int64), np.zeros(N_CONTEXTS, np.int64)
    inputs[N_CONTEXTS] = 256
    by_column = np.zeros(columns, np.int32)  # running means of magnitudes, in 2**-8
    by_channel = np.zeros(columns // kernel, np.int32)
    by_place = np.zeros(kernel, np.int32)
    by_row = np.int64(0)
    for at in range(codes.shape[0]):
        column = at % columns
        channel, place = column // kernel, column % kernel
        left = np.int64(codes[at - 1]) - zero if column >= 1 else np.int64(0)
        left2 = np.int64(codes[at - 2]) - zero if column >= 2 else np.int64(0)
        above = np.int64(codes[at - columns]) - zero if at >= columns else np.int64(0)
        before = np.int64(codes[at - kernel]) - zero if column >= kernel else np.int64(0)
        row_class = _class_of(by_row >> 4)
        channel_class = _class_of(np.int64(by_channel[channel]) >> 4)
        beside = abs(left) + abs(left2)
        places[0] = 0
        places[1] = 16 * row_class + _class_of(np.int64(by_column[column]) >> 4)
        places[2] = 16 * channel_class + _class_of(beside)
        places[3] = 16 * _class_of(2 * abs(above)) + _class_of(2 * abs(before))
        places[4] = 16 * (3 * _sign(left) + _sign(above)) + channel_class
        places[5] = 16 * _class_of(np.int64(by_place[place]) >> 4) + row_class
        for i in range(N_CONTEXTS):
            places[i] = (i * _CLASSES * _CLASSES + places[i]) * _MIXED
        if coder[_AT] > data.shape[0]:
            return False
        level = np.int64(0) if decodes else np.int64(codes[at]) - zero
        level = _level(level, model, places, inputs, coder, data, decodes)
        if decodes:
            codes[at] = np.uint16((level + zero) & 0xFFFF)
        size = min(abs(level), 255) << 8
        by_row += (size - by_row) >> 4
        by_column[column] += (size - by_column[column]) >> 3
        by_channel[channel] += (size - by_channel[channel]) >> 5
        by_place[place] += (size - by_place[place]) >> 6
    return bool(coder[_AT] <= data.shape[0])


@compiled()
def _level(
    level: Number,
    model: Model,
    places: Ints,
    inputs: Ints,
    coder: Ints,
    data: Bytes,
    decodes: Number,
) -> Number:
    """Code one level, or return the decoded one."""
    if not _mixed(level != 0, 0, model, places, inputs, coder, data, decodes):
        return 0
    negative = _mixed(level < 0, 1, model, places, inputs, coder, data, decodes)
    size, n_bits = abs(level), np.int64(0)
    while n_bits < _MAGNITUDE - 1 and _mixed(
        (size >> (n_bits + 1)) > 0, 2 + n_bits, model, places, inputs, coder, data, decodes
    ):
        n_bits += 1
    prefix = np.int64(1)
    for i in range(n_bits):
        place = (n_bits << _TREE_BITS) + (prefix if i < _TREE_BITS else 0)
        chance, seen = np.int64(model.tree_chance[place]), model.tree_seen[place]
        bit = _code((size >> (n_bits - 1 - i)) & 1 != 0, chance, coder, data, decodes)
        model.tree_chance[place] = _moved(chance, bit, seen)
        model.tree_seen[place] = min(seen + 1, _MAX_SEEN)
        prefix = prefix << 1 | bit
    return -prefix if negative else prefix


@compiled()
def _mixed(
    bit: Number,
    decision: Number,
    model: Model,
    places: Ints,
    inputs: Ints,
    coder: Ints,
    data: Bytes,
    decodes: Number,
) -> Number:
    """Code one decision by the mixed chances of its contexts, and learn from it."""
    total = model.weights[decision, N_CONTEXTS] << 8
    for i in range(N_CONTEXTS):
        inputs[i] = _STRETCH[model.chance[places[i] + decision] >> 4]
        total += model.weights[decision, i] * inputs[i]
    chance = np.int64(_SQUASH[min(max(total >> 16, -_LIMIT), _LIMIT) + _LIMIT])
    bit = _code(bit, chance, coder, data, decodes)
    error = (65536 if bit else 0) - chance
    for i in range(N_CONTEXTS + 1):
        model.weights[decision, i] += (inputs[i] * error + (1 << 16)) >> 17
    for i in range(N_CONTEXTS):
        place = places[i] + decision
        seen = model.seen[place]
        model.chance[place] = _moved(np.int64(model.chance[place]), bit, seen)
        model.seen[place] = min(seen + 1, _MAX_SEEN)
    return bit


@compiled(inline="always")
def _moved(chance: Number, bit: Number, seen: Number) -> Number:
    """Return a counter's chance after one more bit."""
    if bit:
        return chance + (((65535 - chance) * _RATE[seen]) >> 16)
    return chance - ((chance * _RATE[seen]) >> 16)


@compiled(inline="always")
def _code(bit: Number, chance: Number, coder: Ints, data: Bytes, decodes: Number) -> Number:
    """Narrow the interval by a bit of a chance; write or read the bytes that are settled."""
    low, high = coder[_LOW], coder[_HIGH]
    width = high - low
    middle = low + (width >> 16) * chance + (((width & 0xFFFF) * chance) >> 16)
    if decodes:
        bit = coder[_CODE] <= middle
    if bit:
        high = middle
    else:
        low = middle + 1
    while (low ^ high) >> 24 == 0:
        at = coder[_AT]
        if decodes:
            following = np.int64(data[at + 4]) if at + 4 < data.shape[0] else np.int64(0)
            coder[_CODE] = (coder[_CODE] << 8 & 0xFFFFFFFF) | following
        elif at < data.shape[0]:
            data[at] = high >> 24
        coder[_AT] = at + 1
        low, high = low << 8 & 0xFFFFFFFF, (high << 8 & 0xFFFFFFFF) | 255
    coder[_LOW], coder[_HIGH] = low, high
    return bit


@compiled()
def _rising(items: Ints, n_bits: Number, coder: Ints, data: Bytes, decodes: Number) -> Number:
    """Code the steps of ascending numbers; False where they do not fit."""
    chance = np.full(_MAX_CHANGES, 1 << 15, np.uint16)
    seen = np.zeros(_MAX_CHANGES, np.uint8)
    last, last_bits = np.int64(-1), np.int64(n_bits - 1)
    for i in range(items.shape[0]):
        step = np.int64(0) if decodes else items[i] - last
        step_bits = np.int64(0)
        while step >> (step_bits + 1):
            step_bits += 1
        change = step_bits - last_bits
        folded = 2 * abs(change) - (1 if change > 0 else 0)
        ones = np.int64(0)
        while ones < _MAX_CHANGES:
            old = np.int64(chance[ones])
            more = _code(ones < folded, old, coder, data, decodes)
            chance[ones] = _moved(old, more, seen[ones])
            seen[ones] = min(seen[ones] + 1, _MAX_SEEN)
            if not more:
                break
            ones += 1
        if decodes:
            step_bits = last_bits + ((ones + 1) // 2 if ones & 1 else -(ones // 2))
        if not 0 <= step_bits <= n_bits or coder[_AT] > data.shape[0]:
            return False
        prefix = np.int64(1)
        for j in range(step_bits):
            bit = _code((step >> (step_bits - 1 - j)) & 1 != 0, 1 << 15, coder, data, decodes)
            prefix = prefix << 1 | bit
        last += prefix
        last_bits = step_bits
        if last >> n_bits:
            return False
        items[i] = last
    return True
