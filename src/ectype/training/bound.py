"""How well held-out items are explained: what chooses the weights of a VAE that can overfit.

Samples do not tell when a model begins to learn its items by heart: they only become more like
them. The bound on the likelihood of items that it has not seen does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ectype.models.base import Batch, Model
from ectype.models.vae import Vae
from ectype.training.batches import Batches
from ectype.training.selection import Selection

#: A model of many weights can know few items by heart after a small share of its budget.
MOMENTS = (0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
#: The noise is the same every time, so that smaller differences count than of samples.
MARGIN = 0.005
#: Items that are looked at, and of them at a time.
MOST_ITEMS = 2_000
PIECE = 500
SEED = 506_832_829


class BoundScore:
    """The negative evidence lower bound of held-out items, nats, a mean over items.

    Args:
        model: in use.
        n: how many items there are.
        batch: items `start` to `end`, as a batch.
    """

    space = "nats"

    def __init__(self, model: Vae, n: int, batch: Callable[[int, int], Batch]):
        self.n = min(n, MOST_ITEMS)
        self._model = model
        self._batch = batch

    def estimate(self) -> tuple[float, float]:
        """Nothing to set up; the cost of all from one piece."""
        start = time.perf_counter()
        self._bound(0)
        cost = (time.perf_counter() - start) * max(1.0, self.n / PIECE)
        return 0.0, cost

    def set_up(self) -> None:
        """See `selection.Score`."""

    def __call__(self) -> float:
        """−ELBO; infinite where it is no number."""
        total = sum(self._bound(start) for start in range(0, self.n, PIECE))
        return -total / self.n if math.isfinite(total) else math.inf

    def _bound(self, start: int) -> float:
        batch = self._batch(start, min(start + PIECE, self.n))
        generator = torch.Generator(batch.x.device).manual_seed(SEED + start)
        return float(self._model.elbo(batch, generator)["elbo"].sum())


def selection_by_bound(
    model: Model,
    held_out: NDArray[np.int64],
    batches: Batches,
    weights: Callable[[], Mapping[str, Tensor]],
) -> Selection:
    """What keeps the weights that explain held-out items best.

    Args:
        model: in use, a VAE.
        held_out: indices of the items.
        batches: give items by their indices.
        weights: see `Selection`.
    """
    assert isinstance(model, Vae)
    index = torch.as_tensor(held_out)
    score = BoundScore(model, len(held_out), lambda start, end: batches.at(index[start:end]))
    return Selection(score, weights, name="negative bound", moments=MOMENTS, margin=MARGIN)
