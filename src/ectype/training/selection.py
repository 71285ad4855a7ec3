"""Which weights a run keeps: those that do best on validation data.

Losses do not tell: a GAN's say who is winning, a VAE's say nothing of its samples. So the averaged
weights are scored a few times, by the Fréchet distance between a few hundred samples and as many
validation items, always the same ones from the same noise. Under a budget of steps at fixed steps,
so that runs repeat; under a budget of time as often as a small share of it pays for.

The figures are noisy, the more so the fewer the items, and later weights have seen more: they are
kept unless earlier ones are better by more than chance makes them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ectype.measures.features import Features, FeatureSpace
from ectype.measures.frechet import Moments, frechet_distance, moments
from ectype.training.clock import Clock

#: Shares of the budget after which a score is due. Before them hardly any weights are the best.
MOMENTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
#: Share of a time budget, and of the time so far, that all scores together may take.
COST_SHARE = 0.05
#: Seconds that must be free before even the estimate of a score's cost is made.
ESTIMATE_SECONDS = 1.0
#: Items on each side of a score, and the fewest that one is made with.
MOST_ITEMS = 500
FEWEST_ITEMS = 50
#: By how much earlier weights must be better to be kept in the place of later ones, with
#: `MOST_ITEMS`. With the same noise and the same 500 items the difference of two checkpoints has a
#: standard deviation of about 0.5 % of the score (a GAN on Fashion-MNIST, 5 seeds), so 2 % is more
#: than chance. With 50 items it is 1.7 % (clothes of five kinds, 2 trainings), as the root of the
#: number says.
MARGIN = 0.02
#: Of the samples that are scored: other ones than `sample`, `evaluate` and previews start with.
SEED = 506_832_829


class Score(Protocol):
    """A measure of the model as it now is; less is better.

    Attributes:
        space: the feature space.
        n: items on each side.
    """

    space: str
    n: int

    def estimate(self) -> tuple[float, float]:
        """Seconds that setting up and one score will take, from a small part of both."""
        ...

    def set_up(self) -> None:
        """Do what all scores share; only the first call has anything to do."""
        ...

    def __call__(self) -> float:
        """The score; infinite where samples hold what is no number."""
        ...


class FrechetScore:
    """Fréchet distance of samples of one seed from a fixed choice of held-out items.

    Args:
        items: all stored items, (n, ...).
        held_out: indices of those to compare with; at most `MOST_ITEMS` of them are chosen.
        space: the feature space, which takes stored items.
        sample: stored items `start` to `start + n` of `SEED`, given both.
        block: how many of them are best drawn at a time.
        device: where features are computed.
    """

    def __init__(
        self,
        items: NDArray[Any],
        held_out: NDArray[np.int64],
        space: FeatureSpace,
        sample: Callable[[int, int], NDArray[Any]],
        block: int,
        device: torch.device,
    ):
        self.space = space.name
        self.n = min(MOST_ITEMS, len(held_out))
        chosen = np.random.default_rng(0).choice(held_out, self.n, replace=False)
        self._real = np.sort(chosen)  # in order: items may lie on a disk
        self._items = items
        self._extract = space.extract
        self._sample = sample
        self._block = block
        self._device = device

    def estimate(self) -> tuple[float, float]:
        """From one block of samples and of real items."""
        self._features(self._items[self._real[:2]])  # loads the network
        start = time.perf_counter()
        samples = self._sample(0, self._block)
        sampled = time.perf_counter()
        self._features(samples)
        extracted = time.perf_counter()
        blocks = self.n / self._block
        return blocks * (extracted - sampled), blocks * (extracted - start)

    def set_up(self) -> None:
        """Sum up the features of the held-out items."""
        _ = self._reference

    def __call__(self) -> float:
        """Draw samples and measure their distance."""
        blocks = []
        for start in range(0, self.n, self._block):
            size = min(self._block, self.n - start)
            blocks.append(self._features(self._sample(start, size)))
        features = np.concatenate(blocks)
        if not np.isfinite(features).all():
            return math.inf
        return frechet_distance(features, self._reference)

    @cached_property
    def _reference(self) -> Moments:
        return moments(self._features(self._items[self._real]))

    def _features(self, items: NDArray[Any]) -> Features:
        # the networks' arithmetic is not that of the features, which must be comparable
        with torch.autocast(self._device.type, enabled=False):
            return self._extract(items, device=str(self._device))


@dataclass(frozen=True)
class Scored:
    """A score, and after how many steps and seconds of training it was made."""

    step: int
    seconds: float
    value: float


class Selection:
    """Decides when the weights are scored, and remembers the best.

    Args:
        score: the measure.
        weights: those that were scored, asked for right after; they are copied.
        name: of the measure.
        moments: shares of the budget after which a score is due.
        margin: by how much earlier weights must be better to be kept, a share of the score; by
            default `MARGIN`, the more the fewer items there are.

    Attributes:
        scores: all of them, oldest first.
        kept: the one whose weights are kept; None before the first.
        best: these weights by name, on the CPU.
        spent: seconds that all of this took.
        cost: seconds that one more score is expected to take.
    """

    def __init__(
        self,
        score: Score,
        weights: Callable[[], Mapping[str, Tensor]],
        *,
        name: str = "Fréchet",
        moments: Sequence[float] = MOMENTS,
        margin: float | None = None,
    ):
        self.score = score
        self.weights = weights
        self.name = name
        self.moments = moments
        self.margin = MARGIN * math.sqrt(MOST_ITEMS / score.n) if margin is None else margin
        self.scores: list[Scored] = []
        self.kept: Scored | None = None
        self.best: dict[str, Tensor] = {}
        self.spent = 0.0
        self.cost = 0.0
        self._set_up_cost: float | None = None  # of this session; None before its estimate

    @property
    def reserve(self) -> float:
        """Seconds to keep back at the end: once anything is scored, the last weights must be."""
        return self.cost if self.scores else 0.0

    def due(self, step: int, progress: float, clock: Clock) -> bool:
        """Whether weights should be scored now; under a budget of time, if that can be paid for."""
        timed = clock.budget.seconds is not None
        last = self.scores[-1] if self.scores else None
        if last is not None and last.step == step:
            return False
        if timed and progress >= 1:  # the choice is between the last weights and earlier ones
            return last is not None
        now = clock.share(step, clock.seconds())
        since = 0.0 if last is None else clock.share(last.step, last.seconds)
        if not any(since < moment <= now for moment in self.moments):
            return False
        return not timed or self._affordable(clock)

    def consider(
        self, step: int, clock: Clock, in_place: Callable[[], AbstractContextManager[None]]
    ) -> dict[str, float]:
        """Score the weights, and keep them if no earlier ones are clearly better.

        Under a budget of time a session begins with an estimate of what that takes, and it may
        turn out to be too much.

        Args:
            step: steps made so far.
            clock: counts the budget; what scores cost is measured by it.
            in_place: a context in which the model computes with the weights to score.

        Returns:
            The measure by its name; nothing where none was made.
        """
        began = clock.seconds()
        ending = clock.progress(step) >= 1
        if clock.budget.seconds is not None and self._set_up_cost is None and not ending:
            self._estimate(clock, in_place)
            if not self._affordable(clock):
                return {}
        start = clock.seconds()
        self.score.set_up()
        ready = clock.seconds()
        with in_place():
            value = self.score()
            self._keep_if_best(Scored(step, began, value))
        end = clock.seconds()
        self._set_up_cost, self.cost = 0.0, end - ready
        self.spent += end - start
        return {f"{self.name.lower().replace('é', 'e')} {self.score.space}": value}

    def verdict(self) -> str:
        """Which weights are kept, and why, in a sentence."""
        if self.kept is None:
            return "kept the last weights: none could be scored within the budget"
        kept, last = self.kept, self.scores[-1]
        where = f"in {self.score.space} on {self.score.n} validation items"
        if kept is last:
            lowest = min(scored.value for scored in self.scores)
            which, other = "the last weights", f"the lowest of {len(self.scores)} is {lowest:.4g}"
        else:
            which, other = f"the weights of step {kept.step:,}", f"the last ones {last.value:.4g}"
        return f"kept {which} ({self.name} {kept.value:.4g} {where}; {other})"

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The best weights and all else that a later session must know."""
        values = {
            # JSON knows no infinity
            "scores": [
                [s.step, s.seconds, s.value if math.isfinite(s.value) else None]
                for s in self.scores
            ],
            "kept": self.kept and self.kept.step,
            "spent": self.spent,
            "cost": self.cost,
        }
        return self.best, values

    def load_state(self, best: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.best = dict(best)
        self.scores = [
            Scored(step, seconds, math.inf if value is None else value)
            for step, seconds, value in values["scores"]
        ]
        self.kept = next((s for s in self.scores if s.step == values["kept"]), None)
        self.spent, self.cost = values["spent"], values["cost"]

    def _keep_if_best(self, scored: Scored) -> None:
        """Keep these weights if none were better by more than the margin.

        The margin counts from the lowest score of all, not from that of the weights kept so far:
        else scores that rise by less than the margin each time would all be followed.
        """
        self.scores.append(scored)
        lowest = min(other.value for other in self.scores)
        if math.isfinite(scored.value) and scored.value <= (1 + self.margin) * lowest:
            self.kept = scored
            self.best = {k: v.detach().to("cpu", copy=True) for k, v in self.weights().items()}

    def _affordable(self, clock: Clock) -> bool:
        """Whether a score, and one more at the end, cost no more than they may."""
        spent, seconds = self.spent, clock.seconds()
        if self._set_up_cost is None:
            return spent + ESTIMATE_SECONDS <= COST_SHARE * seconds
        now = spent + self._set_up_cost + self.cost
        budget = clock.budget.seconds or 0.0
        return now <= COST_SHARE * seconds and now + self.cost <= COST_SHARE * budget

    def _estimate(self, clock: Clock, in_place: Callable[[], AbstractContextManager[None]]) -> None:
        """Find out what scores will cost in this session."""
        start = clock.seconds()
        with in_place():
            placing = clock.seconds() - start
            self._set_up_cost, cost = self.score.estimate()
        self.cost = placing + cost
        self.spent += clock.seconds() - start
