"""What fuzzing has found: every input that was kept is decoded or refused, as its target says."""

from __future__ import annotations

import pytest

from tests.fuzz.seeds import corpus, seeds
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_decode(target):
    assert all(map(TARGETS[target], seeds(target)))


@pytest.mark.parametrize("target", [target for target in TARGETS if corpus(target)])
def test_the_corpus_is_decoded_or_refused(target):
    assert set(map(TARGETS[target], corpus(target))) <= {False, True}
