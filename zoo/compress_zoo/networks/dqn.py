"""The deep Q-network: from four frames of an Atari game to the value of every action at once.

Earlier value networks took the action as an input and ran once for each; here each action has an
output of its own, so one pass is enough to act. Of the 680,770 weights 98% are in the one fully
connected layer behind the convolutions, which is where pruning gains.

Source: Mnih et al. 2013, arXiv:1312.5602, sections 4 and 4.1.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

FRAMES = 4  # the last frames, which together show where things move
SIDE = 84
_SHRUNK = (110, 84)  # height and width before the crop
_TOP = 18  # rows of the score above the playing area
_LUMA = (0.299, 0.587, 0.114)


class DQN(nn.Sequential):
    """Values of all actions, shape `(batch, actions)`, from frames `(batch, 4, 84, 84)`."""

    def __init__(self, actions: int) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv2d(FRAMES, 16, 8, stride=4),  # (16, 20, 20)
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(16, 32, 4, stride=2),  # (32, 9, 9)
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            hidden=nn.Linear(32 * 9 * 9, 256),
            relu3=nn.ReLU(),
            values=nn.Linear(256, actions),
        )
        super().__init__(layers)


class Transitions(NamedTuple):
    """A batch of steps of the game."""

    frames: Tensor  #: before the step, `(batch, 4, 84, 84)`, uint8
    actions: Tensor  #: `(batch,)`, int64
    rewards: Tensor  #: `(batch,)`, clipped to -1, 0 or 1
    next_frames: Tensor  #: after the step
    ended: Tensor  #: `(batch,)`, bool: the game was over after the step


class ReplayMemory:
    """The last `capacity` steps, from which training draws at random.

    Steps that follow each other are alike; drawing breaks that correlation.
    """

    def __init__(self, capacity: int, seed: int) -> None:
        frames = (capacity, FRAMES, SIDE, SIDE)
        self._steps = Transitions(
            torch.zeros(frames, dtype=torch.uint8),
            torch.zeros(capacity, dtype=torch.int64),
            torch.zeros(capacity),
            torch.zeros(frames, dtype=torch.uint8),
            torch.zeros(capacity, dtype=torch.bool),
        )
        self._capacity, self._seen = capacity, 0
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Return the number of steps that are held."""
        return min(self._seen, self._capacity)

    def add(
        self, frames: Tensor, action: int, reward: float, next_frames: Tensor, *, ended: bool
    ) -> None:
        """Keep one step, in the place of the oldest where all are taken."""
        place = self._seen % self._capacity
        self._steps.frames[place] = frames
        self._steps.actions[place] = action
        self._steps.rewards[place] = max(-1.0, min(1.0, reward))
        self._steps.next_frames[place] = next_frames
        self._steps.ended[place] = ended
        self._seen += 1

    def sample(self, count: int) -> Transitions:
        """Draw steps, uniformly and with replacement."""
        places = torch.randint(len(self), (count,), generator=self._generator)
        return Transitions(*(held[places] for held in self._steps))


def q_loss(network: nn.Module, steps: Transitions, discount: float = 0.99) -> Tensor:
    """Return the squared error against the reward plus the best next value (equation 2).

    Args:
        network: gives the values of all actions; the target is a constant of its present state.
        steps: a draw from the memory.
        discount: gamma, what a reward one step later is worth.
    """
    with torch.no_grad():
        best = network(scaled(steps.next_frames)).amax(1)
        target = steps.rewards + discount * best * ~steps.ended
    taken = network(scaled(steps.frames)).gather(1, steps.actions[:, None])[:, 0]
    return functional.mse_loss(taken, target)


def scaled(frames: Tensor) -> Tensor:
    """Return stored frames as the network takes them: float32 in [0, 1]."""
    return frames.float() / 255


def exploration(frame: int, last: float = 0.1, annealed: int = 1_000_000) -> float:
    """Return the probability of a random action at a frame: from 1 down to `last`, linearly."""
    return max(last, 1 - (1 - last) * frame / annealed)


def preprocess(screen: Tensor) -> Tensor:
    """Return one grey frame, `(84, 84)` uint8, from a screen of the game, `(210, 160, 3)` uint8."""
    grey = screen.float() @ torch.tensor(_LUMA)
    shrunk = functional.interpolate(
        grey[None, None], _SHRUNK, mode="bilinear", align_corners=False
    )[0, 0]
    return shrunk[_TOP : _TOP + SIDE].round().to(torch.uint8)
