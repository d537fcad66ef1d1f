"""What a row of the zoo is: facts about a network, and how to build it.

The facts are recomputed by a test. torch is imported where a network is built, not before, so
that rows can be listed on a device that has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import assert_never

from compress_zoo import weights
from compress_zoo.errors import ZooError, not_installed
from compress_zoo.published import Package
from compress_zoo.weights import Origin

if TYPE_CHECKING:
    from torch import nn


#: What a network is for. Of these mnist, cifar10, imagefolder and stsb are tasks here.
TaskName = Literal[
    "mnist", "cifar10", "imagefolder", "segmentation", "super-resolution", "style", "detection",
    "video", "word-vectors", "sentiment", "text-classification", "tagging", "language-model",
    "translation", "text-encoder", "stsb", "captioning", "retrieval", "generation",
    "representation", "speech", "control",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a network."""

    shape: tuple[int, ...]  #: of one sample: without the batch
    name: str = "input"
    below: int | None = None  #: None for float32; else int64 in [0, below)


@dataclass(frozen=True, slots=True)
class Own:
    """A network that is written here."""

    network: Callable[..., nn.Module]  #: takes the number of classes, if any; imports torch itself
    classes: int | None = None  #: the paper's number of classes; None where there are no classes


@dataclass(frozen=True, slots=True)
class Torchvision:
    """A network of torchvision.models, as it is."""

    model: str  #: torchvision's name
    #: first set of weights: trained with the usual preprocessing, which later sets depart from
    weights: str = "IMAGENET1K_V1"
    settings: Mapping[str, Any] = field(default_factory=dict)  #: arguments of its builder
    #: makes a network from tensors to tensors of one that is not; names of weights stay
    adapt: Callable[[Any], nn.Module] | None = None


@dataclass(frozen=True, slots=True)
class Timm:
    """A network of timm, as it is."""

    model: str  #: timm's name
    package: Package | None = None  #: brings the weights, where timm's download is not to be had


@dataclass(frozen=True, slots=True)
class Transformers:
    """The bare network of transformers: what AutoModel gives at a published configuration."""

    model: str | None  #: the name of its published weights; None where there are none
    config: str  #: class of the configuration
    settings: Mapping[str, Any] = field(default_factory=dict)  #: what departs from its defaults
    package: Package | None = None  #: brings the weights, where the hub is not to be had
    #: makes a network that can be exported of one that cannot; names of weights stay
    adapt: Callable[[Any], nn.Module] | None = None

    def configuration(self) -> Any:  # noqa: ANN401  (transformers' own)
        """Return the configuration; no cache of keys and values is kept, nor returned."""
        import transformers

        return getattr(transformers, self.config)(**{"use_cache": False, **self.settings})


_EXTRAS = {"timm": "timm", "transformers": "nlp"}  # package -> extra that brings it; else torch
_TOKENIZER = "tokenizer.json"  # as transformers and its library of tokenizers call it

Source = Own | Torchvision | Timm | Transformers


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a network and what is known about it."""

    name: str
    family: str
    source: Source
    inputs: tuple[Input, ...]
    params: int
    macs: int  #: of convolutions, linear and recurrent layers and attention, for one sample
    task: TaskName
    paper: str
    batch: int | None = None  #: the one size of a batch that can be exported; None for any
    tolerance: float = 1e-3  #: of ONNX Runtime against torch, relative to the largest output
    preprocessing: Mapping[str, object] | None = None  #: of published weights; None for the task's

    @property
    def is_pretrained(self) -> bool:
        """Tell whether the source publishes weights."""
        match self.source:
            case Own():
                return False
            case Transformers(model):
                return model is not None
            case _:
                return True

    @property
    def library(self) -> str:
        """Return where the network is from: own, torchvision, timm or transformers."""
        return type(self.source).__name__.lower()

    @property
    def origin(self) -> Origin | None:
        """Return what is published about the weights; None where there are none."""
        match self.source:
            case Own():
                return None
            case Torchvision(name, chosen):
                return weights.torchvision_origin(name, chosen)
            case Timm(name, package):
                return weights.timm_origin(name, package)
            case Transformers(published):
                return Origin(published) if published is not None else None
            case _:
                assert_never(self.source)

    def attached(self) -> dict[str, bytes]:
        """Return the files, by name, that go with the published weights: a tokenizer."""
        match self.source:
            case Transformers(package=Package() as package):
                tokenizer = package.beside(_TOKENIZER)
                return {} if tokenizer is None else {_TOKENIZER: tokenizer}
            case _:
                return {}

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
            package = error.name or "torch"
            raise not_installed(package, _EXTRAS.get(package, "torch")) from error

    def load_pretrained(self, model: nn.Module) -> None:
        """Load the weights that the source publishes into a network of `build`.

        Raises:
            ZooError: when there are none, they cannot be downloaded, or do not fit.
        """
        match self.source:
            case Own():
                raise ZooError(f"{self.name} has no published weights; use --weights random|FILE")
            case Torchvision(name, chosen):
                state = weights.torchvision(self.name, name, chosen)
            case Timm(name, package):
                state = weights.timm(self.name, name, package, model)
            case Transformers(published, package=package) as source:
                state = weights.transformers(
                    self.name, published, package, source.configuration, model
                )
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
            case Own(_, None) | Transformers() if num_classes is not None:
                raise ZooError(f"{self.name} has no classes, so none can be asked for")
            case Own(network, None):
                return network()
            case Own(network, classes):
                return network(classes if num_classes is None else num_classes)
            case Torchvision(name, _, settings, adapt):
                import torchvision

                options = dict(settings) | _classes(num_classes)
                model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
                return model if adapt is None else adapt(model)
            case Timm(name):
                import timm

                return timm.create_model(name, pretrained=False, **_classes(num_classes))
            case Transformers() as source:
                import transformers

                # Attention written out: other forms depend on the device, and some cannot be
                # exported.
                auto: Any = transformers.AutoModel
                bare: nn.Module = auto.from_config(
                    source.configuration(), attn_implementation="eager"
                )
                return bare if source.adapt is None else source.adapt(bare)
            case _:
                assert_never(self.source)


def image(height: int, width: int | None = None, channels: int = 3) -> tuple[Input]:
    """Return the one input of a network on images."""
    return (Input((channels, height, height if width is None else width)),)


def tokens(length: int, vocabulary: int, name: str = "input_ids") -> tuple[Input]:
    """Return the one input of a network on texts: the numbers of `length` tokens."""
    return (Input((length,), name, vocabulary),)


def _classes(number: int | None) -> dict[str, Any]:
    return {} if number is None else {"num_classes": number}
