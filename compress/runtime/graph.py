"""An ONNX graph in memory, or a file of one, as a session that is ready to run."""

from __future__ import annotations

from pathlib import Path

from compress.errors import FormatError
from compress.runtime import ort
from compress.runtime.session import Session


def open_graph(graph: bytes | Path, name: str) -> Session:
    """Open a graph.

    Args:
        graph: the bytes of an ONNX file, or where one lies whose data are in files beside it.
        name: what an error calls it.

    Raises:
        FormatError: when it is no network for ONNX Runtime.
    """
    given = str(graph) if isinstance(graph, Path) else graph
    options = ort.options(None, prepack=True)
    try:
        session = ort.module().InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no public base
        raise FormatError(f"{name} is no network for ONNX Runtime: {ort.reason(error)}") from error
    return Session(session, {})
