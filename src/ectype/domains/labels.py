"""Labels: those that folders and arrays carry, which of them are learned, and in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from ectype.domains.base import Part
from ectype.errors import DataError

LEAST_EACH = 4
MOST_LABELS = 1_000
_PARTS: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


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


def known_labels(found: Sequence[str | None], names: Sequence[str]) -> np.ndarray | None:
    """Index among known names of the label of each item, int64 (n,); None if one has none."""
    number = {name: index for index, name in enumerate(names)}
    labels = [number.get(label) for label in found if label is not None]
    if not number or len(labels) < len(found) or None in labels:
        return None
    return np.array(labels, np.int64)


def _order(name: str) -> tuple[int, str]:
    """Whole numbers by value, before all else by letter."""
    return (int(name), "") if name.isdecimal() else (2**63, name)


def names_in(array: Any) -> list[str]:
    """The values of an array as text; byte strings, as files often hold them, are UTF-8."""
    values = np.asarray(array)
    if values.dtype.kind == "S":
        return [value.decode(errors="replace") for value in values.tolist()]
    return [str(value) for value in values]


def parts_and_labels(names: list[str]) -> tuple[list[Part | None], list[str | None]]:
    """Prescribed part and label of each path, from its folders.

    The first folder names the label, unless all lie in the same one; folders named train,
    validation and test prescribe parts, and the next folder names the label.
    """
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    folders = _without_common_start(folders)
    parts: list[Part | None] = [None] * len(names)
    firsts = {path[0].lower() for path in folders if path}  # a loose file beside them is no part
    if firsts <= set(_PARTS) and {_PARTS[name] for name in firsts} > {"train"}:
        drawn: dict[Part, Part | None] = {"train": None, "validation": "validation", "test": "test"}
        parts = [drawn[_PARTS[path[0].lower()]] if path else None for path in folders]
        folders = _without_common_start([path[1:] for path in folders])
    return parts, [path[0] if path else None for path in folders]


def _without_common_start(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Drop the leading folders that all paths share."""
    while folders and folders[0] and all(path[:1] == folders[0][:1] for path in folders):
        folders = [path[1:] for path in folders]
    return folders
