"""The rows of transformers: their sizes are the papers', and at tiny sizes they export."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from compress_zoo.entry import Transformers
from compress_zoo.registry import get
from torch.utils import _pytree

from compress.export.onnx import export
from compress.export.settings import OnnxSettings

MILLIONS = {  # of parameters, by each paper
    "openai-gpt": 117, "gpt2": 124, "gpt3-small": 125, "bert-base": 110, "albert-base": 12,
    "roberta-base": 125, "distilbert-base": 66, "electra-small": 14, "t5-small": 60,
    "xlm-roberta-base": 270,
}  # fmt: skip
TINY: dict[str, Mapping[str, Any]] = {
    "bert-base": {
        "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 16,
    },
    "longformer-base": {
        "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 16,
        "attention_window": 4, "max_position_embeddings": 20,
    },
    "xlm-mlm-en": {"emb_dim": 8, "n_heads": 2, "n_layers": 1},
    "xlnet-base": {"d_model": 8, "n_head": 2, "n_layer": 1, "d_inner": 16},
    "gpt2": {"n_embd": 8, "n_head": 2, "n_layer": 1},
    "t5-small": {"d_model": 8, "d_kv": 4, "d_ff": 16, "num_heads": 2, "num_layers": 1},
    "perceiver": {
        "d_model": 8, "d_latents": 8, "num_latents": 4, "num_blocks": 2,
        "num_self_attends_per_block": 1, "num_self_attention_heads": 2,
    },
}  # fmt: skip
TIME = 8


def _marked(name: str) -> Any:
    return pytest.param(name, marks=[pytest.mark.slow] if name == "longformer-base" else [])


@pytest.mark.parametrize(("name", "millions"), MILLIONS.items())
def test_parameters_of_the_paper(name: str, millions: int) -> None:
    assert get(name).params == pytest.approx(millions * 1e6, rel=0.04)


@pytest.mark.parametrize("name", [_marked(name) for name in TINY])
def test_onnx_agrees_with_torch(name: str, tmp_path: Path) -> None:
    entry = get(name)
    assert isinstance(entry.source, Transformers)
    settings = {**entry.source.settings, **TINY[name]}
    tiny = dataclasses.replace(entry, source=dataclasses.replace(entry.source, settings=settings))
    torch.manual_seed(0)
    model, random = tiny.build(), np.random.default_rng(0)
    inputs = {  # three samples, the graph is made from two
        given.name: random.standard_normal((3, TIME, 8), np.float32)
        if given.below is None
        else random.integers(0, given.below, (3, TIME))
        for given in tiny.inputs
    }
    with torch.inference_mode():
        returned = model(*map(torch.from_numpy, inputs.values()))
    outputs = [leaf for leaf in _pytree.tree_leaves(returned) if isinstance(leaf, torch.Tensor)]
    export(
        model,
        [torch.from_numpy(values[:2]) for values in inputs.values()],
        tmp_path / "model.onnx",
        OnnxSettings(),
        input_names=list(inputs),
        output_names=[str(number) for number in range(len(outputs))],
    )
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [given.name for given in session.get_inputs()] == list(inputs)
    for left, right in zip(session.run(None, inputs), outputs, strict=True):
        np.testing.assert_allclose(left, right.numpy(), rtol=1e-3, atol=1e-5)
