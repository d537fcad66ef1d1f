import pytest
import torch
from compress_zoo.networks.dqn import (
    DQN,
    ReplayMemory,
    Transitions,
    exploration,
    preprocess,
    q_loss,
)
from torch import nn

FRAMES = torch.zeros(4, 84, 84, dtype=torch.uint8)


def test_feature_sizes_are_the_papers() -> None:
    network, x, shapes = DQN(4), torch.zeros(1, 4, 84, 84), []
    for layer in network:
        x = layer(x)
        if isinstance(layer, nn.Conv2d | nn.Linear):
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [(16, 20, 20), (32, 9, 9), (256,), (4,)]


class Counting(nn.Module):
    """Values 1, 2, 3 for black frames and 4, 5, 6 for white ones."""

    def forward(self, frames):
        return 3 * frames.amax((1, 2, 3))[:, None] + torch.tensor([1.0, 2.0, 3.0])


def test_loss_by_hand() -> None:
    white = torch.full_like(FRAMES, 255)
    steps = Transitions(
        torch.stack([FRAMES, FRAMES]),
        torch.tensor([0, 2]),
        torch.tensor([1.0, -1.0]),
        torch.stack([white, white]),
        torch.tensor([False, True]),
    )
    loss = q_loss(Counting(), steps, discount=0.5)
    # targets 1 + 0.5 x 6 = 4 and, at the end, -1; values taken 1 and 3
    assert loss.item() == pytest.approx(((4 - 1) ** 2 + (-1 - 3) ** 2) / 2)


def test_target_has_no_gradient() -> None:
    network = DQN(2)
    white = torch.full((1, 4, 84, 84), 255, dtype=torch.uint8)
    one = torch.ones(1)
    q_loss(network, Transitions(white, one.long() * 0, one, white, one < 0)).backward()
    gradient = network.values.bias.grad
    assert gradient[0] != 0
    assert gradient[1] == 0  # the action that was not taken


def test_memory_forgets_the_oldest_and_clips_rewards() -> None:
    memory = ReplayMemory(3, seed=0)
    for action in range(5):
        memory.add(FRAMES + action, action, 10.0 * action - 25, FRAMES, ended=action == 4)
    drawn = memory.sample(200)
    assert len(memory) == 3
    assert set(drawn.actions.tolist()) == {2, 3, 4}
    assert set(drawn.rewards.tolist()) == {-1.0, 1.0}
    assert torch.equal(drawn.frames[:, 0, 0, 0].long(), drawn.actions)
    assert torch.equal(drawn.ended, drawn.actions == 4)


def test_exploration_is_annealed_over_a_million_frames() -> None:
    assert exploration(0) == 1
    assert exploration(500_000) == pytest.approx(0.55)
    assert exploration(3_000_000) == pytest.approx(0.1)


def test_preprocessing_crops_the_playing_area() -> None:
    screen = torch.zeros(210, 160, 3, dtype=torch.uint8)
    assert preprocess(screen).shape == (84, 84)
    screen[:30] = 255  # the score
    assert preprocess(screen).max() == 0
    screen[60:170] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    assert preprocess(screen)[42, 42] == round(255 * 0.299)
