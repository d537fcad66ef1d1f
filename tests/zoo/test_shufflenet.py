import pytest
import torch
from compress_zoo.shufflenet import shufflenet_v1
from torch.utils.flop_counter import FlopCounterMode

MILLION_MACS = {1: 143, 2: 140, 3: 137, 4: 133, 8: 137}  # Table 1


@pytest.mark.parametrize("groups", MILLION_MACS)
def test_complexity_is_the_papers(groups: int) -> None:
    with torch.device("meta"):
        model, x = shufflenet_v1(1000, groups), torch.empty(1, 3, 224, 224)
    with FlopCounterMode(display=False) as counter:
        model(x)
    assert counter.get_total_flops() / 2e6 == pytest.approx(MILLION_MACS[groups], rel=0.011)
