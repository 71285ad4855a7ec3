"""How strongly a discriminator's view is augmented: only as much as it over-fits.

Augmentation is what makes a GAN possible on few items, and what makes it worse on many. So its
strength starts at zero and follows a measurement: whether the discriminator tells training items
from validation items, which are as real. After Karras et al., "Training Generative Adversarial
Networks with Limited Data" (arXiv 2006.06676), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ectype.config import MOST_AUGMENT
from ectype.models.adversarial import AdversarialVae
from ectype.models.base import Model, Turn
from ectype.models.gan import Gan
from ectype.nets.augment import MOST_PROBABILITY
from ectype.training.controllers import Controller

if TYPE_CHECKING:
    from ectype.training.trainer import Trainer

#: Steps between measurements, and batches' worth of items of each kind in one: together these
#: cost less than 2% of the training.
EVERY = 64
BATCHES = 4
#: Weight of a new measurement in the running averages.
WEIGHT = 0.2
#: Over-fitting, r_v, above which the strength rises and below which it falls: of gentle changes,
#: and of the others. Up to the second, moves alone did better on few pictures than all changes at
#: once (docs/benchmarks.md). ADA steers by 0.6.
TARGET = 0.05
SEVERE = 0.5
#: Standard errors that it must be above that.
ERRORS = 2.0
#: How often training items must have been seen, on average, before they can be known by heart. On
#: 1,000 emoji nothing shows in the first seven passes; on 60,000 clothes chance alone augmented 9
#: of 20 short trainings that had seen most items once.
PASSES = 4
#: Items from strength 0 to 1 when it rises all the time, as a share of those of the training.
RISE = 0.4
#: With fewer validation items than this nothing can be measured.
FEWEST = 10
#: Then the strength rises evenly to this over the training, as in R3GAN (arXiv 2501.05441),
#: if there are fewer training items than that.
SCHEDULED = 0.3
LITTLE_DATA = 5_000


def augmentation_controllers(
    model: Model, train: np.ndarray, validation: np.ndarray, seed: int
) -> Sequence[Controller]:
    """What steers the strength of a model's augmentation: one controller, or none.

    Args:
        model: of either family.
        train: indices of the training items.
        validation: indices of the validation items.
        seed: of the choice of items that are measured.
    """
    gan = model.game if isinstance(model, AdversarialVae) else model
    if not isinstance(gan, Gan) or gan.augmentation is None or gan.settings.augment != "adaptive":
        return ()
    if len(validation) >= FEWEST:
        return (AdaptiveAugmentation(gan, validation, seed),)
    return (ScheduledAugmentation(gan),) if len(train) < LITTLE_DATA else ()


class AdaptiveAugmentation:
    """Raises the strength while the discriminator over-fits, and lowers it while it does not.

    Over-fitting is r_v = (E D(train) − E D(validation)) / (E D(train) − E D(generated)): 0 where
    training and validation items are alike to the discriminator, 1 where validation items look
    generated to it. Gentle changes come in above one threshold, the others only above a much higher
    one. Only differences of D enter, since a relativistic game fixes it only up to a
    constant. Numerator and denominator are averaged over time, each for itself. Only a numerator
    beyond `ERRORS` of its standard errors counts: a discriminator that cannot tell even generated
    items from real ones has r_v = 0 / 0, of either sign. Of many looks some exceed any threshold by
    chance, so there are none before items have been seen `PASSES` times.

    Which items are measured is a function of the seed and the step.
    """

    name: ClassVar[str] = "augment"

    def __init__(self, gan: Gan, validation: np.ndarray, seed: int):
        self.gan = gan
        self.validation = torch.as_tensor(np.asarray(validation, dtype=np.int64))
        self.seed = seed
        self.gap = self.margin = self.variance = self.progress = 0.0
        self.has_begun = False

    def over_fits(self, target: float) -> bool:
        """Whether r_v is above a target; never while generated items look the more real."""
        error = ERRORS * math.sqrt(self.variance)
        return self.margin > 0 and self.gap > target * self.margin + error

    def after_round(self, trainer: Trainer) -> None:
        """Measure and adjust, every `EVERY` steps."""
        if trainer.step % EVERY:
            return
        progress = trainer.clock.progress(trainer.step)
        change = max(0.0, progress - self.progress) / RISE  # an extended run falls back
        self.progress = progress
        has_seen = trainer.batches.drawn / len(trainer.batches)
        if progress < self.gan.begin or has_seen < PASSES:
            return
        gap, margin, variance = self._measure(trainer).tolist()
        if not all(map(math.isfinite, (gap, margin, variance))):
            return  # a matter for the guard; averages would never be rid of it
        self.gap += WEIGHT * (gap - self.gap)
        self.margin += WEIGHT * (margin - self.margin)
        # of the averaged gap, as if each measurement were of other items
        self.variance = (1 - WEIGHT) ** 2 * self.variance + WEIGHT**2 * variance
        aim = 0.0
        if self.over_fits(TARGET):
            aim = MOST_AUGMENT if self.over_fits(SEVERE) else MOST_PROBABILITY
        way = aim - self.gan.dials["augment"]
        self.gan.dials["augment"] += min(max(way, -change), change)
        if self.gan.dials["augment"] and not self.has_begun:
            self.has_begun = True
            share = self.gap / self.margin
            what = "the discriminator begins to learn training items by heart: it now sees them, "
            what += "and generated ones, with random changes, as many as are needed"
            trainer.event("augment", what=what, over_fitting=round(share, 3))

    def state(self) -> dict[str, Any]:
        """The averages; the strength is saved with the model's other dials."""
        return {
            "gap": self.gap,
            "margin": self.margin,
            "variance": self.variance,
            "progress": self.progress,
            "has_begun": self.has_begun,
        }

    def load_state(self, values: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.gap, self.margin = values["gap"], values["margin"]
        self.variance = values["variance"]
        self.progress, self.has_begun = values["progress"], values["has_begun"]

    def _measure(self, trainer: Trainer) -> Tensor:
        """The numerator and the denominator of r_v, the numerator's variance, (3,)."""
        batches, device = trainer.batches, trainer.precision.device
        number = (self.seed * 1_000_003 + trainer.step) % 2**63
        choice = torch.Generator().manual_seed(number)
        n = BATCHES * batches.size
        seen = batches.at(some(batches.index, n, choice))
        held_out = batches.at(some(self.validation, n, choice))
        noise = torch.Generator(device).manual_seed(number)
        turn = Turn(seen, self.progress, trainer.step, noise)
        with trainer.precision.autocast():
            return self.gan.gaps(turn, held_out)


class ScheduledAugmentation:
    """Raises the strength evenly over the training: for little data that cannot spare any."""

    name: ClassVar[str] = "augment"

    def __init__(self, gan: Gan):
        self.gan = gan

    def after_round(self, trainer: Trainer) -> None:
        """Set the strength, every `EVERY` steps."""
        if trainer.step % EVERY == 0:
            self.gan.dials["augment"] = SCHEDULED * trainer.clock.progress(trainer.step)

    def state(self) -> dict[str, Any]:
        """Nothing: the strength is saved with the model's other dials."""
        return {}

    def load_state(self, values: dict[str, Any]) -> None:
        """Nothing to take up."""


def some(index: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """A random `n` of some indices, or all of them if there are no more."""
    return index[torch.randperm(len(index), generator=generator)[:n]]
