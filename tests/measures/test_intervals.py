"""Intervals of figures whose deviation is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from ectype.measures import intervals
from ectype.measures.intervals import (
    Indices,
    choice,
    deviations,
    interval,
    share_interval,
    standard_deviations,
)


def mean_of(x: NDArray[np.float64]):
    return lambda i: {"mean": float(x[i].mean())}


@pytest.mark.parametrize("n", [30, 400, 5000])
def test_the_deviation_of_a_mean_is_that_of_theory(n: int, monkeypatch: pytest.MonkeyPatch):
    """s / sqrt n, at half of the items and where a draw is cut to 500 of 5,000."""
    monkeypatch.setattr(intervals, "DRAWS", 2000)
    x = np.random.default_rng(0).standard_normal(n)
    found = standard_deviations(mean_of(x), n, seed=0)["mean"]
    assert found == pytest.approx(x.std(ddof=1) / n**0.5, rel=0.05)


def test_the_deviation_of_a_difference_of_means_counts_both_sides(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(intervals, "DRAWS", 2000)
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal(200), 3 * generator.standard_normal(800)

    def difference(i: Indices, j: Indices) -> dict[str, float]:
        return {"difference": float(x[i].mean() - y[j].mean())}

    found = standard_deviations(difference, 200, 800, seed=0)["difference"]
    assert found == pytest.approx((x.var() / 200 + y.var() / 800) ** 0.5, rel=0.05)


def test_what_two_figures_draw_in_common_cancels_in_their_difference(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(intervals, "DRAWS", 2000)
    generator = np.random.default_rng(0)
    shared, x, y = (generator.standard_normal(100) for _ in range(3))

    def against(*others: NDArray[np.float64]):
        def difference(i: Indices, *js: Indices) -> dict[str, float]:
            means = [other[j].mean() for other, j in zip(others, js, strict=True)]
            return {"": float(shared[i].mean() - np.mean(means))}

        return deviations(difference, 100, *([100] * len(others)), seed=0)[""]

    found = np.std(against(x, x) - against(y), ddof=1)
    # two draws of one set are not two sets: what they leave open is half as much each, not less
    assert found == pytest.approx((x.var() / 200 + y.var() / 100) ** 0.5, rel=0.1)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """95 in 100, less a little because the deviation itself comes from 20 draws."""
    held = 0
    for trial in range(400):
        x = np.random.default_rng(trial).exponential(size=100)
        low, high = interval(x.mean(), standard_deviations(mean_of(x), 100, seed=trial)["mean"])
        held += low < 1 < high
    assert 0.89 < held / 400 < 0.97


def test_no_draw_holds_an_item_twice_and_all_draws_are_alike_large():
    seen: list[tuple[Indices, Indices]] = []

    def look(i: Indices, j: Indices) -> dict[str, float]:
        seen.append((i, j))
        return {"": 0.0}

    standard_deviations(look, 41, 2000, seed=0)
    assert len(seen) == intervals.DRAWS
    for i, j in seen:
        assert len(set(i)) == len(i) == round(41 / 4)
        assert len(set(j)) == len(j) == 500
    assert len({tuple(i) for i, _ in seen}) > 1


def test_a_seed_fixes_the_draws():
    x = np.random.default_rng(0).standard_normal(50)
    first, again, other = (standard_deviations(mean_of(x), 50, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_choice_is_sorted_and_without_repeats():
    generator = np.random.default_rng(0)
    chosen = choice(100, 30, generator)
    assert len(np.unique(chosen)) == 30
    assert (np.diff(chosen) > 0).all()
    assert choice(5, 9, generator).tolist() == [0, 1, 2, 3, 4]


def test_an_interval_stays_within_what_the_figure_can_be():
    assert interval(0.5, 0.1, 0, 1) == pytest.approx((0.304, 0.696))
    assert interval(0.95, 0.1, 0, 1) == pytest.approx((0.754, 1))
    assert interval(1, 1, 0) == pytest.approx((0, 2.96))


@pytest.mark.parametrize(("count", "n"), [(0, 12), (3, 500), (250, 500), (12, 12)])
def test_the_interval_of_a_share_is_that_of_scipy(count: int, n: int):
    expected = binomtest(count, n).proportion_ci(method="wilson")
    assert share_interval(count / n, n) == pytest.approx(tuple(expected), abs=1e-4)
