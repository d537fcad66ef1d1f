import torch
from compress_zoo.networks.fasttext import FastText, text_rows


def test_padding_does_not_count() -> None:
    network = FastText(20, 3, 4)
    rows = torch.tensor([[4, 9, 9, 0, 0], [0, 0, 0, 0, 0]])
    mean = (network.table.weight[4] + 2 * network.table.weight[9]) / 3
    logits = network(rows)
    torch.testing.assert_close(logits[0], network.classifier.weight @ mean)
    assert torch.equal(logits[1], torch.zeros(3))


def test_rows_of_a_text() -> None:
    multiplier = 116_049_371
    rows = text_rows([7, 2, 5], vocabulary=10, buckets=97, longest=3)
    seven_two, two_five = 7 * multiplier + 2, 2 * multiplier + 5
    three = (seven_two * multiplier + 5) % 2**64
    assert rows == [8, 3, 6, *(11 + h % 97 for h in (seven_two, three, two_five))]


def test_hash_knows_the_order_of_words() -> None:
    assert text_rows([1, 2], 10, 10_000)[2] != text_rows([2, 1], 10, 10_000)[2]
    assert text_rows([], 10, 10) == []
    assert all(11 <= row <= 17 for row in text_rows(list(range(10)), 10, 7)[10:])
