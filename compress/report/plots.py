"""The page's plots: drawn by matplotlib, coloured by the page.

Matplotlib lays out and writes SVG; of that the drawing alone is kept. Metadata, namespaces and
ids go, and each colour becomes a CSS variable of the page, so that one drawing follows light,
dark and print. The same data give the same bytes.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

from compress.report import wording
from compress.report.data import DENSE, Histogram, LayerHistograms, Part, Report
from compress.report.steps import Step, parts, steps
from compress.report.wording import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What matplotlib draws with, and the variable of the page that it becomes.
_INK, _MUTED, _LINE, _BEFORE, _AFTER, _MARK = (f"#0000a{digit}" for digit in range(6))
_VARIABLES = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _LINE: "var(--line)",
    _BEFORE: "var(--before)",
    _AFTER: "var(--after)",
    _MARK: "var(--mark)",
}
_MARKERS: dict[Part, tuple[str, str]] = {  # the page's legend shows the same
    "train": (_MUTED, "s"),
    "validation": (_MARK, "D"),
    "test": (_AFTER, "o"),
}
_BAND = 0.09  # half the height of the centroids' band, where a histogram is 1 high
_INCH = 72.0  # units of an SVG by matplotlib
_ROW = 34  # height of a step, in units
_NAME_LETTERS = 19  # that fit left of the plot

_COLOUR = re.compile("|".join(_VARIABLES))
_DECIMALS = re.compile(r"-?\d+\.\d+")
_FAMILY = re.compile(r"font-family: [^;]*; ")


def accuracy(report: Report) -> str:
    """Draw the metric after each step, one row a step; return inline SVG."""
    rows = [step for step in steps(report) if step.accuracy]
    values = [value for step in rows for value in step.accuracy.values()]
    low, high = min(values), max(values)
    is_fraction = report.accuracy.is_fraction
    # Less than two tenths of a point is no slope to show.
    spread = max(high - low, 0.002 if is_fraction else 1e-3 * max(abs(high), abs(low), 1e-9))

    def tell(value: float) -> str:
        return wording.figure(value, is_fraction)

    with _canvas(400, _ROW * len(rows) + 36, (126, 28, 266, _ROW * len(rows))) as (figure, axes):
        # Right of the highest value is room for its figure.
        axes.set_xlim(low - 0.12 * spread, high + 0.45 * spread)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        shown = parts(report)
        for index, part in enumerate(shown):
            _series(axes, part, rows, 0.4 * (index - (len(shown) - 1) / 2), tell)
        axes.set_yticks(range(len(rows)), [_short(step.name) for step in rows])
        axes.locator_params(axis="x", nbins=4)
        axes.xaxis.set_major_formatter(
            lambda value, _: f"{100 * value:.4g}%" if is_fraction else f"{value:.4g}"
        )
        axes.grid(visible=True, axis="x")
        told = "; ".join(f"{step.name}: {_figures(step, tell)}" for step in rows)
        return _svg(figure, "accuracy", f"{report.accuracy.metric} after each step", told)


def weights(pair: LayerHistograms, key: str) -> str:
    """Draw a layer's weights before (up) and after (down), the centroids between them."""
    edges = [edge for h in (pair.before, pair.after) if h.counts for edge in (h.lo, h.hi)]
    low, high = min([*edges, *pair.centroids, 0.0]), max([*edges, *pair.centroids, 0.0])
    margin = 0.01 * (high - low) or 1.0
    with _canvas(260, 124, (4, 18, 252, 104)) as (figure, axes):
        axes.axis("off")
        axes.set_ylim(-1.05, 1.05)
        axes.set_xlim(low - margin, high + margin)
        band = _BAND if pair.centroids else 0.0
        _bars(axes, pair.before, _BEFORE, band, 1)
        _bars(axes, pair.after, _AFTER, -band, -1)
        for edge in (band, -band):
            axes.axhline(edge, color=_LINE, linewidth=0.8, clip_on=False)
        _ticks(axes, pair.centroids)
        _ends(axes, low, high)
        return _svg(figure, key, f"Weights of {pair.name} before and after", _told(pair))


@contextmanager
def _canvas(
    width: int, height: int, box: tuple[int, int, int, int]
) -> Iterator[tuple[Figure, Axes]]:
    """A figure of so many units, with axes at (left, bottom, width, height), and its settings."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's matplotlibrc is not the page's
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "compress",
                "text.parse_math": False,  # a layer may be called $x$
                "text.color": _INK,
                "font.size": 11,
                "xtick.color": _MUTED,
                "xtick.bottom": False,
                "xtick.major.pad": 6,
                "ytick.color": _INK,
                "ytick.left": False,
                "ytick.major.pad": 8,
                "grid.color": _LINE,
                "axes.spines.left": False,
                "axes.spines.right": False,
                "axes.spines.top": False,
                "axes.spines.bottom": False,
                "axes.facecolor": "none",
                "axes.axisbelow": True,
                "path.simplify": False,
            }
        )
        figure = Figure(figsize=(width / _INCH, height / _INCH), frameon=False)
        left, bottom, wide, high = box
        axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
        yield figure, axes


def _series(
    axes: Axes, part: Part, rows: Sequence[Step], shift: float, tell: Callable[[float], str]
) -> None:
    """One part's figures, joined by a thin line, `shift` rows off the middle."""
    colour, marker = _MARKERS[part]
    places = [(step.accuracy[part], y) for y, step in enumerate(rows) if part in step.accuracy]
    xs, ys = [x for x, _ in places], [y + shift for _, y in places]
    if rows[0].name == DENSE and part in rows[0].accuracy:
        axes.axvline(xs[0], color=colour, linewidth=0.8, dashes=(3, 4), alpha=0.7)
    axes.plot(xs, ys, color=colour, linewidth=1.2, alpha=0.45)
    axes.plot(xs, ys, marker, color=colour, markersize=6)
    for x, y in zip(xs, ys, strict=True):
        axes.annotate(tell(x), (x, y), (8, 0), textcoords="offset points", va="center_baseline")


def _bars(axes: Axes, counted: Histogram, colour: str, base: float, top: Literal[-1, 1]) -> None:
    """One histogram as one filled outline from `base`, its highest bin at `top`."""
    bins = len(counted.counts)
    if bins == 0:
        return
    if counted.lo == counted.hi:
        axes.plot([counted.lo, counted.lo], [base, top], color=colour, linewidth=2)
        return
    step = (counted.hi - counted.lo) / bins
    height = (top - base) / max(counted.counts)
    heights = [base + height * count for count in counted.counts]
    borders = [counted.lo + step * index for index in range(bins + 1)]
    axes.stairs(
        heights, borders, baseline=base, fill=True, facecolor=colour, linewidth=0, clip_on=False
    )


def _ticks(axes: Axes, centroids: Sequence[float]) -> None:
    """All centroids as one broken line: one path, where a line for each would fill the page."""
    if centroids:
        xs = [x for centroid in centroids for x in (centroid, centroid, math.nan)]
        ys = [-_BAND, _BAND, math.nan] * len(centroids)
        axes.plot(xs, ys, color=_MARK, linewidth=1.2, solid_capstyle="butt", clip_on=False)


def _ends(axes: Axes, low: float, high: float) -> None:
    labels = [(low, "left"), (high, "right")]
    if min(-low, high) > 0.2 * (high - low):  # else zero stands too near an end
        labels.append((0.0, "center"))
    for value, side in labels:
        axes.text(
            value,
            -1.12,
            f"{value:.2g}".replace("-", "\N{MINUS SIGN}"),
            ha=side,
            va="top",
            color=_MUTED,
        )


def _figures(step: Step, tell: Callable[[float], str]) -> str:
    return ", ".join(f"{tell(value)} ({part})" for part, value in step.accuracy.items())


def _told(pair: LayerHistograms) -> str:
    """What the drawing says, for those who do not see it."""

    def side(counted: Histogram) -> str:
        every = counted.zeros + counted.nonzero
        return (
            f"{counted.nonzero:,} of {every:,} not zero, from {counted.lo:.3g} to {counted.hi:.3g}"
        )

    shared = f"; {len(pair.centroids)} centroids" if pair.centroids else ""
    return f"Before: {side(pair.before)}. After: {side(pair.after)}{shared}."


def _short(name: str) -> str:
    name = plain(name)
    return name if len(name) <= _NAME_LETTERS else name[: _NAME_LETTERS - 1] + "…"


def _svg(figure: Figure, key: str, title: str, told: str) -> str:
    """Write the figure and keep its drawing: no ids but those referred to, no fonts, no colours."""
    stream = BytesIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():
        # The browser brings the letters; matplotlib's font only measures them.
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing", UserWarning)
        figure.savefig(stream, format="svg", metadata=metadata, transparent=True)
    drawing = _kept(ElementTree.fromstring(stream.getvalue()), key)[0]
    texts = {"title": title, "desc": told}
    for index, (tag, content) in enumerate(texts.items()):
        element = ElementTree.Element(tag, id=f"{key}-{tag}")
        element.text = plain(content)
        drawing.insert(index, element)
    drawing.attrib = {
        "viewBox": drawing.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": " ".join(f"{key}-{tag}" for tag in texts),
    }
    return ElementTree.tostring(drawing, encoding="unicode")


def _kept(element: ElementTree.Element, key: str) -> list[ElementTree.Element]:
    """The element without what only matplotlib needs; groups that group nothing dissolve."""
    tag = _bare(element.tag)
    if tag in ("metadata", "style"):
        return []
    children = [kept for child in element for kept in _kept(child, key)]
    attributes = {_bare(name): _own(value, key) for name, value in element.attrib.items()}
    name = attributes.pop("id", None)
    if name is not None and tag in ("path", "clipPath"):  # all that others refer to
        attributes["id"] = f"{key}-{name}"
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    if tag in ("g", "defs") and not children:
        return []
    if tag == "g" and not attributes:
        return children
    kept = ElementTree.Element(tag, attributes)
    kept.text = element.text if tag == "text" else None
    kept.extend(children)
    return [kept]


def _own(value: str, key: str) -> str:
    """An attribute's value with the page's colours and letters, its references, few decimals."""
    value = _COLOUR.sub(lambda found: _VARIABLES[found[0]], value)
    value = _FAMILY.sub("", value)
    value = _DECIMALS.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value)
    value = value.replace("url(#", f"url(#{key}-")
    return " ".join(f"#{key}-{value[1:]}".split() if value.startswith("#") else value.split())


def _bare(name: str) -> str:
    """A name without its namespace: HTML knows what is SVG by itself."""
    return name.rpartition("}")[2]
