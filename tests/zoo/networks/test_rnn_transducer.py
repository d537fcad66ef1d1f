import itertools
import math

import pytest
import torch
from compress_zoo.networks.rnn_transducer import RNNTransducer, greedy_decode, transducer_loss


def by_enumeration(lattice: torch.Tensor, labels: list[int]) -> torch.Tensor:
    """Return -log of the sum over all orders of labels and blanks, the last of which is a blank."""
    frames, paths = len(lattice), []
    steps = frames - 1 + len(labels)
    for places in itertools.combinations(range(steps), len(labels)):
        t = u = 0
        terms = []
        for step in range(steps):
            if step in places:
                terms.append(lattice[t, u, labels[u]])
                u += 1
            else:
                terms.append(lattice[t, u, 0])
                t += 1
        terms.append(lattice[t, u, 0])
        assert (t, u) == (frames - 1, len(labels))
        paths.append(torch.stack(terms).sum())
    assert len(paths) == math.comb(steps, len(labels))
    return -torch.stack(paths).logsumexp(0)


@pytest.mark.parametrize(("frames", "labels"), [(1, [2, 1]), (3, [1, 2]), (4, [3, 3, 1]), (3, [])])
def test_loss_and_gradient_against_enumeration(frames: int, labels: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(frames, len(labels) + 1, 4, generator=generator, dtype=torch.float64)
    gradients = []
    for enumerate_paths in (True, False):
        leaf = scores.clone().requires_grad_()
        lattice = leaf.log_softmax(-1)
        if enumerate_paths:
            loss = expected = by_enumeration(lattice, labels)
        else:
            (loss,) = transducer_loss(
                lattice[None],
                torch.tensor([labels], dtype=torch.int64),
                torch.tensor([frames]),
                torch.tensor([len(labels)]),
            )
        loss.backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(*gradients)


def test_padding_of_a_batch_does_not_count() -> None:
    torch.manual_seed(0)
    lattice = torch.randn(2, 5, 4, 6).log_softmax(-1)
    labels = torch.tensor([[1, 2, 3], [5, 4, 0]])
    found = transducer_loss(lattice, labels, torch.tensor([5, 3]), torch.tensor([3, 2]))
    torch.testing.assert_close(found[0], by_enumeration(lattice[0], [1, 2, 3]))
    torch.testing.assert_close(found[1], by_enumeration(lattice[1, :3, :3], [5, 4]))


def test_long_and_sure_lattices_stay_finite() -> None:
    lattice = (30 * torch.randn(1, 200, 61, 5)).log_softmax(-1)
    labels = torch.randint(1, 5, (1, 60))
    loss = transducer_loss(lattice, labels, torch.tensor([200]), torch.tensor([60]))
    assert loss.isfinite().all()


def test_size_is_the_papers_but_for_peepholes_and_biases() -> None:
    with torch.device("meta"):
        model = RNNTransducer()
    peepholes, biases = 3 * 3 * 128, 3 * 4 * 128  # of three LSTMs
    assert sum(p.numel() for p in model.parameters()) == 261_328 - peepholes + biases
    transcription = sum(p.numel() for p in model.transcription.parameters())
    assert transcription == 169_768 - 2 * 3 * 128 + 2 * 4 * 128


def test_prediction_step_by_step() -> None:
    torch.manual_seed(0)
    prediction, labels = RNNTransducer().prediction, torch.tensor([[7, 39, 1]])
    with torch.no_grad():
        whole = prediction(labels)[0]
        g, state = prediction.step(torch.tensor([0]), None)
        torch.testing.assert_close(g[0], whole[0])
        for place, label in enumerate(labels[0], start=1):
            g, state = prediction.step(label[None], state)
            torch.testing.assert_close(g[0], whole[place])


def test_lattice_is_a_distribution_that_knows_past_labels_only() -> None:
    torch.manual_seed(0)
    model, features = RNNTransducer().eval(), torch.randn(1, 6, 26)
    with torch.no_grad():
        lattice = model(features, torch.tensor([[3, 4]]))
        changed = model(features, torch.tensor([[3, 5]]))
    assert lattice.shape == (1, 6, 3, 40)
    torch.testing.assert_close(lattice.exp().sum(-1), torch.ones(1, 6, 3))
    torch.testing.assert_close(changed[:, :, :2], lattice[:, :, :2])
    assert not torch.allclose(changed[:, :, 2], lattice[:, :, 2])


def test_greedy_decoding_walks_the_lattice() -> None:
    torch.manual_seed(1)
    model, features = RNNTransducer().eval(), 3 * torch.randn(1, 12, 26)
    torch.nn.init.normal_(model.transcription.output.weight)
    model.transcription.output.bias.data[0] = 2.0
    labels, frame, here = [], 0, 0
    with torch.no_grad():
        while frame < 12:
            lattice = model(features, torch.tensor([labels], dtype=torch.int64))
            best = int(lattice[0, frame, len(labels)].argmax())
            if best == 0 or here == 2:
                frame, here = frame + 1, 0
            else:
                labels.append(best)
                here += 1
    assert len(labels) > 3
    assert greedy_decode(model, features, most_per_frame=2) == labels
