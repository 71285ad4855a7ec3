"""How far training is, whatever its budget is counted in."""

from __future__ import annotations

import time

from ectype.config import Budget


class Clock:
    """Counts a budget of time or of steps as progress, over all sessions of a run.

    It stands still until it is started: set-up is not training.

    Args:
        budget: what counts as done.
        seconds: training time spent before this session.

    Attributes:
        reserve: seconds at the end of a time budget that are kept back: progress is 1 before them.
    """

    def __init__(self, budget: Budget, seconds: float = 0.0):
        self.budget = budget
        self.reserve = 0.0
        self._before = seconds
        self._start: float | None = None

    def start(self) -> None:
        """Count from now on."""
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Training time so far."""
        if self._start is None:
            return self._before
        return self._before + time.perf_counter() - self._start

    def progress(self, step: int) -> float:
        """How far training is before a step, 0 to 1."""
        return min(1.0, self.share(step, self.seconds(), self.reserve))

    def share(self, step: int, seconds: float, reserve: float = 0.0) -> float:
        """How much of the budget so many steps or seconds are."""
        if self.budget.steps is not None:
            return step / self.budget.steps
        return seconds / max((self.budget.seconds or 0.0) - reserve, 1e-9)

    def end(self) -> None:
        """Stand still; of a time budget all is spent, also what was kept back and not needed."""
        self._before = max(self.seconds(), self.budget.seconds or 0.0)
        self._start = None
