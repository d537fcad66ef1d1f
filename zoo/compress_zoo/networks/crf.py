"""A linear-chain conditional random field over the tags of a sentence.

A tag's score depends on the word and on the tag before it, so that an impossible sequence (the
inside of a name without its beginning) loses as a whole. The loss sums over all sequences, and
decoding finds the best one; both go through the sentence once. The steps are unrolled for the
length of the input, so that decoding is part of an exported graph.

Source: Lafferty et al. 2001; Lample et al. 2016, arXiv:1603.01360, section 2.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Crf(nn.Module):
    """Transition scores between `tags` tags, and from the start and to the end."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.start, self.end = tags, tags + 1
        #: (tags + 2, tags + 2), from row to column, Lample's A: a few hundred numbers, each of
        #: which can decide a sentence, so no layer whose weights passes would prune
        self.transitions = nn.Parameter(torch.randn(tags + 2, tags + 2) * 0.1)

    def forward(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Return the best tags, `(batch, time)`, by Viterbi's algorithm.

        Args:
            scores: of each tag for each word, `(batch, time, tags)`, padded behind.
            lengths: of each sentence, at least 1, `(batch,)`; tags behind it mean nothing.
        """
        between = self.transitions[: self.start, : self.start]
        best = self.transitions[self.start, : self.start] + scores[:, 0]  # (batch, tags)
        pointers = []
        same = torch.arange(self.start, device=scores.device)
        for step in range(1, scores.shape[1]):
            value, pointer = (best[:, :, None] + between).max(1)
            inside = (step < lengths)[:, None]
            best = torch.where(inside, value + scores[:, step], best)
            pointers.append(torch.where(inside, pointer, same))  # behind the end, the tag stays
        tag = (best + self.transitions[: self.start, self.end]).argmax(1, keepdim=True)
        tags = [tag]
        for pointer in reversed(pointers):
            tag = pointer.gather(1, tag)
            tags.append(tag)
        return torch.cat(tags[::-1], 1)

    def loss(self, scores: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        """Return the negative log-likelihood of tags, `(batch, time)`, mean over the batch."""
        return (self._log_partition(scores, lengths) - self._score(scores, lengths, tags)).mean()

    def _log_partition(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Return the logarithm of the sum over all sequences of their exponential scores."""
        between = self.transitions[: self.start, : self.start]
        total = self.transitions[self.start, : self.start] + scores[:, 0]
        for step in range(1, scores.shape[1]):
            following = (total[:, :, None] + between).logsumexp(1) + scores[:, step]
            total = torch.where((step < lengths)[:, None], following, total)
        return (total + self.transitions[: self.start, self.end]).logsumexp(1)

    def _score(self, scores: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        """Return the score of each sentence's own tags."""
        inside = torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]
        emitted = scores.gather(2, tags[..., None]).squeeze(2) * inside
        moved = self.transitions[tags[:, :-1], tags[:, 1:]] * inside[:, 1:]
        final = tags.gather(1, (lengths - 1)[:, None]).squeeze(1)
        ends = self.transitions[self.start, tags[:, 0]] + self.transitions[final, self.end]
        return emitted.sum(1) + moved.sum(1) + ends
