"""Show and Tell: a GoogLeNet reads a picture, an LSTM of 512 units writes its caption.

The picture's vector enters the LSTM once, as if it were the word before the first. Trained
is the likelihood of the right caption. Of the 20.5 million weights 12 million are in the word
embeddings and the output layer; GoogLeNet, which does 90% of the work, has 6 million.

Source: Vinyals et al. 2014, arXiv:1411.4555, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 512  # of the embeddings and of the LSTM

State = tuple[Tensor, Tensor]  # the LSTM's output and cell, each (1, batch, 512)


class ShowAndTell(nn.Module):
    """Logits of each next word, `(batch, words, vocabulary)`.

    Args:
        encoder: from an image to its 512 numbers.
        vocabulary: number of words, start and end among them.
    """

    def __init__(self, encoder: nn.Module, vocabulary: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)
        self.words = nn.Linear(WIDTH, vocabulary)

    def forward(self, image: Tensor, caption: Tensor) -> Tensor:
        """Predict the word behind each word of a caption.

        Args:
            image: `(batch, 3, 224, 224)`.
            caption: `(batch, words)`, from the start word on.
        """
        first = self.encoder(image)[:, None]
        states, _ = self.lstm(torch.cat([first, self.embedding(caption)], dim=1))
        logits: Tensor = self.words(states[:, 1:])  # nothing is predicted from the image alone
        return logits

    def look(self, image: Tensor) -> State:
        """Return the state of the LSTM when it has seen the image."""
        _, (output, cell) = self.lstm(self.encoder(image)[:, None])
        return output, cell

    def step(self, word: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the log probabilities of the next word, `(batch, vocabulary)`, and the state."""
        output, state = self.lstm(self.embedding(word)[:, None], state)
        return self.words(output[:, 0]).log_softmax(-1), state


def caption_loss(logits: Tensor, caption: Tensor, padding: int) -> Tensor:
    """Return the negative log likelihood of a word, mean over all that are not padding.

    Args:
        logits: of `caption[:, :-1]`, as `forward` gives them.
        caption: `(batch, words + 1)`, from the start word to the end word, then padding.
        padding: the word that is not counted.
    """
    next_words = caption[:, 1:]
    return functional.cross_entropy(logits.transpose(1, 2), next_words, ignore_index=padding)


@torch.no_grad()
def beam_search(
    model: ShowAndTell, image: Tensor, *, start: int, end: int, beam: int = 20, length: int = 20
) -> list[int]:
    """Return the most probable caption that the search meets, without start and end.

    Args:
        model: the network.
        image: one, `(1, 3, 224, 224)`.
        start: the word before the first.
        end: the word behind the last.
        beam: captions that are followed at a time; the paper follows 20.
        length: words, the end among them, after which an unfinished caption counts as it is.
    """
    state, scores = model.look(image), torch.zeros(1)
    captions = torch.tensor([[start]])
    finished: list[tuple[float, list[int]]] = []
    for _ in range(length):
        log_probabilities, state = model.step(captions[:, -1], state)
        total = scores[:, None] + log_probabilities
        scores, chosen = total.flatten().topk(min(beam, total.numel()))
        parents, words = chosen // total.shape[1], chosen % total.shape[1]
        captions = torch.cat([captions[parents], words[:, None]], dim=1)
        ended = words == end
        finished += zip(scores[ended].tolist(), captions[ended, 1:-1].tolist(), strict=True)
        going = ~ended
        scores, captions = scores[going], captions[going]
        state = (state[0][:, parents[going]], state[1][:, parents[going]])
        if not going.any() or (finished and max(finished)[0] >= scores.max()):
            break  # scores only fall: nothing that goes on can win
    finished += zip(scores.tolist(), captions[:, 1:].tolist(), strict=True)
    return max(finished)[1]
