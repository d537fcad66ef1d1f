import math

import pytest
import torch
from compress_zoo.networks.dalle import DallE, attention_mask, dalle_loss, draw


def small() -> DallE:
    torch.manual_seed(0)
    return DallE(64, 8, text_length=5, side=4, text_vocabulary=11, image_vocabulary=7).eval()


@pytest.mark.parametrize("pattern", ["row", "column", "convolution"])
def test_masks_against_a_plain_reference(pattern: str) -> None:
    text, side = 3, 7
    length = text + side * side
    mask = attention_mask(pattern, text, length, side)
    for query in range(length):
        for key in range(length):
            (top, left), (row, column) = divmod(key - text, side), divmod(query - text, side)
            near = {
                "row": top == row,
                "column": left == column,
                "convolution": abs(top - row) <= 5 and abs(left - column) <= 5,
            }[pattern]
            assert mask[query, key] == (key <= query and (key < text or near))


def test_patterns_are_the_papers() -> None:
    row, column = "row", "column"
    assert small().patterns == (row, column, row, row, row, column, row, "convolution")


def test_a_token_is_predicted_from_those_before_it() -> None:
    model = small()
    generator = torch.Generator().manual_seed(0)
    text = torch.randint(1, 11, (1, 5), generator=generator)
    image = torch.randint(0, 7, (1, 16), generator=generator)
    with torch.no_grad():
        of_text, of_image = model(text, image)
        text2, image2 = text.clone(), image.clone()
        image2[0, 6] = (image2[0, 6] + 1) % 7
        changed_text, changed = model(text, image2)
        assert torch.equal(changed_text, of_text)
        assert torch.equal(changed[:, :7], of_image[:, :7])
        assert not torch.equal(changed[:, 7], of_image[:, 7])
        text2[0, 2] = 0  # padding
        changed_text, changed = model(text2, image)
        assert torch.equal(changed_text[:, :3], of_text[:, :3])
        assert (changed != of_image).any(-1).all()  # all image tokens see all of the text


def test_each_place_has_its_own_padding() -> None:
    model = small()
    embedded = model._embed_text(torch.zeros(1, 5, dtype=torch.int64)) - model.text_place.weight
    torch.testing.assert_close(embedded[0], model.text.weight[[16, 11, 12, 13, 14, 15]])


def test_loss_by_hand() -> None:
    logits = torch.zeros(2, 5, 11), torch.zeros(2, 16, 7)
    text, image = torch.zeros(2, 5, dtype=torch.int64), torch.zeros(2, 16, dtype=torch.int64)
    expected = math.log(11) / 8 + 7 * math.log(7) / 8
    assert dalle_loss(logits, text, image).item() == pytest.approx(expected)


def test_cold_draw_is_greedy() -> None:
    model = small()
    text = torch.tensor([[3, 1, 4, 0, 0], [2, 7, 1, 8, 2]])
    image = draw(model, text, 1e-4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(model(text, image)[1].argmax(-1), image)
