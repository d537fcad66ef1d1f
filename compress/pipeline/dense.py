"""The first stage: the dense network, loaded or trained, and measured."""

from __future__ import annotations

import logging
from dataclasses import asdict

import numpy as np

from compress.pipeline import examples, used
from compress.pipeline.cache import key_of
from compress.pipeline.course import VERSION, Course, Facts, Record
from compress.tasks.outputs import all_of
from compress.training.settings import TrainSettings

_LOG = logging.getLogger(__name__)


def dense(course: Course, stage: str = "dense") -> Facts:
    """Load or train the dense weights, and measure them; return the facts.

    Args:
        course: before its first stage.
        stage: what this is called.
    """
    opened, data = course.opened, course.data
    opened.working.load(opened.source)
    course.inputs = examples.inputs_of(course.subject, data, course.recipe.seed, opened.sampler)
    outputs = opened.working.run(course.inputs)  # what does not fit shows before any work
    if data is not None:
        examples.require_scores(outputs, course.subject, data)
    _tell_expected(course)
    training = None
    if opened.source == "trained":
        assert data is not None
        training = used.dense_training(course.recipe, data, course.subject.name)
    key = _trained_key(course, training) if training is not None else ""
    trained = course.cache.find(key) if training is not None else None
    if trained is not None and trained.state is not None:
        opened.working.restore(trained.state)
    entry = None
    if training is None or trained is not None:
        course.key = _key(course)
        entry = course.cache.find(course.key)
    if entry is None:
        with course.stage(stage) as record:
            if training is not None and trained is None:
                course.fit(stage, key, training, None)
                course.cache.keep(key, {}, opened.working.state())
                course.key = _key(course)
            _measure(course, record)
        entry = course.cache.keep(course.key, record, None)
    figures = entry.record.get("per_sample")
    course.dense = None if figures is None else np.array(figures, np.float64)
    return entry.record


def _trained_key(course: Course, training: TrainSettings) -> str:
    """Return the key of what training makes of the network as it was built."""
    assert course.data is not None
    assert course.data.train is not None
    decides = [asdict(training), course.data.decides("train", "validation")]
    given, _ = course.data.train.batch([0])
    built = course.working.digest(all_of(given))
    return key_of(VERSION, "trained", built, decides, course.common())


def _key(course: Course) -> str:
    """Return the key of what is known of the network, by what it is now."""
    seen = course.data.decides("validation", "test") if course.data is not None else None
    now = course.working.digest(course.inputs)
    return key_of(VERSION, "dense", now, seen, course.common())


def _measure(course: Course, record: Record) -> None:
    record |= {"params": course.working.params, "bytes": course.working.n_bytes}
    record["histograms"] = course.histograms()
    if course.data is not None:
        figures = course.figures("validation")
        record["per_sample"] = None if figures is None else figures.tolist()
        record["accuracy"] = course.told(validation=figures, test=course.figures("test"))


def _tell_expected(course: Course) -> None:
    """Say before it begins what a run keeps that neither trains nor has samples of the data."""
    recipe, data, subject = course.recipe, course.data, course.subject
    sampler = course.opened.sampler
    looks = used.most_samples(recipe, data, subject, sampler) > 0
    trains = any(used.training(row, recipe, data, subject) for row in recipe.rows)
    if sampler is None or trains or (looks and sampler.are_real):
        return
    held = [recipe.passes[row.name] for row in recipe.rows]
    usual = [said for own in held if (said := getattr(own, "expects", None)) is not None]
    told = [f"{said} where nothing makes up for it" for said in usual]
    if looks:
        told.append("errors are countered on made-up ones, which keeps less than real ones do")
    if told:
        _LOG.warning(
            "no samples of the data, and no training: %s; "
            "give --calibration DIR, or --task with a training part", "; ".join(told),
        )  # fmt: skip
