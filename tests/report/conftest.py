"""Two reports as a run would write them: a small network with data, a large one without."""

from __future__ import annotations

import numpy as np
import pytest

from compress.report.data import (
    Accuracy,
    Layer,
    LayerHistograms,
    Ledger,
    Parity,
    Report,
    Stage,
    StepAccuracy,
    histogram,
)

VERSIONS = {"compress": "0.1.0", "torch": "2.14.1", "onnxruntime": "1.32.0", "numpy": "2.4.6"}


def pair(name, weights, nonzero, bits, seed):
    """Gaussian weights, pruned by magnitude and rounded to evenly spaced centroids.

    At most 20,000 are drawn and their counts scaled: a fixture need not hold 25 M weights.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.normal(0, weights**-0.25 / 4, min(weights, 20_000)).astype(np.float32)
    cut = np.quantile(np.abs(drawn), 1 - nonzero / weights)
    sign = np.sign(drawn)
    centroids = np.linspace(cut, np.abs(drawn).max(), 2 ** (bits - 1), dtype=np.float32)
    near = np.abs(np.abs(drawn)[:, None] - centroids).argmin(1)
    after = np.where(np.abs(drawn) > cut, sign * centroids[near], np.float32(0))
    return LayerHistograms(
        name=name,
        before=histogram(drawn),
        after=histogram(after),
        centroids=tuple(sorted([*(-centroids).tolist(), *centroids.tolist()])),
    )


@pytest.fixture(scope="session")
def lenet() -> Report:
    rows = [
        ("fc1", (300, 784), 18_816, 64, 17_120),
        ("fc2", (100, 300), 2_700, 64, 2_930),
        ("fc3", (10, 100), 260, 61, 410),
    ]
    layers = []
    for name, shape, nonzero, distinct, size in rows:
        layers += [
            Layer(
                name=f"{name}.weight",
                kind="fc",
                shape=shape,
                weights=shape[0] * shape[1],
                nonzero=nonzero,
                distinct=distinct,
                bytes=size,
            ),
            Layer(
                name=f"{name}.bias",
                kind="other",
                shape=shape[:1],
                weights=shape[0],
                nonzero=shape[0],
                distinct=shape[0],
                bytes=4 * shape[0],
                skipped="a bias",
            ),
        ]
    measured = [
        ("dense", "validation", 0.9822),
        ("prune", "validation", 0.9806),
        ("quantize", "validation", 0.9824),
    ]
    return Report(
        model="lenet-300-100",
        task="mnist",
        seed=0,
        recipe={
            "model": "lenet-300-100",
            "task": "mnist",
            "weights": None,
            "prune": {"sparsity": "0.92", "scope": "lamp", "schedule": "gradual"},
            "quantize": {"bits": "6bit", "init": "linear"},
            "epochs": None,
        },
        used={
            "model": "lenet-300-100",
            "task": "mnist",
            "weights": "trained",
            "prune": {
                "sparsity": "0.92",
                "scope": "lamp",
                "train": {"epochs": 20, "lr": 0.001, "patience": None},
            },
            "quantize": {"bits": "6bit", "train": {"epochs": 10, "lr": 0.0001}},
            "onnx": {"dynamic_batch": True},
            "inputs": ["1x28x28"],
        },
        versions=VERSIONS,
        device="cpu",
        params=266_610,
        dense_bytes=1_066_440,
        artifact_bytes=26_412,
        paper_bytes=22_100,
        ledger=Ledger(
            codes=12_406,
            gaps=7_811,
            codebooks=768,
            tables=243,
            dense=1_640,
            graph=1_388,
            header=2_156,
        ),
        accuracy=Accuracy(
            metric="accuracy",
            dense=0.9836,
            compressed=0.9843,
            part="test",
            n=10_000,
            steps=tuple(StepAccuracy(stage=s, part=p, value=v) for s, p, v in measured),
        ),
        parity=Parity(max_abs=4.77e-6, max_rel=3.1e-7),
        stages=(
            Stage(name="dense", seconds=0.41, peak_rss_bytes=402_653_184),
            Stage(name="prune", seconds=96.2, peak_rss_bytes=611_319_808, size_bytes=88_214),
            Stage(name="quantize", seconds=42.08, peak_rss_bytes=640_679_936, size_bytes=26_530),
            Stage(name="export", seconds=2.9, peak_rss_bytes=802_160_640),
            Stage(name="pack", seconds=0.21, peak_rss_bytes=802_160_640, size_bytes=26_412),
            Stage(name="check", seconds=1.3, peak_rss_bytes=822_083_584),
        ),
        layers=tuple(layers),
        histograms=tuple(
            pair(f"{name}.weight", shape[0] * shape[1], nonzero, 6, seed)
            for seed, (name, shape, nonzero, _, _) in enumerate(rows)
        ),
    )


def resnet50_layers():
    """Names and shapes of torchvision's resnet50: 53 convolutions with their norms, one Linear."""
    yield "conv1", (64, 3, 7, 7), "bn1"
    inputs = 64
    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            yield f"{name}.conv1", (width, inputs, 1, 1), f"{name}.bn1"
            yield f"{name}.conv2", (width, width, 3, 3), f"{name}.bn2"
            yield f"{name}.conv3", (4 * width, width, 1, 1), f"{name}.bn3"
            if block == 0:
                yield (
                    f"{name}.downsample.0",
                    (4 * width, inputs, 1, 1),
                    f"{name}.downsample.1",
                )
            inputs = 4 * width
    yield "fc", (1000, 2048), None


@pytest.fixture(scope="session")
def resnet50() -> Report:
    layers = []
    for name, shape, norm in resnet50_layers():
        weights = int(np.prod(shape))
        layers.append(
            Layer(
                name=f"{name}.weight",
                kind="fc" if norm is None else "conv",
                shape=shape,
                weights=weights,
                nonzero=weights // 10,
                distinct=32,
                bytes=weights * 9 // 80 + 160,
            )
        )
        if norm is not None:
            layers.append(
                Layer(
                    name=f"{norm}.weight",
                    kind="other",
                    shape=shape[:1],
                    weights=shape[0],
                    nonzero=shape[0],
                    distinct=1,
                    bytes=48,
                    skipped="BatchNorm2d is no conv, fc, embedding or rnn layer",
                )
            )
    coded = [layer for layer in layers if layer.skipped is None]
    largest = sorted(coded, key=lambda layer: -layer.weights)[:24]
    ledger = Ledger(
        codes=1_612_800,
        gaps=1_240_113,
        codebooks=54 * 128,
        tables=54 * 31,
        dense=9_114,
        graph=11_920,
        header=21_404,
    )
    return Report(
        model="resnet50",
        task=None,
        seed=0,
        recipe={
            "model": "resnet50",
            "weights": None,
            "prune": {"sparsity": "0.9"},
            "quantize": {"bits": "5bit"},
        },
        used={
            "model": "resnet50",
            "weights": "pretrained",
            "prune": {"sparsity": "0.9"},
            "quantize": {"bits": "5bit"},
            "inputs": ["3x224x224"],
        },
        versions=VERSIONS,
        device="cpu",
        params=25_557_032,
        dense_bytes=102_441_000,
        artifact_bytes=ledger.total,
        paper_bytes=2_861_499,
        ledger=ledger,
        accuracy=Accuracy(
            metric="accuracy",
            dense=None,
            compressed=None,
            reason="no data was given; name a task with --task",
        ),
        parity=Parity(max_abs=2.1e-6, max_rel=8.4e-7),
        stages=(
            Stage(name="dense", seconds=1.9, peak_rss_bytes=780_140_544),
            Stage(name="prune", seconds=0.92, peak_rss_bytes=910_163_968, size_bytes=11_302_772),
            Stage(
                name="quantize", seconds=6.4, peak_rss_bytes=1_020_264_448, size_bytes=ledger.total
            ),
            Stage(name="export", seconds=21.8, peak_rss_bytes=1_480_589_312),
            Stage(name="pack", seconds=7.7, peak_rss_bytes=1_480_589_312, size_bytes=ledger.total),
            Stage(name="check", seconds=2.2, peak_rss_bytes=1_512_046_592),
        ),
        layers=tuple(layers),
        histograms=tuple(
            pair(layer.name, layer.weights, layer.nonzero, 5, seed)
            for seed, layer in enumerate(largest)
        ),
    )
