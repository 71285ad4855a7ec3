"""What training tells, and when: figures about once a second, a picture now and then."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from ectype.training.clock import Clock
from ectype.training.logs import append, plain
from ectype.training.progress import Reporter, Tick

TICK_SECONDS = 1.0
#: Progress at which previews are drawn; another one comes within the first minute.
PREVIEWS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FIRST_PREVIEW_SECONDS = 30.0
#: Share of a time budget's time so far that previews may have taken for one more to be drawn: a
#: prior that is fitted to the data makes them dear. The first and the last are always drawn.
PREVIEW_SHARE = 0.03


class Meter:
    """The figures of one session, from turns to ticks.

    Args:
        clock: of the training.
        step: at which the session begins.
        batch: items a step.
        log: a file that every tick adds a line to.
        reporter: told of every tick.

    Attributes:
        measures: what the next tick tells of the averaged weights.
    """

    def __init__(self, clock: Clock, step: int, *, batch: int, log: Path, reporter: Reporter):
        self.measures: dict[str, float] = {}
        self._clock = clock
        self._batch = batch
        self._log = log
        self._reporter = reporter
        self._start = (clock.seconds(), step)
        self._sums: dict[str, tuple[Tensor, int]] = {}
        self._due = time.perf_counter() + TICK_SECONDS

    @property
    def due(self) -> bool:
        """Whether a tick is due."""
        return bool(self.measures) or time.perf_counter() >= self._due

    @property
    def untold(self) -> bool:
        """Whether there were turns since the last tick."""
        return bool(self._sums)

    def add(self, player: str, figures: Mapping[str, Tensor]) -> None:
        """Add a turn's figures to the running sums, on the device: no waiting for it here."""
        for name, value in figures.items():
            key = f"{player}/{name}"
            total, count = self._sums.get(key, (0.0, 0))
            self._sums[key] = (total + value, count + 1)

    def tick(self, step: int) -> None:
        """Fetch the losses from the device, log and show them."""
        losses = {name: (total / count).item() for name, (total, count) in self._sums.items()}
        measures = self.measures
        self._sums, self.measures = {}, {}
        seconds, budget = self._clock.seconds(), self._clock.budget
        before, first = self._start
        rate = (step - first) / max(seconds - before, 1e-9)
        if budget.steps is not None:
            eta = (budget.steps - step) / max(rate, 1e-9)
        else:
            eta = (budget.seconds or 0.0) - seconds
        tick = Tick(
            step=step,
            items=step * self._batch,
            seconds=round(seconds, 3),
            progress=round(self._clock.progress(step), 6),
            rate=round(rate * self._batch, 1),
            eta=round(max(eta, 0.0), 1),
            losses=losses,
            measures=measures,
        )
        append(self._log, asdict(tick) | {"losses": plain(losses), "measures": plain(measures)})
        self._reporter.tick(tick)
        # a long run needs no line a second
        self._due = time.perf_counter() + max(TICK_SECONDS, seconds / 500)


class Previews:
    """When pictures of the averaged weights are drawn.

    Args:
        clock: of the training.
        step: at which the session begins.
    """

    def __init__(self, clock: Clock, step: int):
        progress = clock.progress(step)
        self._clock = clock
        self._left = [share for share in PREVIEWS if share > progress]
        self._early = step == 0
        self._taken = 0.0

    def due(self, step: int) -> bool:
        """Whether one is due; asked once, it is no longer."""
        progress, seconds = self._clock.progress(step), self._clock.seconds()
        early = self._early and seconds > FIRST_PREVIEW_SECONDS
        if not early and (not self._left or progress < self._left[0]):
            return False
        self._early = False
        self._left = [share for share in self._left if share > progress]
        timed = self._clock.budget.steps is None
        return not (timed and progress < 1 and self._taken > PREVIEW_SHARE * seconds)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """A context whose time counts as taken for previews."""
        start = self._clock.seconds()
        yield
        self._taken += self._clock.seconds() - start
