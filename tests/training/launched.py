"""Train as `torchrun` or plain Python starts it; the first process writes what came out."""

import os
import sys
from pathlib import Path

import safetensors.torch
import torch

from compress.constraints import Mask, Shared, constraints_of
from compress.preprocess import Preprocessing
from compress.training.checkpoint import snapshot
from compress.training.fit import fit
from compress.training.settings import TrainSettings
from zoo.registry import get
from zoo.tasks.registry import get as get_task


def main(out: Path) -> None:
    task, entry = get_task("digits"), get("lenet-300-100")
    preprocessing = Preprocessing.from_json(task.preprocessing(entry.inputs[0].shape))
    torch.manual_seed(0)
    model = entry.build()
    weights = {name: p.detach() for name, p in model.named_parameters()}
    held = constraints_of(model)
    held.by_name["ip1.weight"] = Mask(weights["ip1.weight"].abs() > 0.02)
    centroids = torch.linspace(-0.05, 0.05, 16)
    codes = torch.bucketize(weights["ip2.weight"], (centroids[1:] + centroids[:-1]) / 2)
    held.by_name["ip2.weight"] = Shared(codes.to(torch.int16), centroids)
    train, validation = task.load("train", Path()), task.load("validation", Path())
    assert train is not None
    report = fit(
        model,
        TrainSettings(epochs=2, batch=63, lr=0.05, augment=1, label_smoothing=0.1),
        train=train,
        validation=validation,
        preprocessing=preprocessing,
        augmentation=task.augmentation,
        seed=3,
        checkpoint=out.with_suffix(".fit"),
    )
    figures = torch.tensor([*report.losses, *report.validation_correct], dtype=torch.float64)
    rank = os.environ.get("RANK", "0")
    safetensors.torch.save_file(
        snapshot(model) | {"figures": figures}, out.with_suffix(f".{rank}.safetensors")
    )
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


main(Path(sys.argv[1]))
