"""The fingerprint of a dataset, by which a run knows its data again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ectype.domains.base import Part


def fingerprint(
    facts: Mapping[str, Any],
    content: np.ndarray,
    labels: np.ndarray | None,
    parts: Mapping[Part, np.ndarray],
) -> str:
    """A hash of all that a dataset is, see `Dataset.fingerprint`.

    Args:
        facts: its spec as plain values, without what follows from the rest only up to rounding.
        content: the items, or a hash of each, (n, …).
        labels: (n,), or None.
        parts: indices of each.
    """
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    digest.update(np.ascontiguousarray(content).tobytes())
    digest.update(b"" if labels is None else labels.tobytes())
    for name in ("train", "validation", "test"):
        digest.update(name.encode() + parts[name].tobytes())
    return digest.hexdigest()
