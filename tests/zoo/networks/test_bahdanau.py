import torch
from compress_zoo.attention import bahdanau
from compress_zoo.networks.bahdanau import RnnSearch

from tests.zoo.networks.sentences import SOURCE, TARGET


def small() -> RnnSearch:
    torch.manual_seed(0)
    return RnnSearch(7, 7, dimensions=4, hidden=4, align=4, maxout=4)


def test_weights_of_the_paper() -> None:
    """n, m, l (units), n' and K of its appendix A."""
    n, m, units, n_align, k = 1000, 620, 500, 1000, 30_000
    with torch.device("meta"):
        model = bahdanau()
    encoder = k * m + 2 * 3 * n * (m + n)
    alignment = n_align * n + n_align * 2 * n + n_align
    decoder = k * m + n * n + 3 * n * (m + n + 2 * n)
    output = 2 * units * (n + m + 2 * n) + k * units
    matrices = [p for p in model.parameters() if p.ndim == 2]
    assert sum(p.numel() for p in matrices) == encoder + alignment + decoder + output


def test_equations_of_a_step() -> None:
    model = small()
    decoder, (memory, hidden) = model.decoder, model.encode(SOURCE)
    logits, (_, after) = decoder(TARGET[:, :1], (memory, hidden))
    annotations, s, y = memory[0], hidden[0], decoder.words(TARGET[:, 0])
    align = decoder.alignment
    energies = torch.stack(
        [align.score(torch.tanh(align.query(s) + align.key(h))) for h in annotations]
    )
    context = (energies.softmax(0) * annotations).sum(0)
    torch.testing.assert_close(
        after[0], decoder.unit(decoder.unit.input(y) + decoder.context(context), s)
    )
    torch.testing.assert_close(logits[:, 0], decoder.softmax(decoder.maxout(s, y, context)))
