import torch
from compress_zoo.networks.longformer import without_global_attention
from transformers import LongformerConfig, LongformerModel

CONFIG = LongformerConfig(
    vocab_size=20, hidden_size=8, num_attention_heads=2, num_hidden_layers=2, intermediate_size=16,
    attention_window=4, max_position_embeddings=30, onnx_export=True, initializer_range=0.5,
)  # fmt: skip


def test_it_is_the_library_where_no_token_attends_to_all() -> None:
    torch.manual_seed(0)
    model = LongformerModel(CONFIG).eval()
    tokens = torch.randint(2, 20, (2, 10))  # not whole windows: padded inside
    mask = torch.ones_like(tokens)
    mask[1, 7:] = 0
    names = list(model.state_dict())
    with torch.no_grad():
        expected = model(tokens, mask)
        local = without_global_attention(model)
        found = local(tokens, mask)
    assert list(local.state_dict()) == names
    torch.testing.assert_close(found.last_hidden_state, expected.last_hidden_state)
    torch.testing.assert_close(found.pooler_output, expected.pooler_output)


def test_a_token_sees_its_window() -> None:
    torch.manual_seed(0)
    model = without_global_attention(LongformerModel(CONFIG).eval())
    tokens = torch.randint(2, 20, (1, 12))
    changed = tokens.clone()
    changed[0, 0] = (tokens[0, 0] + 1) % 18 + 2
    mask = torch.ones_like(tokens)
    with torch.no_grad():
        left, right = model(tokens, mask)[0], model(changed, mask)[0]
    seen = 2 * 2  # layers times words to a side
    assert not torch.allclose(left[0, seen], right[0, seen])
    torch.testing.assert_close(left[0, seen + 1 :], right[0, seen + 1 :])
