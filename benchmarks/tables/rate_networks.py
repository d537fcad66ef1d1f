"""The networks that bytes are set against accuracy on: of different kinds, with real data.

Each brings its weights as published (resnet20: as trained), samples that a codec may see without
labels, and what its outputs are measured on. ROOT holds the data sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from compress_zoo import registry
from compress_zoo.entry import Input
from compress_zoo.tasks.imagefolder import ImageFolder
from compress_zoo.tasks.stsb import Stsb
from numpy.typing import NDArray
from torch import Tensor, nn

from compress.pictures import open_image
from compress.pipeline import published, weights
from compress.preprocess import Preprocessing
from compress.tasks import Takes
from compress.tasks.encoding import Encoder
from compress.tasks.similarity import cosines, spearman

_HAN = "squeezenet-deep-compression/compressed_SqueezeNet.net"
_SEEN = 200  # samples
_BATCH = 10  # images of 224 pixels; 20 and 50 were slower

Outputs = NDArray[np.float32]  # (n, scores of classes or width of a vector)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network with its data at hand."""

    model: nn.Module  #: with its own weights
    seen: tuple[Tensor, ...]  #: samples for codecs that look at some, an input each
    measured: Sequence[tuple[Tensor, ...]]  #: batches of what is measured, an input each
    unseen: NDArray[np.bool_]  #: which of these no codec looks at
    metric: str
    scores: bool  #: whether outputs are scores of classes
    percent: Callable[[Outputs, NDArray[np.bool_]], float]  #: the metric, on a part of the samples

    def outputs(self, model: nn.Module) -> Outputs:
        """Return a network's output for each sample that is measured."""
        with torch.inference_mode():
            return np.concatenate([model(*batch).numpy() for batch in self.measured])

    def divergence(self, reference: Outputs, outputs: Outputs) -> NDArray[np.float64]:
        """Return how far the outputs of each sample are from those of the network as published.

        It is KL(softmax(reference) || softmax(outputs)) in nats, or the squared error as a part of
        the square.
        """
        before, after = (torch.from_numpy(x).double() for x in (reference, outputs))
        if self.scores:
            p, q = (x.log_softmax(1) for x in (before, after))
            found = (p.exp() * (p - q)).sum(1)
        else:
            found = (before - after).square().sum(1) / before.square().sum(1)
        each: NDArray[np.float64] = found.numpy()
        return each


def case(name: str, root: Path, trained: Path | None) -> Case:
    """Return a network by its name in the zoo.

    Args:
        name: one of `NAMES`.
        root: of the data sets.
        trained: weights of networks that nobody publishes.
    """
    return _CASES[name](root, trained)


def _squeezenet(root: Path, _: Path | None) -> Case:
    model = registry.get("squeezenet1_0").build()
    published.load_net(root / _HAN, model, "squeezenet1_0")
    return _on_imagenet(model, Preprocessing.from_json(published.PREPROCESSING), root)


def _lite(root: Path, _: Path | None) -> Case:
    entry = registry.get("efficientnet_lite0")
    assert entry.preprocessing is not None
    model = entry.build()
    entry.load_pretrained(model)
    return _on_imagenet(model, Preprocessing.from_json(entry.preprocessing), root)


def _on_imagenet(model: nn.Module, preprocessing: Preprocessing, root: Path) -> Case:
    """Measure on one image of each class; every fifth is seen."""
    paths = sorted((root / "imagenet-sample" / "val").glob("*/*.jpg"))
    values = torch.cat([torch.from_numpy(preprocessing([open_image(path)])) for path in paths])
    return Case(
        model=model.eval().to(memory_format=torch.channels_last),
        seen=(values[::5],),
        measured=[(batch,) for batch in torch.split(values, _BATCH)],
        unseen=np.arange(len(paths)) % 5 != 0,
        metric="top-1",
        scores=True,
        percent=_top1(np.arange(len(paths))),
    )


def _resnet20(root: Path, trained: Path | None) -> Case:
    """Measure on CIFAR-10's test images; images of the training part are seen."""
    if trained is None:
        raise SystemExit("resnet20 needs --trained FILE, see benchmarks.tables.rate_accuracy")
    task = ImageFolder(root=root / "cifar10-images")
    train, test = task.pictures("train"), task.pictures("test")
    assert train is not None
    assert test is not None
    model = registry.get("resnet20").build(10)
    weights.load_file(trained, model)
    preprocessing = task.default_preprocessing((3, 32, 32))
    chosen = np.random.default_rng(0).permutation(len(train))[:_SEEN]
    values = torch.from_numpy(preprocessing(test.images(np.arange(len(test)))))
    return Case(
        model=model.eval(),
        seen=(torch.from_numpy(preprocessing(train.images(chosen))),),
        measured=[(batch,) for batch in torch.split(values, 25 * _BATCH)],
        unseen=np.ones(len(test), bool),
        metric="top-1",
        scores=True,
        percent=_top1(test.labels),
    )


def _top1(labels: NDArray[np.int64]) -> Callable[[Outputs, NDArray[np.bool_]], float]:
    return lambda outputs, part: 100 * float((outputs.argmax(1) == labels)[part].mean())


class _Sentences(nn.Module):
    """A network of sentences with its mean over tokens."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states: Tensor = self.model(input_ids, attention_mask)[0]
        kept = attention_mask.unsqueeze(2).to(states.dtype)
        return (states * kept).sum(1) / kept.sum(1).clamp(min=1)


def _minilm(root: Path, _: Path | None) -> Case:
    """Measure on the pairs of STS-B's test part; sentences of the training part are seen."""
    entry = registry.get("all-minilm-l6-v2")
    model = entry.build()
    entry.load_pretrained(model)
    model.pooler = None  # type: ignore[assignment]  # the mean over tokens takes its place
    task = Stsb(root=root)
    test, train = task.texts("test"), task.texts("train")
    texts = [text for pair in test.samples for text in pair]
    others = [text for pair in train.samples for text in pair]
    chosen = np.random.default_rng(0).permutation(len(others))[:_SEEN]
    inputs = [Input((0,), name, 2) for name in ("input_ids", "attention_mask")]
    encoder = Encoder.of(
        Takes(name=entry.name, inputs=inputs, tokenizer=entry.attached()["tokenizer.json"])
    )

    def percent(outputs: Outputs, _: NDArray[np.bool_]) -> float:
        vectors = outputs.astype(np.float64)
        return 100 * spearman(cosines(vectors[::2], vectors[1::2]), test.numbers)

    def tokens(texts: Sequence[str]) -> tuple[Tensor, ...]:
        return tuple(map(torch.from_numpy, encoder.inputs(encoder.encode(texts))))

    return Case(
        model=_Sentences(model).eval(),
        seen=tokens([others[place] for place in chosen]),
        measured=[tokens(texts[i : i + 32]) for i in range(0, len(texts), 32)],
        unseen=np.ones(len(texts), bool),
        metric="Spearman",
        scores=False,
        percent=percent,
    )


_CASES: Mapping[str, Callable[[Path, Path | None], Case]] = {
    "squeezenet1_0": _squeezenet,
    "efficientnet_lite0": _lite,
    "all-minilm-l6-v2": _minilm,
    "resnet20": _resnet20,
}
NAMES = tuple(_CASES)
