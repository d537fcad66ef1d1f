"""Networks with attention at tiny sizes: as ONNX graphs they say what torch says."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.zoo.test_text_export import BATCH, check, words
from zoo.attention import bahdanau, luong_global, luong_local, rnn_encoder_decoder
from zoo.convs2s import convs2s
from zoo.transformer import linear_transformer, transformer_base, transformer_xl

CASES: dict[str, tuple[Callable[[], nn.Module], Sequence[tuple[int, ...]]]] = {
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


@pytest.mark.parametrize("name", CASES)
def test_onnx_agrees_with_torch(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    build, shapes = CASES[name]
    check(build().eval(), [words(shape, seed) for seed, shape in enumerate(shapes)], tmp_path)


def test_onnx_with_memory(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = transformer_xl(vocabulary=9, width=8, heads=2, inner=16, layers=2).eval()
    check(model, [words((4,), 0), torch.randn(BATCH, 2, 3, 8)], tmp_path)
