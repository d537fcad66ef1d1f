"""ELMo: word vectors that depend on the sentence, from a bidirectional language model.

A word enters by its characters, through convolutions, highways and a projection; two layers of
LSTMs read on from there, one stack a direction. What a task gets is a learned mix of all three
layers: syntax lies low, meaning high. Four fifths of the 93.6 million weights are in the LSTMs,
whose 4096 cells are projected to 512 numbers; so they prune as recurrent matrices do, and there is
no word table at all.

Source: Peters et al. 2018, arXiv:1802.05365, section 3; Jozefowicz et al. 2016, arXiv:1602.02410;
sizes from the published options file of the original 5.5B and 1B models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_zoo.networks.bidirectional import reverse

CHARACTERS = 262  #: padding of words, 256 bytes, marks of the sentence and word, padding in words
_WORD_BEGIN, _WORD_END, _IN_WORD_PADDING = 259, 260, 261  # each number is its byte's plus one


@dataclass(frozen=True, slots=True, kw_only=True)
class ElmoSizes:
    """Sizes of the network; the defaults are the published ones."""

    character_dimensions: int = 16
    filters: tuple[tuple[int, int], ...] = (  #: width and number of each convolution
        (1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024),
    )  # fmt: skip
    highways: int = 2
    dimensions: int = 512
    cells: int = 4096
    layers: int = 2
    clip: float = 3.0  #: of cells and of projected outputs


def spell(word: str, length: int = 50) -> list[int]:
    """Return the numbers of a word's characters: its bytes between two marks, padded.

    >>> spell("hi", 6)
    [259, 105, 106, 260, 261, 261]
    """
    letters = [byte + 1 for byte in word.encode()[: length - 2]]
    numbers = [_WORD_BEGIN, *letters, _WORD_END]
    return numbers + [_IN_WORD_PADDING] * (length - len(numbers))


class Highway(nn.Module):
    """A layer that passes on a learned part of its input as it is."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.change = nn.Linear(features, features)
        self.carry = nn.Linear(features, features)
        nn.init.constant_(self.carry.bias, 2.0)  # at first, most of the input is passed on

    def forward(self, inputs: Tensor) -> Tensor:
        """Return `(…, features)` of the same shape."""
        carried, changed = self.carry(inputs).sigmoid(), self.change(inputs).relu()
        mixed: Tensor = carried * inputs + (1 - carried) * changed
        return mixed


class CharacterEncoder(nn.Module):
    """A word's vector from its characters, whatever the sentence."""

    def __init__(self, sizes: ElmoSizes) -> None:
        super().__init__()
        features = sum(number for _, number in sizes.filters)
        self.characters = nn.Embedding(CHARACTERS, sizes.character_dimensions)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(sizes.character_dimensions, number, width) for width, number in sizes.filters
        )
        self.highways = nn.Sequential(*(Highway(features) for _ in range(sizes.highways)))
        self.projection = nn.Linear(features, sizes.dimensions)

    def forward(self, characters: Tensor) -> Tensor:
        """Return vectors `(batch, time, dimensions)` of words `(batch, time, characters)`."""
        spelled = self.characters(characters.flatten(0, 1)).transpose(1, 2)
        largest = [layer(spelled).amax(2).relu() for layer in self.convolutions]
        vectors: Tensor = self.projection(self.highways(torch.cat(largest, 1)))
        return vectors.view(*characters.shape[:2], -1)


class ProjectedLstm(nn.Module):
    """An LSTM whose output is projected and clipped; ONNX's operator can do neither.

    nn.LSTM has a projection, but a second bias and no clipping, and its export fails.
    """

    def __init__(self, sizes: ElmoSizes) -> None:
        super().__init__()
        self.clip = sizes.clip
        self.inputs = nn.Linear(sizes.dimensions, 4 * sizes.cells, bias=False)
        self.recurrent = nn.Linear(sizes.dimensions, 4 * sizes.cells)
        self.projection = nn.Linear(sizes.cells, sizes.dimensions, bias=False)
        nn.init.ones_(self.recurrent.bias[sizes.cells : 2 * sizes.cells])  # of the forget gates

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs `(batch, time, dimensions)` of inputs of the same shape."""
        entering = self.inputs(inputs)  # of all steps at once
        output = torch.zeros_like(inputs[:, 0])
        cell = torch.zeros_like(entering[:, 0].chunk(4, 1)[0])
        outputs = []
        for step in range(inputs.shape[1]):
            gates = entering[:, step] + self.recurrent(output)
            entry, forget, candidate, exit_ = gates.chunk(4, 1)
            cell = forget.sigmoid() * cell + entry.sigmoid() * candidate.tanh()
            cell = cell.clamp(-self.clip, self.clip)
            output = self.projection(exit_.sigmoid() * cell.tanh()).clamp(-self.clip, self.clip)
            outputs.append(output)
        return torch.stack(outputs, 1)


class ScalarMix(nn.Module):
    """The task's mix of the layers: softmax-normalized weights and one scale (equation 1)."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, layers: Sequence[Tensor]) -> Tensor:
        """Return the mix, of the shape of each layer."""
        shares = self.weights.softmax(0)
        return self.scale * (torch.stack(list(layers), -1) * shares).sum(-1)


class Elmo(nn.Module):
    """Vectors of words in their sentence; a word of characters 0 is padding, behind the others."""

    def __init__(self, sizes: ElmoSizes) -> None:
        super().__init__()
        self.encoder = CharacterEncoder(sizes)
        self.ahead = nn.ModuleList(ProjectedLstm(sizes) for _ in range(sizes.layers))
        self.back = nn.ModuleList(ProjectedLstm(sizes) for _ in range(sizes.layers))
        self.mix = ScalarMix(1 + sizes.layers)

    def layers(self, characters: Tensor) -> list[Tensor]:
        """Return all layers, the lowest first, each `(batch, time, 2 * dimensions)`.

        The first half of each is what the model that reads ahead says, the second that which reads
        back; the lowest, of the characters alone, is the same twice.
        """
        lengths = (characters != 0).any(2).sum(1)
        words = self.encoder(characters)
        ahead, back = words, reverse(words, lengths)
        layers = [torch.cat([words, words], 2)]
        for number, (ahead_lstm, back_lstm) in enumerate(zip(self.ahead, self.back, strict=True)):
            skip = min(number, 1)  # a residual connection around each layer but the first
            ahead = ahead_lstm(ahead) + skip * ahead
            back = back_lstm(back) + skip * back
            layers.append(torch.cat([ahead, reverse(back, lengths)], 2))
        return layers

    def forward(self, characters: Tensor) -> Tensor:
        """Return vectors `(batch, time, 2 * dimensions)` of words `(batch, time, characters)`."""
        mixed: Tensor = self.mix(self.layers(characters))
        return mixed


def language_model_loss(
    elmo: Elmo, softmax: nn.Linear, characters: Tensor, words: Tensor
) -> Tensor:
    """Return the loss that ELMo is trained with: both directions', mean over words.

    Args:
        elmo: the network.
        softmax: from `dimensions` to the vocabulary, the same for both directions; the paper
            samples it, as it has 793,471 words.
        characters: the words' spelling, `(batch, time, characters)`, marks of the sentence included.
        words: their numbers in the vocabulary, `(batch, time)`; 0 is padding.
    """
    ahead, back = elmo.layers(characters)[-1].chunk(2, 2)
    next_words = softmax(ahead[:, :-1]).flatten(0, 1)
    previous_words = softmax(back[:, 1:]).flatten(0, 1)
    return (
        functional.cross_entropy(next_words, words[:, 1:].flatten(), ignore_index=0)
        + functional.cross_entropy(previous_words, words[:, :-1].flatten(), ignore_index=0)
    ) / 2
