import math

import pytest
import torch
from compress_zoo.errors import ZooError
from compress_zoo.networks.hierarchical_softmax import HierarchicalSoftmax, huffman_paths

COUNTS = [45, 13, 12, 16, 9, 5]  # the textbook example: Cormen et al., figure 16.3


def test_textbook_example() -> None:
    paths = huffman_paths(COUNTS)
    lengths = [len(path.turns) for path in paths]
    assert lengths == [1, 3, 3, 3, 4, 4]
    assert sum(c * n for c, n in zip(COUNTS, lengths, strict=True)) == 224
    assert {path.nodes[0] for path in paths} == {len(COUNTS) - 2}  # all begin at the root


def test_codes_are_free_of_prefixes() -> None:
    codes = ["".join(map(str, path.turns)) for path in huffman_paths(COUNTS)]
    assert not any(a != b and b.startswith(a) for a in codes for b in codes)
    assert sum(2.0 ** -len(code) for code in codes) == 1


def test_probabilities_sum_to_one() -> None:
    torch.manual_seed(0)
    softmax = HierarchicalSoftmax(COUNTS, 4)
    hidden = torch.randn(1, 4).expand(6, 4)
    assert softmax(hidden, torch.arange(6)).exp().sum().item() == pytest.approx(1)


def test_probability_by_hand() -> None:
    softmax = HierarchicalSoftmax([5, 2, 1], 2)  # word 1 has the path (1, 0) and the turns (0, 1)
    with torch.no_grad():
        softmax.inner.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
    found = softmax(torch.tensor([[1.0, 2.0]]), torch.tensor([1])).item()
    assert found == pytest.approx(-math.log(1 + math.exp(-2)) - math.log(1 + math.exp(3)))


def test_one_word_has_no_tree() -> None:
    with pytest.raises(ZooError, match="at least two words, got 1"):
        huffman_paths([3])
