"""A network of transformers, `hf:ORG/NAME` of the hub or `hf:FOLDER`: of texts or of images.

Its class is the one that its configuration names first in `architectures`, or AutoModel; a head
that is for pretraining alone gives way where there is a task. No code of a repository is run
(`trust_remote_code` is off), and weights are read from safetensors alone. Attention is written out
and no cache is kept, as in the zoo's rows: other forms depend on the device or cannot be exported.

Texts are padded to one length, 128 tokens where the network takes as many; `--input 256` gives
another.

Source: transformers 5; preprocessor_config.json as its image processors write it.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.errors import DataError
from compress.references import heads
from compress.references.asked import Asked, classes_of, file_name, library, load_state, made_for
from compress.references.hub_images import preprocessing_of
from compress.references.inputs import sized
from compress.references.subject import Given, Subject, Torch
from compress.tasks import Task

_LENGTH = 128  # tokens
_LONGEST = 300  # characters of what the library says
_TOKENIZER = "tokenizer.json"
_PRETRAINING = ("ForPreTraining", "ForMaskedLM")


def resolve(name: str, asked: Asked) -> Subject:
    """Return a network of transformers.

    Raises:
        DataError: when there is no such network, it cannot be downloaded, needs code of its own,
            or takes something else than texts or images.
        MissingExtraError: when transformers is not installed.
    """
    library("torch", "torch")
    folder = Path(name).expanduser()
    name = str(folder) if folder.is_dir() else name
    found = _Repository.open(name, library("transformers", "nlp"))
    cls = found.network_class(asked)
    match cls.main_input_name:
        case "input_ids":
            own, told = found.texts(cls), None
        case "pixel_values":
            own, told = found.images()
        case other:
            raise DataError(
                f"hf:{name} takes {other}, and texts and images alone are known; give a function "
                "that builds a network of tensors, FILE.py:FUNCTION"
            )
    names = [given.name for given in own]
    taken, preprocessing = sized(own, told, asked.inputs, name)
    return Subject(
        name=file_name(name.rstrip("/").rpartition("/")[2]),
        source=_source(found, cls, names),
        inputs=taken,
        preprocessing=preprocessing,
        attached=found.attached if cls.main_input_name == "input_ids" else dict,
    )


def _source(found: _Repository, cls: Any, names: Sequence[str]) -> Torch:  # noqa: ANN401
    if found.is_bare(cls) and heads.are_texts([Given(name, ()) for name in names]):
        return heads.encoder(lambda: found.build(cls, None), found.loader(cls), names)

    def build(task: Task | None) -> Any:  # noqa: ANN401  (an nn.Module)
        return _in_order(found.build(cls, classes_of(task)), names)

    return Torch(
        build=build,
        load_pretrained=found.loader(cls),
        is_made_for=made_for(found.config.num_labels if not found.is_bare(cls) else None),
    )


def _in_order(network: Any, names: Sequence[str]) -> Any:  # noqa: ANN401  (an nn.Module)
    """Return a network that takes its inputs by place, in the order of their names."""
    own = list(inspect.signature(network.forward).parameters)
    if own[: len(names)] == list(names):
        return network
    from compress.references.head import ByName

    return ByName(network, names).eval()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repository:
    """What a folder or a repository of the hub holds."""

    name: str
    transformers: Any
    config: Any

    @classmethod
    def open(cls, name: str, transformers: Any) -> _Repository:  # noqa: ANN401  (a module)
        """Read the configuration, and nothing else."""
        with _told(name):
            config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
        if getattr(config, "use_cache", None):
            config.use_cache = False
        return cls(name=name, transformers=transformers, config=config)

    def network_class(self, asked: Asked) -> Any:  # noqa: ANN401  (a class of transformers)
        """Return the class of the network."""
        named = (getattr(self.config, "architectures", None) or [""])[0]
        cls = getattr(self.transformers, named, None)
        if cls is None or (asked.task is not None and named.endswith(_PRETRAINING)):
            with _told(self.name):
                cls = self.transformers.AutoModel._model_mapping[type(self.config)]
        if isinstance(cls, tuple):
            cls = cls[0]
        if getattr(self.config, "is_encoder_decoder", False):
            raise DataError(
                f"hf:{self.name} takes two texts, and one is known; give a function that builds a "
                "network of tensors, FILE.py:FUNCTION"
            )
        return cls

    def is_bare(self, cls: Any) -> bool:  # noqa: ANN401
        """Tell whether a class gives hidden states, and no answer of a head."""
        return str(cls.__name__).endswith("Model")

    def build(self, cls: Any, classes: int | None) -> Any:  # noqa: ANN401  (an nn.Module)
        """Build the network with random weights."""
        config = type(self.config).from_dict(self.config.to_dict())
        if classes is not None:
            config.num_labels = classes
        return cls._from_config(config, attn_implementation="eager").eval()

    def loader(self, cls: Any) -> Any:  # noqa: ANN401  (of weights into a network)
        """Return what loads the published weights into a network of `build`."""

        def load(model: Any) -> None:  # noqa: ANN401  (an nn.Module)
            from compress.references.head import ByName

            self.transformers.utils.logging.disable_progress_bar()
            with _told(self.name):
                held = cls.from_pretrained(
                    self.name, config=self.config, use_safetensors=True, trust_remote_code=False
                )
            own = model.network if isinstance(model, ByName) else model
            load_state(own, held.state_dict(), self.name)

        return load

    def texts(self, cls: Any) -> tuple[Given, ...]:  # noqa: ANN401
        """Return the inputs of a text: what the tokenizer gives and the network takes."""
        takes = inspect.signature(cls.forward).parameters
        told = self._json("tokenizer_config.json").get("model_input_names")
        if told is None:
            with _told(self.name):
                tokenizer = self.transformers.AutoTokenizer.from_pretrained(
                    self.name, trust_remote_code=False
                )
            told = tokenizer.model_input_names
        types = getattr(self.config, "type_vocab_size", 0) or 0
        words = self.config.vocab_size
        below = {"input_ids": words, "attention_mask": 2, "token_type_ids": max(types, 1)}
        longest = getattr(self.config, "max_position_embeddings", None) or _LENGTH
        length = min(_LENGTH, longest)
        return tuple(
            Given(name, (length,), below[name])
            for name in heads.TEXTS
            if name in takes and (name == "input_ids" or name in told)
        )

    def images(self) -> tuple[tuple[Given, ...], dict[str, Any] | None]:
        """Return the input of an image, and its preprocessing where that is simple."""
        record = self._json("preprocessor_config.json")
        preprocessing = preprocessing_of(record)
        size = getattr(self.config, "image_size", None)
        if preprocessing is not None:
            size = preprocessing["crop"]
        if size is None:
            raise DataError(f"hf:{self.name} does not tell the size of its images; give --input")
        height, width = (size, size) if isinstance(size, int) else size
        channels = getattr(self.config, "num_channels", 3)
        return (Given("pixel_values", (channels, height, width)),), preprocessing

    def attached(self) -> Mapping[str, bytes]:
        """Return the tokenizer, as the repository has it or as the library writes it."""
        path = self._file(_TOKENIZER)
        if path is not None:
            return {_TOKENIZER: path.read_bytes()}
        with _told(self.name):
            found = self.transformers.AutoTokenizer.from_pretrained(
                self.name, trust_remote_code=False
            )
        backend = getattr(found, "backend_tokenizer", None)
        return {} if backend is None else {_TOKENIZER: backend.to_str().encode()}

    def _json(self, file: str) -> dict[str, Any]:
        path = self._file(file)
        try:
            found = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
        except (OSError, ValueError) as error:
            raise DataError(f"hf:{self.name}: {file} cannot be read: {error}") from error
        return found if isinstance(found, dict) else {}

    def _file(self, file: str) -> Path | None:
        """Return where a file of the repository is; None where it has none."""
        with _told(self.name):
            found = self.transformers.utils.hub.cached_file(
                self.name,
                file,
                _raise_exceptions_for_missing_entries=False,
                _raise_exceptions_for_gated_repo=False,
            )
        return None if found is None else Path(found)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Tell in one line what the library raises: no network, no such name, code of its own."""
    try:
        yield
    except Exception as error:  # the library raises what it likes
        if "trust_remote_code" in str(error):
            raise DataError(
                f"hf:{name} needs code of its repository, which is not run here; give a "
                "function that builds the network, FILE.py:FUNCTION"
            ) from error
        said = " ".join(str(error).split())[:_LONGEST]
        raise DataError(f"hf:{name} cannot be loaded: {said}") from error
