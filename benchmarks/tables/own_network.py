"""A network, data and a metric of one's own: by `compress run`, and in a plain loop of torch.

    python -m benchmarks.tables.own_network ROOT OUT

ROOT holds cifar10-images. The dense network is trained in OUT by plain torch, once; both ways begin
with it. The last epoch counts: nothing is chosen on the test part. Each file is measured by
`compress eval`, in a process that loads no torch. Writes `benchmarks/results/own_network.csv`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

import compress
from benchmarks import results_file
from benchmarks.own import cifar

NAME = "own_network"
_FILE = Path(cifar.__file__)
_SPARSITY, _BITS = 0.8, "5bit"
_BATCH = 128
_DENSE_EPOCHS, _PRUNED_EPOCHS, _SHARED_EPOCHS = 12, 8, 2

Arrays = tuple[Tensor, Tensor]
Epochs = Iterator[int]


def main() -> None:
    """Run both ways and write the table."""
    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    dense = out / "dense.safetensors"
    if not dense.exists():
        _train_dense(root, dense)
    report = results_file.compress_run(
        "--model", f"{_FILE}:net", "--weights", str(dense), "--task", f"{_FILE}:data",
        "--data", str(root), "--prune", str(_SPARSITY), "--quantize", _BITS, "--coder", "best",
        "--resume", out=out / "run",
    )  # fmt: skip
    files = {
        "compress run": out / "run" / "net.safetensors",
        "a loop of torch": out / "loop.safetensors",
    }
    _own_loop(root, dense, files["a loop of torch"])
    rows = [_row(way, file, root, report) for way, file in files.items()]
    results_file.write(NAME, rows)


def _train_dense(root: Path, file: Path) -> None:
    torch.manual_seed(0)
    model = cifar.net()
    for epoch in _epochs(model.parameters, model, _part(root), _DENSE_EPOCHS, 4e-3):
        print(f"dense, epoch {epoch + 1} of {_DENSE_EPOCHS}", flush=True)
    safetensors.torch.save_file(model.state_dict(), file)


def _own_loop(root: Path, dense: Path, target: Path) -> None:
    """Prune, share and train in a loop of one's own."""
    torch.manual_seed(1)
    model, data = cifar.net(), _part(root)
    model.load_state_dict(safetensors.torch.load_file(dense))
    reached = _PRUNED_EPOCHS // 2  # all is pruned in the first half
    for epoch in range(_PRUNED_EPOCHS):
        part = min((epoch + 1) / reached, 1)
        compress.prune(model, _SPARSITY * (1 - (1 - part) ** 3))
        lr = 2e-3 * (1 - epoch / _PRUNED_EPOCHS)
        _keep_training(model, data, 1, lr)
    compress.share(model, _BITS)
    _keep_training(model, data, _SHARED_EPOCHS, 2e-4)
    model.eval()
    compress.save(model, (data[0][:2],), target, coder="best", force=True)


def _keep_training(model: nn.Module, data: Arrays, epochs: int, lr: float) -> None:
    keep = compress.constraints(model)

    def trained() -> Iterator[nn.Parameter]:
        return (parameter for _, parameter in keep.trained_parameters(model))

    for _ in _epochs(trained, model, data, epochs, lr, keep):
        pass


def _epochs(
    parameters: Callable[[], Iterator[nn.Parameter]],
    model: nn.Module,
    data: Arrays,
    epochs: int,
    lr: float,
    keep: compress.Constraints | None = None,
) -> Epochs:
    """Train, and yield the number of each epoch that is done."""
    inputs, labels = data
    steps = -(-len(inputs) // _BATCH)
    optimizer = torch.optim.AdamW(parameters(), lr, weight_decay=1e-2)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, epochs * steps, pct_start=0.2)
    for epoch in range(epochs):
        model.train()
        for chosen in torch.split(torch.randperm(len(inputs)), _BATCH):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(_changed(inputs[chosen])), labels[chosen])
            torch.autograd.backward(loss)
            if keep is not None:
                keep.collect_gradients(model)
            optimizer.step()
            if keep is not None:
                keep.apply(model)
            rates.step()
        yield epoch


def _changed(images: Tensor) -> Tensor:
    """Mirror half of the images, and move all of them by up to three pixels."""
    mirrored = (torch.rand(len(images)) < 0.5).view(-1, 1, 1, 1)
    down, right = (int(shift) for shift in torch.randint(-3, 4, (2,)))
    moved = torch.where(mirrored, images.flip(3), images).roll((down, right), (2, 3))
    return moved.contiguous(memory_format=torch.channels_last)


def _part(root: Path) -> Arrays:
    """Return the training part as the task has it."""
    train = cifar.data(root).load("train")
    assert train is not None
    inputs, labels = train.batch(np.arange(len(train)))
    assert isinstance(inputs, np.ndarray)
    assert isinstance(labels, np.ndarray)
    return torch.from_numpy(inputs), torch.from_numpy(labels)


def _row(way: str, file: Path, root: Path, report: dict[str, Any]) -> results_file.Row:
    n_bytes, dense = file.stat().st_size, 100 * report["accuracy"]["dense"]
    found = 100 * _measured(file, root)
    return {
        "way": way,
        "prune": _SPARSITY,
        "quantize": _BITS,
        "coder": "best",
        "metric": cifar.BALANCED.name,
        "dense_percent": round(dense, 2),
        "percent": round(found, 2),
        "dense_bytes": report["dense_bytes"],
        "file_bytes": n_bytes,
        "ratio": round(report["dense_bytes"] / n_bytes, 1),
        **results_file.circumstances(),
    }


def _measured(file: Path, root: Path) -> float:
    """Measure a file by the command that a device has."""
    command = [
        sys.executable, "-m", "compress", "eval", str(file), "--task", f"{_FILE}:data",
        "--data", str(root), "--json",
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=os.environ)
    value: float = json.loads(done.stdout)["value"]
    return value


if __name__ == "__main__":
    main()
