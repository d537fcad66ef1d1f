import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

import compress.tasks
from compress import kept
from compress.constrained import Mask, Shared, constraints_of
from compress.errors import DataError, SettingsError
from compress.preprocess import Preprocessing
from compress.tasks import Metric, Task
from compress.tasks.images import Images
from compress.tasks.pictures import Arrays
from compress.training.checkpoint import snapshot
from compress.training.evaluate import evaluate
from compress.training.fit import FitReport, fit
from compress.training.fit import _together as together
from compress.training.settings import TrainSettings
from tests.tasks.images import Made

Optimizer = Literal["sgd", "adam", "adamw"]
Run = Callable[..., FitReport]  # a model, and options of `fit`

SETTINGS = TrainSettings(
    epochs=4, batch=32, lr=0.05, warmup_epochs=0.5, label_smoothing=0.05, augment=1
)


@pytest.fixture
def run(task: Task, train: Images, validation: Images) -> Run:
    def run(model: nn.Module, settings: TrainSettings = SETTINGS, **options: object) -> FitReport:
        known: dict[str, object] = {
            "train": train,
            "validation": validation,
            "task": task,
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
    task: Task,
    validation: Images,
    optimizer: Optimizer,
) -> None:
    settings = TrainSettings(
        epochs=12, batch=32, optimizer=optimizer, lr=0.05 if optimizer == "sgd" else 0.005
    )
    report = run(model, settings)
    assert report.epochs == 12
    assert report.losses[-1] < report.losses[0] / 2
    kept = evaluate(model, task, validation)
    assert kept > 0.8
    assert kept == report.best == max(_known(report))
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


def _known(report: FitReport) -> list[float]:
    return [value for value in report.validation if value is not None]


def test_later_of_two_best_epochs_is_kept(run: Run, model: nn.Module, task: Made) -> None:
    never_right = Arrays(np.zeros((5, 8, 8), np.uint8), np.full(5, 99))
    report = run(model, validation=Images(never_right, task.default_preprocessing((1, 8, 8))))
    assert set(report.validation) == {0}
    assert report.best_epoch == report.epochs - 1


def test_patience(run: Run, model: nn.Module) -> None:
    report = run(model, TrainSettings(epochs=60, batch=32, lr=0.05, patience=2))
    assert report.epochs < 60
    assert report.best_epoch == report.epochs - 3


def test_without_validation_the_last_epoch_is_kept(run: Run, model: nn.Module) -> None:
    report = run(model, validation=None)
    assert report.best_epoch == 3
    assert report.best is None
    assert report.validation == ()


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
    assert report.best is not None
    assert report.best < max(_known(report))
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


def test_a_checkpoint_that_another_process_replaces_is_read_as_it_was(
    run: Run, model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs of one training have one checkpoint."""
    settings = TrainSettings(epochs=4, batch=32, lr=0.01)
    undisturbed = copy.deepcopy(model)
    expected = run(undisturbed, settings)
    paths = {killed_at: tmp_path / f"{killed_at}.safetensors" for killed_at in (8, 20)}
    for killed_at, path in paths.items():

        def kill(step: int, _total: int, last: int = killed_at) -> None:
            if step == last:
                raise _Killed

        with pytest.raises(_Killed):
            run(copy.deepcopy(model), settings, checkpoint=path, on_step=kill)
    read = kept.read

    def replaced(path: Path) -> bytes:
        data = read(path)
        path.write_bytes(paths[20].read_bytes())
        return data

    monkeypatch.setattr(kept, "read", replaced)
    resumed = copy.deepcopy(model)
    assert run(resumed, settings, checkpoint=paths[8]) == expected
    assert _same(undisturbed, resumed)


def test_checkpoint_of_another_training(run: Run, model: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "fit.safetensors"
    run(copy.deepcopy(model), checkpoint=path)
    with pytest.raises(DataError, match=r"fit\.safetensors cannot be used: .*; delete it"):
        run(copy.deepcopy(model), checkpoint=path, seed=6)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_checkpoint_of_other_pictures(
    run: Run, model: nn.Module, train: Images, validation: Images, part: str, tmp_path: Path
) -> None:
    """As many, of the same classes."""
    path = tmp_path / "fit.safetensors"
    run(copy.deepcopy(model), checkpoint=path)
    given = train if part == "train" else validation
    assert isinstance(given.pictures, Arrays)
    pixels = given.pictures.pixels.copy()
    pixels[-1, 0, 0] ^= 1
    other = Images(Arrays(pixels, given.labels), given.preprocessing)
    with pytest.raises(DataError, match="with other settings, data or network"):
        run(copy.deepcopy(model), checkpoint=path, **{part: other})


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


def test_odd_batches_weigh_alike(task: Task, train: Images) -> None:
    """With the whole part in one batch a step is plain gradient descent."""
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    other = copy.deepcopy(linear)
    settings = TrainSettings(epochs=1, batch=500, lr=0.1, momentum=0, weight_decay=0)
    fit(linear, settings, task=task, train=train, validation=None, seed=0)
    inputs, labels = map(torch.from_numpy, train.batch(range(200)))
    loss = nn.functional.cross_entropy(other(inputs), labels)
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


def test_errors_of_a_users_own_loss_and_metric_come_first(train: Images, model: nn.Module) -> None:
    """Before hours of training."""
    x, y = train.batch(range(60))
    settings, steps = TrainSettings(epochs=1, batch=20), list[int]()

    def refused(said: str, **own: object) -> None:
        task = compress.tasks.Arrays(train=(x, y), test=(x, y), **own)  # type: ignore[arg-type]
        parts = task.load("train"), task.load("validation")
        with pytest.raises(DataError, match=said):
            fit(
                model, settings, task=task, train=parts[0], validation=parts[1], seed=0,  # type: ignore[arg-type]
                progress=lambda step, *_: steps.append(step),
            )  # fmt: skip

    refused("must give a figure for each of 6 samples", metric=lambda outputs, targets: 1.0)
    refused(
        r"the loss of task arrays must be one number, the mean of a batch, got shape \(18, 3\)",
        loss=lambda outputs, targets: outputs,
    )
    assert not steps


def test_another_task_is_another_training(
    run: Run, model: nn.Module, task: Made, tmp_path: Path
) -> None:
    path = tmp_path / "fit.safetensors"
    run(copy.deepcopy(model), checkpoint=path)
    with pytest.raises(DataError, match="with other settings, data or network"):
        run(copy.deepcopy(model), checkpoint=path, task=replace(task, changes={}))


class Sums(nn.Module):
    """Two inputs to one number."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Linear(3, 1), nn.Embedding(5, 1)

    def forward(self, x: torch.Tensor, word: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.one(x) + self.two(word), x


def sums(count: int, seed: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:  # type: ignore[type-arg]
    random = np.random.default_rng(seed)
    x, word = random.normal(size=(count, 3)), random.integers(0, 5, count)
    return (x, word), x.sum(1) + word


def test_numbers_from_two_inputs(tmp_path: Path) -> None:
    """Several inputs are the network's arguments, and of its outputs the first counts."""
    task = compress.tasks.Arrays(train=sums(200, 1), test=sums(50, 2))
    assert task.metric.name == "mean absolute error"
    model, parts = Sums(), [task.load(part) for part in ("train", "validation", "test")]
    train, validation, test = parts
    assert train is not None
    assert validation is not None
    assert test is not None
    assert (len(train), len(validation)) == (180, 20)
    settings = TrainSettings(epochs=30, batch=20, optimizer="adam", lr=0.1)
    report = fit(model, settings, task=task, train=train, validation=validation, seed=0)
    assert report.best == min(_known(report))  # less is better
    assert report.best < report.validation[0] / 4  # type: ignore[operator]
    assert evaluate(model, task, validation) == report.best
    assert evaluate(model, task, test) < 0.3
    smooth = replace(settings, label_smoothing=0.1)
    with pytest.raises(SettingsError, match=r"label_smoothing must be 0, since the loss of task"):
        fit(model, smooth, task=compress.tasks.Arrays(
            train=sums(20, 1), test=sums(9, 2), loss=lambda outputs, targets: outputs[0].sum(),
        ), train=train, validation=None, seed=0)  # fmt: skip


def test_epochs_whose_outputs_are_not_finite_are_the_worst(
    run: Run, model: nn.Module, preprocessing: Preprocessing
) -> None:
    seen: list[int] = []

    def each(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        seen.append(len(targets))
        broken = len(seen) != 3  # the first is the try before the first epoch
        return np.where(broken, np.nan, outputs.argmax(1) == targets)

    class Odd(Made):
        metric = Metric(name="odd", each=each)

    report = run(model, task=Odd(preprocessing=preprocessing))
    assert [value is None for value in report.validation] == [True, False, True, True]
    assert report.best_epoch == 1
    seen[:] = [0] * 5
    report = run(model, task=Odd(preprocessing=preprocessing))
    assert report.validation == (None,) * 4
    assert report.best_epoch == 3


def test_figures_of_several_processes_come_in_the_order_of_the_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, there = [(np.array([0, 1, 4]), np.array([0.0, 1, 4]))], [(np.array([3, 2]), [3.0, 2])]
    monkeypatch.setattr("accelerate.utils.gather_object", lambda parts: parts + there)
    assert together(here, 2).tolist() == [0, 1, 2, 3, 4]  # type: ignore[arg-type]
    assert together(here, 1).tolist() == [0, 1, 4]
