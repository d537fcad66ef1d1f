"""What a row of the zoo is: facts about a network, and how to build it.

The facts are recomputed by a test. torch is imported where a network is built, not before, so
that rows can be listed on a device that has none.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from zoo.errors import ZooError, not_installed

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Own:
    """A network that is written here."""

    network: Callable[[int], nn.Module]  #: takes the number of classes; imports torch itself
    classes: int  #: the paper's number of classes


@dataclass(frozen=True, slots=True)
class Torchvision:
    """A network of torchvision.models, as it is."""

    model: str  #: torchvision's name
    #: first set of weights: trained with the usual preprocessing, which later sets depart from
    weights: str = "IMAGENET1K_V1"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a network and what is known about it."""

    name: str
    family: str
    source: Own | Torchvision
    input_shape: tuple[int, int, int]  #: channels, height, width
    params: int
    macs: int  #: of convolutions and linear layers, for one input
    task: str
    paper: str

    @property
    def is_pretrained(self) -> bool:
        """Tell whether the source publishes weights."""
        return isinstance(self.source, Torchvision)

    def build(self, num_classes: int | None = None) -> nn.Module:
        """Build the network with random weights, in evaluation mode.

        The weights are drawn from torch's global generator: seed that first.

        Args:
            num_classes: outputs of the last layer; by default the paper's.

        Raises:
            ZooError: when the library that holds the network is not installed.
        """
        try:
            return self._network(num_classes).eval()
        except ModuleNotFoundError as error:
            raise not_installed(error.name or "torch", "torch") from error

    def load_pretrained(self, model: nn.Module) -> None:
        """Load the weights that the source publishes into a network of `build`.

        Raises:
            ZooError: when there are none, they cannot be downloaded, or do not fit.
        """
        match self.source:
            case Own():
                raise ZooError(f"{self.name} has no published weights; use --weights random|FILE")
            case Torchvision(name, weights):
                state = _download(self.name, name, weights)
            case _:
                assert_never(self.source)
        try:
            model.load_state_dict(state)
        except RuntimeError as error:  # names or shapes differ
            raise ZooError(
                f"the published weights of {self.name} do not fit this network, which was "
                f"changed or built for other classes; use --weights random|FILE"
            ) from error

    def _network(self, num_classes: int | None) -> nn.Module:
        match self.source:
            case Own(network, classes):
                return network(classes if num_classes is None else num_classes)
            case Torchvision(name):
                import torchvision

                options = {} if num_classes is None else {"num_classes": num_classes}
                model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
                return model
            case _:
                assert_never(self.source)


def _download(row: str, name: str, weights: str) -> dict[str, object]:
    try:
        import torchvision
    except ModuleNotFoundError as error:
        raise not_installed(error.name or "torchvision", "torch") from error
    chosen = torchvision.models.get_model_weights(name)[weights]
    try:
        state: dict[str, object] = chosen.get_state_dict(progress=False, check_hash=True)
    except (OSError, http.client.HTTPException, RuntimeError) as error:  # RuntimeError: bad hash
        raise ZooError(
            f"the download of pretrained weights for {row} from {chosen.url} failed ({error}); "
            "use --weights random|FILE"
        ) from error
    return state
