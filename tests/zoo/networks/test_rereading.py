import torch
from compress_zoo.networks.beam_search import beam_search
from compress_zoo.networks.rereading import before, rereading
from torch import Tensor

END = 4


def count_up(words: Tensor, memory: Tensor) -> Tensor:
    """Say, at each word, that the word plus the memory comes next."""
    return torch.nn.functional.one_hot((words + memory.T).clamp(max=END), 5) * 9.0


def test_a_step_reads_all_words_so_far() -> None:
    step, memory = rereading(count_up), torch.ones(1, 1, dtype=torch.long)
    logits, state = step(torch.tensor([[0]]), before(memory))
    assert logits.argmax(-1).tolist() == [[1]]
    logits, (kept, words) = step(torch.tensor([[1]]), state)
    assert logits.argmax(-1).tolist() == [[2]]
    assert words.T.tolist() == [[0, 1]]
    assert kept is memory


def test_beam_search_reorders_its_words() -> None:
    state = before(torch.ones(1, 1, dtype=torch.long))
    for beam in (1, 3):
        found = beam_search(rereading(count_up), state, start=0, end=END, longest=9, beam=beam)
        assert found == [1, 2, 3]
