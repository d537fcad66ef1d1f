"""N:M: which layers it fits, along which axis, and what keeps it; on a GPU, what it is for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import ModelProto, numpy_helper
from torch import nn

from compress.constrained import constraints_of
from compress.errors import DataError, UnsupportedLayerError
from compress.passes.context import Context
from compress.passes.onnx_network import OnnxNetwork
from compress.passes.patterns import has_pattern
from compress.passes.prune import prune
from compress.passes.quantize import quantize
from compress.passes.settings import PruneSettings, QuantizeSettings, TargetBytesSettings
from compress.passes.target_bytes import to_size
from compress.passes.targets import Pattern, bits_targets, sparsity_targets
from compress.passes.torch_network import TorchNetwork
from tests import needs
from tests.passes.onnx_graphs import held, model, node

TWO_OF_FOUR = Pattern(2, 4)


def pruned(network, text: str, context: Context | None = None, **others):
    settings = PruneSettings(sparsity=sparsity_targets(text), **others)
    return prune(network, settings, context or Context())


def layers() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "first": nn.Conv2d(3, 8, 3),
            "conv": nn.Conv2d(8, 6, 3),
            "grouped": nn.Conv1d(8, 4, 3, groups=2),
            "depthwise": nn.Conv2d(8, 8, 3, groups=8),
            "up": nn.ConvTranspose2d(8, 8, 2),
            "fc": nn.Linear(12, 5),
            "attention": nn.MultiheadAttention(8, 2),
            "pair": nn.Bilinear(4, 4, 4),
            "odd": nn.Linear(10, 4),
            "words": nn.Embedding(8, 8),
            "lstm": nn.LSTM(8, 8),
        }
    )


def test_what_it_fits_and_why_it_does_not():
    passed = pruned(TorchNetwork(layers()), "2:4")
    assert {layer.name: layer.pattern for layer in passed.layers} == dict.fromkeys(
        (
            "conv.weight", "grouped.weight", "fc.weight", "attention.in_proj_weight",
            "attention.out_proj.weight",
        ),
        "2:4",
    )  # fmt: skip
    assert all(2 * layer.nonzero == layer.weights for layer in passed.layers)
    reasons = {one.name: one.reason for one in passed.skipped if "bias" not in one.name}
    no_kernel = "2:4 is for linear layers, and convolutions that are not transposed"
    assert reasons == {
        "first.weight": "2:4 needs a multiple of 4 inputs, got 3",
        "depthwise.weight": "2:4 needs a multiple of 4 inputs, got 1",
        "odd.weight": "2:4 needs a multiple of 4 inputs, got 10",
        **dict.fromkeys(
            ("up.weight", "pair.weight", "words.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0"),
            no_kernel,
        ),
    }


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (4, 8), (7, 8)])
def test_the_largest_of_each_group_of_inputs_stay(n, m):
    module = nn.Sequential(nn.Conv2d(16, 3, (2, 3)), nn.Linear(24, 5))
    before = [layer.weight.detach().clone() for layer in module]
    pruned(TorchNetwork(module), f"{n}:{m}")
    for layer, dense in zip(module, before, strict=True):
        groups = layer.weight.detach().transpose(1, -1).reshape(-1, m)
        whole = dense.transpose(1, -1).reshape(-1, m)
        assert (groups.count_nonzero(1) == n).all()
        torch.testing.assert_close(
            groups.abs().sort(1).values[:, m - n :], whole.abs().sort(1).values[:, m - n :]
        )
        assert torch.equal(groups[groups != 0], whole[groups != 0])


def test_a_layer_that_is_stored_the_other_way_round():
    from transformers import pytorch_utils

    torch.manual_seed(0)
    module = nn.Sequential(pytorch_utils.Conv1D(6, 8))  # (in, out)
    nn.init.normal_(module[0].weight)
    pruned(TorchNetwork(module), "2:4")
    assert (module[0].weight.view(2, 4, 6).count_nonzero(1) == 2).all()


@pytest.mark.parametrize("how", ["(in, out)", "(out, in)", "left"])
def test_an_onnx_matrix_is_pruned_along_its_inputs(how):
    nodes = {
        "(in, out)": node("MatMul", ["x", "w"], ["y"]),
        "(out, in)": node("Gemm", ["x", "w"], ["y"], transB=1),
        "left": node("MatMul", ["w", "x"], ["y"]),
    }
    stored = held("w", 8, 12)
    network = OnnxNetwork(model([nodes[how]], [stored]))
    pruned(network, "2:4")
    (weight,), _ = network.weights()
    assert has_pattern(weight, TWO_OF_FOUR)
    assert not has_pattern(weight, Pattern(1, 4))
    written = ModelProto.FromString(network.model.data())
    values = numpy_helper.to_array(written.graph.initializer[0])
    along = values if how == "(in, out)" else values.T
    assert (np.count_nonzero(along.reshape(-1, 4, along.shape[1]), axis=1) == 2).all()


def test_a_convolution_of_an_onnx_file_is_pruned_as_torch_s():
    stored = held("w", 6, 8, 3, 3)
    network = OnnxNetwork(model([node("Conv", ["x", "w"], ["y"])], [stored]))
    module = nn.Conv2d(8, 6, 3, bias=False)
    module.weight.data = torch.from_numpy(numpy_helper.to_array(stored).copy())
    for one in (network, TorchNetwork(module)):
        pruned(one, "2:4")
    (weight,), _ = network.weights()
    np.testing.assert_array_equal(weight.values(), module.weight.detach().numpy().ravel())


def test_what_reads_a_weight_decides_whether_there_are_inputs():
    nodes = [
        node("Gather", ["tied", "i"], ["h"]), node("MatMul", ["h", "tied"], ["y"]),
        node("ConvTranspose", ["x", "up"], ["u"]), node("MatMul", ["x", "many"], ["v"]),
    ]  # fmt: skip
    tensors = [held("tied", 8, 8), held("up", 8, 8, 2, 2), held("many", 2, 8, 8)]
    network = OnnxNetwork(model(nodes, tensors))
    with pytest.raises(
        UnsupportedLayerError, match="no weight for 2:4; tied is left alone: 2:4 is"
    ):
        pruned(network, "2:4")
    assert not any(has_pattern(weight, TWO_OF_FOUR) for weight in network.weights()[0])
    tied = nn.Sequential(nn.Linear(8, 8), nn.Embedding(8, 8))
    tied[0].weight = tied[1].weight
    with pytest.raises(UnsupportedLayerError, match=r"0\.weight is left alone: 2:4 is for linear"):
        pruned(TorchNetwork(tied), "2:4")


def test_beside_a_sparsity_of_other_layers():
    module = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Linear(16, 16), nn.Linear(16, 16))
    passed = pruned(TorchNetwork(module), "0.75,conv=1:2,2=2:4")
    assert [layer.pattern for layer in passed.layers] == ["1:2", None, "2:4"]
    assert [layer.nonzero / layer.weights for layer in passed.layers] == [0.5, 0.25, 0.5]


def test_what_was_pruned_stays_so_and_counts():
    module = nn.Sequential(nn.Linear(32, 8))
    network = TorchNetwork(module)
    pruned(network, "0.4")
    earlier = (module[0].weight == 0).clone()
    passed = pruned(network, "2:4")
    assert not module[0].weight[earlier].any()
    assert (module[0].weight.view(-1, 4).count_nonzero(1) <= 2).all()
    assert 0.5 <= passed.sparsity < 0.6


def test_it_is_reached_where_a_gradual_schedule_begins():
    module = nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 8))
    seen = []

    def fit(on_step):
        for step in range(10):
            on_step(step, 10)
            seen.append(tuple(int(layer.weight.count_nonzero()) for layer in module))

    plan = {"begin": 0.2, "end": 0.6, "interval": 1}
    pruned(TorchNetwork(module), "0=2:4,1=0.5", Context(fit=fit), **plan)
    assert [first for first, _ in seen] == [128] * 2 + [64] * 8
    assert [seen[step][1] for step in (2, 6)] == [64, 32]  # the other one goes on gradually


def test_it_holds_through_training_and_sharing():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    network = TorchNetwork(module)
    pruned(network, "2:4")
    constraints = constraints_of(module)
    optimizer = torch.optim.Adam([held for _, held in constraints.trained_parameters(module)])
    for _ in range(3):
        module(torch.randn(8, 16)).square().sum().backward()
        constraints.collect_gradients(module)
        optimizer.step()
        constraints.apply(module)
    assert all(has_pattern(weight, TWO_OF_FOUR) for weight in network.weights()[0])
    quantize(network, QuantizeSettings(bits=bits_targets("3bit")), Context())
    assert all(has_pattern(weight, TWO_OF_FOUR) for weight in network.weights()[0])


def test_it_holds_through_sharing_to_a_size_on_samples():
    torch.manual_seed(0)
    network = TorchNetwork(nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)))
    pruned(network, "2:4")
    samples = np.random.default_rng(0).normal(0, 1, (300, 16)).astype(np.float32)

    def file_bytes(own):
        return sum(len(np.unique(weight.values())) for weight in own.weights()[0])

    context = Context(samples=lambda n: (samples[:n],), scores=False, file_bytes=file_bytes)
    to_size(network, TargetBytesSettings(target_bytes=30), context)
    assert all(has_pattern(weight, TWO_OF_FOUR) for weight in network.weights()[0])


def test_with_samples_what_is_left_of_a_group_makes_up_for_the_rest():
    random = np.random.default_rng(0)
    mixed = random.normal(0, 1, (8, 32)).astype(np.float32)
    given = random.normal(0, 1, (700, 8)).astype(np.float32) @ mixed  # inputs that go together
    samples, held_apart = given[:300], torch.from_numpy(given[300:])
    errors = []
    for context in (Context(), Context(samples=lambda n: (samples[:n],), scores=False)):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(32, 16), nn.Tanh()).eval()
        with torch.inference_mode():
            dense = module(held_apart)
        passed = pruned(TorchNetwork(module), "2:4", context)
        assert not any("making up" in note for note in passed.notes)
        assert (module[0].weight.view(-1, 4).count_nonzero(1) == 2).all()
        with torch.inference_mode():
            errors.append(float((module(held_apart) - dense).square().mean()))
    assert errors[1] < 0.5 * errors[0]


def test_weights_that_are_not_finite_are_refused_by_name():
    module = nn.Sequential(nn.Linear(8, 2), nn.Linear(4, 2))
    nn.init.constant_(module[1].weight, float("nan"))
    with pytest.raises(DataError, match=r"^1\.weight: weights must be finite"):
        pruned(TorchNetwork(module), "2:4")


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:.*SparseSemiStructuredTensor")  # torch's word on a prototype
def test_sparse_tensor_cores_give_what_dense_ones_give(capsys):
    needs.cuda()
    torch.manual_seed(0)
    layer = nn.Linear(4096, 4096, bias=False).cuda()
    pruned(TorchNetwork(layer, "cuda"), "2:4")
    weight = layer.weight.detach().half()
    sparse = torch.sparse.to_sparse_semi_structured(weight)
    given = torch.randn(4096, 4096, device="cuda", dtype=torch.float16)
    dense = nn.functional.linear(given, weight)
    torch.testing.assert_close(nn.functional.linear(given, sparse), dense, rtol=1e-2, atol=1e-2)
    times = [_milliseconds(lambda w=w: nn.functional.linear(given, w)) for w in (weight, sparse)]
    with capsys.disabled():
        print(f"\n4096 x 4096 x 4096, half: dense {times[0]:.3f} ms, 2:4 {times[1]:.3f} ms")  # noqa: T201


def _milliseconds(act) -> float:
    """Return the median time of an act on the GPU."""
    times = []
    for _ in range(30):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        act()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return float(np.median(times))
