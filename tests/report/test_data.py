from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import DataError, FormatError
from compress.report.data import (
    MAX_BINS,
    MAX_HISTOGRAMS,
    Accuracy,
    Histogram,
    Layer,
    LayerHistograms,
    Parity,
    Report,
    Stage,
    StepAccuracy,
    histogram,
)

KEYS = [
    "model",
    "task",
    "seed",
    "recipe",
    "versions",
    "device",
    "params",
    "dense_bytes",
    "artifact_bytes",
    "ratio",
    "paper_bytes",
    "paper_ratio",
    "ledger",
    "accuracy",
    "verdict",
    "parity",
    "stages",
    "sizes",
    "layers",
    "histograms",
    "used",
    "files",
]


@pytest.mark.parametrize("name", ["lenet", "resnet50"])
def test_json_round_trip(name, request):
    report = request.getfixturevalue(name)
    text = report.to_json()
    again = Report.from_json(text)
    assert again == report
    assert again.to_json() == text
    assert Report.from_json(text.encode()) == report


def test_json_has_the_fields_that_are_promised_in_their_order(lenet):
    document = json.loads(lenet.to_json())
    assert list(document) == KEYS
    assert list(document["ledger"]) == [
        "codes",
        "gaps",
        "codebooks",
        "tables",
        "dense",
        "graph",
        "header",
        "files",
    ]
    assert sum(document["ledger"].values()) == document["artifact_bytes"] == 26_412
    assert document["ratio"] == 1_066_440 / 26_412
    assert document["paper_ratio"] == 4 * 266_610 / 22_100
    assert document["sizes"] == [
        {"step": "dense", "bytes": 1_066_440},
        {"step": "prune", "bytes": 88_214},
        {"step": "quantize", "bytes": 26_530},
        {"step": "pack", "bytes": 26_412},
    ]
    layer = document["layers"][0]
    assert layer["shape"] == [300, 784]
    assert layer["bits_per_weight"] == 8 * 17_120 / 235_200
    assert document["accuracy"]["reason"] is None
    assert document["accuracy"]["steps"][0] == {
        "stage": "dense",
        "part": "validation",
        "value": 0.9822,
    }


def test_the_last_size_is_the_file_on_disk(lenet):
    stages = (Stage(name="prune", seconds=1.0, peak_rss_bytes=1, size_bytes=90_000),)
    report = replace(lenet, stages=stages)
    assert report.sizes == (("dense", 1_066_440), ("prune", 90_000), ("file", 26_412))


def test_ledger_must_sum_to_the_file(lenet):
    with pytest.raises(FormatError, match=r"ledger must be a sum of artifact_bytes, 26413"):
        replace(lenet, artifact_bytes=26_413)
    document = json.loads(lenet.to_json())
    document["ledger"]["gaps"] -= 1
    with pytest.raises(FormatError, match="ledger"):
        Report.from_json(json.dumps(document))


def test_numbers_that_contradict_each_other_are_refused(lenet):
    layer = lenet.layers[0]
    with pytest.raises(FormatError, match="nonzero must be in"):
        replace(layer, nonzero=layer.weights + 1)
    with pytest.raises(FormatError, match="distinct must be in"):
        replace(layer, distinct=-1)
    with pytest.raises(FormatError, match="paper_bytes must be positive"):
        replace(lenet, paper_bytes=0)
    with pytest.raises(FormatError, match="histograms must be at most"):
        replace(lenet, histograms=lenet.histograms * MAX_HISTOGRAMS)
    with pytest.raises(FormatError, match="max_rel must be finite"):
        Parity(max_abs=0.0, max_rel=float("nan"))
    with pytest.raises(FormatError, match="seconds must be finite"):
        Stage(name="prune", seconds=float("inf"), peak_rss_bytes=0)
    with pytest.raises(FormatError, match="value must be finite"):
        StepAccuracy(stage="prune", part="test", value=float("nan"))
    with pytest.raises(FormatError, match="centroids must be finite"):
        replace(lenet.histograms[0], centroids=(float("nan"),))


@pytest.mark.parametrize(
    ("dense", "compressed", "reason"),
    [(0.9, None, None), (None, None, None), (0.9, 0.9, "no data")],
)
def test_a_missing_accuracy_has_a_reason_and_only_that(dense, compressed, reason):
    with pytest.raises(FormatError, match="reason must be given where a figure is not"):
        Accuracy(metric="accuracy", dense=dense, compressed=compressed, reason=reason)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "nonsense",
        b"\xff\xfe",
        b"[" * 100_000,
        b"\x80\x04K\x01.",
    ],
)
def test_nonsense_is_a_format_error(text):
    with pytest.raises(FormatError, match="report"):
        Report.from_json(text)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_report_or_a_format_error(data):
    with pytest.raises(FormatError):
        Report.from_json(data)


@given(
    path=st.sampled_from(
        ["seed", "params", "ledger", "accuracy", "stages", "layers", "histograms"]
    ),
    value=st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers()), st.floats()),
)
def test_a_field_of_another_kind_never_escapes_as_another_error(lenet, path, value):
    document = json.loads(lenet.to_json())
    document[path] = value
    try:
        report = Report.from_json(json.dumps(document))
    except FormatError:
        return
    assert Report.from_json(report.to_json()) == report


@pytest.mark.parametrize("field", [field.name for field in fields(Report)])
def test_every_field_without_a_default_is_demanded(lenet, field):
    document = json.loads(lenet.to_json())
    del document[field]
    if field in ("histograms", "used", "files"):  # the last two: reports of earlier versions
        assert not getattr(Report.from_json(json.dumps(document)), field)
    else:
        with pytest.raises(FormatError, match=field):
            Report.from_json(json.dumps(document))


def test_a_layer_without_weights_has_no_bits():
    layer = Layer(name="x", kind="fc", shape=(0,), weights=0, nonzero=0, distinct=0, bytes=0)
    assert layer.bits_per_weight == 0
    assert layer.density == 0


def test_histogram_by_hand():
    values = np.array([[-1.0, 0.0, -0.0], [1.0, 1.0, 0.99]], np.float32)
    found = histogram(values)
    assert (found.lo, found.hi, found.zeros, found.nonzero) == (-1.0, 1.0, 2, 4)
    assert found.counts == (1, *[0] * (MAX_BINS - 2), 3)


def test_histogram_is_numpys_over_more_than_one_chunk():
    values = np.random.default_rng(0).normal(size=(3, 700_000)).astype(np.float32)
    values[np.abs(values) < 0.5] = 0
    found = histogram(values)
    nonzero = values[values != 0].astype(np.float64)
    assert found.zeros == values.size - nonzero.size
    assert (found.lo, found.hi) == (nonzero.min(), nonzero.max())
    assert found.counts == tuple(np.histogram(nonzero, MAX_BINS)[0].tolist())


def test_histogram_of_one_value_and_of_none():
    assert histogram(np.full(7, -2.5, np.float32)) == Histogram(
        lo=-2.5, hi=-2.5, counts=(7,), zeros=0
    )
    assert histogram(np.zeros(5, np.float32)) == Histogram(lo=0.0, hi=0.0, counts=(), zeros=5)
    assert histogram(np.empty((0, 3), np.float32)) == Histogram(lo=0.0, hi=0.0, counts=(), zeros=0)


def test_histogram_of_the_extremes_of_float32():
    extremes = np.finfo(np.float32)
    found = histogram(np.array([extremes.min, extremes.max], np.float32))
    assert found.counts == (1, *[0] * (MAX_BINS - 2), 1)
    close = histogram(np.array([1, np.nextafter(np.float32(1), np.float32(2))], np.float32))
    assert close.nonzero == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1_500_000])
def test_histogram_refuses_what_is_not_finite(bad, place):
    values = np.ones(1_600_000, np.float32)
    values[place] = bad
    with pytest.raises(DataError, match="weights must be finite"):
        histogram(values)


def test_histogram_refuses_more_bins_than_a_page_holds():
    with pytest.raises(FormatError, match="counts must be at most"):
        Histogram(lo=0.0, hi=1.0, counts=(1,) * (MAX_BINS + 1), zeros=0)
    with pytest.raises(FormatError, match="in order"):
        LayerHistograms(
            name="x",
            before=Histogram(lo=1.0, hi=0.0, counts=(), zeros=0),
            after=Histogram(lo=0.0, hi=0.0, counts=(), zeros=0),
        )
