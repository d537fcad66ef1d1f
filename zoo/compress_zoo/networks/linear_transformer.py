"""Linear attention: a transformer that writes with a memory of one size, as an RNN does.

With a feature map in place of the softmax, sums over all words before can be kept and updated: a
step of generation costs the same however much is written, and no cache of keys and values grows.
Nearly all of 6.4 million weights are in the six matrices of each layer; the table of pixels has
65,000.

Source: Katharopoulos et al. 2020, arXiv:2006.16236, sections 3 and 4.2.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_zoo.networks.transformer import Residual, feed_forward, sinusoids

LEVELS = 256  # of a pixel
_MIXTURE = 10

#: Of each layer: sums of keys times values `(batch, heads, keys, values)`, of keys
#: `(batch, heads, keys)`.
State = list[tuple[Tensor, Tensor]]


class LinearAttention(nn.Module):
    """Causal attention by sums (equations 8 to 12)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, time, width)` of as many; each place sees those up to it."""
        queries, keys, values = self._heads(x)
        memory = (keys[..., None] * values[..., None, :]).cumsum(2)  # (batch, heads, time, k, v)
        sums = torch.einsum("bhtk,bhtkv->bhtv", queries, memory)
        weights = torch.einsum("bhtk,bhtk->bht", queries, keys.cumsum(2))
        return self._joined(sums / weights[..., None])

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return outputs `(batch, 1, width)` for one place, and the sums with it (16 to 20)."""
        queries, keys, values = self._heads(x)
        memory = state[0] + keys.mT @ values
        total = state[1] + keys[:, :, 0]
        outputs = queries @ memory / (queries @ total[..., None])
        return self._joined(outputs), (memory, total)

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of queries and keys, and values, `(batch, heads, time, size)`."""
        queries, keys, values = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        return functional.elu(queries) + 1, functional.elu(keys) + 1, values

    def _joined(self, heads: Tensor) -> Tensor:
        outputs: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return outputs


class Layer(nn.Module):
    """Attention, then a layer of each place alone."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = LinearAttention(width, heads)
        self.attended = Residual(width, dropout)
        self.forward_layers = feed_forward(width, 4 * width)
        self.fed = Residual(width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, time, width)` of as many."""
        return self._rest(x, self.attention(x))

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return `(batch, 1, width)` for one place, and the sums with it."""
        attended, state = self.attention.step(x, state)
        return self._rest(x, attended), state

    def _rest(self, x: Tensor, attended: Tensor) -> Tensor:
        x = self.attended(x, attended)
        fed: Tensor = self.fed(x, self.forward_layers(x))
        return fed


class LinearTransformer(nn.Module):
    """For each pixel, a mixture of ten logistic distributions of the next one."""

    def __init__(self, *, width: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.state_shape = (heads, width // heads)  # of the sums of keys
        self.pixels = nn.Embedding(LEVELS, width)
        self.layers = nn.ModuleList(Layer(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.mixture = nn.Linear(width, 3 * _MIXTURE)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits, means and log scales, `(batch, time, 30)`, of pixels `(batch, time)`."""
        x = self._embed(pixels, torch.arange(pixels.shape[1], device=pixels.device))
        for layer in self.layers:
            x = layer(x)
        mixtures: Tensor = self.mixture(self.norm(x))
        return mixtures

    def step(self, pixel: Tensor, place: int, state: State) -> tuple[Tensor, State]:
        """Return the mixture `(batch, 1, 30)` behind one more pixel `(batch, 1)`, and its state."""
        x, after = self._embed(pixel, torch.tensor([place], device=pixel.device)), []
        for layer, sums in zip(self.layers, state, strict=True):
            assert isinstance(layer, Layer)
            x, sums_after = layer.step(x, sums)
            after.append(sums_after)
        return self.mixture(self.norm(x)), after

    def start(self, batch: int) -> State:
        """Return the state before the first pixel: zeros."""
        total = self.pixels.weight.new_zeros(batch, *self.state_shape)
        memory = total[..., None] * total[..., None, :]
        return [(memory, total)] * len(self.layers)

    def _embed(self, pixels: Tensor, places: Tensor) -> Tensor:
        embedded: Tensor = self.pixels(pixels)
        return embedded + sinusoids(places, embedded.shape[-1])


def log_likelihood(mixtures: Tensor, pixels: Tensor) -> Tensor:
    """Return the log-probability of each pixel `(batch, time)`, levels being [-1, 1].

    Source: Salimans et al. 2017, arXiv:1701.05517, section 2.1.
    """
    logits, means, log_scales = mixtures.chunk(3, -1)
    scale = log_scales.clamp(min=-7).exp()
    half = 1 / (LEVELS - 1)
    centred = (pixels / (LEVELS - 1) * 2 - 1)[..., None] - means
    upper = torch.sigmoid((centred + half) / scale)
    lower = torch.sigmoid((centred - half) / scale)
    upper = upper.masked_fill((pixels == LEVELS - 1)[..., None], 1)  # the tails belong to the ends
    lower = lower.masked_fill((pixels == 0)[..., None], 0)
    chances = (upper - lower).clamp(min=1e-12).log()
    return torch.logsumexp(logits.log_softmax(-1) + chances, -1)


@torch.no_grad()
def complete(
    model: LinearTransformer, pixels: Tensor, length: int, generator: torch.Generator | None = None
) -> Tensor:
    """Return pixels `(batch, length)` that begin with given ones `(batch, 1 or more)`."""
    state = model.start(pixels.shape[0])
    for place in range(length - 1):
        mixture, state = model.step(pixels[:, place, None], place, state)
        if place + 1 == pixels.shape[1]:
            pixels = torch.cat([pixels, _sample(mixture[:, 0], generator)], 1)
    return pixels


def _sample(mixture: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw levels, `(batch, 1)`, from mixtures `(batch, 30)`."""
    logits, means, log_scales = mixture.chunk(3, -1)
    chosen = torch.multinomial(logits.softmax(-1), 1, generator=generator)
    chance = torch.rand(chosen.shape, generator=generator).clamp(1e-5, 1 - 1e-5)
    spread = log_scales.clamp(min=-7).gather(1, chosen).exp()
    drawn = means.gather(1, chosen) + spread * (chance.log() - (1 - chance).log())
    return ((drawn + 1) / 2 * (LEVELS - 1)).round().clamp(0, LEVELS - 1).long()
