import pytest
import torch
from compress_zoo.networks.rntn import Composition, Rntn, Tree, tree_loss

# (not (very good)), sentiments from 0 to 4
TREE = Tree(
    1,
    children=(
        Tree(2, word=0),
        Tree(4, children=(Tree(2, word=1), Tree(3, word=2))),
    ),
)


def test_composition_is_a_bilinear_form_for_each_number() -> None:
    torch.manual_seed(0)
    network = Composition(5, 3)
    left, right = torch.randn(2, 3), torch.randn(2, 3)
    phrase, logits = network(left, right)
    slices = network.tensor.weight.view(3, 6, 6)  # V[k] of equation 7, transposed
    for sample in range(2):
        both = torch.cat([left[sample], right[sample]])
        forms = torch.stack([both @ slices[k].T @ both for k in range(3)])
        torch.testing.assert_close(phrase[sample], torch.tanh(forms + network.linear(both)))
    torch.testing.assert_close(logits, network.classifier(phrase))


def test_tensor_holds_nearly_all_weights() -> None:
    network = Composition(5, 25)
    assert network.tensor.weight.numel() == 50 * 50 * 25


def test_recursion_follows_the_tree() -> None:
    torch.manual_seed(0)
    network = Rntn(3, 5, 4)
    torch.nn.init.normal_(network.words.weight)
    phrases = network.sentiment(TREE)
    assert [phrase.label for phrase, _ in phrases] == [2, 2, 3, 4, 1]
    no, very, good = network.words.weight[:, None]
    inner, _ = network.composition(very, good)
    _, logits = network.composition(no, inner)
    torch.testing.assert_close(phrases[-1][1], logits[0])


def test_a_tree_is_learned() -> None:
    torch.manual_seed(0)
    network = Rntn(3, 5, 8)
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    first = tree_loss(network, TREE).item()
    assert first == pytest.approx(5 * torch.log(torch.tensor(5.0)).item(), rel=0.2)
    for _ in range(60):
        loss = tree_loss(network, TREE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert [logits.argmax().item() for _, logits in network.sentiment(TREE)] == [2, 2, 3, 4, 1]
