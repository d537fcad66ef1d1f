"""What an ONNX file of ours tells beside its network: one entry of its metadata that holds JSON.

The keys are those of a compressed file's metadata: model, task, labels, preprocessing. A compressed
file keeps them within its graph, which is coded, and not a second time outside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

KEY = "compress"  # of the entry

_MAX_CHARACTERS = 1 << 20


def to_text(facts: Mapping[str, Any]) -> str:
    """Return facts as the entry holds them: the same facts, the same bytes.

    >>> to_text({"task": "digits", "labels": ["0", "1"]})
    '{"labels":["0","1"],"task":"digits"}'
    """
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def from_entries(entries: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts among a file's metadata; none where there are none of ours.

    >>> from_entries({"author": "them", "compress": '{"task":"digits"}'})
    {'task': 'digits'}
    >>> from_entries({"compress": "not ours"})
    {}
    """
    text = entries.get(KEY, "")
    try:
        facts = json.loads(text) if len(text) <= _MAX_CHARACTERS else None
    except (ValueError, RecursionError):
        facts = None
    return facts if isinstance(facts, dict) else {}
