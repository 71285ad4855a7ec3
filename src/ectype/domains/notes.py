"""What is said about items of any kind that were read: plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ectype.domains.base import Part, Reject


def reject_note(rejects: Sequence[Reject]) -> str:
    """How many items were left out, duplicates apart; empty where none were."""
    duplicates = sum("duplicate" in reject.reason for reject in rejects)
    broken = len(rejects) - duplicates
    counts = [(broken, "cannot be used"), (duplicates, "are duplicates")]
    said = [f"{count:,} {what}" for count, what in counts if count]
    return f"Left out: {' and '.join(said)}." if said else ""


def first_rejects(rejects: Sequence[Reject], most: int = 3) -> str:
    """The first of what was left out, each with its reason, and how many more there are."""
    said = "; ".join(f"{reject.item}: {reject.reason}" for reject in rejects[:most])
    more = len(rejects) - most
    return f"{said}; and {more:,} more" if more > 0 else said


def part_note(
    parts: Mapping[Part, np.ndarray], items: str, given: Sequence[Part | None] = ()
) -> str:
    """How large the parts are, and where they come from.

    Args:
        parts: indices of each.
        items: what they are, in the plural.
        given: the part that the source prescribes for each item, None where it does not.
    """
    sizes = {name: len(indices) for name, indices in parts.items()}
    note = (
        f"{sizes['train']:,} {items} to train on, {sizes['validation']:,} for choices in "
        f"training (validation), {sizes['test']:,} held out for evaluation (test)"
    )
    prescribed = sorted({str(part) for part in given if part})
    if prescribed:
        note += f"; {' and '.join(prescribed)} as the data prescribe"
    if min(sizes.values()) == 0 and sum(sizes.values()) < 3:
        note += "; too few for held-out parts"
    return f"{note}."
