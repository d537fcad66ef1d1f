"""One measure of whatever maps inputs to outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compress.errors import DataError
from compress.measure.evaluate import batch_of, chunks, evaluate
from compress.tasks import Arrays, Metric, Samples


def samples(count: int, *, shape: tuple[int, ...] = (2,), whole: bool = False) -> Samples:
    inputs = np.ones((count, *shape), np.int64 if whole else np.float32)
    found = Arrays(test=(inputs, np.arange(float(count)))).load("test")
    assert found is not None
    return found


def metric(**options: Any) -> Metric:
    return Metric(name="m", **({"each": lambda outputs, targets: targets} | options))


@pytest.mark.parametrize("batch", [1, 3, 10, 99])
def test_all_samples_count_whatever_the_batch(batch: int) -> None:
    seen: list[tuple[int, int]] = []
    sizes: list[int] = []

    def forward(inputs: Any) -> Any:
        sizes.append(len(inputs))
        return inputs

    found = evaluate(
        forward, samples(10), metric(), batch=batch, progress=lambda *at: seen.append(at)
    )
    assert found == 4.5
    assert sum(sizes) == 10
    assert max(sizes) <= batch
    assert seen[-1] == (10, 10)
    assert len(seen) == len(sizes)


def test_a_metric_of_the_whole() -> None:
    found = metric(
        each=lambda outputs, targets: np.stack([targets, targets], 1),
        whole=lambda figures: float(figures.shape[1] * figures.max()),
    )
    assert evaluate(lambda inputs: inputs, samples(10), found, batch=3) == 18


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number(value: float) -> None:
    with pytest.raises(DataError, match=r"metric m must be a finite number, got (nan|inf)"):
        evaluate(lambda inputs: inputs, samples(3), metric(whole=lambda _: value), batch=3)
    unknown = metric(each=lambda _, targets: np.where(targets > 5, np.nan, 0))
    with pytest.raises(DataError, match="not finite for 4 of 10 samples, so it has no m: look"):
        evaluate(lambda inputs: inputs, samples(10), unknown, batch=4)


@pytest.mark.parametrize("figure", [np.ones(2), np.ones(()), np.ones((3, 1, 1))])
def test_figures_that_are_not_one_a_sample(figure: Any) -> None:
    with pytest.raises(DataError, match="metric m must give a figure for each of 3 samples, got"):
        evaluate(lambda inputs: inputs, samples(3), metric(each=lambda *_: figure), batch=3)


def test_large_inputs_come_in_small_batches() -> None:
    assert batch_of(samples(9, shape=(3, 224, 224)), 4 << 20) == 27
    assert batch_of(samples(9), 4 << 20) == 256
    assert batch_of(samples(2, shape=(128,), whole=True), 4 << 20) == 64  # tokens
    assert batch_of(samples(1, shape=(3000, 3000)), 4 << 20) == 1
    assert [part.tolist() for part in chunks(5, 2)] == [[0, 1], [2, 3], [4]]
