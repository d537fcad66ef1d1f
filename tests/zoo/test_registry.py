import contextlib
import http.server
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from compress_zoo.entry import Entry, Own, TaskName, Timm, Torchvision
from compress_zoo.errors import ZooError
from compress_zoo.registry import entries, get
from compress_zoo.tasks import NAMES
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_facts(entry: Entry) -> None:
    model, flops = counted(entry)
    assert sum(p.numel() for p in model.parameters()) == entry.params
    assert flops == 2 * entry.macs
    assert entry.task in get_args(TaskName)
    assert len({given.name for given in entry.inputs}) == len(entry.inputs)
    assert not model.training


def counted(entry: Entry) -> tuple[nn.Module, int]:
    """Build a network and count a pass of one sample, without numbers where it needs none."""
    for mode in (torch.device("meta"), FakeTensorMode()):
        with contextlib.suppress(RuntimeError):  # it looks at numbers, or at where they are
            return counted_in(entry, mode)
    return counted_in(entry, torch.device("cpu"))


def counted_in(entry: Entry, mode: torch.device | FakeTensorMode) -> tuple[nn.Module, int]:
    with mode, torch.no_grad():
        model = entry.build().requires_grad_(False)
        inputs = [
            torch.zeros(1, *given.shape, dtype=None if given.below is None else torch.int64)
            for given in entry.inputs
        ]
        with FlopCounterMode(display=False) as counter:
            model(*inputs)
    return model, counter.get_total_flops()


def test_tasks_that_can_be_run_are_known() -> None:
    assert {*NAMES} <= {*get_args(TaskName), "digits", "sst2"}


def test_names_are_unique_and_families_divide_them() -> None:
    names = [entry.name for entry in entries()]
    assert len(set(names)) == len(names)
    assert [entry.name for entry in entries("lenet")] == ["lenet-300-100", "lenet-5"]
    for entry in entries():
        assert get(entry.name) is entry


@pytest.mark.parametrize("name", ["lenet-5", "resnet18"])
def test_other_number_of_classes(name: str) -> None:
    entry = get(name)
    with torch.device("meta"):
        model, inputs = entry.build(num_classes=7), torch.empty(2, *entry.inputs[0].shape)
        assert model(inputs).shape == (2, 7)


def test_lenet_5_has_one_nonlinearity() -> None:
    layers = [type(layer).__name__ for layer in get("lenet-5").build().children()]
    assert layers == [
        "Conv2d", "MaxPool2d", "Conv2d", "MaxPool2d", "Flatten", "Linear", "ReLU", "Linear",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("resnt50", "resnet50"), ("LeNet5", "lenet-5"), ("mobilenetv2", "mobilenet_v2")],
)
def test_unknown_name_lists_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ZooError, match=f"got '{name}'; the nearest are .*{nearest}"):
        get(name)


def test_name_that_is_near_to_nothing_says_where_all_are() -> None:
    with pytest.raises(ZooError, match="compress zoo lists them"):
        get("qqq")
    with pytest.raises(ZooError, match=r"family must be a known name, got 'lenets'.*lenet"):
        entries("lenets")
    with pytest.raises(ZooError, match=r"task must be a known name, got 'mnits'.*mnist"):
        entries(task="mnits")
    with pytest.raises(ZooError, match=r"source must be a known name, got 'tv'.*torchvision"):
        entries(source="tv")


def test_rows_are_chosen_by_family_task_and_source() -> None:
    assert {entry.family for entry in entries("resnet", source="timm")} == {"resnet"}
    assert all(isinstance(entry.source, Timm) for entry in entries(source="timm"))
    assert {entry.name for entry in entries("lenet", task="mnist", source="own")} == {
        "lenet-300-100", "lenet-5",
    }  # fmt: skip
    assert entries("lenet", task="imagefolder") == ()


def test_listing_and_evaluating_load_no_torch() -> None:
    code = (
        "import sys, compress_zoo.registry, compress_zoo.tasks.registry, "
        "compress.training.settings, compress.measure.sessions, compress.runtime.takes\n"
        "compress_zoo.registry.entries(), compress_zoo.tasks.registry.names()\n"
        "print({'torch', 'torchvision', 'sklearn', 'accelerate'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Send every download to a port of this machine where nothing answers."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    port = server.server_port
    server.server_close()
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


@pytest.mark.usefixtures("no_network")
def test_pretrained_without_a_network() -> None:
    entry = get("squeezenet1_0")
    with pytest.raises(ZooError, match=r"download of .* squeezenet1_0 .* failed .*random\|FILE"):
        entry.load_pretrained(entry.build())


@pytest.mark.usefixtures("no_network")
def test_pretrained_weights_are_loaded(tmp_path: Path) -> None:
    entry = get("squeezenet1_0")
    published, model = entry.build(), entry.build()
    folder = tmp_path / "hub" / "checkpoints"  # where torch keeps what it has downloaded
    folder.mkdir(parents=True)
    torch.save(published.state_dict(), folder / "squeezenet1_0-b66bff10.pth")
    entry.load_pretrained(model)
    for left, right in zip(published.parameters(), model.parameters(), strict=True):
        assert torch.equal(left, right)
    with pytest.raises(ZooError, match="do not fit this network"):
        entry.load_pretrained(entry.build(num_classes=5))


def test_own_network_has_no_published_weights() -> None:
    entry = get("lenet-5")
    with pytest.raises(ZooError, match=r"lenet-5 has no published weights; use --weights"):
        entry.load_pretrained(entry.build())


@pytest.mark.parametrize(("name", "package"), [("lenet-5", "torch"), ("vgg16", "torchvision")])
def test_library_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ZooError, match=rf"^{package} is not installed; .*toolkit\[torch\]'$"):
        get(name).build()


def test_sources() -> None:
    assert {type(entry.source) for entry in entries()} >= {Own, Torchvision, Timm}
