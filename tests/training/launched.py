"""Train as `torchrun` or plain Python starts it; each process writes what came out.

`launched.py OUT` trains here, with what the environment says of other processes;
`launched.py ONE TWO` in one process, then in two: children of one that has loaded everything.
"""

import os
import socket
import sys
import traceback
from pathlib import Path

import safetensors.torch
import torch
from compress_zoo.registry import get
from compress_zoo.tasks.registry import get as get_task

from compress.constrained import Mask, Shared, constraints_of
from compress.tasks import Takes
from compress.training.checkpoint import snapshot
from compress.training.fit import fit
from compress.training.settings import TrainSettings
from compress.training.teacher import Teacher


def main(out: Path) -> None:
    entry = get("lenet-300-100")
    task = get_task("digits", Path()).suited(Takes(name=entry.name, inputs=entry.inputs))
    torch.manual_seed(0)
    model, teacher = entry.build(), Teacher(entry.build(), 0.5, 4.0, "random")
    weights = {name: p.detach() for name, p in model.named_parameters()}
    held = constraints_of(model)
    held.by_name["ip1.weight"] = Mask(weights["ip1.weight"].abs() > 0.02)
    centroids = torch.linspace(-0.05, 0.05, 16)
    codes = torch.bucketize(weights["ip2.weight"], (centroids[1:] + centroids[:-1]) / 2)
    held.by_name["ip2.weight"] = Shared(codes.to(torch.int16), centroids)
    train, validation = task.load("train"), task.load("validation")
    assert train is not None
    report = fit(
        model,
        TrainSettings(epochs=2, batch=63, lr=0.05, augment=1, label_smoothing=0.1),
        task=task,
        train=train,
        validation=validation,
        seed=3,
        checkpoint=out.with_suffix(".fit"),
        teacher=teacher,
    )
    figures = torch.tensor([*report.losses, *report.validation], dtype=torch.float64)
    rank = os.environ.get("RANK", "0")
    safetensors.torch.save_file(
        snapshot(model) | {"figures": figures}, out.with_suffix(f".{rank}.safetensors")
    )
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def fork(out: Path, rank: int, world: int, port: int) -> int:
    """Train in a child; return its process number."""
    process = os.fork()
    if not process:
        if world > 1:  # what torchrun tells its processes
            os.environ |= {
                "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world),
                "LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            }  # fmt: skip
        try:
            main(out)
        except BaseException:  # noqa: BLE001  (a child goes no further up)
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return process


def start(outs: list[str]) -> None:
    """Train each in one process more than the last; exit as the worst of them did."""
    import accelerate  # noqa: F401  (loaded here, once)
    import sklearn.datasets  # noqa: F401

    for world, out in enumerate(outs, 1):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        children = [fork(Path(out), rank, world, port) for rank in range(world)]
        codes = [os.waitpid(child, 0)[1] for child in children]
        if any(codes):
            sys.exit(1)


if len(sys.argv) == 2:
    main(Path(sys.argv[1]))
else:
    start(sys.argv[1:])
