import numpy as np
import pytest
from compress_zoo import dense_crf
from compress_zoo.dense_crf import DenseCrf, refine
from compress_zoo.errors import ZooError

CRF = DenseCrf(
    appearance_weight=0.7, position_deviation=2.0, color_deviation=20.0,
    smoothness_weight=0.4, smoothness_deviation=1.5, iterations=3,
)  # fmt: skip


def slow(probabilities: np.ndarray, image: np.ndarray, crf: DenseCrf) -> np.ndarray:
    """Mean field with one loop for each sum of the paper."""
    classes, height, width = probabilities.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    beliefs = probabilities.copy()
    for _ in range(crf.iterations):
        updated = np.empty_like(beliefs)
        for y, x in pixels:
            energy = -np.log(probabilities[:, y, x])
            for v, u in pixels:
                if (v, u) == (y, x):
                    continue
                distance = (y - v) ** 2 + (x - u) ** 2
                color = ((image[y, x].astype(float) - image[v, u].astype(float)) ** 2).sum()
                kernel = crf.appearance_weight * np.exp(
                    -distance / (2 * crf.position_deviation**2)
                    - color / (2 * crf.color_deviation**2)
                ) + crf.smoothness_weight * np.exp(-distance / (2 * crf.smoothness_deviation**2))
                for label in range(classes):
                    for other in range(classes):
                        energy[label] += (label != other) * kernel * beliefs[other, v, u]
            updated[:, y, x] = np.exp(-energy) / np.exp(-energy).sum()
        beliefs = updated
    return beliefs


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), (4, 5)).transpose(2, 0, 1)
    return probabilities, rng.integers(0, 256, (4, 5, 3), np.uint8)


def test_equals_the_slow_reference(scene) -> None:
    np.testing.assert_allclose(refine(*scene, CRF), slow(*scene, CRF), rtol=1e-9)


def test_blocks_change_nothing(scene, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = refine(*scene, CRF)
    monkeypatch.setattr(dense_crf, "_BLOCK", 1)  # a pixel at a time
    np.testing.assert_allclose(refine(*scene, CRF), whole, rtol=1e-12)


def test_border_moves_to_the_edge_of_the_colour() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, 4:] = 200
    probabilities = np.full((2, 8, 8), 0.2)
    probabilities[0, :, :5] = 0.8  # one column too far
    probabilities[1] = 1 - probabilities[0]
    labels = refine(probabilities, image, DenseCrf(smoothness_weight=0.0)).argmax(0)
    assert np.array_equal(labels, (image[..., 0] > 0).astype(int))


def test_label_that_was_ruled_out_is_finite(scene) -> None:
    probabilities, image = scene
    probabilities[:, 0, 0] = [1, 0, 0]
    beliefs = refine(probabilities, image, CRF)
    assert np.isfinite(beliefs).all()
    np.testing.assert_allclose(beliefs.sum(0), 1)


def test_other_size_is_refused(scene) -> None:
    with pytest.raises(ZooError, match="image must be 4 x 5 pixels"):
        refine(scene[0], scene[1][:3], CRF)
