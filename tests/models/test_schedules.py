"""Schedules: end points, closed forms, and nothing outside the range."""

import math

import pytest

from ectype.models.schedules import Schedule, cosine, warm_up, within
from ectype.models.vae import phase_rate


def test_cosine_is_half_a_wave():
    schedule = cosine(6.0, 2.0)
    for progress in (0.0, 0.25, 0.5, 1.0):
        wave = 4 + 2 * math.cos(math.pi * progress)
        assert schedule(progress) == pytest.approx(wave)
    assert (schedule(-1.0), schedule(2.0)) == (6.0, 2.0)


def test_warm_up_rises_in_a_line_and_then_leaves_the_schedule_alone():
    schedule = warm_up(lambda progress: 10.0, 0.1)
    assert schedule(-0.1) == schedule(0.0) == pytest.approx(0.01)
    assert schedule(0.05) == pytest.approx(5.01)
    assert schedule(0.1) == schedule(1.0) == 10.0


def test_within_is_the_schedule_of_a_phase():
    schedule = within(0.4, 0.6, cosine(1.0, 0.0))
    assert [schedule(p) for p in (0.0, 0.4, 0.5, 0.6, 1.0)] == pytest.approx([1, 1, 0.5, 0, 0])


@pytest.mark.parametrize(("begin", "end"), [(0.0, 1.0), (0.0, 0.5), (0.5, 1.0)])
def test_phase_rate_warms_up_and_falls_to_a_fiftieth(begin: float, end: float):
    rate = phase_rate(2.0, begin, end)
    length = end - begin
    assert rate(begin) == pytest.approx(0.002)
    assert rate(end) == pytest.approx(0.04)
    rising = [rate(begin + length * share) for share in (0.0, 0.005, 0.01, 0.02)]
    falling = [rate(begin + length * share / 20) for share in range(1, 21)]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert 1.9 < max(rising + falling) <= 2.0


@pytest.mark.parametrize("schedule", [cosine(3, 1), phase_rate(1e-3, 0.2, 0.8)])
def test_schedules_are_pure(schedule: Schedule):
    forwards = [schedule(step / 50) for step in range(51)]
    backwards = [schedule(step / 50) for step in reversed(range(51))]
    assert forwards == backwards[::-1]
    assert min(forwards) > 0
