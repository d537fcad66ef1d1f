import pytest
import torch
from compress_zoo.networks.video_fusion import columns
from compress_zoo.video import (
    early_fusion,
    late_fusion,
    multi_resolution,
    single_frame,
    slow_fusion,
)
from torch import nn


def test_both_kinds_of_input_end_in_maps_of_7_by_7() -> None:
    with torch.device("meta"):
        column = columns(nn.Conv2d(3, 96, 11, stride=3))
        whole, half = column(torch.empty(1, 3, 170, 170)), column(torch.empty(1, 3, 89, 89))
        assert single_frame(487).pool5(whole).shape == half.shape == (1, 256, 7, 7)


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (early_fusion, (10, 3, 170, 170)),
        (late_fusion, (2, 3, 170, 170)),
        (slow_fusion, (10, 3, 170, 170)),
        (multi_resolution, (3, 178, 178)),
    ],
)
def test_clips_become_scores(build, shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        assert build(487)(torch.empty(3, *shape)).shape == (3, 487)


def test_early_fusion_of_one_frame_is_the_single_frame_network() -> None:
    """With filters that look at the fourth frame alone."""
    torch.manual_seed(0)
    single, early = single_frame(5).eval(), early_fusion(5).eval()
    state = single.state_dict()
    weight = torch.zeros(96, 30, 11, 11)
    weight[:, 9:12] = state["column.conv1.weight"]
    early.load_state_dict({**state, "column.conv1.weight": weight})
    clip = torch.randn(1, 10, 3, 170, 170)
    with torch.no_grad():
        torch.testing.assert_close(early(clip), single(clip[:, 3]))


def test_late_fusion_keeps_the_clips_apart() -> None:
    torch.manual_seed(0)
    model, pairs = late_fusion(4).eval(), torch.randn(2, 2, 3, 170, 170)
    with torch.no_grad():
        torch.testing.assert_close(model(pairs)[1:], model(pairs[1:]))
        assert not torch.allclose(model(pairs), model(pairs.flip(1)))  # the order of frames tells


def test_slow_fusion_sees_all_ten_frames_in_its_third_layer() -> None:
    with torch.device("meta"):
        model = slow_fusion(487)
    reach, step = 1, 1
    for layer in (model.conv1, model.conv2, model.conv3):
        reach += (layer.kernel_size[0] - 1) * step
        step *= layer.stride[0]
    assert reach == 10


def test_fovea_sees_the_centre_alone() -> None:
    torch.manual_seed(0)
    model, frame = multi_resolution(4).eval(), torch.randn(1, 3, 178, 178)
    edge = frame.clone()
    edge[:, :, :44] += 1
    with torch.no_grad():
        before = model(frame)
        nn.init.zeros_(model.context.conv5.weight)
        nn.init.zeros_(model.context.conv5.bias)
        blind = model(frame)
        torch.testing.assert_close(model(edge), blind)
    assert not torch.allclose(before, blind)
