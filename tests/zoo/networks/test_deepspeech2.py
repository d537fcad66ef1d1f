import itertools
import math

import pytest
import torch
from compress_zoo.networks.deepspeech2 import ALPHABET, DeepSpeech2, ctc_loss, greedy_decode


def letters(*path: str) -> torch.Tensor:
    """Return log probabilities that are sure of one letter a frame."""
    scores = torch.zeros(1, len(path), 29)
    for frame, letter in enumerate(path):
        scores[0, frame, ALPHABET.index(letter)] = 20.0
    return scores.log_softmax(-1)


def test_sizes() -> None:
    with torch.device("meta"):
        model, spectrogram = DeepSpeech2(616), torch.empty(2, 1, 161, 20)
        assert model.convolutions(spectrogram).shape == (2, 96, 21, 10)
        assert model(spectrogram).shape == (2, 10, 29)
    weights = sum(p.numel() for p in model.parameters())
    assert weights == pytest.approx(38e6, rel=0.01)  # the paper's size
    assert len(ALPHABET) == len(set(ALPHABET)) == 29


def test_layers_sum_their_directions() -> None:
    torch.manual_seed(0)
    layer = DeepSpeech2(8, layers=1).eval().recurrent[0]
    frames = torch.randn(2, 5, 2016)
    with torch.no_grad():
        both, _ = layer.gru(frames)
        found = layer(frames)
    expected = (both[..., :8] + both[..., 8:]) / math.sqrt(1 + 1e-5)  # an untrained norm
    torch.testing.assert_close(found, expected)


def test_norm_is_over_batch_and_time() -> None:
    torch.manual_seed(0)
    layer = DeepSpeech2(8, layers=1).train().recurrent[0]
    normalised = layer(torch.randn(3, 7, 2016))
    torch.testing.assert_close(normalised.mean((0, 1)), torch.zeros(8), atol=1e-5, rtol=0)


def test_ctc_sums_all_paths() -> None:
    torch.manual_seed(0)
    scores = torch.randn(1, 4, 29).log_softmax(-1)
    total = 0.0
    for path in itertools.product("_ab", repeat=4):
        merged = [letter for letter, _ in itertools.groupby(path) if letter != "_"]
        if merged == ["a", "b"]:
            places = [ALPHABET.index(letter) for letter in path]
            total += math.exp(sum(scores[0, t, place].item() for t, place in enumerate(places)))
    found = ctc_loss(scores, ["ab"])
    assert found.item() == pytest.approx(-math.log(total) / 2, rel=1e-5)  # a letter
    longer = torch.cat([scores, torch.zeros(1, 3, 29)], dim=1)
    assert ctc_loss(longer, ["ab"], torch.tensor([4])).item() == pytest.approx(found.item())


def test_greedy_decoding_merges_and_drops_blanks() -> None:
    sure = letters("h", "h", "_", "e", "l", "l", "_", "l", "o", "_", " ", "'")
    assert greedy_decode(sure) == ["hello '"]
    assert greedy_decode(letters("_", "_")) == [""]
