"""A recipe carried out: dense, the passes in their order, export, pack, check, report.

The runner knows no pass and no library: it asks the table of passes, and the network that it works
on. What a stage leaves is kept by its content, and is not done again where it is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from compress import kept
from compress.artifact import archive
from compress.pipeline import opening, outcome, used
from compress.pipeline.cache import Cache
from compress.pipeline.course import Course
from compress.pipeline.dense import dense
from compress.pipeline.folder import Begun, Folder
from compress.pipeline.notify import Notify, Silent
from compress.pipeline.passing import carry_out
from compress.pipeline.shipping import ship
from compress.pipeline.teaching import teach
from compress.pipeline.work import Work
from compress.recipe import Recipe
from compress.references.subject import Subject
from compress.report.data import Report
from compress.tasks import Task
from compress.tasks.calibration import Calibration

_LOG = logging.getLogger(__name__)


def run(
    recipe: Recipe,
    subject: Subject,
    out: Path,
    *,
    task: Task | None = None,
    calibration: Calibration | None = None,
    resume: bool = False,
    force: bool = False,
    notify: Notify | None = None,
) -> Report:
    """Carry out a recipe; the results are files in `out`, which the report counts.

    A folder that holds a run is refused unless one of `resume` and `force` is given.

    Args:
        recipe: what to do.
        subject: the network that the recipe names.
        out: folder of the results; it is made.
        task: the data that the recipe names.
        calibration: samples without labels; None for those that the recipe names, else some of the
            task's training part, else made up.
        resume: go on with a run that was ended early; the result has the same bytes. One that is
            done already is read again.
        force: begin anew over an earlier run; its files are replaced when the first new one is
            written.
        notify: is told how the run goes.

    Raises:
        CompressError: what went wrong, in one line.
    """
    opened = opening.open_run(recipe, subject, task, calibration)
    begun = Begun(
        subject.name,
        recipe,
        kept.digest_of(opened.source) if isinstance(opened.source, Path) else None,
        used.data_digest(recipe, subject, opened.source, opened.data, opened.sampler),
        outcome.versions(),
    )
    with closing(Work(out)) as work, closing(Folder(out, work, begun)) as folder:
        done = folder.enter(resume=resume, force=force)
        if done is not None:
            return done
        course = Course(
            recipe=recipe,
            subject=subject,
            opened=opened,
            folder=folder,
            notify=notify or Silent(),
            cache=Cache.or_in(work.path("stages")),
        )
        with closing(opened.working):
            return _carried_out(course)


def _carried_out(course: Course) -> Report:
    """Carry out all stages and write the report."""
    course.facts["dense"] = dense(course)
    course.facts |= teach(course)
    for row in course.recipe.rows:
        course.facts[row.name] = carry_out(course, row)
    course.working.close()  # what was only for the passes
    course.facts |= ship(course)
    with course.notify.stage("report"):
        report = outcome.report(
            course.recipe,
            course.subject,
            course.data,
            course.opened.device,
            archive.read(course.folder.packed),
            course.facts,
            course.folder.digests(),
            _used(course),
        )
        outcome.write(report, course.folder.out)
    course.folder.work.discard()
    if not report.parity.within:
        _LOG.warning(
            "%s: the file's outputs differ from the network's by %.1e of the largest, "
            "more than the %.0e that is allowed",
            report.model, report.parity.max_rel, report.parity.tolerance,
        )  # fmt: skip
    return report


def _used(course: Course) -> Mapping[str, Any]:
    recipe, data, subject = course.recipe, course.data, course.subject
    looks = used.most_samples(recipe, data, subject, course.opened.sampler)
    begun = course.folder.begun
    return used.used(
        recipe,
        subject,
        course.opened.source,
        data,
        samples=course.opened.samples_from if looks else None,
        device=course.opened.device,
        digests={"weights_sha256": begun.weights, "data_sha256": begun.data},
    )
