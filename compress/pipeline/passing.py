"""A stage that runs a pass, whichever it is."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np

from compress import recipe as recipes
from compress.measure import size
from compress.passes.context import Context, OnStep, Passed
from compress.passes.table import Pass
from compress.pipeline import used
from compress.pipeline.cache import key_of
from compress.pipeline.course import VERSION, Course, Facts
from compress.training.settings import TrainSettings

_LOG = logging.getLogger(__name__)


def carry_out(course: Course, row: Pass) -> Facts:
    """Run a pass and measure it, unless what it leaves is kept; return the facts."""
    training = used.training(row, course.recipe, course.data, course.subject)
    course.key = key_of(VERSION, course.key, row.name, _decides(course, row, training))
    entry = course.cache.find(course.key)
    if entry is not None:
        course.reuse(row, entry)
        return entry.record
    with course.stage(row.name) as record:
        course.catch_up()
        settings = course.recipe.passes[row.name]
        network = course.working.network
        passed = row.function()(network, settings, _context(course, row, training))
        _tell(passed)
        record |= _facts(passed)
        record["size_bytes"] = _size_bytes(course)
        if course.data is not None:
            record["accuracy"] = course.told(validation=course.figures("validation"))
    return course.cache.keep(course.key, record, course.working.state()).record


def _decides(course: Course, row: Pass, training: TrainSettings | None) -> list[Any]:
    """Return what decides a pass's result beside the network that it is given."""
    sampler = course.opened.sampler
    samples = used.n_samples(row, course.recipe, course.data, course.subject, sampler)
    return [
        recipes.section_of(course.recipe.passes[row.name]),
        asdict(training) if training is not None else None,
        course.data.decides("train", "validation") if training and course.data else None,
        course.taught if training else None,
        sampler.digest(samples) if sampler is not None and samples else None,
        _decide_the_file(course) if row.needs_file else None,
        course.common(),
    ]


def _decide_the_file(course: Course) -> list[Any]:
    """Return what decides a file's size beside the network's weights."""
    recipe, subject = course.recipe, course.subject
    attached = {name: hashlib.sha256(d).hexdigest() for name, d in subject.attached().items()}
    facts = course.data.facts if course.data is not None else None
    names = [given.name for given in subject.inputs]
    form = msgspec.to_builtins(recipe.onnx)
    return [recipe.coder, form, subject.name, subject.batch, names, attached, facts]


def _context(course: Course, row: Pass, training: TrainSettings | None) -> Context:
    """Bind what a pass may ask for."""
    sampler, fit = course.opened.sampler, None
    if training is not None:
        settings, key = training, course.key

        def fit(on_step: OnStep | None) -> None:
            course.fit(row.name, key, settings, on_step)

    return Context(
        seed=course.recipe.seed,
        fit=fit,
        samples=sampler.first if sampler is not None else None,
        examples=tuple(course.inputs),
        n_examples=1 if course.subject.is_alone else len(course.inputs[0]),
        are_real=sampler is not None and sampler.are_real,
        file_bytes=lambda _: course.working.file_bytes(course.inputs),
        drop=(lambda _: course.lost()) if course.dense is not None else None,
        scores=course.data is None or bool(course.data.task.classes),
        note=course.notify.note,
    )


def _tell(passed: Passed) -> None:
    for note in passed.notes:
        _LOG.warning("%s", note)
    noted = [layer for layer in passed.layers if layer.note is not None]
    if noted:
        _LOG.warning(
            "%s in %d of %d layers: the report names them",
            noted[0].note, len(noted), len(passed.layers),
        )  # fmt: skip


def _facts(passed: Passed) -> dict[str, Any]:
    """Return what a report tells of a pass, as JSON's types."""
    return {
        "skipped": {one.name: one.reason for one in passed.skipped},
        "layer_notes": {one.name: one.note for one in passed.layers if one.note is not None},
        "patterns": {one.name: one.pattern for one in passed.layers if one.pattern is not None},
        "notes": list(passed.notes),
        "figures": dict(passed.figures),
        "plan": passed.plan,
    }


def _size_bytes(course: Course) -> int:
    """Return about what the file would take: weights as they are packed, all else as it is."""
    weights = course.weights()
    changed = sum(4 * int(np.prod(weight.shape)) for weight in weights)
    packed = size.packed_bytes(weight.values() for weight in weights)
    return packed + max(course.working.n_bytes - changed, 0)
