"""Where figures are going over much of a training: in widening swings, or nowhere.

Both are told and nothing is done about them: what helps is another setting, for another run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from ectype.training.guard.symptoms import Figures

#: Medians of the margin that are remembered, one a check.
REMEMBERED = 64
#: Swings in a row, each wider than the one before, that are no accident.
SWINGS = 4
#: Within this part of the budget learning rates are high, and figures must move.
HIGH = (0.25, 0.5)
#: So many medians are needed to say that one did not.
FEWEST = 8
#: A figure stands still if it stays within this share of its magnitude...
STILL = 0.03
#: ...which counts as no less than this: a margin may stand still at 0.
LEAST = 0.3
#: The figures that must move. The losses of a flow and of a game may rest where all is well.
MOVING = ("discriminator/margin", "autoencoder/reconstruction")
#: The norm of a player's weights stands still within this share. The margin of a game in balance
#: may rest while both go on to learn.
AT_REST = 1e-3


class Trends:
    """Medians over the turns between checks, and what they show.

    Attributes:
        margins: the latest of the discriminator's margin.
        levels: those of the figures that must move, while learning rates are high.
        norms: of each player's weights, meanwhile.
        told: what was shown already; each is told once in a run.
    """

    def __init__(self) -> None:
        self.margins: list[float] = []
        self.levels: dict[str, list[float]] = {}
        self.norms: dict[str, list[float]] = {}
        self.told: list[str] = []

    def add(self, turns: Sequence[Figures], progress: float, weights: Mapping[str, float]) -> None:
        """Note the turns since the last check, and the norm of each player's weights."""
        for name in MOVING:
            player, figure = name.split("/")
            played = [turn.values for turn in turns if turn.player == player]
            values = [figures[figure] for figures in played if figure in figures]
            if not values:
                continue
            if figure == "margin":
                self.margins = [*self.margins, median(values)][-REMEMBERED:]
            if HIGH[0] < progress <= HIGH[1]:
                self.levels.setdefault(name, []).append(median(values))
        if HIGH[0] < progress <= HIGH[1]:
            for player, norm in weights.items():
                self.norms.setdefault(player, []).append(norm)

    def restart(self) -> None:
        """Forget what was noted: the players went back, and figures jumped with them."""
        self.margins, self.levels, self.norms = [], {}, {}

    def events(self, progress: float) -> dict[str, str]:
        """What there is to tell now, by its kind in `events.jsonl`."""
        found = {}
        if "oscillation" not in self.told and (wide := widening(self.margins)):
            sizes = ", ".join(f"{size:.2g}" for size in wide)
            found["oscillation"] = (
                "the players swing instead of settling: the discriminator's margin swung by "
                f"{sizes}; nothing was changed; if samples do not improve, try a stronger penalty "
                "(--set gan.gamma=…) or a lower rate (--set gan.learning_rate=…) with --new"
            )
        if "stagnation" not in self.told and progress >= HIGH[1]:
            at_rest = all(rest(norms) for norms in self.norms.values())
            for name in filter(lambda name: stands_still(self.levels[name]), self.levels):
                if not at_rest:
                    continue
                player, figure = name.split("/")
                family = "gan" if figure == "margin" else "vae"
                found["stagnation"] = (
                    f"neither the {player}'s {figure} nor any weights have changed for a quarter "
                    "of the budget, though learning rates were high; nothing was changed; try a "
                    f"higher rate (--set {family}.learning_rate=…) with --new, and look whether "
                    "the data vary"
                )
            self.levels, self.norms = {}, {}
        self.told += found
        return found

    def state(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "margins": self.margins,
            "levels": self.levels,
            "norms": self.norms,
            "told": self.told,
        }

    def load_state(self, values: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.margins, self.told = list(values["margins"]), list(values["told"])
        self.levels = {name: list(levels) for name, levels in values["levels"].items()}
        self.norms = {name: list(norms) for name, norms in values["norms"].items()}


def swings(values: Sequence[float], least: float) -> list[float]:
    """Sizes of the ups and downs between turning points; less than `least` is no turn."""
    sizes: list[float] = []
    low = high = start = values[0]
    direction = 0
    for value in values[1:]:
        low, high = min(low, value), max(high, value)
        if direction <= 0 and value - low >= least:  # it went down to `low` and turned
            sizes += [start - low] if direction else []
            start, high, direction = low, value, 1
        elif direction >= 0 and high - value >= least:
            sizes += [high - start] if direction else []
            start, low, direction = high, value, -1
    if direction:
        sizes.append(high - start if direction > 0 else start - low)
    return sizes


def widening(values: Sequence[float]) -> list[float] | None:
    """The latest swings, if each is wider than the one before and than values are large."""
    if not values:
        return None
    sizes = swings(values, max(LEAST, fmean(map(abs, values))))[-SWINGS:]
    grows = all(after > before for before, after in pairwise(sizes))
    return sizes if len(sizes) == SWINGS and grows else None


def stands_still(levels: Sequence[float]) -> bool:
    """Whether a figure keeps within a small share of its magnitude."""
    if len(levels) < FEWEST:
        return False
    return max(levels) - min(levels) < STILL * max(abs(median(levels)), LEAST)


def rest(norms: Sequence[float]) -> bool:
    """Whether weights have hardly moved, by their norm."""
    return len(norms) >= FEWEST and max(norms) - min(norms) < AT_REST * median(norms)
