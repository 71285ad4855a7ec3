"""Averaged weights: what is sampled is a mean over the recent past of what is trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ExponentialAverage:
    """An exponential moving average whose half-life is a share of the steps so far.

    After t updates the newest weights enter with 1 − 0.5^(1 / (share · t)), so that the average
    always spans the same part of the run: short at the start, when the weights are poor, long
    at the end. Buffers (running statistics) are copied, not averaged.
    """

    def __init__(self, modules: Mapping[str, nn.Module], share: float):
        self.live = nn.ModuleDict(dict(modules))
        self.average = copy.deepcopy(self.live).requires_grad_(False)
        self.share = share
        self.updates = 0
        self._averages: list[Tensor] = list(self.average.parameters())
        self._lives: list[Tensor] = list(self.live.parameters())
        self._buffers = list(zip(self.average.buffers(), self.live.buffers(), strict=True))

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the live weights."""
        self.updates += 1
        weight = 1 - 0.5 ** (1 / max(self.share * self.updates, 1e-3))
        get_ema_multi_avg_fn(1 - weight)(self._averages, self._lives, self.updates)
        for average, live in self._buffers:
            average.copy_(live)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within this context the live modules compute with the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Tensor]:
        """The averaged weights, named as in the live modules."""
        return self.average.state_dict()

    @torch.no_grad()
    def _swap(self) -> None:
        pairs = zip(self._averages, self._lives, strict=True)
        for average, live in (*pairs, *self._buffers):
            average.data, live.data = live.data, average.data
