"""Networks of transformers, of the hub or of a folder; no code of theirs is run, no pickle read."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.errors import DataError, MissingExtraError, SettingsError
from compress.references.file import named
from compress.references.subject import Given, Subject, Torch
from compress.tasks import Task

if TYPE_CHECKING:
    from torch import nn

_TOKENIZER = "tokenizer.json"
_TOKENS = 128  # of a text, at most: what is longer is cut
_TEXT = ("input_ids", "attention_mask", "token_type_ids")
_HEADS = {  # what a class's name ends with → the class that builds all such
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForImageClassification": "AutoModelForImageClassification",
    "ForMaskedLM": "AutoModelForMaskedLM",
    "ForCausalLM": "AutoModelForCausalLM",
    "ForTokenClassification": "AutoModelForTokenClassification",
}
_BARE = "AutoModel"


def resolve(text: str, task: Task | None, inputs: Sequence[Given]) -> Subject:
    """Return a network of transformers, with the head that its configuration names.

    A bare encoder gets one for a task with classes. A text is cut at 128 tokens, and padded to as
    many: with `--input` at others.

    Args:
        text: ORG/NAME on the hub, or a folder.
        task: that the network is for.
        inputs: in place of what its configuration tells.
    """
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "transformers", "nlp") from error
    place = str(Path(text).expanduser()) if Path(text).expanduser().is_dir() else text
    config = _of_hub(text, lambda: transformers.AutoConfig.from_pretrained(place))
    config.use_cache = False
    auto = getattr(transformers, _class_of(config))
    is_text = hasattr(config, "vocab_size")
    taken = tuple(inputs) or (_texts(config, auto) if is_text else _images(config))
    names = [given.name for given in taken]

    def build(own: Task | None) -> nn.Module:
        from compress.references.head import ByName, Classifier

        classes = len(own.classes) if own is not None else 0
        if classes and not _is_bare(config):
            config.num_labels = classes
        model = auto.from_config(config, attn_implementation="eager").eval()
        called = ByName(model, names)
        if classes and _is_bare(config):
            return Classifier(called, names, classes).eval()
        return called

    def load(model: nn.Module) -> None:
        inner: Any = getattr(model, "encoder", model)  # of a classifier
        found = _of_hub(
            text, lambda: auto.from_pretrained(place, config=config, use_safetensors=True)
        )
        inner.model.load_state_dict(found.state_dict())

    gets_head = task is not None and bool(task.classes) and _is_bare(config)
    return Subject(
        name=named(text),
        source=Torch(
            build=build,
            load_pretrained=load,
            load_backbone=load if gets_head else None,
            is_made_for=lambda own: (
                own is None or not own.classes or (not gets_head and _fits(config, own))
            ),
        ),
        inputs=taken,
        attached=lambda: _tokenizer(place) if is_text else {},
    )


def _of_hub(text: str, fetch: Any) -> Any:  # noqa: ANN401  (transformers' own)
    """Call transformers; whatever it raises becomes one line."""
    from transformers import utils

    logging: Any = utils.logging
    is_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return fetch()
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError(
            f"model hf:{text} cannot be had ({reason}); name a folder with config.json and "
            "model.safetensors, or a name of the hub where there is a network"
        ) from error
    finally:
        if is_shown:
            logging.enable_progress_bar()


def _class_of(config: Any) -> str:  # noqa: ANN401  (transformers' own)
    """Return the class of transformers that builds what a configuration names."""
    for name in getattr(config, "architectures", None) or ():
        for ending, auto in _HEADS.items():
            if name.endswith(ending):
                return auto
    return _BARE


def _is_bare(config: Any) -> bool:  # noqa: ANN401  (transformers' own)
    return _class_of(config) == _BARE


def _fits(config: Any, task: Task) -> bool:  # noqa: ANN401  (transformers' own)
    return getattr(config, "num_labels", None) == len(task.classes)


def _texts(config: Any, auto: Any) -> tuple[Given, ...]:  # noqa: ANN401  (transformers' own)
    """Return the inputs of a network of texts: those of its arguments that a tokenizer gives."""
    network = auto._model_mapping[type(config)]
    network = network[0] if isinstance(network, tuple) else network
    arguments = inspect.signature(network.forward).parameters
    longest = getattr(config, "max_position_embeddings", _TOKENS) or _TOKENS
    below = {"input_ids": config.vocab_size, "attention_mask": 2}
    below["token_type_ids"] = getattr(config, "type_vocab_size", 0)
    length = min(_TOKENS, longest)
    names = [name for name in _TEXT if name in arguments and below[name] > 1]
    return tuple(Given(name, (length,), below[name]) for name in names)


def _images(config: Any) -> tuple[Given, ...]:  # noqa: ANN401  (transformers' own)
    """Return the input of a network of images."""
    size = getattr(config, "image_size", None)
    if size is None:
        raise SettingsError(
            f"the input of {type(config).__name__} is not known: give --input, such as "
            "--input 3x224x224"
        )
    height, width = (size, size) if isinstance(size, int) else size
    return (Given("pixel_values", (getattr(config, "num_channels", 3), height, width)),)


def _tokenizer(place: str) -> dict[str, bytes]:
    """Return the tokenizer.json that goes with a network; nothing where there is none."""
    from transformers.utils.hub import cached_file

    found = cached_file(place, _TOKENIZER, _raise_exceptions_for_missing_entries=False)
    return {_TOKENIZER: Path(found).read_bytes()} if found is not None else {}
