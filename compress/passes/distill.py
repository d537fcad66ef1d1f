"""Distillation: a network is trained to give what another gives.

The runner binds the teacher to every training of a run; here is the training that is for it alone,
and the student that is made of some of the teacher's own layers.

Sources: Hinton et al. 2015, arXiv:1503.02531 (soft targets); Sanh et al. 2019, arXiv:1910.01108,
sec. 3 (a student of every other layer of its teacher).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from compress.errors import SettingsError, UnsupportedLayerError, require
from compress.passes.chosen import all_of
from compress.passes.context import Context, Passed, layer_of
from compress.passes.network import Network
from compress.passes.settings import DistillSettings


def distill(network: Network, settings: DistillSettings, context: Context) -> Passed:
    """Train a network by its teacher, in place; one that keeps fewer layers loses the others first.

    Where the teacher is the dense network itself, and no layer goes, there is nothing to train: it
    teaches the trainings of other passes.

    Raises:
        SettingsError: when there are no more layers than are to be kept.
        UnsupportedLayerError: when layers are to be taken out of what is not a chain of them.
    """
    plan = None
    if settings.layers is not None:
        plan = _plan(network, settings.layers)
        rebuild(network, plan)
    if context.fit is not None and not (settings.is_dense and plan is None):
        context.fit(None)
    weights, skipped = all_of(network)
    return Passed(layers=tuple(map(layer_of, weights)), skipped=tuple(skipped), plan=plan)


def rebuild(network: Network, plan: Mapping[str, Any] | None) -> None:
    """Take the layers out that a plan does not keep."""
    if plan is None:
        return
    chain = _module(network).get_submodule(plan["chain"])
    assert isinstance(chain, (nn.ModuleList, nn.Sequential))
    for place in reversed(range(len(chain))):
        if place not in plan["kept"]:
            del chain[place]


def _plan(network: Network, layers: int) -> dict[str, Any]:
    name, chain = _chain(_module(network))
    told = f"fewer than the {len(chain)} layers of {name}"
    require(layers < len(chain), "distill.layers", told, layers)
    return {"chain": name, "kept": [place * len(chain) // layers for place in range(layers)]}


def _chain(model: nn.Module) -> tuple[str, nn.ModuleList | nn.Sequential]:
    """Return the largest chain of layers of one class, by its name."""
    chains = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, (nn.ModuleList, nn.Sequential))
        and name
        and len(module) > 1
        and len({type(layer) for layer in module}) == 1
    ]
    if not chains:
        raise UnsupportedLayerError(
            "layers can be taken out of a chain of layers of one class, and the network has none"
        )
    return max(chains, key=lambda one: sum(p.numel() for p in one[1].parameters()))


def _module(network: Network) -> nn.Module:
    model = getattr(network, "model", None)
    if not isinstance(model, nn.Module):
        raise SettingsError("distill.layers must be left out of a network that is a file")
    return model
