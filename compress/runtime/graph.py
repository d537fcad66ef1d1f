"""An ONNX graph in memory, or a file of one, as a session that is ready to run."""

from __future__ import annotations

from pathlib import Path

from compress.errors import FormatError
from compress.runtime import ort
from compress.runtime.session import Session


def open_graph(graph: bytes | Path, name: str, *, keeps_memory: bool = True) -> Session:
    """Open a graph.

    Args:
        graph: the bytes of an ONNX file, or where one lies whose data are in files beside it.
        name: what an error calls it.
        keeps_memory: whether what a run took stays at hand for the next one; many sessions side by
            side keep many times what one needs, and have their threads wait for work busily.

    Raises:
        FormatError: when it is no network for ONNX Runtime.
    """
    given = str(graph) if isinstance(graph, Path) else graph
    options = ort.options(None, prepack=True)
    if not keeps_memory:
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.module().InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no public base
        raise FormatError(f"{name} is no network for ONNX Runtime: {ort.reason(error)}") from error
    return Session(session, {})
