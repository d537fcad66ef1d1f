"""Small files that claim to be large: refused before memory is taken."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from onnx import ModelProto

from compress.artifact import archive
from compress.codecs.cursor import varint
from compress.errors import FormatError
from tests.artifact import reader
from tests.artifact.test_archive import with_graph

ROOM = 400 << 20  # bytes of address space beyond what the imports take
HUGE = varint((1 << 63) - 1)
ZEROS = b"\0\0"  # a constant stream

OPEN = """
import json, resource, sys
from pathlib import Path
import onnx
from compress.artifact import archive
from compress.errors import FormatError

used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]),) * 2)
answers = {}
for path in map(Path, sys.argv[2:]):
    try:
        for items in archive.decode(archive.read(path)):
            pass
        answers[path.name] = "ok"
    except FormatError as error:
        answers[path.name] = f"FormatError: {error}"
    except MemoryError:
        answers[path.name] = "MemoryError"
print(json.dumps(answers))
"""


def claims(dims, data_type=1):
    """Return a graph with one tensor of some shape."""
    model = ModelProto()
    model.graph.initializer.add(name="w", data_type=data_type, dims=dims)
    return model


def nested(wire, number):
    """Return a message that has `wire` as field `number`."""
    return varint(number << 3 | 2) + varint(len(wire)) + wire


def hostile_files():
    """Return graphs and their small tensors, by name, with what a reader answers."""
    small = b"\0" + 4 * ZEROS  # all positions, four constant planes
    n = 20_000_000  # items, 80 MB: decoding any such tensor has room
    return {
        "100 GB": (claims([25_000_000_000]), small, "claim to hold"),
        "2^125 items": (claims([(1 << 63) - 1, 1 << 62]), small, "claim to hold"),
        "many tensors": (many_claims(400, n), 400 * small, "claim to hold"),
        "endless dims": (endless_dims(), b"", "ok"),
        "n": (claims([n]), b"\x01" + HUGE, "do not fit"),
        "m": (claims([n]), b"\x01\x00\x01" + HUGE, "do not fit"),
        "k": (claims([n]), b"\x08" + HUGE, "codebook of"),
        "size": (claims([n]), b"\x00\x02\x02\x01" + HUGE, "wanted"),
        "codewords": (claims([n]), b"\x00" + 4 * b"\x02\x02\x01\x01\x00", "codewords"),
        "fields": (claims([n]), b"\x00\x01\x01" + bytes(1000), "wanted"),
        "alphabet": (claims([n]), b"\x00\x02\x80\x80\x04" + bytes(9000), "does not occur"),
        "bomb": (bytes(100_000_000), b"", "too large"),
        "empty messages": (nested(b"\x2a\0" * 500_000, 7), b"", "ok"),
        "deep": (deep(2000), b"", "no ONNX model"),
    }


def many_claims(n_tensors, size):
    model = ModelProto()
    for _ in range(n_tensors):
        model.graph.initializer.append(claims([size]).graph.initializer[0])
    return model


def endless_dims():
    """Return a graph with a tensor of 100,000 dims of 2^63 - 1 each."""
    return nested(nested(b"\x10\x01" + (b"\x08" + HUGE) * 100_000, 5), 7)


def deep(levels):
    """Return a graph in a node in a graph, and so on."""
    graph = b""
    for _ in range(levels):
        graph = nested(nested(nested(graph, 6), 5), 1)
    return nested(graph, 7)


def test_no_memory_is_taken(tmp_path):
    expected = hostile_files()
    for name, (graph, stream, _) in expected.items():
        path = with_graph(tmp_path / name, graph, small=stream)
        assert path.stat().st_size < 40_000
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(ROOM), *(str(tmp_path / name) for name in expected)],
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(done.stdout)
    for name, (_, _, answer) in expected.items():
        assert answer in answers[name], name


def test_what_a_file_may_claim_is_decoded(tmp_path):
    """Within the limit, a file of a few hundred bytes may hold much that is alike."""
    path = with_graph(tmp_path / "a", claims([60_000_000], 2), small=b"\x00\x00\x07")
    (items,) = archive.decode(archive.read(path))
    assert items.nbytes == 60_000_000
    assert items.min() == items.max() == 7


@pytest.mark.parametrize("size", [(1 << 28) // 4, (1 << 28) // 4 + 3_000_000])
def test_the_limit_of_all_tensors(tmp_path, size):
    path = with_graph(tmp_path / "a", claims([size]), small=b"\0" + 4 * ZEROS)
    allowed = (1 << 28) + 10_000 * path.stat().st_size
    if 4 * size <= allowed:
        assert archive.read(path).tensors[0][0].count == size
    else:
        with pytest.raises(FormatError, match="claim to hold"):
            archive.read(path)
        with pytest.raises(reader.RefusedError, match="too much"):
            reader.read(path.read_bytes())
