"""The rule by which candidates are ranked: plain functions of figures.

1. A candidate that copies its training data stands behind all that do not.
2. Otherwise the lower `Score` is better: how many times worse than real data the samples are, half
   for their closeness (Fréchet distance), half for their variety (coverage).
3. Between candidates that cannot be told apart from the best of them, what is known of other data
   decides (the family that `auto` takes comes first), and then their cost: time to make a sample
   and size of the weights; where that is much the same, what `fit` trains comes before a variant.
   All are measured on the same validation items, so what chance has put among these tells nothing
   between them: two scores are told apart by how their difference moves when items are drawn anew,
   not by their own intervals. And by how much another seed of a training would move them.

Before the last training, scores are carried on to its length (`forecast`): families learn at
different speeds, and what counts is who will be ahead at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev

from ectype.config import Family
from ectype.measures.intervals import NORMAL_95
from ectype.measures.measure import Measure

#: How much of a curve's slope goes on beyond its last point: learning curves flatten, and a damped
#: trend errs less than none and than a full one (Gardner and McKenzie 1985). A VAE's flattens soon,
#: a GAN's hardly; both are from docs/benchmarks.md, "Choices".
DAMPING: Mapping[Family, float] = {"gan": 0.9, "vae": 0.4}
#: What is added to a coverage before its logarithm is taken: from 1% to 2% a young model has not
#: become twice as varied, it has hit upon a few items, and no trend follows from that.
LITTLE_COVERAGE = 0.1
#: By how much a score moves from one seed of a training to another, a standard deviation: that of
#: eight pairs of trainings in docs/benchmarks.md, "Choices".
OF_SEEDS = 0.06
#: A distance of nothing counts as this, and so has a logarithm.
LEAST = 1e-12
#: Costs that differ by less are much the same, as a difference of logarithms: a speed is measured
#: in a moment, and variants of one family differ by chance alone.
MUCH_THE_SAME = math.log(1.25)


@dataclass(frozen=True)
class Score:
    """Mean log ratio to real data, and half the width of its interval (about 95%).

    0 is as good as real data, log 2 twice as far from it.

    Attributes:
        value: that mean.
        half: half the width.
        deviations: how far it moved on draws of the items; the same validation items are drawn
            for all candidates. Empty where that is not known.
        of_seeds: its standard deviation over seeds of training, which no draw of items shows.
    """

    value: float
    half: float
    deviations: tuple[float, ...] = ()
    of_seeds: float = 0.0

    def meets(self, other: Score) -> bool:
        """Whether the two intervals overlap."""
        return abs(self.value - other.value) <= self.half + other.half

    def equals(self, other: Score) -> bool:
        """Whether neither can be told from the other: their difference may be chance.

        By its deviation over draws of the items (where that is not known by whether each lies in
        the other's interval) and over seeds.
        """
        if self.deviations and other.deviations:
            pairs = zip(self.deviations, other.deviations, strict=True)
            reach = NORMAL_95 * stdev(mine - its for mine, its in pairs)
        else:
            reach = min(self.half, other.half)
        of_seeds = NORMAL_95 * math.hypot(self.of_seeds, other.of_seeds)
        return abs(self.value - other.value) <= math.hypot(reach, of_seeds)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the rule looks at.

    Attributes:
        name: of the candidate.
        family: gan or vae.
        score: as it was measured, or carried on.
        copies: whether it copies its training data.
        cost: see `cost`.
        favoured: whether `auto` would take its family.
        plain: whether it is as `fit` trains its family, and no variant.
    """

    name: str
    family: Family
    score: Score
    copies: bool
    cost: float
    favoured: bool = False
    plain: bool = False


def score(measures: Mapping[str, Measure]) -> Score:
    """½ [log(Fréchet / floor) + log((floor of coverage + c) / (coverage + c))], c = 0.1.

    Both errors are taken to push the same way, since they come from the same samples: the interval
    is rather too wide than too narrow. Where there is no floor the figure stands for itself; it
    would be the same for all candidates.
    """
    frechet, coverage = measures["frechet"], measures["coverage"]

    def mean(distance: float, covered: float) -> float:
        floor = 1.0 if coverage.floor is None else coverage.floor
        better = math.log((covered + LITTLE_COVERAGE) / (floor + LITTLE_COVERAGE))
        return 0.5 * (_log_ratio(distance, frechet.floor) - better)

    nearest, farthest = frechet.interval or (frechet.value, frechet.value)
    least, most = coverage.interval or (coverage.value, coverage.value)
    half = 0.5 * (mean(farthest, least) - mean(nearest, most))
    covered = coverage.value + LITTLE_COVERAGE
    moved = zip(frechet.deviations, coverage.deviations, strict=True)
    deviations = (0.5 * (f / max(frechet.value, LEAST) - c / covered) for f, c in moved)  # nearly
    return Score(mean(frechet.value, coverage.value), half, tuple(deviations), OF_SEEDS)


def cost(items_per_second: float, weight_bytes: int) -> float:
    """What using a model costs: the mean log of seconds an item and of bytes of weights."""
    return 0.5 * (math.log(weight_bytes) - math.log(items_per_second))


def forecast(curve: Sequence[tuple[float, Score]], seconds: float, family: Family) -> Score:
    """A score carried on along its curve to a longer training.

    A line through the last two points over the logarithm of time, of whose slope `DAMPING` goes on;
    its interval follows from those of the points. A curve of one point stays where it is.

    Args:
        curve: (seconds of training, score), in the order of time.
        seconds: the training time to carry on to.
        family: gan or vae.
    """
    time, last = curve[-1]
    if len(curve) == 1 or seconds <= time:
        return last
    earlier, first = curve[-2]
    reach = DAMPING[family] * math.log(seconds / time) / math.log(time / earlier)
    value = last.value + reach * (last.value - first.value)
    pairs = zip(last.deviations, first.deviations, strict=False)  # one may not be known
    deviations = tuple((1 + reach) * later - reach * sooner for later, sooner in pairs)
    half, of_seeds = (
        math.hypot((1 + reach) * later, reach * sooner)
        for later, sooner in ((last.half, first.half), (last.of_seeds, first.of_seeds))
    )
    return Score(value, half, deviations, of_seeds)


def rank(standings: Sequence[Standing]) -> list[Standing]:
    """The candidates from best to worst, by the rule above."""
    rest = sorted(standings, key=lambda s: (s.copies, s.score.value))
    ranked: list[Standing] = []
    while rest:
        best = rest[0]
        level = [s for s in rest if s.copies == best.copies and s.score.equals(best.score)]
        least = min(standing.cost for standing in level)
        dearer = {s.name: max(0.0, s.cost - least - MUCH_THE_SAME) for s in level}
        level.sort(key=lambda s: (not s.favoured, dearer[s.name], not s.plain))
        ranked += level
        rest = [s for s in rest if s not in level]
    return ranked


def promote(ranked: Sequence[Standing], count: int) -> list[Standing]:
    """Those who go on to the next rung: the best of each family first, then by rank.

    A family that learns slowly and ends high would otherwise be gone before it shows: early on,
    only relatives can be compared.
    """
    best = {standing.family: standing for standing in reversed(ranked)}
    firsts = [standing for standing in ranked if standing in best.values()]
    others = [standing for standing in ranked if standing not in firsts]
    chosen = [*firsts, *others][:count]
    return [standing for standing in ranked if standing in chosen]


def _log_ratio(value: float, floor: float | None) -> float:
    return math.log(max(value, LEAST) / max(floor or 1.0, LEAST))
