"""Two sentences and their translations, which any network that translates can learn."""

import torch
from torch import nn
from torch.nn import functional

START, END = 1, 2
SOURCE = torch.tensor([[3, 4, 5], [5, 3, 6]])
TARGET = torch.tensor([[START, 3, 4, 5, END], [START, 5, 3, 6, END]])


def learn(model: nn.Module, steps: int = 80, rate: float = 0.01) -> None:
    """Train a network in place and leave it in evaluation mode."""
    torch.manual_seed(0)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), rate)
    for _ in range(steps):
        logits = model(SOURCE, TARGET[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), TARGET[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
