"""Which clips belong together, so that they stay in one part."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ectype.domains.audio.files import Sounds, Survey
from ectype.domains.audio.store import Stored
from ectype.domains.splitting import connected, dissolve_giants
from ectype.errors import UsageError


def group_keys(
    sounds: Sounds, survey: Survey, stored: Stored, group: str | None
) -> tuple[list[str], list[str]]:
    """Group of each clip, and notes on it.

    Clips of one file and near-identical clips belong together, and those whose paths match
    `group` alike. A group is named by its smallest content hash, so it does not depend on order
    or paths.

    Raises:
        UsageError: `group` is no regular expression, matches nothing, or leaves too few groups.
    """
    count = len(stored.items)
    own = np.arange(count)
    of_file = np.unique(stored.index, return_index=True, return_inverse=True)
    same_file = of_file[1][of_file[2]]
    joined = connected(count, [*_edges(stored.near), *_edges(same_file)])
    kept = dissolve_giants(joined)
    notes: list[str] = []
    if dissolved := int((kept != joined).sum()):
        notes.append(
            f"{dissolved:,} clips belong with others (they are from one file, or nearly the same); "
            "they are too many to be kept in one part, so held-out figures will flatter."
        )
    if alike := int((stored.near != own).sum()):
        notes.append(f"{alike:,} clips are nearly the same as another; they share its part.")
    if group is not None:
        matches = _matches([survey.names[i] for i in stored.index], group, sounds)
        kept = connected(count, [*_edges(kept), *_edges(np.array(matches))])
        groups = len(np.unique(kept))
        if groups < min(3, count):
            message = f"data.group “{group}” puts the clips into {groups} groups"
            raise UsageError(message, hint="at least 3 are needed; match a longer part of the path")
        notes.append(f"{groups:,} groups by data.group; each stays in one part.")
    names: dict[int, str] = {}
    hashes = [digest.tobytes().hex() for digest in stored.hashes]
    for first, name in zip(kept.tolist(), hashes, strict=True):
        names[first] = min(name, names.get(first, name))
    return [names[first] for first in kept.tolist()], notes


def _edges(first: np.ndarray) -> list[tuple[int, int]]:
    return list(enumerate(first.tolist()))


def _matches(names: list[str], group: str, sounds: Sounds) -> list[int]:
    """For each name the first clip whose match is the same; its own index without a match."""
    if not sounds.has_paths:
        raise UsageError("data.group needs files: items of an array have no names")
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise UsageError(f"data.group “{group}” is no regular expression: {error}") from error
    first: dict[str, int] = {}
    result: list[int] = []
    for index, name in enumerate(names):
        match = pattern.search(name.removesuffix(Path(name).suffix))
        key = match.group(1 if pattern.groups else 0) if match else None
        result.append(index if key is None else first.setdefault(key, index))
    if not first:
        raise UsageError(f"data.group “{group}” matches no path, for instance “{names[0]}”")
    return result
