"""Which clips belong together, so that they stay in one part."""

from __future__ import annotations

import numpy as np

from ectype.domains.audio.files import Sounds, Survey
from ectype.domains.audio.store import Stored
from ectype.domains.splitting import connected, dissolve_giants, group_names, joined_by_path


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
        names = [survey.names[i] for i in stored.index]
        kept = joined_by_path(kept, names, group, has_paths=sounds.has_paths)
        groups = len(np.unique(kept))
        notes.append(f"{groups:,} groups by data.group; each stays in one part.")
    return group_names(kept, stored.hashes), notes


def _edges(first: np.ndarray) -> list[tuple[int, int]]:
    return list(enumerate(first.tolist()))
