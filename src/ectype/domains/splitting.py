"""Parting data into train, validation and test, once, by group.

Items of one group (variants of one picture, recordings of one kit, duplicates of one row) stay
in one part; otherwise held-out figures would reward remembering. Every domain uses this.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ectype.domains.base import Part
from ectype.errors import UsageError

MOST_VALIDATION = 2_000
MOST_TEST = 10_000


def split(
    keys: Sequence[str],
    *,
    seed: int = 0,
    validation: float = 0.05,
    test: float = 0.1,
    labels: np.ndarray | None = None,
    given: Sequence[Part | None] | None = None,
) -> dict[Part, np.ndarray]:
    """Part items by group.

    Groups are ordered by a hash of the seed and their key, so the same data and seed always give
    the same parts, whatever order the items come in.

    Args:
        keys: group of each item; items with equal keys stay together.
        seed: another seed gives other parts.
        validation: share of the items, at most `MOST_VALIDATION` and at least one; 0 for none.
        test: likewise, at most `MOST_TEST`.
        labels: (n,); where given, every label that can be is made part of train.
        given: parts that the data themselves prescribe, None for an item that may go anywhere.
            A part that is prescribed for some items takes no others.

    Returns:
        Ascending indices of each part. Train is never empty; with fewer than three groups to
        draw from, parts may be.
    """
    given = given or [None] * len(keys)
    parts: dict[Part, list[int]] = {"train": [], "validation": [], "test": []}
    free: dict[str, list[int]] = {}
    for index, (key, part) in enumerate(zip(keys, given, strict=True)):
        if part is None:
            free.setdefault(key, []).append(index)
        else:
            parts[part].append(index)
    groups = [free[key] for key in sorted(free, key=lambda key: _rank(seed, key))]
    count = sum(map(len, groups))
    drawn: dict[Part, list[list[int]]] = {}
    wishes: tuple[tuple[Part, float, int], ...] = (
        ("test", test, MOST_TEST),
        ("validation", validation, MOST_VALIDATION),
    )
    for part, share, most in wishes:
        wanted = 0 if parts[part] or share <= 0 else max(1, min(round(share * count), most))
        drawn[part], groups = _draw(groups, wanted)
    if labels is not None:
        groups += _return_lost_labels(
            drawn, labels, {*labels[parts["train"]], *_seen(groups, labels)}
        )
    drawn["train"] = groups
    for part, chosen in drawn.items():
        parts[part] += [index for group in chosen for index in group]
    return {part: np.array(sorted(indices), np.int64) for part, indices in parts.items()}


def check_shares(validation: float, test: float) -> None:
    """Check that two shares leave something to learn from.

    Raises:
        UsageError: they do not.
    """
    if validation + test >= 1:
        raise UsageError(
            "data.validation and data.test must be shares that leave some for training",
            hint="for instance 0.05 and 0.1",
        )


def connected(count: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """Join items by pairs into groups; gives the lowest index in each item's group, (count,)."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for first, second in pairs:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return np.array([root(item) for item in range(count)], np.int64)


def dissolve_giants(groups: np.ndarray, share: float = 0.2, least: int = 10) -> np.ndarray:
    """Take apart groups too large to be chance: above a share of the items and `least` items.

    Such a group (frames of one film, a background that all pictures have) would leave too little
    to draw the other parts from. Where fewer than three groups are left, all are taken apart.

    Args:
        groups: (n,), equal where items belong together, as `connected` gives it.
        share: of all items, above which a group is a giant.
        least: no smaller group is one.

    Returns:
        (n,), where each item of a dissolved group is a group of its own.
    """
    count = len(groups)
    _, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    giant = (sizes > max(share * count, least))[inverse]
    groups = np.where(giant, np.arange(count), groups)
    return groups if len(np.unique(groups)) >= min(3, count) else np.arange(count)


def _rank(seed: int, key: str) -> bytes:
    text = f"{seed}:{key}".encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=16).digest()


def _draw(groups: list[list[int]], wanted: int) -> tuple[list[list[int]], list[list[int]]]:
    """Take groups that fit, in order, until `wanted` items are taken; never the last group."""
    taken: list[list[int]] = []
    left: list[list[int]] = []
    room = wanted
    for group in groups:
        fits = len(group) <= room and len(taken) < len(groups) - 1
        (taken if fits else left).append(group)
        room -= len(group) if fits else 0
    if wanted and not taken and len(left) > 1:  # all are larger than the part: take the smallest
        taken = [min(left, key=len)]
        left.remove(taken[0])
    return taken, left


def _seen(groups: list[list[int]], labels: np.ndarray) -> set[int]:
    return {int(labels[index]) for group in groups for index in group}


def _return_lost_labels(
    drawn: dict[Part, list[list[int]]], labels: np.ndarray, seen: set[int]
) -> list[list[int]]:
    """Take back from the held-out parts one group for each label that train lacks."""
    returned: list[list[int]] = []
    for part in ("validation", "test"):
        for group in list(drawn[part]):
            if not seen.issuperset(labels[group]):
                drawn[part].remove(group)
                returned.append(group)
                seen |= _seen([group], labels)
    return returned


def joined_by_path(
    groups: np.ndarray, names: list[str], group: str, *, has_paths: bool
) -> np.ndarray:
    """Join the groups of items whose paths match alike.

    Args:
        groups: (n,), the lowest index in each item's group.
        names: paths of the items.
        group: see `same_by_path`.
        has_paths: likewise.

    Raises:
        UsageError: as of `same_by_path`, or too few groups are left to part.
    """
    same = same_by_path(names, group, has_paths=has_paths)
    joined = connected(len(groups), [*enumerate(groups.tolist()), *enumerate(same)])
    left = len(np.unique(joined))
    if left < min(3, len(groups)):
        raise UsageError(
            f"data.group “{group}” puts all items into {left} group{'s' * (left != 1)}",
            hint="at least 3 are needed; match a longer part of the path",
        )
    return joined


def group_names(groups: np.ndarray, hashes: np.ndarray) -> list[str]:
    """Name each item's group by its smallest content hash: order and paths have no say in it.

    Args:
        groups: (n,), equal where items belong together.
        hashes: (n, bytes) of content.
    """
    digests = [digest.tobytes().hex() for digest in hashes]
    smallest: dict[int, str] = {}
    for group, digest in zip(groups.tolist(), digests, strict=True):
        smallest[group] = min(digest, smallest.get(group, digest))
    return [smallest[group] for group in groups.tolist()]


def same_by_path(names: list[str], group: str, *, has_paths: bool) -> list[int]:
    """For each path the first item whose match is the same; its own index without a match.

    Args:
        names: paths, of which the suffix does not count.
        group: regular expression; its first group if it has one, else all of it.
        has_paths: whether the items come from files at all.

    Raises:
        UsageError: it is no regular expression, matches nothing, or there are no paths.
    """
    if not has_paths:
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
