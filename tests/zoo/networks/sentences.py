"""Two sentences and their translations, which any network that translates can learn."""

import torch

START, END = 1, 2
SOURCE = torch.tensor([[3, 4, 5], [5, 3, 6]])
TARGET = torch.tensor([[START, 3, 4, 5, END], [START, 5, 3, 6, END]])
