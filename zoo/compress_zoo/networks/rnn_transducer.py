"""The RNN transducer: CTC's frames and a language model that is trained with them.

A transcription network reads the sound both ways, a prediction network reads the letters that are
out so far, and the sum of their outputs gives the next letter or none (a blank, which moves on to
the next frame). Unlike CTC's, outputs depend on each other, there may be more of them than frames,
and they come while the sound is still running where the transcription network has one direction.
Nearly all of the 261,712 weights are in three LSTMs of 128.

Source: Graves 2012, arXiv:1211.3711.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURES, LABELS, CELLS = 26, 39, 128  #: LABELS: TIMIT's phonemes, numbered from 1
BLANK = 0

State = tuple[Tensor, Tensor]


class Prediction(nn.Module):
    """The prediction network g: `(batch, labels + 1, 40)` from labels (section 2.2).

    A label enters as a vector with a single one; the start, before any label, as zeros.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(LABELS, CELLS, batch_first=True)
        self.output = nn.Linear(CELLS, LABELS + 1)

    def forward(self, labels: Tensor) -> Tensor:
        """Return g after the start and after each label."""
        states, _ = self.lstm(_one_hot(functional.pad(labels, (1, 0), value=BLANK)))
        g: Tensor = self.output(states)
        return g

    def step(self, label: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Return g, `(batch, 40)`, and the state after one more label; BLANK is the start."""
        states, state = self.lstm(_one_hot(label[:, None]), state)
        return self.output(states[:, 0]), state


class Transcription(nn.Module):
    """The transcription network f: `(batch, frames, 40)` from features (section 2.3)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, CELLS, batch_first=True, bidirectional=True)
        self.output = nn.Linear(2 * CELLS, LABELS + 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return f of each frame."""
        states, _ = self.lstm(features)
        f: Tensor = self.output(states)
        return f


class RNNTransducer(nn.Module):
    """Log probabilities of the next label at each point of the lattice of frames and labels.

    The paper's LSTMs have peepholes (1,152 weights more), and one bias where torch has two (1,536
    fewer): 261,328 weights there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.transcription = Transcription()
        self.prediction = Prediction()

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return log Pr(k | t, u), `(batch, frames, labels + 1, 40)` (equations 12 to 15).

        Args:
            features: `(batch, frames, 26)`.
            labels: `(batch, labels)`, from 1 to 39.
        """
        return joint(self.transcription(features)[:, :, None], self.prediction(labels)[:, None])


def joint(f: Tensor, g: Tensor) -> Tensor:
    """Return the log probabilities of all labels and the blank: the two networks' outputs add."""
    return (f + g).log_softmax(-1)


def transducer_loss(
    log_probabilities: Tensor, labels: Tensor, n_frames: Tensor, n_labels: Tensor
) -> Tensor:
    """Return -log Pr(labels | features) of each sequence, `(batch,)` (equations 16 to 18).

    The forward variable alpha(t, u) is the probability of being at frame t with u labels out. It
    comes from the frame before by a blank, or from one label fewer by that label. With c(u), the
    sum of the log probabilities of frame t's first u labels, a frame is one cumulative sum:
    log alpha(t, u) = c(u) + log sum over v <= u of exp(log arrived(v) - c(v)).

    Args:
        log_probabilities: of the lattice, `(batch, frames, labels + 1, 40)`.
        labels: `(batch, labels)`; what is behind a sequence's end is not looked at.
        n_frames: of each sequence, `(batch,)`.
        n_labels: of each sequence, `(batch,)`.
    """
    blank = log_probabilities[..., BLANK]  # (batch, frames, labels + 1)
    index = labels[:, None, :, None].expand(-1, blank.shape[1], -1, 1)
    emit = log_probabilities[:, :, :-1].gather(3, index)[..., 0]  # (batch, frames, labels)
    passed = functional.pad(emit.cumsum(2), (1, 0))  # c
    alpha = passed[:, 0]
    alphas = [alpha]
    for frame in range(1, blank.shape[1]):
        arrived = alpha + blank[:, frame - 1]
        alpha = passed[:, frame] + (arrived - passed[:, frame]).logcumsumexp(1)
        alphas.append(alpha)
    ends = torch.stack(alphas, dim=1) + blank  # a last blank leaves the lattice
    return -ends[torch.arange(len(ends)), n_frames - 1, n_labels]


@torch.no_grad()
def greedy_decode(model: RNNTransducer, features: Tensor, most_per_frame: int = 10) -> list[int]:
    """Return the labels of one recording, `(1, frames, 26)`, by the best choice at each point.

    Args:
        model: the network.
        features: of one recording.
        most_per_frame: labels after which the next frame is looked at in any case.
    """
    labels: list[int] = []
    g, state = model.prediction.step(torch.tensor([BLANK]), None)
    for f in model.transcription(features)[0]:
        for _ in range(most_per_frame):
            label = int(joint(f, g[0]).argmax())
            if label == BLANK:
                break
            labels.append(label)
            g, state = model.prediction.step(torch.tensor([label]), state)
    return labels


def _one_hot(labels: Tensor) -> Tensor:
    """Return a vector of 39 for each label: all zeros for the blank."""
    return functional.one_hot(labels, LABELS + 1)[..., 1:].float()
