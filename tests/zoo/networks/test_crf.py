from itertools import pairwise, product

import torch
from compress_zoo.networks.crf import Crf

TAGS, LENGTHS = 3, torch.tensor([4, 2, 1])


def score(crf: Crf, scores: torch.Tensor, tags: tuple[int, ...]) -> torch.Tensor:
    path = [crf.start, *tags, crf.end]
    moves = sum(crf.transitions[a, b] for a, b in pairwise(path))
    return moves + sum(scores[step, tag] for step, tag in enumerate(tags))


def crf_and_scores() -> tuple[Crf, torch.Tensor]:
    torch.manual_seed(0)
    crf = Crf(TAGS)
    torch.nn.init.normal_(crf.transitions)
    return crf, torch.randn(3, 4, TAGS)


def test_viterbi_against_all_sequences() -> None:
    crf, scores = crf_and_scores()
    found = crf(scores, LENGTHS)
    for sample, length in enumerate(LENGTHS.tolist()):
        best = max(
            product(range(TAGS), repeat=length), key=lambda tags: score(crf, scores[sample], tags)
        )
        assert tuple(found[sample, :length].tolist()) == best


def test_loss_against_all_sequences() -> None:
    crf, scores = crf_and_scores()
    tags = torch.tensor([[0, 2, 1, 1], [2, 0, 0, 0], [1, 2, 0, 1]])  # padding has tags of no use
    losses = []
    for sample, length in enumerate(LENGTHS.tolist()):
        every = [
            score(crf, scores[sample], sequence) for sequence in product(range(TAGS), repeat=length)
        ]
        true = score(crf, scores[sample], tuple(tags[sample, :length].tolist()))
        losses.append(torch.stack(every).logsumexp(0) - true)
    torch.testing.assert_close(crf.loss(scores, LENGTHS, tags), torch.stack(losses).mean())
