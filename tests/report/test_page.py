"""The page as text: whole, escaped, the same each time. `test_browser.py` opens it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from compress.errors import MissingExtraError
from compress.report.data import Histogram, Layer, LayerHistograms
from compress.report.page import KINDS, render

MOST_BYTES = 400_000
VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}


class Page(HTMLParser):
    """What the tests ask of a page: tags with their attributes, ids, and that tags close."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module", params=["lenet", "resnet50"])
def drawn(request):
    report = request.getfixturevalue(request.param)
    return report, render(report)


def test_the_page_needs_nothing_beside_it(drawn):
    _, text = drawn
    assert len(text.encode()) < MOST_BYTES
    assert not re.search(r"https?:|//[a-z]|@import|<script|\bsrc=|javascript:", text)
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    page = Page(text)
    assert page.open == []
    references = [a for _, attributes in page.tags for n, a in attributes.items() if n == "href"]
    assert all(reference == "data:," or reference[0] == "#" for reference in references)
    policy = page.all("meta")[1]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_the_page_is_for_all_readers(drawn):
    _, text = drawn
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in page.all("svg"):
        title, told = attributes["aria-labelledby"].split()
        assert attributes["role"] == "img"
        assert re.search(
            rf'<title id="{title}">[^<]+</title>\s*<desc id="{told}">[^<]+</desc>', text
        )
    for referrer in ("section", "use"):
        for attributes in page.all(referrer):
            target = attributes.get("aria-labelledby") or attributes["href"].removeprefix("#")
            assert target in ids
    assert all(attributes["scope"] in ("row", "col") for attributes in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]
    viewport = {"name": "viewport", "content": "width=device-width, initial-scale=1"}
    assert viewport in page.all("meta")


def test_colours_come_from_the_page_alone(drawn):
    _, text = drawn
    style, body = text.split("</style>")
    assert not re.search(r"#[0-9a-fA-F]{6}\b|rgb\(", body)
    used = set(re.findall(r"var\(--([a-z]+)\)", text))
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    defined = set(re.findall(r"--([a-z]+):", light))
    assert used <= defined == set(re.findall(r"--([a-z]+):", dark))


def test_lenet_says_what_it_gained(lenet):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", render(lenet).replace("<wbr>", "")))
    for figure in (
        "40.4x smaller",
        "1,066,440 B fp32, 26,412 B compressed",
        "98.36% dense → to 98.43%",
        "+0.07 points, 10,000 samples",
        "Weights only, the paper\N{RIGHT SINGLE QUOTATION MARK}s accounting 48.3x",
        "quantize 25.9 KiB 26,530 B 40.2x",
        "at most 4.8e-06 , relative 3.1e-07",
        "fc1.weight fc 300\N{MULTIPLICATION SIGN}784 235,200 8.0 % 64 0.58 17,120",
        "whole run 2 min 23 s 784 MiB",
        "a bias 410 fc1.bias , fc2.bias , fc3.bias",
        "prune.sparsity 0.92",
        "onnx.dynamic_batch yes",
        "weights trained",
        "prune.train.epochs 20",
        "prune.train.patience none",
        "torch 2.14.1",
        "compress run --recipe recipe.yaml",
    ):
        assert figure in text
    for kind, told in KINDS.items():
        assert f"{kind} {told} {lenet.ledger.kinds[kind]:,}" in text


def test_a_note_stands_beside_its_layer(lenet):
    assert "errors do not cancel" not in render(lenet)
    noted = replace(lenet.layers[0], note="errors do not cancel")
    text = render(replace(lenet, layers=(noted, *lenet.layers[1:])))
    assert '<span class="sub">fc, errors do not cancel</span>' in text


def test_what_a_stage_left_out_is_told(lenet):
    first, *others = lenet.stages
    noted = replace(first, notes=("moving biases is left out: <b>", "so it is"))
    page = render(replace(lenet, stages=(noted, *others)))
    assert '<p class="note">dense: moving biases is left out: &lt;b&gt;.</p>' in page
    assert '<p class="note">dense: so it is.</p>' in page


def test_a_pattern_stands_beside_its_layer(lenet):
    sparse = replace(lenet.layers[0], pattern="2:4")
    text = render(replace(lenet, layers=(sparse, *lenet.layers[1:])))
    assert text.count('<span class="sub">fc, 2:4</span>') == 1


def test_a_run_without_data_says_why(resnet50):
    text = render(resnet50)
    assert (
        'Not measured: no data was given; name a task with <code class="way">--task</code>' in text
    )
    assert 'id="accuracy-title"' not in text
    assert text.count("<figure>") == 24
    assert "<summary>53 layers</summary>" in text


def test_the_ledgers_bar_is_the_whole_file(drawn):
    report, text = drawn
    bars = re.findall(r'<rect x="([\d.]+)" width="([\d.]+)"', text)
    assert len(bars) == sum(n_bytes > 0 for n_bytes in report.ledger.kinds.values())
    assert sum(float(width) for _, width in bars) == pytest.approx(100, abs=0.01)
    assert float(bars[1][0]) == pytest.approx(
        100 * report.ledger.codes / report.artifact_bytes, abs=0.01
    )


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</title></svg><b>",
    "$\\frac{$ $x$",
    "卷积\u202egnp.\x1b[2J",
    "]]>&amp;<!--",
)


def test_names_of_strangers_are_text(lenet):
    nothing = Histogram(lo=0.0, hi=0.0, counts=(), zeros=9)
    layers = [
        Layer(
            name=name,
            kind=name,
            shape=(9,),
            weights=9,
            nonzero=0,
            distinct=0,
            bytes=1,
            skipped=name,
        )
        for name in HOSTILE
    ]
    pairs = [LayerHistograms(name=name, before=nothing, after=nothing) for name in HOSTILE]
    stages = [replace(lenet.stages[1], name=name) for name in HOSTILE]
    steps = [replace(lenet.accuracy.steps[0], stage=name) for name in HOSTILE]
    everywhere = "".join(HOSTILE)
    text = render(
        replace(
            lenet,
            model=everywhere,
            task=everywhere,
            device=everywhere,
            recipe={name: {name: [name]} for name in HOSTILE},
            versions=dict.fromkeys(HOSTILE, everywhere),
            accuracy=replace(lenet.accuracy, metric=everywhere, steps=tuple(steps)),
            layers=tuple(layers),
            histograms=tuple(pairs),
            stages=tuple(stages),
        )
    )
    page = Page(text)
    assert page.open == []
    plain = {tag for tag, _ in Page(render(lenet)).tags}
    assert {tag for tag, _ in page.tags} - plain <= {"details", "summary"}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7 * 7 }}" in text
    assert "$\\frac{$ $x$" in text
    assert "卷积?gnp.?[2J" in text


def test_a_report_with_almost_nothing_is_a_page(lenet):
    bare = replace(lenet, stages=(), layers=(), histograms=(), recipe={}, versions={})
    text = render(bare)
    assert Page(text).open == []
    assert "<figure>" not in text
    assert "Nothing: the passes changed every layer" in text


def test_degenerate_histograms_are_drawn(lenet):
    one = Histogram(lo=0.5, hi=0.5, counts=(3,), zeros=0)
    tiny = Histogram(lo=1e-38, hi=1.2e-38, counts=(1, 2), zeros=0)
    none = Histogram(lo=0.0, hi=0.0, counts=(), zeros=3)
    pairs = [(one, none, (0.5,)), (none, none, ()), (tiny, one, ()), (tiny, tiny, (1e-38,))]
    text = render(
        replace(
            lenet,
            histograms=tuple(
                LayerHistograms(name=str(n), before=before, after=after, centroids=centroids)
                for n, (before, after, centroids) in enumerate(pairs)
            ),
        )
    )
    assert text.count("<figure>") == 4
    assert "nan" not in text
    assert "inf" not in re.sub(r"<[^>]+>", "", text.split("</style>")[1])


def test_the_same_report_gives_the_same_bytes_in_any_process(lenet, tmp_path):
    """Another hash seed and another matplotlibrc change nothing."""
    text = render(lenet)
    assert render(lenet) == text
    (tmp_path / "report.json").write_text(lenet.to_json(), "utf-8")
    (tmp_path / "matplotlibrc").write_text("axes.grid: True\nlines.linewidth: 9\nfont.size: 30\n")
    script = (
        "import sys; from pathlib import Path\n"
        "from compress.report.data import Report; from compress.report.page import render\n"
        "text = render(Report.from_json(Path('report.json').read_bytes()))\n"
        "sys.stdout.buffer.write(text.encode())\n"
    )
    path = os.pathsep.join([str(Path.cwd()), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": path}
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert found.stdout.decode() == text


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package_is_named_with_its_extra(lenet, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package} is not.*compress-toolkit\[report\]"):
        render(lenet)


def test_importing_the_report_loads_nothing_that_draws():
    script = (
        "import sys, compress.report.data, compress.report.page, compress.report.summary\n"
        "print(sorted({'jinja2', 'matplotlib', 'rich', 'torch'} & set(sys.modules)))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *filter(None, sys.path)]),
    }
    found = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert found.stdout.strip() == "[]"
