"""What is known of a column: its kind and why, how its values are written, how they are spread."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["number", "integer", "category", "boolean", "date", "identifier", "text", "constant"]
KINDS: tuple[Kind, ...] = (
    *("number", "integer", "category", "boolean"),
    *("date", "identifier", "text", "constant"),
)
#: Kinds whose values have an order and a size, and kinds whose values are names.
NUMBERS: tuple[Kind, ...] = ("number", "integer", "date")
NAMES: tuple[Kind, ...] = ("category", "boolean")

#: A column of numbers is told in at most so many cells, of at least so many rows each.
MOST_CELLS = 1024
FEWEST_IN_CELL = 10
#: Values that recur this often on average are learned one by one, in as many cells as they are.
RECURRING = 3.0
#: Values of a category that are learned one by one: the most frequent, with as many rows at least.
MOST_VALUES = 1000
FEWEST_OF_VALUE = 5
#: A column of so few different values is a category even if most of them are numbers ("1", "3+").
FEW_VALUES = 20


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column as a run remembers it; every field is plain JSON.

    Attributes:
        name: as it stands in the header.
        kind: what its values are.
        evidence: why it is taken for that, in words.
        form: how values are written, see `table/forms.py`.
        missing: how a missing value is written; None if none is missing.
        lows: first value of each cell of a number.
        highs: last value of each cell; a cell of one value has it in both.
        uppers: share of the rows at or below the end of each cell, of those with a value.
        values: the values of a category, the most frequent first, all the others behind.
        kept: how many of `values` are learned one by one; the others share a place.
        shares: of the other values the share of their rows at or below each.
        value: of a constant column, as it is written.
        template: of an identifier, how new ones are made, see `table/identifiers.py`.
    """

    name: str
    kind: Kind
    evidence: str = ""
    form: dict[str, Any] = dataclasses.field(default_factory=dict)
    missing: str | None = None
    lows: list[float] = dataclasses.field(default_factory=list)
    highs: list[float] = dataclasses.field(default_factory=list)
    uppers: list[float] = dataclasses.field(default_factory=list)
    values: list[Any] = dataclasses.field(default_factory=list)
    kept: int = 0
    shares: list[float] = dataclasses.field(default_factory=list)
    value: Any = None
    template: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def modelled(self) -> bool:
        """Whether the model learns it; else it is made anew, constant, or left out."""
        return self.kind in NUMBERS or self.kind in NAMES

    @property
    def decimals(self) -> int:
        """Digits behind the point that values have; −2 would be whole hundreds."""
        return int(self.form.get("decimals", 0))


def cells(values: np.ndarray, decimals: int | None) -> dict[str, list[float]]:
    """Into which cells the values of a column fall: `lows`, `highs`, `uppers` of `Column`.

    Where values recur, each is a cell. Else those that make up a cell's worth of rows are a cell
    each, and the rest is cut into stretches of about as many rows; adjacent stretches meet halfway
    between their values, so that what lies between can be drawn too.

    Args:
        values: of the training rows, (n,), none missing, n ≥ 1.
        decimals: to which values are rounded; None where they are not.
    """
    found, counts = np.unique(values, return_counts=True)
    n = len(values)
    few = len(found) <= MOST_CELLS and n >= RECURRING * len(found)
    least = 1 if few else max(FEWEST_IN_CELL, -(-n // MOST_CELLS))
    begins: list[int] = []
    held = least
    for index, count in enumerate(counts.tolist()):
        heavy = count >= least
        if held >= least or heavy:
            begins.append(index)
            held = 0
        held = least if heavy else held + count
    starts = np.array(begins)
    ends = np.append(starts[1:], len(found)) - 1
    single = starts == ends
    lows, highs = found[starts], found[ends]
    middles = (highs[:-1] + lows[1:]) / 2
    meet = ~single[:-1] & ~single[1:]
    highs = np.append(np.where(meet, middles, highs[:-1]), highs[-1])
    lows = np.append(lows[0], np.where(meet, middles, lows[1:]))
    if decimals is not None:  # values at both ends of a stretch are as likely as those within
        half = 0.5 * 10.0**-decimals
        left = ~single & np.append(True, ~meet)
        right = ~single & np.append(~meet, True)
        lows, highs = np.where(left, lows - half, lows), np.where(right, highs + half, highs)
    uppers = np.cumsum(np.add.reduceat(counts, starts)) / n
    return {"lows": lows.tolist(), "highs": highs.tolist(), "uppers": uppers.tolist()}


def frequent(counts: np.ndarray) -> tuple[np.ndarray, int, list[float]]:
    """Which values are learned one by one.

    Args:
        counts: how often each value stands in the training rows, 0 for one that does not.

    Returns:
        The values' indices, the most frequent first; how many of these are learned one by one;
        and `shares` of `Column` for those that are not.
    """
    order = np.argsort(-counts, kind="stable")
    ordered = counts[order]
    kept = int((ordered[:MOST_VALUES] >= FEWEST_OF_VALUE).sum())
    if len(counts) <= FEW_VALUES:  # so few that even the rare ones are names of their own
        kept = int((ordered > 0).sum())
    kept = max(kept, 1)
    rest = ordered[kept:]
    if (rest > 0).sum() == 1:  # a place for one value need not be shared
        kept, rest = kept + 1, ordered[kept + 1 :]
    shares = np.cumsum(rest) / rest.sum() if rest.sum() else np.zeros(len(rest))
    return order, kept, shares.tolist()
