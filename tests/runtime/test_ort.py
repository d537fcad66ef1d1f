"""ONNX Runtime's words, told in one line and in little time, and what it reports to nobody."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from compress.runtime import ort


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Invalid rank", "Invalid rank"),
        ("matmul_helper.h:59 Compute MatMul dimension\nmismatch", "MatMul dimension mismatch"),
        (
            "[ONNXRuntimeError] : 1 : FAIL : in /src/core/graph.cc:7 void ns::G::F(int, T&) [x] no",
            "in [x] no",
        ),
        ("a.cc:1", "RuntimeError"),
        ("", "RuntimeError"),
        ("a.cc:x b.c:3 c", "a.cc:x b.c:3 c"),
        ("node \x1b[31mred\x07 \u202eturned", "node ?[31mred? ?turned"),
        ("word " * 1000, ("word " * 60).strip()),
    ],
)
def test_reason(message: str, expected: str) -> None:
    assert ort.reason(RuntimeError(message)).strip() == expected


@pytest.mark.parametrize("unit", ["a", "a.cc:1", "a.cc:1 ", "a.cc:1 b f(", ".cc:", "1 ", "\n", "("])
def test_a_reason_takes_no_time(unit: str) -> None:
    """A name in a hostile graph is as long as it likes; the message is a few megabytes."""
    assert len(ort.reason(RuntimeError(unit * 300_000))) <= 300


def test_no_reports_to_its_maker() -> None:
    """The variable stands before ONNX Runtime is imported, unless the user has set it."""
    code = "import compress, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    unset = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    for given, expected in (({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=unset | given,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected
