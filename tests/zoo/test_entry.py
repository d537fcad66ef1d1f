"""Networks of timm and transformers as rows: built, loaded, told about."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from compress_zoo.entry import Entry, Input, Timm, Transformers, image, tokens
from compress_zoo.errors import ZooError
from compress_zoo.registry import get
from compress_zoo.weights import Origin

SMALL = {"num_hidden_layers": 1, "hidden_size": 24, "vocab_size": 100, "intermediate_size": 48}


def row(source: Timm | Transformers, inputs: tuple[Input, ...]) -> Entry:
    return Entry("net", "family", source, inputs, 1, 1, "stsb", "paper")


def bert(published: str | None = "someone/bert") -> Entry:
    return row(Transformers(published, "BertConfig", SMALL), tokens(8, 100))


def test_transformers_gives_the_bare_network() -> None:
    model = bert().build()
    assert not model.training
    assert model.config._attn_implementation == "eager"
    words = torch.zeros(2, 8, dtype=torch.int64)
    states, pooled = torch.utils._pytree.tree_leaves(model(words))
    assert (states.shape, pooled.shape) == ((2, 8, 24), (2, 24))
    with pytest.raises(ZooError, match="net has no classes, so none can be asked for"):
        bert().build(3)


def test_a_decoder_keeps_no_keys_and_values() -> None:
    source = Transformers(None, "GPT2Config", {"n_layer": 1, "n_embd": 24, "n_head": 2})
    (states,) = torch.utils._pytree.tree_leaves(
        row(source, tokens(8, 50257)).build()(torch.zeros(2, 8, dtype=torch.int64))
    )
    assert states.shape == (2, 8, 24)


def test_timm_with_other_classes() -> None:
    with torch.device("meta"):
        model = row(Timm("mobilenetv1_100"), image(32)).build(7)
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_what_is_published() -> None:
    assert get("lenet-5").origin is None
    assert bert().origin == Origin("someone/bert")
    assert bert(None).origin is None
    assert not bert(None).is_pretrained
    found = get("resnet18").origin
    assert found is not None
    assert found.name == "IMAGENET1K_V1"
    assert found.metrics["ImageNet-1K acc@1"] == 69.758
    found = get("mobilenetv1_100").origin
    assert found is not None
    assert found.licence == "apache-2.0"


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("resnet18", "torchvision", "torch"), ("mobilenetv1_100", "timm", "timm")],
)
def test_what_is_published_where_the_library_is_missing(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    found = get(name).origin
    assert found is not None
    assert found.extra == extra


@pytest.mark.parametrize(
    ("source", "package", "extra"),
    [
        (Timm("mobilenetv1_100"), "timm", "timm"),
        (Transformers("someone/bert", "BertConfig"), "transformers", "nlp"),
    ],
)
def test_libraries_that_are_not_installed(
    monkeypatch: pytest.MonkeyPatch, source: Timm | Transformers, package: str, extra: str
) -> None:
    entry = row(source, image(32))
    monkeypatch.setitem(sys.modules, package, None)
    for act in (entry.build, lambda: entry.load_pretrained(torch.nn.Identity())):
        with pytest.raises(ZooError, match=rf"^{package} is not installed; .*\[{extra}\]'$"):
            act()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the hub's client find neither network nor cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("entry", "place"),
    [(bert(), "someone/bert"), (row(Timm("mobilenetv1_100"), image(32)), "timm/mobilenetv1_100")],
)
def test_pretrained_without_a_network(entry: Entry, place: str) -> None:
    said = rf"^the download of pretrained weights for net from {place}.* failed \(.*random\|FILE$"
    with pytest.raises(ZooError, match=said):
        entry.load_pretrained(torch.nn.Identity())


@pytest.mark.parametrize(
    "entry", [bert(None), row(Timm("resnet18d_no_such"), image(32))], ids=["transformers", "timm"]
)
def test_without_published_weights(entry: Entry) -> None:
    with pytest.raises(ZooError, match=r"net has no published weights; use --weights random\|FILE"):
        entry.load_pretrained(torch.nn.Identity())


def test_published_weights_of_transformers_are_loaded(tmp_path: Path) -> None:
    published: Any = bert().build()
    published.save_pretrained(tmp_path / "bert")
    entry = bert(str(tmp_path / "bert"))
    model = entry.build()
    entry.load_pretrained(model)
    for left, right in zip(published.parameters(), model.parameters(), strict=True):
        assert torch.equal(left, right)
    with pytest.raises(ZooError, match="do not fit this network"):
        entry.load_pretrained(torch.nn.Linear(2, 2))
