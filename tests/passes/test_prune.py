"""Magnitude pruning: exact counts, scopes, the gradual schedule, masks that only grow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compress.constrained import Mask, constraints_of
from compress.errors import DataError, SettingsError
from compress.export.onnx import export
from compress.export.settings import OnnxSettings
from compress.passes.context import Context
from compress.passes.onnx_network import OnnxNetwork
from compress.passes.prune import prune as prune_network
from compress.passes.quantize import quantize
from compress.passes.settings import PruneSettings, QuantizeSettings
from compress.passes.targets import bits_targets, sparsity_targets
from compress.passes.torch_network import TorchNetwork


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 7, 3), nn.Flatten(), nn.Linear(63, 31), nn.Linear(31, 11))


def settings(text: str, **others) -> PruneSettings:
    return PruneSettings(sparsity=sparsity_targets(text), **others)


def prune(model: nn.Module, plan: PruneSettings, fine_tune=None):
    fit = None if fine_tune is None else lambda on_step: fine_tune(model, on_step)
    return prune_network(TorchNetwork(model), plan, Context(fit=fit))


def on_samples(n: int, seed: int = 1) -> Context:
    """Return what a pass has beside samples of images whose pixels go together."""
    coarse = torch.rand(n, 1, 5, 5, generator=torch.Generator().manual_seed(seed))
    samples = nn.functional.interpolate(coarse, (9, 9), mode="bilinear").numpy()
    return Context(samples=lambda wanted: (samples[:wanted],), scores=False)


def images() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
        nn.Conv2d(12, 12, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(588, 9),
    ).eval()  # fmt: skip


def kept(model: nn.Module) -> dict[str, torch.Tensor]:
    masks = constraints_of(model).by_name
    return {name: mask.keep for name, mask in masks.items() if isinstance(mask, Mask)}


def lamp_reference(layers: list[np.ndarray], n_pruned: int) -> list[int]:
    """Score and sort all weights together, as the paper writes it."""
    scores = []
    for layer in layers:
        squares = np.sort(layer.astype(np.float64).ravel() ** 2)
        scores.append(squares / squares[::-1].cumsum()[::-1])
    owner = np.repeat(np.arange(len(scores)), [len(s) for s in scores])
    order = np.argsort(np.concatenate(scores), kind="stable")[:n_pruned]
    return np.bincount(owner[order], minlength=len(scores)).tolist()


@pytest.mark.parametrize("scope", ["lamp", "global"])
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 0.777, 0.9, 0.99])
def test_one_number_is_exact_over_all_weights(scope, sparsity):
    report = prune(net(), settings(str(sparsity), scope=scope))
    assert report.weights == 63 + 63 * 31 + 31 * 11
    assert report.weights - report.nonzero == round(sparsity * report.weights)
    assert report.sparsity == pytest.approx(sparsity, abs=1 / report.weights)


def test_uniform_is_exact_in_each_layer():
    report = prune(net(), settings("0.9", scope="uniform"))
    for layer in report.layers:
        assert layer.weights - layer.nonzero == round(0.9 * layer.weights)


def test_lamp_is_the_papers():
    model = net()
    layers = [model[i].weight.detach().numpy().copy() for i in (0, 2, 3)]
    report = prune(model, settings("0.8"))
    expected = lamp_reference(layers, report.weights - report.nonzero)
    assert [layer.weights - layer.nonzero for layer in report.layers] == expected
    for layer, before in zip(report.layers, layers, strict=True):
        after = model.get_parameter(layer.name).detach().numpy()
        assert np.abs(before[after == 0]).max() <= np.abs(before[after != 0]).min()
        assert np.array_equal(after[after != 0], before[after != 0])


def test_global_is_one_threshold():
    model = net()
    before = torch.cat([model[i].weight.detach().flatten().clone() for i in (0, 2, 3)])
    prune(model, settings("0.8", scope="global"))
    after = torch.cat([model[i].weight.detach().flatten() for i in (0, 2, 3)])
    assert before[after == 0].abs().max() <= before[after != 0].abs().min()


def test_lamp_leaves_each_layer_its_largest_weight():
    model = net()
    with torch.no_grad():
        model[3].weight.mul_(1e-6)
    report = prune(model, settings("0.9999"))
    assert [layer.nonzero for layer in report.layers] == [1, 1, 1]
    report = prune(net(), settings("0.9999", scope="global"))
    assert report.nonzero == 1


def test_targets_of_layers_and_kinds_are_exact_and_the_rest_is_pooled():
    report = prune(net(), settings("0.5,conv=0.3,3=0.9"))
    zeros = {layer.name: layer.weights - layer.nonzero for layer in report.layers}
    assert zeros == {
        "0.weight": round(0.3 * 63),
        "2.weight": round(0.5 * 63 * 31),
        "3.weight": round(0.9 * 31 * 11),
    }


def test_what_no_target_addresses_is_skipped_with_the_reason():
    model = net()
    report = prune(model, settings("fc=0.9"))
    assert [layer.name for layer in report.layers] == ["2.weight", "3.weight"]
    assert ("0.weight", "no target matches") in [(s.name, s.reason) for s in report.skipped]
    assert model[0].weight.all()


def test_ties_go_by_position():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    for layer in model:
        nn.init.ones_(layer.weight)
    prune(model, settings("0.625", scope="global"))
    assert model[0].weight.flatten().tolist() == [0, 0, 0, 0]
    assert model[1].weight.flatten().tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("scope", ["lamp", "global", "uniform"])
def test_masks_only_grow(scope):
    model, earlier = net(), None
    for sparsity in ("0.3", "0.6", "0.6", "0.2", "0.9"):
        report = prune(model, settings(sparsity, scope=scope))
        if earlier is not None:
            assert all(not (kept(model)[name] & ~keep).any() for name, keep in earlier.items())
        earlier = {name: keep.clone() for name, keep in kept(model).items()}
        with torch.no_grad():  # training moves what is left
            for name, keep in earlier.items():
                model.get_parameter(name).add_(torch.randn(keep.shape) * keep)
    assert report.weights - report.nonzero == pytest.approx(0.9 * report.weights, abs=2)


def test_pruning_to_what_is_reached_changes_nothing():
    model = net()
    prune(model, settings("0.7"))
    before = {name: keep.clone() for name, keep in kept(model).items()}
    with torch.no_grad():
        for name, keep in before.items():
            model.get_parameter(name).copy_(torch.randn(keep.shape) * keep)
    prune(model, settings("0.7"))
    assert all(torch.equal(kept(model)[name], keep) for name, keep in before.items())


def test_a_layer_of_zeros():
    model = net()
    nn.init.zeros_(model[2].weight)
    report = prune(model, settings("0.9"))
    assert report.layers[1].nonzero == 0
    assert report.layers[0].nonzero + report.layers[2].nonzero > 0


def test_gradual_follows_the_cubic_schedule():
    model, seen = net(), []

    def fine_tune(trained, on_step):
        assert trained is model
        for step in range(100):
            on_step(step, 100)
            zeros = sum(int((~keep).sum()) for keep in kept(model).values())
            seen.append(zeros)

    plan = settings("0.8", schedule="gradual", begin=0.1, end=0.6, interval=7)
    report = prune(model, plan, fine_tune=fine_tune)
    for step, zeros in enumerate(seen):
        last = 60 if step >= 60 else 10 + (step - 10) // 7 * 7
        reached = 1 - (1 - (last - 10) / 50) ** 3 if step >= 10 else 0
        assert zeros == round(0.8 * reached * report.weights)
    assert seen[-1] == report.weights - report.nonzero


def test_gradual_reaches_its_sparsity_when_training_ends_early():
    def fine_tune(_, on_step):
        on_step(0, 100)
        on_step(1, 100)

    report = prune(net(), settings("0.8", schedule="gradual"), fine_tune=fine_tune)
    assert report.weights - report.nonzero == round(0.8 * report.weights)


def test_one_shot_prunes_before_fine_tuning():
    seen = []

    def fine_tune(model, on_step):
        assert on_step is None
        seen.append(int((~kept(model)["2.weight"]).sum()))

    plan = settings("0.5", scope="uniform", schedule="one-shot")
    prune(net(), plan, fine_tune=fine_tune)
    assert seen == [round(0.5 * 63 * 31)]


def test_gradual_without_training_is_one_shot():
    report = prune(net(), settings("0.8", schedule="gradual"))
    assert report.weights - report.nonzero == round(0.8 * report.weights)


def test_shared_weights_are_refused():
    model = net()
    quantize(TorchNetwork(model), QuantizeSettings(bits=bits_targets("fc=2bit")), Context())
    with pytest.raises(SettingsError, match=r"2\.weight must be pruned before its weights are"):
        prune(model, settings("0.5"))
    prune(model, settings("conv=0.5"))


@pytest.mark.parametrize("scope", ["lamp", "uniform"])
def test_weights_that_are_not_finite_are_refused_by_name(scope):
    model = net()
    with torch.no_grad():
        model[3].weight[0, 0] = float("nan")
    with pytest.raises(DataError, match=r"^3\.weight: weights must be finite"):
        prune(model, settings("0.5", scope=scope))


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"begin": 1.0}, "begin must be at least 0 and below 1, got 1.0"),
        ({"begin": 0.5, "end": 0.5}, "end must be above begin, 0.5, got 0.5"),
        ({"end": 1.5}, "end must be above 0 and at most 1, got 1.5"),
        ({"interval": 0}, "interval must be at least 1, got 0"),
    ],
)
def test_bad_settings(others, message):
    with pytest.raises(SettingsError, match=message):
        settings("0.5", **others)


def test_with_samples_what_is_left_makes_up_for_what_is_pruned():
    (held_apart,) = on_samples(400, seed=2).samples(400)
    dense = images()
    errors, masks = [], []
    for context in (Context(), on_samples(250)):
        model = images()
        passed = prune_network(TorchNetwork(model), settings("0.6"), context)
        assert passed.notes == ()
        masks.append(kept(model))
        with torch.inference_mode():
            off = model(torch.from_numpy(held_apart)) - dense(torch.from_numpy(held_apart))
        errors.append(float(off.square().mean()))
    assert errors[1] < 0.5 * errors[0]
    for name, keep in masks[0].items():
        assert torch.equal(masks[1][name], keep)  # the smallest, all the same


def test_what_makes_up_is_left_out_where_it_does_not_help_elsewhere(monkeypatch):
    from compress.passes import prune as module

    monkeypatch.setattr(
        module, "reconstructed", lambda weight, values, keep, factors: 9 * values * keep
    )
    model, alone = images(), images()
    passed = prune_network(TorchNetwork(model), settings("0.6"), on_samples(250))
    prune_network(TorchNetwork(alone), settings("0.6"), Context())
    assert len(passed.notes) == 1
    assert passed.notes[0].startswith(
        "making up for what is pruned is left out: on 50 samples held apart"
    )
    for place in (0, 3, 6):
        assert torch.equal(model[place].weight, alone[place].weight)
    assert not torch.equal(model[3].bias, alone[3].bias)  # biases move all the same


def test_too_few_samples_are_told():
    passed = prune_network(TorchNetwork(images()), settings("0.6"), on_samples(5))
    assert "5 samples are too few" in passed.notes[0]


def test_none_are_asked_for_where_it_trains_or_none_are_wanted():
    def refuse(n: int):
        raise AssertionError

    prune_network(TorchNetwork(images()), settings("0.6", samples=0), Context(samples=refuse))
    fit = lambda on_step: None  # noqa: E731
    prune_network(TorchNetwork(images()), settings("0.6"), Context(samples=refuse, fit=fit))


def test_an_onnx_file_is_pruned_alike(tmp_path):
    export(images(), (torch.zeros(2, 1, 9, 9),), tmp_path / "net.onnx", OnnxSettings())
    network, model = OnnxNetwork(tmp_path / "net.onnx"), images()
    prune_network(network, settings("0.6"), on_samples(250))
    prune_network(TorchNetwork(model), settings("0.6"), on_samples(250))
    (given,) = on_samples(400, seed=2).samples(400)
    with torch.inference_mode():
        ours = model(torch.from_numpy(given)).numpy()
    (theirs,) = network.outputs((given,))
    before = images()(torch.from_numpy(given)).detach().numpy()
    assert np.square(theirs - before).mean() == pytest.approx(
        np.square(ours - before).mean(), rel=0.5
    )
