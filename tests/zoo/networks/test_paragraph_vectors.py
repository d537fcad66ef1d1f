import copy

import pytest
import torch
from compress_zoo.networks.paragraph_vectors import DistributedBagOfWords, DistributedMemory, infer
from torch.nn import functional

TEXT = torch.tensor([2, 4, 1, 4, 2, 4, 1, 4])


def test_memory_predicts_from_the_text_and_its_last_words() -> None:
    model = DistributedMemory(3, 6, 4, window=2)
    joined = torch.cat([model.texts.weight[1], model.words.weight[5], model.words.weight[2]])
    scores = model(torch.tensor([1]), torch.tensor([[5, 2]]))
    torch.testing.assert_close(scores[0], model.output(joined))


@pytest.mark.parametrize("kind", ["memory", "bag"])
def test_inference_fits_the_text_and_changes_nothing_else(kind: str) -> None:
    torch.manual_seed(0)
    if kind == "memory":
        model = DistributedMemory(3, 6, 4, window=2)
    else:
        model = DistributedBagOfWords(3, 6, 4)
    before = copy.deepcopy(model.state_dict())
    vector = infer(model, TEXT)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert loss(model, vector) < loss(model, torch.zeros(4)) - 0.1


def test_bag_finds_the_frequencies_of_words() -> None:
    torch.manual_seed(0)
    model = DistributedBagOfWords(1, 6, 16)
    found = model.predict(infer(model, TEXT, steps=2000, rate=1.0)).softmax(0)
    torch.testing.assert_close(found, TEXT.bincount(minlength=6) / 8, atol=0.01, rtol=0)


def loss(model: DistributedMemory | DistributedBagOfWords, vector: torch.Tensor) -> float:
    if isinstance(model, DistributedBagOfWords):
        return functional.cross_entropy(model.predict(vector.expand(8, -1)), TEXT).item()
    before = torch.stack([TEXT[:-2], TEXT[1:-1]], 1)
    return functional.cross_entropy(model.predict(vector.expand(6, -1), before), TEXT[2:]).item()
