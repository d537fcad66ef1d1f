"""Every text network at a tiny size: as an ONNX graph it says what torch says, padding included."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from compress_zoo.attention import bahdanau, luong_global, luong_local, rnn_encoder_decoder
from compress_zoo.convs2s import convs2s
from compress_zoo.language_models import awd_lstm, elmo
from compress_zoo.networks.elmo import ElmoSizes
from compress_zoo.seq2seq import gnmt, seq2seq_lstm
from compress_zoo.tagging import bilstm_crf
from compress_zoo.text_classification import fasttext, han, rntn, textcnn
from compress_zoo.transformer import linear_transformer, transformer_base, transformer_xl
from compress_zoo.word_vectors import doc2vec, doc2vec_dbow, glove, word2vec_cbow, word2vec_skipgram
from torch import Tensor, nn

from compress.export.onnx import export
from compress.export.settings import OnnxSettings

BATCH = 3  # the graph is made from two
SIZES = ElmoSizes(character_dimensions=4, filters=((1, 4), (2, 4)), dimensions=6, cells=8)

Network = Callable[[], nn.Module]
CASES: dict[str, tuple[Network, Sequence[tuple[int, ...]]]] = {
    "cbow": (lambda: word2vec_cbow(vocabulary=9, dimensions=4), [(8,)]),
    "skipgram": (lambda: word2vec_skipgram(vocabulary=9, dimensions=4), [()]),
    "glove": (lambda: glove(vocabulary=9, dimensions=4), [(), ()]),
    "doc2vec": (lambda: doc2vec(texts=9, vocabulary=9, dimensions=4, window=3), [(), (3,)]),
    "doc2vec-dbow": (lambda: doc2vec_dbow(texts=9, vocabulary=9, dimensions=4), [()]),
    "textcnn": (lambda: textcnn(2, vocabulary=9, dimensions=4, maps=3), [(8,)]),
    "fasttext": (lambda: fasttext(4, rows=9, dimensions=4), [(8,)]),
    "han": (lambda: han(5, vocabulary=9, dimensions=4, hidden=3), [(3, 4)]),
    "bilstm-crf": (
        lambda: bilstm_crf(5, words=9, characters=9, word_dimensions=4, hidden=3),
        [(4,), (4, 5)],
    ),
    "awd-lstm": (lambda: awd_lstm(vocabulary=9, dimensions=4, hidden=6), [(5,)]),
    "elmo": (lambda: elmo(sizes=SIZES), [(4, 6)]),
    "seq2seq": (lambda: seq2seq_lstm(source=9, target=9, hidden=4, layers=2), [(4,), (3,)]),
    "gnmt": (lambda: gnmt(source=9, target=9, hidden=4, layers=4), [(4,), (3,)]),
    "rnn-encoder-decoder": (
        lambda: rnn_encoder_decoder(source=9, target=9, dimensions=4, hidden=6, maxout=3),
        [(4,), (3,)],
    ),
    "bahdanau": (
        lambda: bahdanau(source=9, target=9, dimensions=4, hidden=6, align=5, maxout=3),
        [(4,), (3,)],
    ),
    "luong-global": (
        lambda: luong_global(source=9, target=9, hidden=4, layers=2),
        [(4,), (3,)],
    ),
    "luong-local": (
        lambda: luong_local(source=9, target=9, hidden=4, layers=2, window=2),
        [(8,), (3,)],
    ),
    "convs2s": (
        lambda: convs2s(source=9, target=9, dimensions=4, hidden=6, layers=2, places=8),
        [(5,), (4,)],
    ),
    "transformer-base": (
        lambda: transformer_base(vocabulary=9, width=8, heads=2, inner=16, layers=2),
        [(5,), (4,)],
    ),
    "linear-transformer": (lambda: linear_transformer(width=8, heads=2, layers=2), [(6,)]),
}


def words(shape: tuple[int, ...], seed: int) -> Tensor:
    """Draw words, the last of the second sample padding."""
    drawn = torch.randint(1, 9, (BATCH, *shape), generator=torch.Generator().manual_seed(seed))
    if shape:
        drawn[1, -1] = 0
    return drawn


# Made of what another network of the table is made of too: `make nightly` has them.
ALIKE = {
    "skipgram", "glove", "doc2vec-dbow", "rnn-encoder-decoder", "seq2seq", "luong-global", "gnmt",
    "elmo", "bahdanau", "han",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in ALIKE else []) for name in CASES],
)
def test_onnx_agrees_with_torch(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    build, shapes = CASES[name]
    check(build().eval(), [words(shape, seed) for seed, shape in enumerate(shapes)], tmp_path)


def test_onnx_of_a_composition_of_phrases(tmp_path: Path) -> None:
    torch.manual_seed(0)
    check(rntn(5, dimensions=4).eval(), [torch.randn(BATCH, 4), torch.randn(BATCH, 4)], tmp_path)


def test_onnx_with_memory(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = transformer_xl(vocabulary=9, width=8, heads=2, inner=16, layers=2).eval()
    check(model, [words((4,), 0), torch.randn(BATCH, 2, 3, 8)], tmp_path)


def check(model: nn.Module, inputs: Sequence[Tensor], folder: Path) -> None:
    with torch.no_grad():
        expected = model(*inputs)
    outputs = expected if isinstance(expected, tuple) else (expected,)
    names = [f"input_{number}" for number in range(len(inputs))]
    export(
        model,
        [values[:2] for values in inputs],
        folder / "model.onnx",
        OnnxSettings(),
        input_names=names,
        output_names=[f"output_{number}" for number in range(len(outputs))],
    )
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    fed = {name: values.numpy() for name, values in zip(names, inputs, strict=True)}
    for left, right in zip(session.run(None, fed), outputs, strict=True):
        np.testing.assert_allclose(left, right.numpy(), rtol=1e-4, atol=1e-5)
