"""k-means of numbers against scikit-learn, a plain reference and the paper's worked example."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from compress.errors import DataError, SettingsError
from compress.kernels.kmeans import Init, Values, assign, kmeans_1d
from tests import needs

INITS: tuple[Init, ...] = ("linear", "density", "random")


def weights(n: int, *, seed: int = 0, tails: bool = False) -> Values:
    rng = np.random.default_rng(seed)
    drawn = rng.standard_t(2, n) if tails else rng.normal(size=n)
    return (0.05 * drawn).astype(np.float32)


def plain_lloyd(values: Values, start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lloyd's iteration, written from its definition; the farthest values fill empty clusters."""
    centroids, codes = start.copy(), None
    while True:
        middles = (centroids[:-1] + centroids[1:]) / 2
        new = (values[:, None].astype(np.float64) > middles).sum(1)
        if codes is not None and (new == codes).all():
            return centroids
        codes, moved = new, new.copy()
        farthest = iter(np.argsort(-np.abs(values - centroids[codes]), kind="stable"))
        for code in np.setdiff1d(np.arange(len(start)), codes):
            moved[next(place for place in farthest if (moved == moved[place]).sum() > 1)] = code
        centroids = np.array([values[moved == j].mean(dtype=np.float64) for j in range(len(start))])
        centroids.sort()


def inertia_of(values: Values, centroids: Values) -> float:
    distances = values[:, None].astype(np.float64) - centroids.astype(np.float64)
    return float((distances**2).min(1).sum())


def test_the_papers_worked_example():
    first = [2.09, -0.98, 1.48, 0.09, 0.05, -0.14, -1.08, 2.12]
    second = [-0.91, 1.92, 0.00, -1.03, 1.87, 0.00, 1.53, 1.49]
    values = np.float32([*first, *second])
    centroids, _ = kmeans_1d(values, 4, init="linear")
    np.testing.assert_allclose(centroids, [-1.0, 0.0, 1.5, 2.0], atol=1e-6)
    codes = [3, 0, 2, 1, 1, 1, 0, 3, 0, 3, 1, 0, 3, 1, 2, 2]
    assert assign(values, centroids).tolist() == codes


@pytest.mark.parametrize("tails", [False, True])
@pytest.mark.parametrize("k", [2, 5, 32])
def test_steps_are_those_of_a_plain_lloyd(k, tails):
    values = weights(1500, tails=tails)
    start = np.linspace(values.min(), values.max(), k, dtype=np.float64)
    expected = plain_lloyd(values, start)
    centroids, inertia = kmeans_1d(values, k, init="linear", max_iter=10_000)
    np.testing.assert_allclose(centroids, expected, rtol=1e-6)
    assert inertia == pytest.approx(inertia_of(values, centroids), rel=1e-9)


@pytest.mark.parametrize("k", [4, 32])
def test_inertia_is_no_worse_than_scikit_learns_from_the_same_start(k):
    needs.module("sklearn")
    from sklearn.cluster import KMeans

    values = weights(20_000)
    start = np.linspace(values.min(), values.max(), k)[:, None]
    theirs = KMeans(k, init=start, n_init=1, max_iter=300, tol=0).fit(
        values[:, None].astype(np.float64)
    )
    _, inertia = kmeans_1d(values, k, init="linear")
    assert inertia <= theirs.inertia_ * (1 + 1e-6)


@pytest.mark.parametrize("init", INITS)
def test_no_value_changes_its_cluster_at_the_end(init):
    values = weights(30_000, tails=True)
    centroids, _ = kmeans_1d(values, 16, init=init, max_iter=100_000)
    codes = assign(values, centroids)
    means = [values[codes == code].mean(dtype=np.float64) for code in range(len(centroids))]
    np.testing.assert_allclose(centroids, means, rtol=1e-6)


def test_initialisations_start_where_the_paper_says():
    values = np.sort(weights(1000, tails=True))
    linear, _ = kmeans_1d(values, 8, init="linear", max_iter=1)
    density, _ = kmeans_1d(values, 8, init="density", max_iter=1)
    assert np.median(np.abs(density)) < np.median(np.abs(linear))
    seeds = [kmeans_1d(values, 8, init="random", seed=seed, max_iter=1)[0] for seed in (0, 0, 1)]
    assert seeds[0].tobytes() == seeds[1].tobytes() != seeds[2].tobytes()


@pytest.mark.parametrize("init", INITS)
def test_order_does_not_matter_and_input_is_kept(init):
    values = weights(5000)
    shuffled = np.random.default_rng(1).permutation(values)
    before = shuffled.copy()
    one, two = (kmeans_1d(v, 32, init=init, seed=3) for v in (values, shuffled))
    assert one[0].tobytes() == two[0].tobytes()
    assert one[1] == two[1]
    assert np.array_equal(shuffled, before)
    kmeans_1d(shuffled, 32, init=init, overwrite=True)
    assert np.array_equal(shuffled, np.sort(values))


@pytest.mark.parametrize("init", INITS)
def test_few_distinct_values_come_back_exactly(init):
    rng = np.random.default_rng(0)
    distinct = np.unique(rng.normal(size=32).astype(np.float32))
    values = np.repeat(distinct, 100)
    rng.shuffle(values)
    centroids, inertia = kmeans_1d(values, 32, init=init)
    assert np.array_equal(centroids, distinct)
    assert inertia == 0
    assert np.array_equal(centroids[assign(values, centroids)], values)


def test_centroids_are_distinct_floats():
    base = np.float32(1)
    values = np.float32([base, np.nextafter(base, np.float32(2)), 1 + 3e-7, 5, 6])
    centroids, _ = kmeans_1d(values, 4, init="linear")
    assert (np.diff(centroids) > 0).all()


def test_a_mean_of_few_beside_many_is_exact():
    values = np.concatenate([np.full(3_000_000, 0.3, np.float32), np.float32([7.1, 7.3, 0.2])])
    centroids, _ = kmeans_1d(values, 2, init="linear")
    assert centroids[1] == np.float32((7.1 + 7.3) / 2)


@given(
    arrays(np.float32, st.integers(1, 60), elements=st.floats(-100, 100, width=32)),
    st.integers(1, 9),
    st.sampled_from(INITS),
)
def test_any_values(values, k, init):
    centroids, inertia = kmeans_1d(values, k, init=init, seed=0)
    assert 1 <= len(centroids) <= k
    assert (np.diff(centroids) > 0).all()
    codes = assign(values, centroids)
    assert set(codes.tolist()) == set(range(len(centroids)))
    distances = np.abs(values[:, None].astype(np.float64) - centroids)
    nearest = distances.min(1)
    np.testing.assert_array_equal(distances[np.arange(len(values)), codes], nearest)
    assert inertia == pytest.approx((nearest**2).sum(), rel=1e-9)


@given(
    arrays(
        np.float32,
        st.integers(0, 60),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    arrays(
        np.float32,
        st.integers(1, 20),
        unique=True,
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
)
def test_assign_is_a_search_of_the_midpoints(values, centroids):
    centroids = np.unique(centroids)
    middles = (centroids[:-1].astype(np.float64) + centroids[1:]) / 2
    expected = np.searchsorted(middles, values.astype(np.float64), "left")
    assert np.array_equal(assign(values, centroids), expected)
    apart = assign(values, centroids, zeros_apart=True)
    assert np.array_equal(apart, np.where(values == 0, -1, expected))


@pytest.mark.parametrize(
    ("k", "dtype"),
    [(2, np.int8), (128, np.int8), (129, np.int16), (32768, np.int16), (65536, np.int32)],
)
def test_codes_are_as_narrow_as_can_be(k, dtype):
    centroids = np.arange(k, dtype=np.float32)
    codes = assign(centroids[::-1].copy(), centroids)
    assert codes.dtype == dtype
    assert np.array_equal(codes, np.arange(k)[::-1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    values = np.float32([1, 2, bad, 3])
    with pytest.raises(DataError, match="values must be finite"):
        kmeans_1d(values, 2, init="linear")
    with pytest.raises(DataError, match="values must be finite"):
        assign(values, np.float32([1, 2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: kmeans_1d(v, 0, init="linear"), r"k must be in \[1, 65536\], got 0"),
        (lambda v: kmeans_1d(v, 2, init="linear", max_iter=0), "max_iter must be positive"),
        (lambda v: kmeans_1d(v[:0], 2, init="linear"), "at least one number"),
        (lambda v: kmeans_1d(v.astype(np.float64), 2, init="linear"), "must be float32"),
        (lambda v: kmeans_1d(v[None], 2, init="linear"), "one-dimensional"),
        (lambda v: assign(v, np.float32([2, 1])), "centroids must be ascending"),
        (lambda v: assign(v, np.float32([])), "at least one"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(SettingsError, match=message):
        call(np.float32([1, 2, 3]))
