from pathlib import Path

import pytest
import torch
import torchvision
from compress_zoo.registry import get

# torchvision's name of the file and the first letters of its hash
PUBLISHED = {
    "googlenet": "googlenet-1378be20.pth",
    "inception_v3": "inception_v3_google-0cc3c7bd.pth",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_auxiliary_heads_are_neither_built_nor_loaded(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    published = torchvision.models.get_model(name, weights=None, init_weights=False)
    folder = tmp_path / "hub" / "checkpoints"  # where torch keeps what it has downloaded
    folder.mkdir(parents=True)
    torch.save(published.state_dict(), folder / PUBLISHED[name])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    entry = get(name)
    model = entry.build()
    entry.load_pretrained(model)
    state = published.state_dict()
    heads = {key for key in state if key.lower().startswith("aux")}
    assert heads
    assert set(model.state_dict()) == set(state) - heads
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key])
    assert model.transform_input
