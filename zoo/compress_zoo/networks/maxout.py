"""The deep output of the first neural translators: one layer of maxout units, then the words.

Source: Cho et al. 2014, arXiv:1406.1078, appendix A; Goodfellow et al. 2013, arXiv:1302.4389, for
maxout.
"""

from __future__ import annotations

from torch import Tensor, nn


class Maxout(nn.Module):
    """The larger of each two sums over a decoder's state, the word before and the context."""

    def __init__(self, state: int, word: int, context: int, units: int) -> None:
        super().__init__()
        self.state = nn.Linear(state, 2 * units)
        self.word = nn.Linear(word, 2 * units, bias=False)
        self.context = nn.Linear(context, 2 * units, bias=False)

    def forward(self, state: Tensor, word: Tensor, context: Tensor) -> Tensor:
        """Return `(…, units)` of inputs `(…, features)`."""
        sums: Tensor = self.state(state) + self.word(word) + self.context(context)
        return sums.reshape(*sums.shape[:-1], -1, 2).amax(-1)
