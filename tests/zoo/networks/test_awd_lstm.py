import pytest
import torch
from compress_zoo.language_models import awd_lstm
from compress_zoo.networks.awd_lstm import AwdLstm, drop_locked, drop_rows, run_weight_dropped
from torch import nn


@pytest.mark.parametrize(("vocabulary", "millions"), [(10_000, 24), (33_278, 33)])
def test_sizes_of_merity_et_al(vocabulary: int, millions: int) -> None:
    with torch.device("meta"):  # Penn Treebank and WikiText-2: tables 1 and 2
        network = awd_lstm(vocabulary=vocabulary)
    assert sum(p.numel() for p in network.parameters()) // 1_000_000 == millions


def test_table_is_tied() -> None:
    network = AwdLstm(9, dimensions=4, hidden=6, layers=3)
    assert network.decoder.weight is network.words.weight
    assert [layer.hidden_size for layer in network.layers] == [6, 6, 4]


def test_evaluation_drops_nothing_and_training_does() -> None:
    torch.manual_seed(0)
    network, words = AwdLstm(9, dimensions=4, hidden=6, layers=2).eval(), torch.arange(6)[None]
    torch.testing.assert_close(network(words), network(words))
    network.train()
    assert not torch.allclose(network(words), network(words))


def test_recurrent_weights_are_dropped_and_learn() -> None:
    torch.manual_seed(0)
    layer, inputs = nn.LSTM(3, 5, batch_first=True), torch.randn(2, 4, 3)
    outputs = run_weight_dropped(layer, inputs, 1 - 1e-9)  # all of them
    layer.zero_grad()
    outputs.sum().backward()
    assert layer.weight_hh_l0.grad is not None
    reference = nn.LSTM(3, 5, batch_first=True)
    reference.load_state_dict(layer.state_dict())
    nn.init.zeros_(reference.weight_hh_l0)
    torch.testing.assert_close(outputs, reference(inputs)[0])


def test_one_mask_for_all_time_and_one_for_a_word() -> None:
    torch.manual_seed(0)
    dropped = drop_locked(torch.ones(2, 5, 8), 0.5, training=True)
    assert torch.equal(dropped, dropped[:, :1].expand(-1, 5, -1))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    rows = drop_rows(torch.ones(20, 3), 0.5, training=True)
    assert torch.equal(rows, rows[:, :1].expand(-1, 3))
    assert set(rows.unique().tolist()) == {0.0, 2.0}
