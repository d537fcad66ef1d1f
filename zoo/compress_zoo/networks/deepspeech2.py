"""Deep Speech 2: convolutions over time and frequency, seven bidirectional GRUs, letters by CTC.

Trained end to end, without phonemes or alignments: CTC sums over all the ways to stretch a text
over the frames. A BatchNorm over batch and time stands behind each recurrent layer. 97% of the
weights are the GRUs', whose matrices run once for each frame: the work is in reading weights, so
a smaller file is a faster network here.

Source: Amodei et al. 2015, arXiv:1512.02595, sections 3.2 to 3.5; CTC is Graves et al. 2006.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

FREQUENCIES = 161
ALPHABET = "_ 'abcdefghijklmnopqrstuvwxyz"  #: by output; the first is CTC's blank
BLANK = 0
_CLIP = 20.0  # of the rectifier
# channels, kernel and stride over (frequency, time): table 2's three-layer form
_CONVOLUTIONS = ((32, (41, 11), (2, 2)), (32, (21, 11), (2, 1)), (96, (21, 11), (2, 1)))


class BidirectionalGRU(nn.Module):
    """The sum of a GRU's two directions, `(batch, frames, width)`, normalised.

    The paper normalises inside, where the input enters the gates; nn.GRU cannot, so its output is
    normalised here.
    """

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(before, width, batch_first=True, bidirectional=True)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the next layer's input."""
        both, _ = self.gru(x)
        onwards, backwards = both.chunk(2, dim=-1)
        normalised: Tensor = self.norm((onwards + backwards).transpose(1, 2)).transpose(1, 2)
        return normalised


class DeepSpeech2(nn.Module):
    """Log probabilities of letters, `(batch, frames / 2, 29)`, of spectrograms.

    Args:
        width: units of a GRU in each direction.
        layers: number of GRUs.
    """

    def __init__(self, width: int, layers: int = 7) -> None:
        super().__init__()
        convolutions: list[nn.Module] = []
        channels, rows = 1, FREQUENCIES
        for maps, kernel, stride in _CONVOLUTIONS:
            padding = (kernel[0] // 2, kernel[1] // 2)
            convolutions += [
                nn.Conv2d(channels, maps, kernel, stride, padding, bias=False),
                nn.BatchNorm2d(maps),
                nn.Hardtanh(0, _CLIP),
            ]
            channels, rows = maps, (rows - 1) // stride[0] + 1
        self.convolutions = nn.Sequential(*convolutions)
        widths = [channels * rows, *[width] * layers]
        self.recurrent = nn.Sequential(
            *(BidirectionalGRU(*pair) for pair in itertools.pairwise(widths))
        )
        self.letters = nn.Linear(width, len(ALPHABET))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return the log probabilities.

        Args:
            spectrogram: `(batch, 1, 161, frames)`.
        """
        maps = self.convolutions(spectrogram)  # (batch, 96, 21, frames / 2)
        frames = maps.flatten(1, 2).transpose(1, 2)
        log_probabilities: Tensor = self.letters(self.recurrent(frames)).log_softmax(-1)
        return log_probabilities


def ctc_loss(log_probabilities: Tensor, texts: list[str], frames: Tensor | None = None) -> Tensor:
    """Return the negative log likelihood of texts, each divided by its length, mean over them.

    Args:
        log_probabilities: `(batch, frames, 29)`.
        texts: small letters, spaces and apostrophes.
        frames: how many count of each recording; by default all.
    """
    batch, length, _ = log_probabilities.shape
    letters = torch.tensor([ALPHABET.index(letter) for text in texts for letter in text])
    lengths = torch.tensor([len(text) for text in texts])
    counted = torch.full((batch,), length) if frames is None else frames
    return functional.ctc_loss(
        log_probabilities.transpose(0, 1), letters, counted, lengths, blank=BLANK
    )


def greedy_decode(log_probabilities: Tensor) -> list[str]:
    """Return the texts of the best path: repeats are merged, then blanks are dropped."""
    texts = []
    for path in log_probabilities.argmax(-1):
        merged = path.unique_consecutive()
        texts.append("".join(ALPHABET[letter] for letter in merged[merged != BLANK].tolist()))
    return texts
