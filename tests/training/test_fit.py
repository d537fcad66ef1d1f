import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from compress_zoo.tasks.task import Arrays
from torch import nn

from compress import kept
from compress.constraints import Mask, Shared, constraints_of
from compress.errors import DataError, SettingsError
from compress.preprocess import Preprocessing
from compress.training.checkpoint import snapshot
from compress.training.evaluate import accuracy
from compress.training.fit import FitReport, fit
from compress.training.settings import TrainSettings

Optimizer = Literal["sgd", "adam", "adamw"]
Run = Callable[..., FitReport]  # a model, and options of `fit`

AUGMENTATION = {"shift": 0.05, "scale": 0.05}
SETTINGS = TrainSettings(
    epochs=4, batch=32, lr=0.05, warmup_epochs=0.5, label_smoothing=0.05, augment=1
)


@pytest.fixture
def run(train: Arrays, validation: Arrays, preprocessing: Preprocessing) -> Run:
    def run(model: nn.Module, settings: TrainSettings = SETTINGS, **options: object) -> FitReport:
        known: dict[str, object] = {
            "train": train,
            "validation": validation,
            "preprocessing": preprocessing,
            "augmentation": AUGMENTATION,
            "seed": 5,
        }
        return fit(model, settings, **(known | options))  # type: ignore[arg-type]

    return run


def _same(left: nn.Module, right: nn.Module) -> bool:
    one, two = snapshot(left), snapshot(right)
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_learns(
    run: Run,
    model: nn.Module,
    train: Arrays,
    validation: Arrays,
    preprocessing: Preprocessing,
    optimizer: Optimizer,
) -> None:
    settings = TrainSettings(
        epochs=12, batch=32, optimizer=optimizer, lr=0.05 if optimizer == "sgd" else 0.005
    )
    report = run(model, settings)
    assert report.epochs == 12
    assert report.losses[-1] < report.losses[0] / 2
    kept = accuracy(model, validation, preprocessing)
    assert kept > 0.8
    assert kept == report.validation_accuracy
    assert max(report.validation_correct) == report.validation_correct[report.best_epoch]
    assert not model.training
    assert "_is_accelerate_prepared" not in vars(model)
    assert all(p.grad is None for p in model.parameters())


def test_same_bits_and_global_generator_untouched(run: Run, model: nn.Module) -> None:
    other = copy.deepcopy(model)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = run(model)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert run(other) == first
    assert _same(model, other)
    different = copy.deepcopy(model)
    assert run(different, seed=6) != first


def test_later_of_two_best_epochs_is_kept(run: Run, model: nn.Module) -> None:
    never_right = Arrays(np.zeros((5, 8, 8), np.uint8), np.full(5, 99))
    report = run(model, validation=never_right)
    assert set(report.validation_correct) == {0}
    assert report.best_epoch == report.epochs - 1


def test_patience(run: Run, model: nn.Module) -> None:
    report = run(model, TrainSettings(epochs=60, batch=32, lr=0.05, patience=2))
    assert report.epochs < 60
    assert report.best_epoch == report.epochs - 3


def test_without_validation_the_last_epoch_is_kept(run: Run, model: nn.Module) -> None:
    report = run(model, validation=None)
    assert report.best_epoch == 3
    assert report.validation_accuracy is None
    assert report.validation_correct == ()


def _constrain(model: nn.Module) -> None:
    """Mask one layer and share another one, which is pruned too."""
    held = constraints_of(model)
    weights = dict(model.named_parameters())
    held.by_name["5.weight"] = Mask(weights["5.weight"].abs() > 0.06)
    codes = torch.bucketize(weights["8.weight"], torch.tensor([-0.1, 0.0, 0.1])).to(torch.int16)
    codes[weights["8.weight"].abs() < 0.04] = -1
    held.by_name["8.weight"] = Shared(codes, torch.tensor([-0.15, -0.05, 0.05, 0.15]))


def test_constraints_hold(run: Run, model: nn.Module) -> None:
    _constrain(model)
    held = constraints_of(model).by_name
    mask, shared = held["5.weight"], held["8.weight"]
    assert isinstance(mask, Mask)
    assert isinstance(shared, Shared)
    centroids = shared.codebook.detach().clone()
    run(model)
    weights = {name: p.detach() for name, p in model.named_parameters()}
    zeros = weights["5.weight"][~mask.keep]
    assert zeros.numel() > 500
    assert not zeros.view(torch.int32).any()  # +0.0, not -0.0
    table = torch.cat([torch.zeros(1), shared.codebook.detach()])
    assert torch.equal(weights["8.weight"], table[shared.codes.long() + 1])
    assert not torch.equal(shared.codebook.detach(), centroids)


def test_best_epoch_is_of_the_last_masks(run: Run, model: nn.Module) -> None:
    def prune(step: int, total: int) -> None:
        assert total == 4 * 7
        if step == 15:  # in the third epoch; what is left cannot tell the classes apart
            for name, parameter in model.named_parameters():
                if parameter.ndim > 1:
                    keep = torch.zeros_like(parameter, dtype=torch.bool)
                    constraints_of(model).by_name[name] = Mask(keep)
            constraints_of(model).apply(model)

    report = run(model, on_step=prune)
    assert report.best_epoch >= 2
    assert report.validation_correct[report.best_epoch] < max(report.validation_correct)
    assert not dict(model.named_parameters())["5.weight"].any()


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("killed_at", [3, 8, 20])
def test_resumed_run_ends_with_the_same_bits(
    run: Run,
    model: nn.Module,
    tmp_path: Path,
    killed_at: int,
    optimizer: Optimizer,
    constrained: bool,
) -> None:
    settings = TrainSettings(epochs=4, batch=32, optimizer=optimizer, lr=0.01, augment=1)
    if constrained:
        _constrain(model)
    undisturbed, started, resumed = (copy.deepcopy(model) for _ in range(3))
    expected = run(undisturbed, settings)

    def kill(step: int, _total: int) -> None:
        if step == killed_at:
            raise _Killed

    path = tmp_path / "fit.safetensors"
    with pytest.raises(_Killed):
        run(started, settings, checkpoint=path, on_step=kill)
    assert path.exists() == (killed_at >= 7)
    assert run(resumed, settings, checkpoint=path) == expected
    assert _same(undisturbed, resumed)
    finished = copy.deepcopy(model)
    assert run(finished, settings, checkpoint=path) == expected
    assert _same(undisturbed, finished)


def test_checkpoint_of_another_training(run: Run, model: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "fit.safetensors"
    run(copy.deepcopy(model), checkpoint=path)
    with pytest.raises(DataError, match=r"fit\.safetensors cannot be used: .*; delete it"):
        run(copy.deepcopy(model), checkpoint=path, seed=6)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_checkpoint_of_other_pictures(
    run: Run, model: nn.Module, train: Arrays, validation: Arrays, part: str, tmp_path: Path
) -> None:
    """As many, of the same classes."""
    path = tmp_path / "fit.safetensors"
    run(copy.deepcopy(model), checkpoint=path)
    given = train if part == "train" else validation
    pixels = given.pixels.copy()
    pixels[-1, 0, 0] ^= 1
    with pytest.raises(DataError, match="with other settings, data or network"):
        run(copy.deepcopy(model), checkpoint=path, **{part: Arrays(pixels, given.labels)})


def test_a_damaged_checkpoint_is_told_and_not_used(
    run: Run, model: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "fit.safetensors"
    expected = run(copy.deepcopy(model), checkpoint=path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for data in (b"", b"{}", b"\x80\x04N.", whole[: len(whole) // 2], bytes(flipped)):
        path.write_bytes(data)
        caplog.clear()
        assert run(copy.deepcopy(model), checkpoint=path) == expected
        (said,) = caplog.messages
        assert said.startswith(f"training begins anew: checkpoint {path} is damaged")
        kept.read(path)


def test_progress_is_told(run: Run, model: nn.Module) -> None:
    told: list[tuple[int, int, Mapping[str, float]]] = []
    run(model, progress=lambda step, total, figures: told.append((step, total, figures)))
    assert {total for _, total, _ in told} == {28}
    steps = [step for step, _, _ in told]
    assert steps == sorted(steps)
    assert steps[-1] == 28
    assert told[-1][2].keys() == {"epoch", "loss", "accuracy"}


def test_odd_batches_weigh_alike(
    model: nn.Module, preprocessing: Preprocessing, train: Arrays
) -> None:
    """With the whole part in one batch a step is plain gradient descent."""
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    other = copy.deepcopy(linear)
    settings = TrainSettings(epochs=1, batch=500, lr=0.1, momentum=0, weight_decay=0)
    fit(
        linear, settings, train=train, validation=None, preprocessing=preprocessing,
        augmentation={}, seed=0,
    )  # fmt: skip
    inputs = torch.from_numpy(preprocessing(train.images(range(200))))
    loss = nn.functional.cross_entropy(other(inputs), torch.from_numpy(train.labels))
    gradients = torch.autograd.grad(loss, list(other.parameters()))
    moved = list(linear.parameters())
    for now, before, gradient in zip(moved, other.parameters(), gradients, strict=True):
        torch.testing.assert_close(now.detach(), before.detach() - 0.1 * gradient)


def test_device_that_is_not_there(run: Run, model: nn.Module) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device: hide it with CUDA_VISIBLE_DEVICES=")
    with pytest.raises(SettingsError, match="device must be"):
        run(model, device="cuda")


def test_negative_seed(run: Run, model: nn.Module) -> None:
    with pytest.raises(SettingsError, match="seed must be at least 0, got -1"):
        run(model, seed=-1)
