"""Schedules: pure functions of progress, which runs from 0 to 1 whatever the budget counts."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def cosine(start: float, end: float) -> Schedule:
    """Half a cosine wave from `start` at progress 0 to `end` at progress 1."""

    def value(progress: float) -> float:
        share = min(max(progress, 0.0), 1.0)
        return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))

    return value


def warm_up(schedule: Schedule, share: float) -> Schedule:
    """The same schedule, risen linearly from nearly 0 over the first `share` of progress."""
    return lambda progress: schedule(progress) * min(1.0, max(progress, 0.0) / share + 1e-3)


def within(start: float, end: float, schedule: Schedule) -> Schedule:
    """The schedule of a phase: progress from `start` to `end` is 0 to 1 to it."""
    return lambda progress: schedule((progress - start) / (end - start))
