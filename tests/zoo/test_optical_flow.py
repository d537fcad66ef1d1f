import numpy as np
from compress_zoo.optical_flow import stack_both_ways, stack_flow, stack_trajectories, subtract_mean


def fields(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-2, 2, (length, 2, 5, 6)).astype(np.float32)


def slow(fields: np.ndarray) -> np.ndarray:
    """Equation 2, a pixel at a time."""
    length, _, height, width = fields.shape
    stacked = np.empty((2 * length, height, width), np.float32)
    for v in range(height):
        for u in range(width):
            x, y = np.float32(u), np.float32(v)
            for k in range(length):
                row = min(max(int(np.rint(y)), 0), height - 1)
                column = min(max(int(np.rint(x)), 0), width - 1)
                stacked[2 * k : 2 * k + 2, v, u] = fields[k, :, row, column]
                x += fields[k, 0, row, column]
                y += fields[k, 1, row, column]
    return stacked


def test_flow_is_stacked_field_by_field() -> None:
    given = fields(3)
    stacked = stack_flow(given)
    for k in range(3):
        assert np.array_equal(stacked[2 * k], given[k, 0])  # d_x
        assert np.array_equal(stacked[2 * k + 1], given[k, 1])  # d_y


def test_trajectories_equal_the_slow_reference() -> None:
    given = fields(4)
    assert np.array_equal(stack_trajectories(given), slow(given))


def test_where_nothing_moves_both_stacks_agree() -> None:
    given = fields(4) * np.float32(0.1)  # no path leaves its pixel
    assert np.array_equal(stack_trajectories(given), stack_flow(given))


def test_input_is_left_alone() -> None:
    given = fields(4)
    before = given.copy()
    stack_trajectories(given)
    assert np.array_equal(given, before)


def test_both_ways() -> None:
    given, back = fields(2), fields(2, seed=1)
    stacked = stack_both_ways(given, back)
    assert stacked.shape == (8, 5, 6)
    assert np.array_equal(stacked[4:6], back[0])


def test_camera_that_pans_is_taken_out() -> None:
    given = fields(3)
    pan = np.array([3.0, -1.0], np.float32)[:, None, None]
    np.testing.assert_allclose(subtract_mean(given + pan), subtract_mean(given), atol=1e-5)
