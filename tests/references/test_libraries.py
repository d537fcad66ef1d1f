"""Networks of timm and torchvision by the libraries' own names."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.errors import CompressError, SettingsError
from compress.preprocess import Preprocessing
from compress.references import Torch, resolve
from compress.references.subject import Given
from tests import needs

for name in ("torch", "torchvision", "timm"):
    needs.module(name)

from tests.references.exported import Classes, built, check  # noqa: E402  (it needs torch)

SMALL = "timm:mobilenetv4_conv_small"


def test_timm_tells_input_and_preprocessing() -> None:
    subject = resolve(SMALL)
    assert subject.name == "mobilenetv4_conv_small"
    assert subject.inputs == (Given("input", (3, 224, 224)),)
    assert subject.preprocessing is not None
    told = Preprocessing.from_json(subject.preprocessing)
    assert (told.resize, told.crop, told.resample) == (256, (224, 224), "bicubic")
    assert told.mean == (0.485, 0.456, 0.406)
    smaller = resolve(SMALL, inputs="3x112x112").preprocessing
    assert smaller is not None
    assert (smaller["crop"], smaller["resize"]) == ([112, 112], 128)


def test_timm_resizes_both_sides_where_its_configuration_squashes() -> None:
    squashed = resolve("timm:dm_nfnet_f0").preprocessing
    assert squashed is not None
    assert squashed["resize"] == [213, 213]


def test_classes_of_a_task() -> None:
    for text in ("timm:test_resnet", "torchvision:mobilenet_v3_small"):
        task = Classes(7)
        subject = resolve(text, task=task)  # type: ignore[arg-type]  # enough of a task
        assert isinstance(subject.source, Torch)
        assert subject.source.load_pretrained is not None
        assert not subject.source.is_made_for(task)  # type: ignore[arg-type]  # as above
        assert subject.source.is_made_for(Classes(0))  # type: ignore[arg-type]  # as above
        assert subject.source.is_made_for(Classes(1000))  # type: ignore[arg-type]  # as above
        assert list(built(subject, task).parameters())[-1].shape == (7,)


def test_published_weights_for_other_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = resolve("timm:test_resnet")
    assert isinstance(subject.source, Torch)
    assert subject.source.load_pretrained is not None
    state = built(subject).state_dict()
    monkeypatch.setattr("compress_zoo.weights.timm", lambda *_: state)
    subject.source.load_pretrained(built(subject))
    with pytest.raises(SettingsError, match=r"test_resnet do not fit .* built for other classes"):
        subject.source.load_pretrained(built(subject, Classes(3)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "timm:resnt50",
            "timm network must be a known name, got 'resnt50'; the nearest are resnet50",
        ),
        ("timm:resnet18.a1_in2k", "tag of resnet18 must be a known name, .*a1_in1k"),
        ("torchvision:resnt50", "torchvision network must be a known name, .* resnet50"),
        ("torchvision:raft_small", "takes more than one image; give a function"),
        ("torchvision:fasterrcnn_resnet50_fpn", "takes more than one image; give a function"),
        ("torchvision:quantized_resnet18", "is quantized already"),
    ],
)
def test_names_that_are_none(text: str, said: str) -> None:
    with pytest.raises(CompressError, match=said):
        resolve(text)


def test_torchvision_tells_input_and_preprocessing() -> None:
    subject = resolve("torchvision:regnet_y_400mf")
    assert subject.inputs == (Given("input", (3, 224, 224)),)
    assert subject.preprocessing is not None
    told = Preprocessing.from_json(subject.preprocessing)
    assert (told.resize, told.crop, told.resample) == (232, (224, 224), "bilinear")


def test_every_classifier_of_torchvision_is_known() -> None:
    from torchvision import models

    refused = []
    for name in models.list_models():
        try:
            subject = resolve(f"torchvision:{name}")
        except SettingsError:
            refused.append(name)
            continue
        assert subject.preprocessing is not None
        Preprocessing.from_json(subject.preprocessing)
    assert all("quantized" in n or "rcnn" in n or "raft" in n or "retina" in n or "ssd" in n
               or "fcos" in n or "3d" in n or "mvit" in n or "r2plus1d" in n or "mc3" in n
               for n in refused), refused  # fmt: skip


@pytest.mark.parametrize("name", ["googlenet", "lraspp_mobilenet_v3_large", "vit_b_32"])
def test_networks_with_settings_of_their_own_are_built_without_a_download(name: str) -> None:
    import torch

    with torch.device("meta"):
        model = built(resolve(f"torchvision:{name}", inputs="3x64x64"))
    assert not any("aux" in own for own in dict(model.named_parameters()))


def test_a_small_network_as_a_file(tmp_path: Path) -> None:
    subject = resolve("timm:test_resnet", inputs="3x32x32")
    assert check(subject, built(subject, Classes(4)), tmp_path) == [(3, 4)]


@pytest.mark.slow
@pytest.mark.parametrize("text", [SMALL, "torchvision:regnet_y_400mf"])
def test_networks_as_files(text: str, tmp_path: Path) -> None:
    subject = resolve(text)
    assert check(subject, built(subject), tmp_path) == [(3, 1000)]
