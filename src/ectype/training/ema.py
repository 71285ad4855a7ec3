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

    Attributes:
        updates: how many there were.
        begun: after how many of them each module, by name, began to be trained.
    """

    def __init__(self, modules: Mapping[str, nn.Module], share: float):
        self.live = nn.ModuleDict(dict(modules))
        self.average = copy.deepcopy(self.live).requires_grad_(False)
        self.share = share
        self.updates = 0
        self.begun = dict.fromkeys(modules, 0)
        self._averages: list[Tensor] = list(self.average.parameters())
        self._lives: list[Tensor] = list(self.live.parameters())
        self._buffers = list(zip(self.average.buffers(), self.live.buffers(), strict=True))

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the live weights."""
        self.updates += 1
        for begun in {*self.begun.values()}:
            names = [name for name, since in self.begun.items() if since == begun]
            averages, lives = (
                tuple(p for name in names for p in modules[name].parameters())
                for modules in (self.average, self.live)
            )
            weight = 1 - 0.5 ** (1 / max(self.share * (self.updates - begun), 1e-3))
            get_ema_multi_avg_fn(1 - weight)(averages, lives, self.updates)
        for average, live in self._buffers:
            average.copy_(live)

    @torch.no_grad()
    def begin(self, module: nn.Module) -> None:
        """Forget what came before a module is trained: its first weights are but noise."""
        trained = {*map(id, module.parameters())}
        for name, live in self.live.items():
            if any(id(parameter) in trained for parameter in live.parameters()):
                self.begun[name] = self.updates
                self.average[name].load_state_dict(live.state_dict())

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
