"""`report.html`: one file that needs nothing beside it, drawn from the report alone.

Names in a report may come from a stranger's model: the template escapes every one of them, and the
page's policy lets nothing run and nothing load.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from compress.errors import MissingExtraError
from compress.report import plots, wording
from compress.report.data import Layer, Report
from compress.report.steps import parts, steps
from compress.report.verdict import verdict

if TYPE_CHECKING:
    from markupsafe import Markup

KINDS = {  # of the ledger → what a reader is told of it
    "codes": "which centroid each nonzero weight has, entropy coded",
    "gaps": "where the nonzero weights are: distances or bit masks",
    "codebooks": "the centroids, the values that weights share",
    "tables": "codeword lengths, without which codes cannot be read",
    "dense": "biases, norms and weights that are kept value by value",
    "graph": "the ONNX graph without its weights",
    "header": "names, shapes, metadata and digest of the container",
    "files": "what goes with the network: a tokenizer",
}

_OPTION = re.compile(r"--[a-z][a-z-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    """One kind of the ledger's bar."""

    kind: str
    told: str
    bytes: int
    start: float  #: in percent of the file
    share: float  #: in percent of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class _Skipped:
    """Layers that were left alone for one reason."""

    reason: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """One drawn histogram and what stands under it."""

    name: str
    svg: Markup
    weights: int
    zeros_before: float  #: fraction of the weights
    zeros_after: float  #: fraction of the weights
    centroids: int


def render(report: Report) -> str:
    """Return the page as HTML; the same report gives the same bytes.

    Raises:
        MissingExtraError: where jinja2 or matplotlib is not installed.
    """
    try:
        import matplotlib as _  # noqa: F401
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ModuleNotFoundError as error:
        raise MissingExtraError((error.name or "jinja2").partition(".")[0], "report") from error
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for word in (wording.size, wording.factor, wording.figure, wording.duration, wording.plain):
        environment.filters[word.__name__] = word
    rows = steps(report)
    measured = any(step.accuracy for step in rows)
    environment.filters["options"] = _options
    environment.filters["breakable"] = _breakable
    template = files("compress.report").joinpath("page.html.j2").read_text("utf-8")
    return environment.from_string(template).render(
        report=report,
        change=wording.change,
        is_fraction=report.accuracy.is_fraction,
        verdict=verdict(report),
        steps=rows,
        parts=parts(report),
        accuracy_plot=Markup(plots.accuracy(report)) if measured else None,
        segments=_segments(report),
        histograms=[_pair(report, index) for index in range(len(report.histograms))],
        skipped=_skipped(report.layers),
        slowest=max((stage.seconds for stage in report.stages), default=0.0),
        largest=max((stage.peak_rss_bytes for stage in report.stages), default=0),
        settings=list(_flat(report.used or report.recipe)),
    )


def _segments(report: Report) -> list[_Segment]:
    segments, start = [], 0.0
    for kind, n_bytes in report.ledger.kinds.items():
        share = 100 * n_bytes / report.artifact_bytes
        segments.append(
            _Segment(kind=kind, told=KINDS[kind], bytes=n_bytes, start=start, share=share)
        )
        start += share
    return segments


def _pair(report: Report, index: int) -> _Pair:
    from markupsafe import Markup

    pair = report.histograms[index]
    before = pair.before.zeros + pair.before.nonzero
    after = pair.after.zeros + pair.after.nonzero
    return _Pair(
        name=pair.name,
        svg=Markup(plots.weights(pair, f"weights-{index}")),
        weights=before,
        zeros_before=pair.before.zeros / max(before, 1),
        zeros_after=pair.after.zeros / max(after, 1),
        centroids=len(pair.centroids),
    )


def _skipped(layers: Sequence[Layer]) -> list[_Skipped]:
    """Skipped layers by reason: one line for all norms of a network."""
    reasons = dict.fromkeys(layer.skipped for layer in layers if layer.skipped is not None)
    return [
        _Skipped(reason=reason, layers=tuple(layer for layer in layers if layer.skipped == reason))
        for reason in reasons
    ]


def _options(text: str) -> Markup:
    """Escape a sentence and set the options in it as code, so that no line breaks inside one."""
    from markupsafe import Markup, escape

    return Markup(_OPTION.sub(r'<code class="way">\g<0></code>', str(escape(text))))


def _breakable(name: str) -> Markup:
    """Escape a layer's name and let a narrow column break it after its dots."""
    from markupsafe import Markup, escape

    return Markup(str(escape(name)).replace(".", ".<wbr>"))


def _flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Settings as lines of a dotted name and a value."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield name, ", ".join(text for item in value for _, text in _flat(item)) or "none"
    else:
        yield name, _text(value)


def _text(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return "none"
        case _:
            return str(value)
