"""Codes on their own: our Huffman code and our mixed levels, against zstd's and constriction's.

    python -m benchmarks.micro.huffman

The codes are those of 32 centroids, Gaussian; and the same with 90% zeros. zstd is kept from
finding matches (a table of 64 places, matches of 7 bytes or more), which leaves its Huffman stage:
its bytes show it. constriction has one categorical distribution, the true counts, for all symbols.
Both write into memory of the same kind as ours. Writes `benchmarks/results/huffman.csv`; what the
seconds are of is told in `benchmarks/turns.py`.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import results_file, turns
from benchmarks.turns import Codec
from compress.codecs.huffman import Huffman
from compress.codecs.levels import Levels
from compress.kernels import bits, mixing

NAME = "huffman"
FEW, SOME, MANY = 1 << 20, 1 << 22, 1 << 25  # symbols; few are not coded on two threads
ALPHABET, ZERO, COLUMNS = 32, 16, 1 << 10
_DEVIATION = 5.5  # of codes: their entropy is near 4.5 bits

Codes = NDArray[np.uint8]


def main() -> None:
    """Measure, print and write the table."""
    rows: list[results_file.Row] = []
    for count in (FEW, MANY):
        dense = _gaussian(count)
        rows += _rows("32 centroids", dense, {**_huffman(dense), **_zstd(dense)})
    for count in (FEW, SOME):  # a hundred times slower
        dense = _gaussian(count)
        rows += _rows("32 centroids", dense, {**_mixed(dense), **_constriction(dense)})
        sparse = np.where(np.random.default_rng(1).random(count) < 0.9, np.uint8(ZERO), dense)
        rows += _rows("90% zeros", sparse, {**_mixed(sparse), **_constriction(sparse)})
    results_file.write(NAME, rows)
    for row in rows:
        print("  ".join(f"{name}={value}" for name, value in row.items()))


def _gaussian(count: int) -> Codes:
    drawn = np.random.default_rng(0).normal(ZERO - 0.5, _DEVIATION, count)
    return drawn.round().clip(0, ALPHABET - 1).astype(np.uint8)


def _rows(data: str, codes: Codes, codecs: dict[str, Codec]) -> list[results_file.Row]:
    counts = bits.count(codes, ALPHABET)
    shares = counts[counts > 0] / len(codes)
    entropy = -float(shares @ np.log2(shares))
    rows: list[results_file.Row] = []
    for name, speed in turns.measure(codecs).items():
        if not (codecs[name].decode(speed.coded) == codes).all():
            raise ValueError(f"{name} does not give back what it was given")
        size = sum(memoryview(part).nbytes for part in speed.coded)
        row: dict[str, str | int | float] = {
            "data": data,
            "symbols": len(codes),
            "codec": name.partition(", ")[0],
            "threads": codecs[name].threads,
            "entropy_bits": round(entropy, 4),
            "bits_per_symbol": round(8 * size / len(codes), 4),
            "encode_msymbols_s": round(len(codes) / speed.encode_seconds / 1e6, 1),
            "decode_msymbols_s": round(len(codes) / speed.decode_seconds / 1e6, 1),
        }
        rows.append(row | results_file.circumstances() | {"versions": _versions()})
    return rows


def _huffman(codes: Codes) -> dict[str, Codec]:
    code = Huffman.of_counts(bits.count(codes, ALPHABET))

    return {
        f"huffman, {threads}": Codec(
            lambda: codes,
            lambda given: [code.encode(given)],
            lambda coded: code.decode(coded[0], len(codes)),
            threads,
        )
        for threads in _threads(len(codes))
    }


def _mixed(codes: Codes) -> dict[str, Codec]:
    count = len(codes)
    wide = codes.astype(np.uint16)
    levels = Levels.of_shape((count // COLUMNS, COLUMNS), count, n_codes=ALPHABET, zero=ZERO)

    return {
        f"mixed, {threads}": Codec(
            lambda: wide,
            lambda given: levels.encode(given, mixing.fresh_model(), 2 * count)[0],
            lambda coded: levels.decode(coded, count, mixing.fresh_model())[0],
            threads,
        )
        for threads in _threads(count)
    }


def _zstd(codes: Codes) -> dict[str, Codec]:
    import zstandard

    literals_only = zstandard.ZstdCompressionParameters(
        compression_level=1,
        strategy=zstandard.STRATEGY_FAST,
        min_match=7,
        hash_log=6,
        window_log=17,
    )
    encoder = zstandard.ZstdCompressor(compression_params=literals_only)
    decoder = zstandard.ZstdDecompressor()

    def decode(coded: list[bytes]) -> Codes:
        out = np.empty(len(codes), np.uint8)
        with decoder.stream_reader(coded[0]) as reader:
            reader.readinto(out.data)
        return out

    return {"zstd": Codec(lambda: codes, lambda given: [encoder.compress(given)], decode)}


def _constriction(codes: Codes) -> dict[str, Codec]:
    from constriction import stream

    wide = codes.astype(np.int32)
    shares = (bits.count(codes, ALPHABET) / len(codes)).astype(np.float32)
    model = stream.model.Categorical(shares, perfect=False)

    def ans(given: Any) -> list[Any]:  # noqa: ANN401
        encoder = stream.stack.AnsCoder()
        encoder.encode_reverse(given, model)
        return [encoder.get_compressed()]

    def range_coded(given: Any) -> list[Any]:  # noqa: ANN401
        encoder = stream.queue.RangeEncoder()
        encoder.encode(given, model)
        return [encoder.get_compressed()]

    return {
        "constriction ANS": Codec(
            lambda: wide,
            ans,
            lambda coded: stream.stack.AnsCoder(coded[0]).decode(model, len(wide)),
        ),
        "constriction range": Codec(
            lambda: wide,
            range_coded,
            lambda coded: stream.queue.RangeDecoder(coded[0]).decode(model, len(wide)),
        ),
    }


def _threads(count: int) -> tuple[int, ...]:
    return (1,) if count == FEW else (1, 2)


def _versions() -> str:
    packages = ("numpy", "numba", "zstandard", "constriction")
    return "; ".join(f"{name} {metadata.version(name)}" for name in packages)


if __name__ == "__main__":
    main()
