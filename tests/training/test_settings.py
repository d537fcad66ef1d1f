import pytest

from compress.errors import SettingsError
from compress.training.settings import TrainSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch", 0),
        ("lr", 0.0),
        ("lr", float("inf")),
        ("lr", float("nan")),
        ("momentum", 1.0),
        ("weight_decay", -1e-4),
        ("warmup_epochs", 4.0),
        ("label_smoothing", 1.0),
        ("augment", -1.0),
        ("patience", 0),
    ],
)
def test_out_of_range(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"^{name} must be .*, got {value}$"):
        TrainSettings(**{"epochs": 3, name: value})  # type: ignore[arg-type]
