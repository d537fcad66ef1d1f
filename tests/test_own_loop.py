"""Training loops of one's own: what they pass, what they keep, and the file that they end in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import compress
from compress.errors import DataError, OutputError, SettingsError, UnsupportedLayerError
from compress.export.settings import OnnxSettings
from compress.passes.settings import PruneSettings, QuantizeSettings
from compress.passes.targets import Targets
from compress.preprocess import Preprocessing
from compress.runtime import load

Optimize = Callable[[Any], torch.optim.Optimizer]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 10)
    )


def batches(n: int = 12) -> Iterator[tuple[Tensor, Tensor]]:
    drawn = torch.Generator().manual_seed(1)
    for _ in range(n):
        labels = torch.randint(10, (32,), generator=drawn)
        images = torch.randn(32, 1, 8, 8, generator=drawn) + labels.view(-1, 1, 1, 1) / 3
        yield images, labels


def zeros(model: nn.Module) -> float:
    weights = [p for p in model.parameters() if p.ndim > 1]
    return sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)


def distinct(weight: Tensor) -> int:
    return len(weight[weight != 0].unique())


def train(model: nn.Module, optimizer: torch.optim.Optimizer, *, every: int = 1) -> list[float]:
    """Train as anyone would; `every` batches are a step."""
    keep, losses = compress.constraints(model), []
    model.train()
    for number, (images, labels) in enumerate(batches(), 1):
        loss = nn.functional.cross_entropy(model(images), labels)
        losses.append(float(loss.detach()))
        (loss / every).backward()
        if number % every == 0:
            keep.collect_gradients(model)
            optimizer.step()
            keep.apply(model)
            optimizer.zero_grad()
    return losses


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize(
    "optimize",
    [
        lambda held: torch.optim.SGD(held, lr=0.1, momentum=0.9, weight_decay=1e-3),
        lambda held: torch.optim.Adam(held, lr=3e-3),
    ],
    ids=["sgd", "adam"],
)
def test_zeros_and_shared_values_hold_through_a_loop(optimize: Optimize, every: int) -> None:
    model = network()
    pruned = compress.prune(model, 0.8)
    losses = train(model, optimize(model.parameters()), every=every)
    assert zeros(model) == pytest.approx(pruned.sparsity) == pytest.approx(0.8, abs=0.01)
    compress.share(model, "3bit")
    before = model[4].weight.detach().clone()
    losses += train(
        model, optimize(compress.constraints(model).trained_parameters(model)), every=every
    )
    assert zeros(model) == pytest.approx(pruned.sparsity)
    assert distinct(model[0].weight) <= 8
    assert distinct(model[4].weight) <= 8
    assert not torch.equal(before, model[4].weight)
    assert min(losses[-3:]) < losses[0]


def test_a_gradient_that_was_gathered_over_batches_is_their_sum() -> None:
    model = network().eval()
    compress.share(model, 2)
    keep = compress.constraints(model)
    (codebook,) = (held for name, held in keep.trained_parameters(model) if name == "4.weight")
    sums = []
    for together in (True, False):
        total = torch.zeros_like(codebook)
        for images, labels in batches(3):
            nn.functional.cross_entropy(model(images), labels).backward()
            if not together:
                keep.collect_gradients(model)
                assert codebook.grad is not None
                total += codebook.grad
        if together:
            keep.collect_gradients(model)
            assert codebook.grad is not None
            total += codebook.grad
        sums.append(total)
    torch.testing.assert_close(sums[0], sums[1])


def test_pruning_goes_on_where_it_was() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    earlier = torch.zeros_like(model[4].weight, dtype=torch.bool)
    for sparsity in (0.3, 0.6, 0.9):
        passed = compress.prune(model, sparsity)
        train(model, optimizer)
        assert zeros(model) == pytest.approx(passed.sparsity) == pytest.approx(sparsity, abs=0.01)
        now = model[4].weight == 0
        assert bool(now[earlier].all())
        earlier = now
    assert compress.prune(model, 0.5).sparsity == pytest.approx(0.9, abs=0.01)


def test_two_of_four_hold_through_a_loop() -> None:
    model = network()
    passed = compress.prune(model, "2:4")
    assert {layer.name: layer.pattern for layer in passed.layers} == {"4.weight": "2:4"}
    assert "0.weight" in {one.name for one in passed.skipped}
    train(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    assert bool((model[4].weight.view(-1, 4).count_nonzero(1) == 2).all())
    assert compress.prune(model, "1:4").sparsity == 0.75


def test_what_options_take_is_taken() -> None:
    as_text, as_settings, as_field = network(), network(), network()
    passed = compress.prune(as_text, "conv=0.5,fc=0.9")
    assert {layer.name: layer.nonzero for layer in passed.layers} == {
        "0.weight": 27,
        "4.weight": 216,
    }
    uniform = compress.prune(as_field, 0.5, scope="uniform")
    settings = PruneSettings(sparsity=Targets.plain(0.5), scope="uniform")
    assert compress.prune(as_settings, settings) == uniform
    assert [layer.bits for layer in compress.share(as_text, "conv=4bit,fc=2").layers] == [4, 2]
    assert [layer.bits for layer in compress.share(as_field, 3, init="density").layers] == [3, 3]
    again = compress.share(as_settings, QuantizeSettings(bits=Targets.plain(3)), init="density")
    assert [layer.bits for layer in again.layers] == [3, 3]
    assert torch.equal(as_settings[4].weight, as_field[4].weight)


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda m: compress.prune(m, 1.5), r"sparsity must be in \[0, 1\), got 1.5"),
        (lambda m: compress.prune(m, "much"), "sparsity must be a number"),
        (lambda m: compress.prune(m, "head=0.5"), "matches no layer"),
        (
            lambda m: compress.prune(m, 0.5, scope="all"),
            "prune.scope must be lamp, global or uniform, got 'all'",
        ),
        (
            lambda m: compress.prune(m, 0.5, scoop="global"),
            "prune must be settings among .* got 'scoop'",
        ),
        (lambda m: compress.share(m, 0), r"bits must be in \[1, 16\]"),
        (lambda m: compress.share(m, QuantizeSettings(bits="auto")), "auto"),
        (
            lambda m: compress.share(m, 3, calibration=[np.zeros((2, 1)), np.zeros(3)]),
            "as many rows",
        ),
        (lambda m: compress.save(m, torch.zeros(1, 1, 8, 8), "net.onnx"), "ends in .safetensors"),
        (lambda m: compress.save(m, torch.zeros(2).bfloat16(), "a.safetensors"), "bfloat16"),
    ],
)
def test_bad_settings_are_told_in_one_line(act: Callable[[nn.Module], object], told: str) -> None:
    model = network()
    before = {name: held.clone() for name, held in model.state_dict().items()}
    with pytest.raises(SettingsError, match=told) as raised:
        act(model)
    assert "\n" not in str(raised.value)
    assert all(torch.equal(before[name], held) for name, held in model.state_dict().items())


def test_sharing_comes_last() -> None:
    model = network()
    compress.share(model, 4)
    with pytest.raises(SettingsError, match="must be pruned before its weights are shared"):
        compress.prune(model, 0.5)
    with pytest.raises(UnsupportedLayerError, match="no weight"):
        compress.prune(nn.ReLU(), 0.5)


def test_errors_cancel_on_samples_and_modes_stay() -> None:
    model, alone = network(), network()
    model.train()
    model[1].eval()
    weight = model[4].weight
    images = torch.cat([images for images, _ in batches(8)])
    with torch.no_grad():
        wanted = network().eval()(images)
    passed = compress.share(model, 2, calibration=images[:200])
    compress.share(alone, 2)
    assert passed.notes == ()
    assert model[4].weight is weight
    assert [module.training for module in model] == [True, False, True, True, True]
    with torch.no_grad():
        errors = [
            (held.eval()(images[200:]) - wanted[200:]).square().mean() for held in (model, alone)
        ]
    assert errors[0] < errors[1]


class Keeps(nn.Module):
    """A network whose forward keeps a tensor for the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.scale = nn.Linear(6, 3), nn.Parameter(torch.ones(3))
        self.kept: Tensor | None = None

    def forward(self, given: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = torch.ones(3)
        scaled: Tensor = self.fc(given) * (self.scale * self.kept)
        return scaled


def test_what_a_forward_keeps_can_be_trained_on() -> None:
    model, given = Keeps(), torch.randn(40, 6)
    compress.prune(model, 0.5, calibration=given)
    compress.share(model, 4, calibration=given)
    loss = model.train()(given).sum()
    torch.autograd.backward(loss)
    assert model.scale.grad is not None


def test_pruning_makes_up_on_samples() -> None:
    images = torch.cat([images for images, _ in batches(8)])
    errors = []
    for calibration in (None, images[:200]):
        model = network().eval()
        with torch.no_grad():
            wanted = model(images[200:])
            compress.prune(model, 0.7, calibration=calibration)
            errors.append(float((model(images[200:]) - wanted).square().mean()))
    assert errors[1] < errors[0]


def test_doubles_and_numbers_that_are_not_finite() -> None:
    given = torch.randn(40, 6, dtype=torch.float64)
    passed = compress.share(Keeps().double(), 4, calibration=given)
    assert passed.layers[0].distinct is not None
    given[3, 2] = torch.nan
    for act in (compress.prune, compress.share):
        with pytest.raises(DataError, match="calibration must hold finite numbers"):
            act(Keeps(), "0.5" if act is compress.prune else "4bit", calibration=given.float())


def test_constraints_come_back_after_a_restart(tmp_path: Path) -> None:
    model = network()
    compress.prune(model, 0.8)
    compress.share(model, 3)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    save_file(compress.constraints(model).state(), tmp_path / "constraints.safetensors")

    again = network()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    keep = compress.constraints(again)
    keep.load_state(load_file(tmp_path / "constraints.safetensors"))
    train(again, torch.optim.SGD(keep.trained_parameters(again), lr=0.1))
    assert zeros(again) == zeros(model)
    assert distinct(again[4].weight) <= 8


def test_a_file_that_ships(tmp_path: Path) -> None:
    model = network()
    compress.prune(model, 0.8)
    compress.share(model, 4)
    model.train()
    model[1].eval()
    images, _ = next(batches())
    target = tmp_path / "out" / "net.safetensors"
    grey = Preprocessing(mode="L", crop=(8, 8))
    saved = compress.save(
        model, (images[:1],), target, labels=list("0123456789"), preprocessing=grey
    )
    assert [module.training for module in model] == [True, False, True, True, True]
    assert saved.n_bytes == target.stat().st_size
    assert saved.ratio > 3
    session = load(target)
    assert session.metadata["model"] == "net"
    assert session.metadata["labels"] == list("0123456789")
    assert session.preprocessing() == grey
    with torch.no_grad():
        expected = model.eval()(images).numpy()
    np.testing.assert_allclose(
        session.run({"input": images.numpy()})["output"], expected, rtol=1e-3, atol=1e-5
    )

    compress.save(model, images[:2].numpy(), target, coder="best")  # ours gives way
    target.write_bytes(b"another's")
    with pytest.raises(OutputError, match="another file"):
        compress.save(model, images[:2], target)
    compress.save(model, images[:2], target, force=True)


class Two(nn.Module):
    """Two inputs, of which one decides nothing, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, left: Tensor, right: Tensor) -> dict[str, Tensor]:
        return {"sum": self.layer(left), "count": (left > 0).sum(1)}


def test_inputs_and_outputs_have_names(tmp_path: Path) -> None:
    given = torch.randn(3, 4), torch.randn(3, 2)
    compress.save(Two(), given, tmp_path / "a.safetensors")
    session = load(tmp_path / "a.safetensors")
    assert {value.name for value in session.inputs} <= {"input_0", "input_1"}
    assert [value.name for value in session.outputs] == ["output_0", "output_1"]
    compress.save(
        Two(), given, tmp_path / "b.safetensors",
        input_names=["left", "right"], output_names=["sum", "count"],
        onnx=OnnxSettings(dynamic_batch=False), attached={"note.txt": b"of mine"},
    )  # fmt: skip
    session = load(tmp_path / "b.safetensors")
    assert session.inputs[0].shape == (3, 4)
    assert [value.name for value in session.outputs] == ["sum", "count"]
    with pytest.raises(SettingsError, match="input_names must be 2 names"):
        compress.save(Two(), given, tmp_path / "c.safetensors", input_names=["left"])


def test_half_precision_stays_and_what_numpy_lacks_is_told(tmp_path: Path) -> None:
    half = nn.Linear(64, 10).half()
    compress.share(half, 4)
    compress.save(half, torch.randn(2, 64).half(), tmp_path / "half.safetensors")
    assert load(tmp_path / "half.safetensors").inputs[0].type == "tensor(float16)"
    brain = nn.Sequential(nn.Linear(64, 10), Brain())
    with pytest.raises(UnsupportedLayerError, match="returns bfloat16"):
        compress.save(brain, torch.randn(2, 64), tmp_path / "brain.safetensors")


class Brain(nn.Module):
    """Gives its input in bfloat16."""

    def forward(self, given: Tensor) -> Tensor:
        return given.bfloat16()


def test_a_compiled_module_is_one_like_any_other(tmp_path: Path) -> None:
    model = network()
    compiled = torch.compile(model, backend="eager")
    compress.prune(compiled, 0.8)
    compress.share(compiled, 3)
    train(
        compiled, torch.optim.SGD(compress.constraints(compiled).trained_parameters(compiled), 0.1)
    )
    assert zeros(model) == pytest.approx(0.8, abs=0.01)
    assert distinct(model[4].weight) <= 8


class Drifting(nn.Module):
    """Gives something else each time, so that no file can be the same."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(4, 3), 0

    def forward(self, given: Tensor) -> Tensor:
        self.calls += 1
        return self.layer(given) + self.calls


def test_a_file_that_differs_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"net.safetensors is not written: .* differs from torch's"):
        compress.save(Drifting(), torch.randn(2, 4), tmp_path / "net.safetensors")
    assert list(tmp_path.iterdir()) == []
