"""Sentences and pairs: what a tokenizer makes of them, for networks of any form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress.errors import DataError, FormatError
from compress.measure.sessions import evaluate_session
from compress.tasks import Part, Takes
from compress.tasks.encoding import Encoder
from compress.tasks.texts import PairTask, Sentences, SentenceTask, Texts, TextTask, texts_of
from tests import needs
from tests.texts import tokenizer


class Words:
    """A network whose states are a row for each token, and padding's is large."""

    TABLE = np.array([[99, 99], [0, 0], [1, 0], [0, 1], [1, 1]], np.float32)

    def __init__(
        self,
        batch: int | str = "batch",
        length: int | str = "tokens",
        names: tuple[str, ...] = ("input_ids", "attention_mask"),
    ) -> None:
        self.inputs = [SimpleNamespace(name=name, shape=(batch, length)) for name in names]
        self.outputs = [SimpleNamespace(name="states")]
        self.shapes: set[tuple[int, ...]] = set()

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        assert list(inputs) == [given.name for given in self.inputs]
        self.shapes.add(inputs["input_ids"].shape)
        return {"states": self.TABLE[inputs["input_ids"]]}

    @property
    def takes(self) -> Takes:
        """What a task is told of it."""
        inputs = [
            SimpleNamespace(
                name=given.name,
                below=5,
                shape=tuple(size if isinstance(size, int) else 0 for size in given.shape[1:]),
            )
            for given in self.inputs
        ]
        return Takes(name="words", inputs=inputs, tokenizer=tokenizer())


@dataclass(frozen=True, kw_only=True)
class Told(PairTask):
    """Pairs that a test gives."""

    parts: Mapping[Part, Texts] = field(default_factory=dict)

    name = "told"
    highest = 5.0

    def texts(self, part: Part) -> Texts | None:
        """Return a part."""
        return self.parts.get(part)


@dataclass(frozen=True, kw_only=True)
class Named(SentenceTask):
    """Sentences that a test gives."""

    parts: Mapping[Part, Texts] = field(default_factory=dict)

    name = "named"
    classes = ("cats", "dogs")

    def texts(self, part: Part) -> Texts | None:
        """Return a part."""
        return self.parts.get(part)


PAIRS = texts_of(
    [("cat", "cat"), ("cat", "bird"), ("cat dog dog", "cat"), ("cat", "dog")], [5.0, 3.0, 2.0, 0.0]
)
SENTENCES = texts_of([("cat",), ("dog dog bird",), ("cat cat",)], [0, 1, 0])


def measured(network: Words, task: TextTask) -> float:
    suited = task.suited(network.takes)
    samples = suited.load("test")
    assert samples is not None
    return evaluate_session(network, suited, samples)  # type: ignore[arg-type]


def sentences(task: TextTask, takes: Takes | None = None) -> Sentences:
    found = task.suited(takes or Words().takes).load("test")
    assert isinstance(found, Sentences)
    return found


@pytest.mark.parametrize(
    ("batch", "length", "shapes"),
    [
        ("batch", "tokens", {(8, 3)}),
        ("batch", 8, {(8, 8)}),
        (2, "tokens", {(2, 3)}),
        (3, 4, {(3, 4)}),
    ],
)
def test_neither_batch_nor_padding_matters(
    batch: int | str, length: int | str, shapes: set[tuple[int, int]]
) -> None:
    network = Words(batch, length)
    assert measured(network, Told(parts={"test": PAIRS})) == pytest.approx(1)
    assert network.shapes <= shapes | {(2, 1), (2, 2), (2, 3)}
    assert network.shapes >= shapes


def test_a_batch_of_pairs() -> None:
    found = sentences(Told(parts={"test": PAIRS}))
    (ids, mask), (scores, same) = found.batch([2, 0])
    assert ids.tolist() == [[2, 3, 3], [2, 0, 0], [2, 0, 0], [2, 0, 0]]
    assert mask.tolist() == same.tolist() == [[1, 1, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert scores.tolist() == [2, 5]
    assert scores.dtype == np.float32


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_in_memory_gives_the_same(limit: int) -> None:
    for task in (Told(parts={"test": PAIRS}), Named(parts={"test": SENTENCES})):
        found = sentences(task)
        held = found.in_memory(limit)
        assert (held is None) == (limit == 0)
        for indices in ([0], [2, 1, 1]) if held is not None else ():
            assert repr(held.batch(indices)) == repr(found.batch(indices))  # type: ignore[union-attr]


def test_sentences_and_their_classes() -> None:
    task = Named(parts={"test": SENTENCES})
    (ids, mask, types), labels = sentences(
        task, Words(names=("input_ids", "attention_mask", "token_type_ids")).takes
    ).batch([0, 1])
    assert ids.tolist() == [[2, 0, 0], [3, 3, 4]]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert types.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert labels.tolist() == [0, 1]
    assert task.suited(Words().takes).facts == {"labels": ["cats", "dogs"]}
    turned = sentences(task, Words(names=("attention_mask", "input_ids")).takes).batch([0])[0]
    assert [held.tolist() for held in turned] == [[[1]], [[2]]]


def test_long_texts_are_cut() -> None:
    long = texts_of([("cat " * 500,)], [0])
    assert sentences(Named(parts={"test": long})).batch([0])[0][0].shape == (1, 128)
    cut = sentences(Named(parts={"test": long}), Words(length=2).takes)
    assert cut.batch([0])[0][0].tolist() == [[2, 2]]


def test_padding_as_the_tokenizer_wants_it() -> None:
    needs.module("tokenizers")
    from tokenizers import Tokenizer

    made = Tokenizer.from_buffer(tokenizer())
    made.enable_padding(direction="left", pad_id=4, pad_token="bird")
    made.enable_truncation(3)
    takes = Takes(name="w", inputs=Words().takes.inputs, tokenizer=made.to_str().encode())
    encoder = Encoder.of(takes)
    tokens = encoder.encode(["dog", "cat dog dog dog"])
    ids, mask = encoder.inputs(tokens)
    assert ids.tolist() == [[4, 4, 3], [2, 3, 3]]
    assert mask.tolist() == [[0, 0, 1], [1, 1, 1]]
    theirs = made.encode_batch(["dog", "cat dog dog dog"])
    assert ids.tolist() == [one.ids for one in theirs]
    assert mask.tolist() == [one.attention_mask for one in theirs]


def test_a_pair_without_a_vector_is_unlike() -> None:
    pairs = texts_of([("cat", "cat"), ("cat", "unknown"), ("cat", "bird")], [5.0, 0.0, 2.0])
    assert measured(Words(), Told(parts={"test": pairs})) == pytest.approx(1)


def test_vectors_that_are_not_finite_have_no_correlation() -> None:
    network = Words()
    network.TABLE = np.where(network.TABLE == 99, np.nan, network.TABLE)
    assert measured(network, Told(parts={"test": PAIRS})) == pytest.approx(1)
    network.TABLE[3] = np.inf  # of "dog"
    with pytest.raises(DataError, match="not finite for 2 of 4 samples, so it has no spearman"):
        measured(network, Told(parts={"test": PAIRS}))


def test_a_vector_a_sentence() -> None:
    class Pooled(Words):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {"states": self.TABLE[inputs["input_ids"][:, 0]]}

    assert measured(Pooled(), Told(parts={"test": PAIRS})) < 1


def test_digest_is_of_texts_and_numbers() -> None:
    def digest(*samples: tuple[str, ...], numbers: tuple[float, ...]) -> str:
        return sentences(Told(parts={"test": texts_of(samples, numbers)})).digest()

    first = digest(("a", "b"), ("c", "d"), numbers=(1.0, 2.0))
    assert first == digest(("a", "b"), ("c", "d"), numbers=(1.0, 2.0))
    others = {
        digest(("a", "b"), ("c", "e"), numbers=(1.0, 2.0)),
        digest(("a", "b"), ("c", "d"), numbers=(1.0, 2.5)),
        digest(("c", "d"), ("a", "b"), numbers=(1.0, 2.0)),
    }
    assert len({first, *others}) == 4
    found = sentences(Told(parts={"test": PAIRS}))
    assert found.digest([0, 1, 2, 3]) == found.digest()
    assert found.digest([1]) != found.digest([0])


def test_what_does_not_fit() -> None:
    needs.module("tokenizers")
    task = Told(parts={"test": PAIRS})
    with pytest.raises(DataError, match="task told must be suited to a network before"):
        task.load("test")
    inputs = Words().takes.inputs
    with pytest.raises(FormatError, match=r"tokenizer\.json is no tokenizer"):
        task.suited(Takes(name="w", inputs=inputs, tokenizer=b'{"model": {}}'))
    with pytest.raises(DataError, match=r"^w holds no tokenizer\.json, without which task told"):
        task.suited(Takes(name="w", inputs=inputs))
    images = Words(names=("input",)).takes
    with pytest.raises(DataError, match="must take input_ids and attention_mask, got \\['input'"):
        task.suited(images)
    flat = Words()
    flat.TABLE = np.ones(5, np.float32)
    flat.inputs = Words(length=3).inputs
    flat.run = lambda inputs: {"states": np.ones(len(inputs["input_ids"]))}  # type: ignore[assignment, method-assign]
    with pytest.raises(DataError, match="must hold a vector a token or a sentence"):
        measured(flat, task)


def test_losses() -> None:
    needs.module("torch")
    import torch

    task = Told(parts={"test": PAIRS}).suited(Words().takes)
    found = sentences(task)
    (ids, _), targets = found.batch([0, 3])
    given = tuple(map(torch.from_numpy, targets))
    states = torch.from_numpy(Words.TABLE)[torch.from_numpy(ids)].requires_grad_()
    assert task.loss((states, None), given).item() == pytest.approx(0)  # cosines 1 and 0
    assert task.loss(states[:, 0], given).item() == pytest.approx(0)
    assert task.loss(states[:, 0], (5 - given[0], given[1])).item() == pytest.approx(1)
    with pytest.raises(DataError, match="must hold a vector a token"):
        task.loss(states[:1], given)
    named = Named(parts={"test": SENTENCES}).suited(Words().takes)
    scores = torch.tensor([[2.0, 0.0]])
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor([1]))
    assert named.loss({"logits": scores}, torch.tensor([1])) == expected
    assert named.smooths
    assert not task.smooths
