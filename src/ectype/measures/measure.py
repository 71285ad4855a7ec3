"""A figure of quality with what it takes to believe it: its floor, its interval, its size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Better: TypeAlias = Literal["lower", "higher", "0.5"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One figure.

    Attributes:
        value: the figure of the generated items.
        better: which way is better. "0.5" is a share that only chance should decide.
        n: how many items on each side the figure rests on; figures compare at one n only.
        floor: the same figure with new real items in the samples' place: what a perfect model
            would get. None where that means nothing.
        interval: where the figure would lie 95 times in 100 if the items were drawn anew.
        features: name of the feature space; figures compare in one space only.
        note: one plain sentence, where the figure needs it.
        deviations: how far the figure moved on each of the draws that its interval is from. Those
            of two models have the same held-out items drawn, so what only these are to blame for
            cancels in their differences. They are no part of the JSON.
    """

    value: float
    better: Better
    n: int
    floor: float | None = None
    interval: tuple[float, float] | None = None
    features: str | None = None
    note: str | None = None
    deviations: tuple[float, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """Give the object that stands for it in `report.json`."""
        row: dict[str, Any] = {
            "value": self.value,
            "floor": self.floor,
            "interval": None if self.interval is None else list(self.interval),
            "n": self.n,
            "features": self.features,
            "better": self.better,
        }
        return row if self.note is None else {**row, "note": self.note}
