"""Labels: which of those that data carry are learned, and in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ectype.errors import DataError

LEAST_EACH = 4
MOST_LABELS = 1_000


def choose_labels(
    found: Sequence[str | None], wish: str
) -> tuple[np.ndarray | None, tuple[str, ...], str]:
    """Turn the labels that items carry into numbers.

    Args:
        found: label of each item, None where it has none.
        wish: `auto` takes labels when every item has one, there are at least two and at most
            `MOST_LABELS` of them, and each has at least `LEAST_EACH` items; `none` takes none;
            anything else takes them however few they are.

    Returns:
        Index of each item's label, int64 (n,), or None; the names, numbers in their own order;
        and a sentence on what was done, empty where there is nothing to say.

    Raises:
        DataError: labels were asked for by name, and some items have none.
    """
    counts = Counter(label for label in found if label is not None)
    bare = len(found) - counts.total()
    if wish == "none" or not counts:
        if wish not in ("none", "auto"):
            raise DataError("labels were asked for, but the data have none", hint="--labels auto")
        return None, (), ""
    names = tuple(sorted(counts, key=_order))
    if wish == "auto":
        fewest = min(counts, key=lambda name: counts[name])
        why = ""
        if len(names) == 1:
            return None, (), ""
        if bare:
            why = f"{bare:,} items have none"
        elif len(names) > MOST_LABELS:
            why = f"there are {len(names):,} of them"
        elif counts[fewest] < LEAST_EACH:
            why = f"“{fewest}” has only {counts[fewest]}"
        if why:
            return None, (), f"The labels are not learned: {why} (--labels folder insists)."
    elif bare:
        raise DataError(f"{bare:,} items have no label", hint="put each into the folder of a label")
    number = {name: index for index, name in enumerate(names)}
    labels = np.array([number[str(label)] for label in found], np.int64)
    return labels, names, f"{len(names):,} labels are learned."


def _order(name: str) -> tuple[int, str]:
    """Whole numbers by value, before all else by letter."""
    return (int(name), "") if name.isdecimal() else (2**63, name)
