"""What fuzzing has found: every input that was kept is decoded or refused, as its target says."""

from __future__ import annotations

import pytest

from tests.fuzz.seeds import corpus, seeds
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_decode(target):
    assert all(map(TARGETS[target], seeds(target)))


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_is_decoded_or_refused(target):
    kept = corpus(target)
    if not kept:
        pytest.skip("no input was kept")
    assert set(map(TARGETS[target], kept)) <= {False, True}
