"""What holds for every pass, on every kind of layer."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import lzma
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress.constrained import Mask, Shared, constraints_of
from compress.errors import SettingsError
from compress.passes import table
from compress.passes.context import Context, Passed
from compress.passes.settings import PruneSettings, QuantizeSettings, TargetBytesSettings
from compress.passes.targets import bits_targets, sparsity_targets
from compress.passes.torch_network import TorchNetwork
from compress.passes.weights import weights_of

SPARSITY, BITS = 0.6, 3


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.fc = nn.Linear(4 * 8 * 8, 5)

    def forward(self, images: Tensor) -> Tensor:
        hidden = torch.relu(self.norm(self.conv(images)))
        return self.fc(self.up(hidden).flatten(1))


class Language(nn.Module):
    """An embedding tied with the output layer, around recurrent layers."""

    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 12)
        self.recurrent = recurrent
        self.head = nn.Linear(12, 20)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.recurrent(self.embedding(tokens))[0]).flatten(0, 1)


def convolutions() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    return Convolutions(), torch.randn(6, 3, 4, 4), torch.arange(6) % 5


def lstm() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    tokens = torch.arange(24).view(4, 6) % 20
    recurrent = nn.LSTM(12, 12, num_layers=2, bidirectional=False, batch_first=True)
    return Language(recurrent), tokens, (tokens.flatten() * 7) % 20


def gru() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    tokens = torch.arange(24).view(4, 6) % 20
    return Language(nn.GRU(12, 12, batch_first=True)), tokens, (tokens.flatten() * 3) % 20


def file_bytes(network: Any) -> int:
    """Stand for a file that ships: what LZMA makes of all parameters."""
    held = network.model.state_dict().values()
    return len(lzma.compress(b"".join(t.contiguous().numpy().tobytes() for t in held)))


#: VALUE of each pass's option, and other settings that the laws hold for, too.
EXAMPLES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "distill": ("dense", [{}]),
    "prune": (
        str(SPARSITY),
        [
            {},
            {"scope": "global"},
            {"scope": "uniform"},
            # of the linear layer; it fits no recurrent one
            {"sparsity": sparsity_targets("0.6,[fr]*=2:4")},
        ],
    ),
    "quantize": (f"{BITS}bit", [{}, {"init": "density"}, {"init": "random"}]),
    "target_bytes": ("4k", [{"max_bits": BITS}]),
}


def applies(name: str, value: str, **others: Any) -> Callable[[nn.Module], Passed]:
    """Return what carries out a pass of the table."""
    (row,) = [row for row in table.PASSES if row.name == name]
    settings = row.settings(**{row.short: row.parse(value), **others})

    def apply(model: nn.Module) -> Passed:
        return row.function()(TorchNetwork(model), settings, Context(seed=1, file_bytes=file_bytes))

    return apply


def after_pruning(name: str) -> Callable[[nn.Module], Passed]:
    value, variants = EXAMPLES[name]
    then = applies(name, value, **variants[0])

    def apply(model: nn.Module) -> Passed:
        applies("prune", str(SPARSITY))(model)
        return then(model)

    return apply


CASES = {
    " ".join([name, *map(str, others.values())]): applies(name, value, **others)
    for name, (value, variants) in EXAMPLES.items()
    for others in variants
} | {f"prune, then {name}": after_pruning(name) for name in EXAMPLES}
MODELS = (convolutions, lstm, gru)

every_model = pytest.mark.parametrize("make", MODELS)
every_pass = pytest.mark.parametrize("apply_pass", CASES.values(), ids=CASES)
KEPT = {
    name: apply for name, apply in CASES.items() if name != "distill"
}  # it leaves no constraint
every_pass_with_constraints = pytest.mark.parametrize("apply_pass", KEPT.values(), ids=KEPT)


def train(model: nn.Module, inputs: Tensor, labels: Tensor, steps: int = 5) -> None:
    constraints = constraints_of(model)
    trained = [parameter for _, parameter in constraints.trained_parameters(model)]
    optimizer = torch.optim.SGD(trained, lr=0.1, momentum=0.9, weight_decay=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        constraints.collect_gradients(model)
        optimizer.step()
        constraints.apply(model)


def snapshot(model: nn.Module) -> dict[str, bytes]:
    tensors = {**model.state_dict(), **constraints_of(model).state()}
    return {name: tensor.contiguous().numpy().tobytes() for name, tensor in tensors.items()}


def assert_constraints_hold(model: nn.Module) -> None:
    parameters = dict(model.named_parameters())
    assert constraints_of(model).by_name
    for name, constraint in constraints_of(model).by_name.items():
        weight = parameters[name].detach()
        match constraint:
            case Mask():
                zero = weight[~constraint.keep]
            case Shared():
                zero = weight[constraint.codes < 0]
                assert len(weight[weight != 0].unique()) <= 2**BITS
                codes = constraint.codes[constraint.codes >= 0].long()
                assert torch.equal(weight[constraint.codes >= 0], constraint.codebook[codes])
        assert not zero.view(torch.int32).any()  # +0.0, bit for bit


@every_model
@every_pass_with_constraints
def test_constraints_hold_through_training(make, apply_pass):
    model, inputs, labels = make()
    apply_pass(model)
    assert_constraints_hold(model)
    before = snapshot(model)
    train(model, inputs, labels)
    assert_constraints_hold(model)
    after = snapshot(model)
    trained = [name for name in before if name.endswith((":codebook", "weight"))]
    assert any(before[name] != after[name] for name in trained)
    kept = [name for name in before if name.endswith((":codes", ":keep"))]
    assert all(before[name] == after[name] for name in kept)


@every_model
@every_pass
def test_same_input_settings_and_seed_give_the_same_bytes(make, apply_pass):
    ends = []
    for _ in range(2):
        model, inputs, labels = make()
        report = apply_pass(model)
        train(model, inputs, labels, steps=2)
        ends.append((snapshot(model), report))
    assert ends[0] == ends[1]


@every_model
@every_pass_with_constraints
def test_a_copy_keeps_its_constraints_apart(make, apply_pass):
    model, inputs, labels = make()
    apply_pass(model)
    twin, before = copy.deepcopy(model), snapshot(model)
    train(twin, inputs, labels)
    assert_constraints_hold(twin)
    assert snapshot(model) == before


@every_model
@every_pass
def test_a_checkpoint_goes_on_where_it_was(make, apply_pass):
    model, inputs, labels = make()
    apply_pass(model)
    saved = {name: tensor.clone() for name, tensor in constraints_of(model).state().items()}
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train(model, inputs, labels)
    fresh, _, _ = make()
    fresh.load_state_dict(weights)
    constraints_of(fresh).load_state(saved)
    train(fresh, inputs, labels)
    assert snapshot(fresh) == snapshot(model)


@every_model
@every_pass
def test_the_report_holds_every_parameter_once_in_integers(make, apply_pass):
    model, _, _ = make()
    report = apply_pass(model)
    layers = [layer.name for layer in report.layers]
    skipped = [entry.name for entry in report.skipped]
    assert sorted(layers + skipped) == sorted(name for name, _ in model.named_parameters())
    assert all(entry.reason for entry in report.skipped)
    parameters = dict(model.named_parameters())
    for layer in report.layers:
        weight = parameters[layer.name]
        assert layer.shape == tuple(weight.shape)
        assert layer.weights == weight.numel()
        assert layer.nonzero == int(torch.count_nonzero(weight))
        for field in dataclasses.fields(layer):
            assert isinstance(getattr(layer, field.name), int | str | tuple | None)


@every_model
@every_pass
def test_what_is_no_weight_is_left_alone(make, apply_pass):
    model, _, _ = make()
    before = snapshot(model)
    storage = dict(model.named_parameters())
    report = apply_pass(model)
    after = snapshot(model)
    assert all(before[entry.name] == after[entry.name] for entry in report.skipped)
    # LSTM weights are views into one flat buffer: they are changed in place, never replaced.
    assert all(parameter is storage[name] for name, parameter in model.named_parameters())


@every_model
@every_pass
def test_what_is_zero_stays_zero_and_all_is_finite(make, apply_pass):
    model, _, _ = make()
    weights, _ = weights_of(model)
    with torch.no_grad():
        for weight in weights:
            weight.parameter.view(-1)[::5] = 0
    apply_pass(model)
    for weight in weights:
        assert not weight.parameter.view(-1)[::5].any()
        assert torch.isfinite(weight.parameter).all()


@pytest.mark.parametrize("name", EXAMPLES)
def test_masks_are_kept(name):
    model, _, _ = convolutions()
    applies("prune", str(SPARSITY))(model)
    masks = {w.name: w.mask for w in weights_of(model)[0]}
    value, (others, *_) = EXAMPLES[name]
    passed = applies(name, value, **others)(model)
    for weight in weights_of(model)[0]:
        assert not weight.values()[~masks[weight.name]].any()
    assert passed.sparsity >= SPARSITY - 1e-3


@pytest.mark.parametrize("row", table.PASSES, ids=lambda row: row.name)
def test_every_pass_of_the_table_is_under_the_laws(row):
    # What cuts channels leaves no weight as it was: `test_structured.py` has what holds there.
    assert (row.name in EXAMPLES) == (row.name != "structured")
    assert callable(row.function())
    assert row.short in {field.name for field in dataclasses.fields(row.settings)}
    assert {other.name for other in table.PASSES} >= set(row.instead_of)


@pytest.mark.parametrize(("name", "value"), [("prune", "nosuch=0.5"), ("quantize", "nosuch=5bit")])
def test_a_wrong_target_is_named(name, value):
    with pytest.raises(SettingsError, match="target 'nosuch' matches no layer"):
        applies(name, value)(convolutions()[0])


TOY = '''
"""A pass that halves weights."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from compress.passes.chosen import all_of
from compress.passes.context import Layer, Passed


@dataclass(frozen=True, slots=True, kw_only=True)
class HalveSettings:
    """Times that weights are halved."""

    times: Annotated[int, Meta(ge=1, description="how often")]


def halve(network, settings, context):
    weights, skipped = all_of(network)
    for weight in weights:
        weight.set_values(weight.values() / 2**settings.times)
    layers = [
        Layer(w.name, w.kind, w.shape, w.values().size, int((w.values() != 0).sum()))
        for w in weights
    ]
    return Passed(layers=tuple(layers), skipped=tuple(skipped), figures={"times": settings.times})
'''


def test_a_pass_is_one_file_and_one_row(tmp_path, monkeypatch):
    (tmp_path / "halving_for_test.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    settings = importlib.import_module("halving_for_test").HalveSettings
    row = table.Pass(
        name="halve", settings=settings, run="halving_for_test:halve", short="times",
        parse=int, metavar="N",
    )  # fmt: skip
    monkeypatch.setattr(table, "PASSES", (*table.PASSES, row))
    toy = applies("halve", "2")
    model, _, _ = convolutions()
    before = model.conv.weight.detach().clone()
    assert toy(model).figures == {"times": 2}
    torch.testing.assert_close(model.conv.weight.detach(), before / 4)
    for make in MODELS:
        test_the_report_holds_every_parameter_once_in_integers(make, toy)
        test_what_is_no_weight_is_left_alone(make, toy)
        test_what_is_zero_stays_zero_and_all_is_finite(make, toy)
        test_same_input_settings_and_seed_give_the_same_bytes(make, toy)
    monkeypatch.delitem(sys.modules, "halving_for_test")


@every_pass
def test_tied_weights_count_once_and_stay_tied(apply_pass):
    model, inputs, labels = lstm()
    report = apply_pass(model)
    assert [layer.name for layer in report.layers].count("embedding.weight") == 1
    assert "head.weight" not in constraints_of(model).by_name
    train(model, inputs, labels)
    assert model.head.weight is model.embedding.weight


def test_every_kind_is_covered():
    kinds = {weight.kind for make in MODELS for weight in weights_of(make()[0])[0]}
    assert kinds == {"conv", "fc", "embedding", "rnn"}


@pytest.mark.parametrize(
    "settings",
    [
        PruneSettings(sparsity=sparsity_targets("0.5")),
        QuantizeSettings(bits=bits_targets("4bit")),
        TargetBytesSettings(target_bytes=9),
    ],
)
def test_settings_are_frozen(settings):
    for field in dataclasses.fields(settings):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(settings, field.name, getattr(settings, field.name))
    assert hash(settings) == hash(dataclasses.replace(settings))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types(dtype):
    model = nn.Linear(16, 16).to(dtype)
    after_pruning("quantize")(model)
    weight = model.weight.detach()
    assert weight.dtype == dtype
    assert len(weight[weight != 0].unique()) <= 2**BITS
    assert int((weight == 0).sum()) == round(SPARSITY * 256)


def test_channels_last_weights():
    plain, other = (convolutions()[0] for _ in range(2))
    other = other.to(memory_format=torch.channels_last)
    after_pruning("quantize")(plain)
    after_pruning("quantize")(other)
    assert torch.equal(plain.conv.weight, other.conv.weight)
    assert torch.equal(plain.up.weight, other.up.weight)
