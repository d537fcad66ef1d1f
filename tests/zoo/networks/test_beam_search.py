import pytest
import torch
from compress_zoo.networks.beam_search import beam_search, length_penalty

END = 0
#: Probability of the next token after each: greedy takes 1 first, but 2 leads to the best sequence.
NEXT = torch.tensor(
    [
        [0.25, 0.25, 0.25, 0.25],
        [0.4, 0.3, 0.2, 0.1],  # after 1
        [0.9, 0.04, 0.03, 0.03],  # after 2
        [0.05, 0.5, 0.4, 0.05],  # after 3, the start
    ]
)


def step(tokens: torch.Tensor, state: tuple[torch.Tensor]) -> tuple[torch.Tensor, tuple]:
    (history,) = state  # (1, batch, steps): a state that shows whose hypotheses they are
    assert history.shape[1] == len(tokens)
    history = torch.cat([history, tokens[None]], 2)
    return NEXT[tokens].log(), (history,)


def search(**options: float) -> list[int]:
    return beam_search(step, (torch.empty(1, 1, 0, dtype=torch.long),), start=3, end=END, **options)


def test_greedy_takes_the_likeliest_word_at_each_step() -> None:
    assert search(longest=5, beam=1) == [1]


def test_beam_finds_the_better_sequence() -> None:
    assert search(longest=5, beam=2) == [2]  # 0.4 * 0.9 against 0.5 * 0.4


def test_long_sequences_are_cut() -> None:
    assert len(search(longest=1, beam=1)) == 1


def test_state_follows_its_hypothesis() -> None:
    histories = []

    def spy(tokens: torch.Tensor, state: tuple[torch.Tensor]) -> tuple[torch.Tensor, tuple]:
        logits, state = step(tokens, state)
        histories.append(state[0][0].tolist())
        return logits, state

    state = (torch.empty(1, 1, 0, dtype=torch.long),)
    beam_search(spy, state, start=3, end=END, longest=3, beam=2)
    # after 3: 1 (0.5) and 2 (0.4); then 2 ends (0.36), and 1 goes on as the second: 1 ends (0.2)
    assert histories == [[[3]], [[3, 1], [3, 2]]]


def test_length_penalty() -> None:
    assert length_penalty(1, 0.6) == 1
    assert length_penalty(7, 0) == 1
    assert length_penalty(7, 1) == pytest.approx(2)
