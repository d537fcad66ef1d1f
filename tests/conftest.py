"""Hypothesis: no deadline, the same examples each time where CI runs, and many on demand.

`make nightly` draws ten times as many. An hour of examples instead of seconds:
`pytest tests/artifact --hypothesis-profile=fuzz`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=1_000)
settings.register_profile(
    "fuzz", deadline=None, max_examples=20_000, suppress_health_check=list(HealthCheck)
)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# Programs that tests start, and that are no modules to import: doctest would.
collect_ignore = ["fuzz/run.py", "training/launched.py"]
