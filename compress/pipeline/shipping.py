"""The last stages: the network as an ONNX file, that file coded, and what ships checked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from compress import kept
from compress.measure.parity import difference
from compress.measure.sessions import evaluate_session
from compress.passes.onnx_network import OnnxNetwork
from compress.passes.patterns import has_pattern
from compress.passes.targets import Pattern
from compress.pipeline import outcome
from compress.pipeline.cache import key_of
from compress.pipeline.course import VERSION, Course, Facts, Record
from compress.runtime import load

_LOG = logging.getLogger(__name__)


def ship(course: Course) -> dict[str, Facts]:
    """Carry out the last stages; return the facts of each by its name, in order."""
    work = course.folder.work
    found: dict[str, Facts] = {}
    for name, act in _STAGES:
        facts = work.facts(name)
        if facts is None:
            with course.stage(name) as record:
                act(course, record)
            facts = record
        found[name] = facts
    return found


def _export(course: Course, record: Record) -> None:
    """Write the ONNX file, and what the network makes of the examples."""
    course.catch_up()
    working, work, folder = course.working, course.folder.work, course.folder
    outputs = working.run(course.inputs)
    weights, skipped = working.network.weights()
    record["histograms"] = course.histograms()
    shared = {weight.name: weight.values() for weight in weights if weight.is_shared}
    record["centroids"] = {
        name: np.unique(values[values != 0]).tolist() for name, values in shared.items()
    }
    record["kinds"] = {name: weight.kind for weight in weights for name in weight.names}
    record["unchanged"] = {one.name: one.reason for one in skipped}
    work.save_arrays("inputs", {str(i): array for i, array in enumerate(course.inputs)})
    work.save_arrays("outputs", {str(i): array for i, array in enumerate(outputs)})
    folder.replace()
    working.export(folder.plain, course.inputs)
    for path in folder.exported:
        work.made(path)
    record["patterns"] = _patterns(course)


def _patterns(course: Course) -> dict[str, str]:
    """Return the N:M that passes gave to weights, where the exported graph has it; tell the rest.

    Groups lie along what the graph's own nodes add up, however it stores the weight.
    """
    given: dict[str, str] = {}
    for stage in course.facts.values():
        given |= stage.get("patterns", {})
    if not given:
        return {}
    exported = {weight.name: weight for weight in OnnxNetwork(course.folder.plain).weights()[0]}
    found: dict[str, str] = {}
    n_missing = 0
    for weight in course.weights():
        if weight.name in given:
            pattern = Pattern.parse(given[weight.name])
            assert pattern is not None
            stored = [exported[name] for name in weight.names if name in exported]
            if stored and all(has_pattern(one, pattern) for one in stored):
                found |= {one.name: str(pattern) for one in stored}
            else:
                n_missing += 1
    if n_missing:
        _LOG.warning(
            "the exported graph is not seen to have N:M in %d of %d layers: "
            "the report names those that have it",
            n_missing, len(given),
        )  # fmt: skip
    return found


def _pack(course: Course, record: Record) -> None:
    """Code the ONNX file."""
    packed = course.folder.packed
    course.working.pack(course.folder.plain, packed)
    course.folder.work.made(packed)
    record["size_bytes"] = packed.stat().st_size


def _check(course: Course, record: Record) -> None:
    """Load the file that ships, compare it with the network, and measure it."""
    packed, work, data = course.folder.packed, course.folder.work, course.data
    session = load(packed)
    inputs, outputs = work.load_arrays("inputs"), work.load_arrays("outputs")
    found = session.run({given.name: inputs[str(i)] for i, given in enumerate(session.inputs)})
    differences = [
        difference(found[out.name], outputs[str(i)]) for i, out in enumerate(session.outputs)
    ]
    record |= asdict(max(differences, key=lambda output: output.max_rel))
    if data is None:
        return
    key = key_of(VERSION, "check", kept.digest_of(packed), data.decides("test"), outcome.versions())
    entry = course.cache.find(key)
    if entry is None:
        value = evaluate_session(session, data.task, data.test, progress=course.step)
        entry = course.cache.keep(key, {"test": value}, None)
    record["accuracy"] = {"test": entry.record["test"]}


_STAGES: tuple[tuple[str, Callable[[Course, Record], None]], ...] = (
    ("export", _export), ("pack", _pack), ("check", _check),
)  # fmt: skip
