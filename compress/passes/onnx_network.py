"""An ONNX file as the passes see a network; what runs it is ONNX Runtime, and torch is not needed.

The weights are the tensors that layers read. What a pass gives them is written in the tensor's own
type, and the graph stays byte for byte but for these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact.editable import EditableModel
from compress.errors import DataError, FormatError
from compress.passes.behind import Level
from compress.passes.network import Levels, Moments, Samples, Skipped, Weight
from compress.passes.onnx_biases import Correction
from compress.passes.onnx_graph import tensors_of, weights_in
from compress.passes.onnx_inputs import Layer, add, layers_of
from compress.passes.onnx_moving import moving
from compress.passes.onnx_samples import Chunk, inputs_of, joined
from compress.passes.onnx_segments import Segments, Stop
from compress.passes.onnx_weights import OnnxWeight
from compress.runtime.folder import places, temporary
from compress.runtime.graph import open_graph

if TYPE_CHECKING:
    from onnx import ModelProto

    from compress.artifact.splice import Path as Place
    from compress.runtime import Session

_CHUNK = 16  # samples that are run at once
_BATCH = 64  # samples that are seen before a bias is moved
_ROOM = 1 << 29  # bytes of values that are held at once, as far as one sample tells

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class OnnxLevels:
    """What biases decide of each channel."""

    batch: int  #: samples that are seen before a bias is moved
    found: Sequence[Mapping[int, Level]]  #: by batch, then by number of what moves


class OnnxNetwork:
    """A network that is an ONNX file."""

    def __init__(self, model: Path | ModelProto) -> None:
        """Open a file, or what one holds.

        Raises:
            DataError: when it cannot be read.
        """
        self.model = EditableModel(model)
        self.notes: list[str] = []  #: what could not be done, and why
        tensors = tensors_of(self.model)
        found, self._skipped = weights_in(self.model, tensors)
        self._weights = [OnnxWeight(self.model, one) for one in found]
        self._moving = moving(self.model, tensors)
        self._constants = {tensor.own: tensor.place for tensor in tensors if tensor.is_main}
        self._inputs = inputs_of(self.model.proto.graph)
        self._open: tuple[int, Session] | None = None  # and what the model was then

    def weights(self) -> tuple[Sequence[OnnxWeight], Sequence[Skipped]]:
        """List the weights that can be compressed, and why each other tensor is none."""
        return self._weights, self._skipped

    def outputs(self, samples: Samples) -> list[Array]:
        """Return each floating output for all samples; in a row, where rows are no samples.

        Raises:
            DataError: when the samples do not fit.
            FormatError: when ONNX Runtime does not run the network.
        """
        session = self.session()
        names = [value.name for value in session.outputs]
        found, counts = [], []
        for chunk in self._inputs.chunks(samples, _CHUNK):
            given = session.run(chunk.feeds)
            found.append([given[name] for name in names])
            counts.append(chunk.counts)
        return joined(found, counts, alone=self._inputs.is_alone(samples))

    def moments(self, weights: Sequence[Weight], samples: Samples) -> dict[str, Moments]:
        """Return, by weight, what its layer is given on samples.

        Where the network cannot be run layer by layer there are none, and `notes` says why.
        """
        wanted = {weight.name for weight in weights}
        layers = layers_of([w.found for w in self._weights if w.name in wanted])
        layers = [layer for layer in layers if layer.given not in self._constants]
        sums: dict[str, Moments] = {}
        if not layers:
            return sums
        segments = Segments(
            self.model,
            [Stop(layer.given, layer.use.index) for layer in layers],
            self._constants,
            {},
        )
        with self._noted("errors cannot be made to cancel"):
            size, done = min(_CHUNK, self._fitting(segments, samples)), 0
            for chunk in self._inputs.chunks(samples, size):
                segments.run([chunk], partial(_sum_up, sums, layers, chunk, done))
                done += chunk.rows
            return sums
        return {}

    def levels(self, samples: Samples) -> OnnxLevels:
        """Return what biases decide of each channel on samples.

        Where the network cannot be run layer by layer there are none, and `notes` says why.
        """
        if not self._moving:
            return OnnxLevels(_BATCH, ())
        segments, vectors = self._for_moving()
        found: list[dict[int, Level]] = []

        def see(number: int, values: list[Array]) -> None:
            found[-1][number] = self._moving[number].level(values, vectors)

        with self._noted("biases are not moved"):
            batch = min(_BATCH, self._fitting(segments, samples))
            for chunks in self._batches(samples, batch):
                found.append({})
                segments.run(chunks, see)
            return OnnxLevels(batch, found)
        return OnnxLevels(_BATCH, ())

    def correct(self, samples: Samples, levels: Levels) -> int:
        """Move biases so that channels have earlier levels again; return how many layers moved.

        Layers are done front to back, each on what those before it give now; later batches move
        them less and less, to the mean of what all ask for.
        """
        assert isinstance(levels, OnnxLevels)
        if not levels.found:
            return 0
        segments, vectors = self._for_moving()
        correction = Correction(self._moving, vectors)
        batches = self._batches(samples, levels.batch)
        for chunks, earlier in zip(batches, levels.found, strict=True):
            n = sum(chunk.rows for chunk in chunks)
            segments.run(chunks, partial(correction.move, earlier, n))
        self.set_vectors(vectors)
        return len(correction.asked)

    def vectors(self) -> dict[str, Array]:
        """Copy what `correct` may move."""
        names = {name for one in self._moving for name in one.names}
        return {name: self._vector(name).copy() for name in sorted(names)}

    def set_vectors(self, vectors: Mapping[str, Array]) -> None:
        """Put what `vectors` returned back."""
        for name, vector in vectors.items():
            if not np.array_equal(vector, self._vector(name), equal_nan=True):
                self.model.set_items(self._constants[name], vector.reshape(-1))

    def state(self) -> dict[str, Array]:
        """Return what was changed, as named arrays, for a file that keeps it."""
        changed = self.model.changed
        arrays = {key: changed[place] for key, place in self._places().items() if place in changed}
        for weight in self._weights:
            if weight.mask is not None:
                arrays[f"{weight.name}:keep"] = weight.mask
            if weight.is_shared:
                arrays[f"{weight.name}:shared"] = np.ones(1, np.bool_)
        return arrays

    def load_state(self, arrays: Mapping[str, Array]) -> None:
        """Become what returned a state.

        Raises:
            FormatError: when it is not this network's; nothing is changed then.
        """
        places = self._places()
        sizes = {f"{w.name}:keep": math.prod(w.shape) for w in self._weights}
        sizes |= {f"{w.name}:shared": 1 for w in self._weights}
        for key, array in arrays.items():
            old = self.model.items(places[key]) if key in places else None
            kind = np.dtype(np.bool_) if old is None else old.dtype
            shape = (sizes.get(key, -1),) if old is None else old.shape
            if (array.dtype, array.shape) != (kind, shape):
                raise FormatError(f"{key!r} of the shape {array.shape} is no part of this network")
        for place in list(self.model.changed):
            self.model.set_items(place, None)
        for key, place in places.items():
            if key in arrays:
                self.model.set_items(place, arrays[key])
        for weight in self._weights:
            weight.mask = arrays.get(f"{weight.name}:keep")
            weight.is_shared = f"{weight.name}:shared" in arrays

    def session(self) -> Session:
        """Open the network as it is now.

        Raises:
            FormatError: when ONNX Runtime does not run it.
        """
        if self._open is None or self._open[0] != self.model.version:
            self._open = None  # its memory goes before the next takes some
            self._open = self.model.version, self._opened()
        return self._open[1]

    def _places(self) -> dict[str, Place]:
        """Return where what may change lies, by its name in a state."""
        places = {f"{weight.name}:items": weight.found.tensor.place for weight in self._weights}
        return places | {f"{name}:vector": self._constants[name] for name in self.vectors()}

    def _opened(self) -> Session:
        name = str(self.model.path)
        if not self.model.has_files_beside:
            return open_graph(self.model.data(), name)
        with temporary(places(self.model.n_bytes)[0]) as folder:
            return open_graph(self.model.write(folder / "graph.onnx")[0], name)

    def _vector(self, name: str) -> Array:
        place = self._constants[name]
        return self.model.items(place).reshape(tuple(self.model.tensor(place).dims))

    def _for_moving(self) -> tuple[Segments, dict[str, Array]]:
        vectors = self.vectors()
        stops = [one.stop for one in self._moving]
        return Segments(self.model, stops, self._constants, vectors), vectors

    def _fitting(self, segments: Segments, samples: Samples) -> int:
        """Return how many samples fit in memory between two segments, as one of them tells."""
        chunk = next(self._inputs.chunks(tuple(given[:1] for given in samples), 1))
        segments.run([chunk], lambda number, values: None)
        return max(_ROOM * chunk.counts[1] // max(segments.peak_bytes, 1), 1)

    def _batches(self, samples: Samples, size: int) -> Iterator[list[Chunk]]:
        """Yield chunks of samples, those of so many samples together."""
        chunks: list[Chunk] = []
        for chunk in self._inputs.chunks(samples, min(_CHUNK, size)):
            if chunks and (chunk.trimmed or sum(c.rows for c in chunks) + chunk.rows > size):
                yield chunks
                chunks = []
            if not chunk.trimmed or not chunks:
                chunks.append(chunk)
        yield chunks

    @contextmanager
    def _noted(self, lost: str) -> Iterator[None]:
        """Note where the network cannot be run layer by layer, and what is lost by that."""
        try:
            yield
        except (DataError, FormatError) as error:
            note = f"{lost}: {error}"
            if note not in self.notes:
                self.notes.append(note)


def _sum_up(
    sums: dict[str, Moments],
    layers: Sequence[Layer],
    chunk: Chunk,
    skipped: int,
    number: int,
    values: list[Array],
) -> None:
    """Add what a layer is given of a chunk's samples."""
    (given,) = values
    if chunk.trimmed and len(given) == chunk.fed:
        given = given[: chunk.trimmed]
    add(sums, layers[number], given, skipped)
