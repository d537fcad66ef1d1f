"""Codes of a tensor by context mixing, in chunks of whole rows: what `--coder best` adds.

Every chunk is coded with a model that learns on the way. The first chunk of a tensor may go on
with what an earlier tensor taught; the others begin anew, so that they decode independently, on
several threads and in bounded memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from compress.errors import FormatError
from compress.kernels import mixing
from compress.kernels.mixing import Model
from compress.threads import n_cores, side_by_side

CHUNK = 1 << 21  # codes to a chunk, in whole rows
MAX_CODES = 1 << 12  # size of an alphabet
_MAX_COLUMNS = 1 << 16
_FLAT_COLUMNS = 1 << 8  # of what has no rows of its own

Codes = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Levels:
    """Codes whose distance from the code of zero is what their neighbours tell of.

    >>> codec = Levels.of_shape((2, 3), 6, n_codes=4, zero=1)
    >>> chunks, _ = codec.encode(np.array([1, 1, 3, 1, 0, 1], np.uint16), mixing.fresh_model(), 99)
    >>> codec.decode(chunks, 6, mixing.fresh_model())[0]
    array([1, 1, 3, 1, 0, 1], dtype=uint16)
    """

    n_codes: int  #: size of the alphabet
    zero: int  #: the code of level 0
    columns: int  #: codes to a row
    kernel: int  #: codes to an input channel

    @classmethod
    def of_shape(cls, shape: tuple[int, ...], count: int, *, n_codes: int, zero: int) -> Levels:
        """Return the codec of a tensor; a shape that is not the codes' own has rows of 256."""
        columns = count // max(shape[0], 1) if shape else 0
        if len(shape) < 2 or prod(shape) != count or not 1 <= columns <= _MAX_COLUMNS:
            return cls(n_codes, zero, min(count, _FLAT_COLUMNS), 1)
        return cls(n_codes, zero, columns, prod(shape[2:]))

    def n_chunks(self, count: int) -> int:
        """Return the number of chunks of `count` codes."""
        return -(-count // self._chunk)

    def encode(
        self, codes: Codes, model: Model, limit: int
    ) -> tuple[list[bytes], Model] | tuple[None, None]:
        """Return the chunks and the last one's model, or nothing where `limit` bytes do not do."""
        assert self.n_codes <= MAX_CODES
        assert len(codes) > 0
        models = self._models(len(codes), model)

        def part(i: int) -> bytes | None:
            room = np.empty(max(limit, 0), np.uint8)
            some = codes[i * self._chunk : (i + 1) * self._chunk]
            size = mixing.encode(some, self.zero, self.columns, self.kernel, models[i], room)
            return None if size < 0 else room[:size].tobytes()

        chunks = side_by_side(part, range(len(models)), n_cores())
        if any(chunk is None for chunk in chunks):
            return None, None
        return [chunk for chunk in chunks if chunk is not None], models[-1]

    def decode(
        self, chunks: Sequence[bytes | memoryview], count: int, model: Model
    ) -> tuple[Codes, Model]:
        """Return the codes, shape `(count,)`, and the last chunk's model.

        Raises:
            FormatError: where `chunks` are not theirs alone.
        """
        if len(chunks) != self.n_chunks(count):
            raise FormatError(f"{len(chunks)} chunks are not {count} codes")
        out = np.empty(count, np.uint16)
        models = self._models(count, model)

        def part(i: int) -> bool:
            some = out[i * self._chunk : (i + 1) * self._chunk]
            data = np.array(memoryview(chunks[i]), np.uint8)  # writable, as the encoder's is
            return mixing.decode(
                data, self.zero, self.n_codes, self.columns, self.kernel, models[i], some
            )

        if not all(side_by_side(part, range(len(chunks)), n_cores())):
            raise FormatError(f"{sum(map(len, chunks))} bytes are not {count} levels")
        return out, models[-1]

    def _models(self, count: int, first: Model) -> list[Model]:
        """Return the model that each chunk begins with."""
        return [first] + [mixing.fresh_model() for _ in range(1, self.n_chunks(count))]

    @property
    def _chunk(self) -> int:
        return max(1, CHUNK // self.columns) * self.columns
