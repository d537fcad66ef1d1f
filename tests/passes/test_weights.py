"""Which parameters are weights, and by which names."""

from __future__ import annotations

import torch
from torch import nn

from compress.passes.targets import sparsity_targets
from compress.passes.weights import Skipped, weights_of


def test_weights_and_what_is_skipped():
    layers = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm((2, 3)), nn.LazyLinear(4))
    weights, skipped = weights_of(layers)
    assert [(w.name, w.module, w.kind) for w in weights] == [("0.weight", "0", "fc")]
    assert skipped == [
        Skipped("0.bias", "a bias"),
        Skipped("1.weight", "LayerNorm is no conv, fc, embedding or rnn layer"),
        Skipped("1.bias", "a bias"),
        Skipped("2.weight", "not initialized: run the model once"),
        Skipped("2.bias", "not initialized: run the model once"),
    ]


def test_recurrent_and_attention_weights():
    layers = nn.ModuleDict(
        {"lstm": nn.LSTM(2, 3), "cell": nn.GRUCell(2, 3), "attention": nn.MultiheadAttention(4, 2)}
    )
    weights, skipped = weights_of(layers)
    assert [(w.name, w.kind) for w in weights] == [
        ("lstm.weight_ih_l0", "rnn"),
        ("lstm.weight_hh_l0", "rnn"),
        ("cell.weight_ih", "rnn"),
        ("cell.weight_hh", "rnn"),
        ("attention.in_proj_weight", "fc"),
        ("attention.out_proj.weight", "fc"),
    ]
    assert {entry.reason for entry in skipped} == {"a bias"}


def test_a_tied_weight_answers_to_all_its_names():
    layers = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 3))
    layers[1].weight = layers[0].weight
    weights, _ = weights_of(layers)
    assert [(w.name, w.kind) for w in weights] == [("0.weight", "embedding")]
    for name in ("0", "1", "0.weight", "1.weight"):
        assert sparsity_targets(f"{name}=0.5").resolve(weights) == {"0.weight": (0.5, False)}


def test_integers_are_no_weights():
    layers = nn.Linear(2, 2, bias=False)
    layers.weight = nn.Parameter(torch.zeros(2, 2, dtype=torch.int8), requires_grad=False)
    assert weights_of(layers) == ([], [Skipped("weight", "its numbers are int8, not floats")])


def test_a_linear_layer_of_another_library():
    from transformers import pytorch_utils as modeling

    (weight,), (bias,) = weights_of(modeling.Conv1D(6, 4))
    assert (weight.name, weight.kind, tuple(weight.parameter.shape)) == ("weight", "fc", (4, 6))
    assert bias == Skipped("bias", "a bias")


def test_xlnets_attention_holds_weights_of_three_axes():
    import transformers

    config = transformers.XLNetConfig(vocab_size=9, d_model=8, n_layer=1, n_head=2, d_inner=6)
    weights, skipped = weights_of(transformers.AutoModel.from_config(config))
    names = {weight.name.rpartition("rel_attn.")[2] for weight in weights if weight.kind == "fc"}
    assert {"q", "k", "v", "o", "r", "seg_embed"} <= names
    assert {s.reason for s in skipped if s.name.endswith(("r_r_bias", "r_w_bias"))} == {"a bias"}
