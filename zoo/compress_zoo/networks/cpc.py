"""CPC on audio: strided convolutions over the waveform, and a GRU that sums up what came before.

Trained without labels: from the context at a time, a linear map per step predicts the latents of
the next 12 steps, which must be told from those of other recordings (InfoNCE). The maps are for
training only. 16 kHz become 100 latents a second; of the 5.8 million weights of encoder and GRU
the second convolution, 8 wide, has a good third.

Source: van den Oord et al. 2018, arXiv:1807.03748, sections 2 and 3.1 (the audio form).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LATENT, CONTEXT, STEPS = 512, 256, 12
WINDOW = 20_480  # samples that training takes: 128 latents
# kernel, stride, padding; the paper gives no padding: with these 20,480 samples are 128 latents
_LAYERS = ((10, 5, 3), (8, 4, 2), (4, 2, 1), (4, 2, 1), (4, 2, 1))


class CPC(nn.Module):
    """Latents `(batch, n / 160, 512)` and contexts `(batch, n / 160, 256)` of waveforms.

    Waveforms are `(batch, 1, n)`, at 16 kHz.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for place, (kernel, stride, padding) in enumerate(_LAYERS):
            before = LATENT if place else 1
            layers += [nn.Conv1d(before, LATENT, kernel, stride, padding), nn.ReLU()]
        self.encoder = nn.Sequential(*layers)
        self.autoregressive = nn.GRU(LATENT, CONTEXT, batch_first=True)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents and contexts."""
        latents = self.encoder(waveform).transpose(1, 2)
        contexts, _ = self.autoregressive(latents)
        return latents, contexts


class InfoNCE(nn.Module):
    """The loss, with its linear map per step ahead (equations 3 and 4).

    The other recordings of the batch, at the same time, are the negatives.
    """

    def __init__(self, steps: int = STEPS, latent: int = LATENT, context: int = CONTEXT) -> None:
        super().__init__()
        self.predict = nn.ModuleList(nn.Linear(context, latent, bias=False) for _ in range(steps))

    def forward(self, latents: Tensor, contexts: Tensor) -> Tensor:
        """Return the cross-entropy of finding the right recording, mean over times and steps."""
        batch = len(latents)
        losses = []
        for step, predict in enumerate(self.predict, start=1):
            predicted, later = predict(contexts[:, :-step]), latents[:, step:]
            scores = torch.einsum("ptd,rtd->tpr", predicted, later)  # of each pair of recordings
            right = torch.arange(batch, device=scores.device).expand(len(scores), batch)
            losses.append(functional.cross_entropy(scores.flatten(0, 1), right.flatten()))
        return torch.stack(losses).mean()
