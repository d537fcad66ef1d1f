import numpy as np
import pytest
from compress_zoo.anchors import anchors, iou, mean_iou
from compress_zoo.errors import ZooError


def test_overlap_by_hand() -> None:
    overlaps = iou(np.array([[2.0, 2], [1, 4]]), np.array([[2.0, 1]]))
    np.testing.assert_allclose(overlaps, [[2 / 4], [1 / 5]])


def test_clusters_are_found() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[1.0, 2], [4, 4], [12, 6]])
    sizes = (centres[:, None] * rng.uniform(0.95, 1.05, (3, 50, 2))).reshape(-1, 2)
    found = anchors(sizes, 3, seed=3)
    np.testing.assert_allclose(found, centres, rtol=0.03)
    assert mean_iou(sizes, found) > 0.9


def test_more_anchors_overlap_better() -> None:
    sizes = np.random.default_rng(0).lognormal(0, 1, (200, 2))
    overlaps = [mean_iou(sizes, anchors(sizes, k)) for k in (1, 3, 9, 200)]
    assert overlaps == sorted(overlaps)
    assert overlaps[-1] == 1


def test_scale_does_not_matter() -> None:
    sizes = np.random.default_rng(0).lognormal(0, 1, (50, 2))
    np.testing.assert_allclose(anchors(100 * sizes, 4), 100 * anchors(sizes, 4))


def test_limits() -> None:
    with pytest.raises(ZooError, match=r"k must be in \[1, 2\]"):
        anchors(np.ones((2, 2)), 3)
    with pytest.raises(ZooError, match="sizes must be positive, got 0"):
        anchors(np.zeros((2, 2)), 1)
