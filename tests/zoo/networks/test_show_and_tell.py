import itertools
import math

import pytest
import torch
from compress_zoo.networks.show_and_tell import ShowAndTell, beam_search, caption_loss
from torch import nn

START, END = 0, 3


def small() -> ShowAndTell:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 512))
    model = ShowAndTell(encoder, vocabulary=4).eval()
    nn.init.normal_(model.words.weight, std=0.5)
    return model


def test_steps_agree_with_the_whole() -> None:
    model, image, caption = small(), torch.randn(2, 3, 4, 4), torch.tensor([[0, 1, 2], [0, 2, 2]])
    with torch.no_grad():
        whole, state = model(image, caption).log_softmax(-1), model.look(image)
        for place in range(3):
            log_probabilities, state = model.step(caption[:, place], state)
            torch.testing.assert_close(log_probabilities, whole[:, place])


def test_words_depend_on_the_image_and_the_past_only() -> None:
    model, image, caption = small(), torch.randn(1, 3, 4, 4), torch.tensor([[0, 1, 2]])
    with torch.no_grad():
        before = model(image, caption)
        assert not torch.equal(model(image + 1, caption)[:, 0], before[:, 0])
        after = model(image, torch.tensor([[0, 1, 1]]))
    assert torch.equal(after[:, :2], before[:, :2])
    assert not torch.equal(after[:, 2], before[:, 2])


def test_wide_beam_finds_the_best_of_all_captions() -> None:
    model, image = small(), torch.randn(1, 3, 4, 4)

    def score(words: tuple[int, ...]) -> float:
        with torch.no_grad():
            told = model(image, torch.tensor([[START, *words[:-1]]])).log_softmax(-1)[0]
        return sum(told[place, word].item() for place, word in enumerate(words))

    captions = [
        words
        for length in (1, 2, 3)
        for words in itertools.product(range(4), repeat=length)
        if END not in words[:-1] and (length == 3 or words[-1] == END)
    ]
    best = max(captions, key=score)
    expected = [word for word in best if word != END]
    assert beam_search(model, image, start=START, end=END, beam=64, length=3) == expected


def test_beam_of_one_is_greedy() -> None:
    model, image = small(), torch.randn(1, 3, 4, 4)
    caption = [START]
    with torch.no_grad():
        while len(caption) <= 5 and caption[-1] != END:
            caption.append(int(model(image, torch.tensor([caption]))[0, -1].argmax()))
    expected = [word for word in caption[1:] if word != END]
    assert beam_search(model, image, start=START, end=END, beam=1, length=5) == expected


def test_loss_leaves_padding_out() -> None:
    logits = torch.zeros(1, 3, 4)
    logits[0, 0, 1] = 2.0
    caption = torch.tensor([[0, 1, 3, 2]])  # 2 is padding here
    expected = (-math.log(math.exp(2) / (math.exp(2) + 3)) + math.log(4)) / 2
    assert caption_loss(logits, caption, padding=2).item() == pytest.approx(expected)
