import math
from dataclasses import replace

import pytest

from ectype.choose.ranking import (
    DAMPING,
    OF_SEEDS,
    Score,
    Standing,
    cost,
    forecast,
    promote,
    rank,
    score,
)
from ectype.measures.measure import Measure
from tests.choose.figures import measures


def standing(
    name, value, *, half=0.05, family=None, copies=False, cost=0.0, favoured=False, plain=False
):
    return Standing(
        name=name,
        family=family or ("gan" if name.startswith("gan") else "vae"),
        score=Score(value, half),
        copies=copies,
        cost=cost,
        favoured=favoured,
        plain=plain,
    )


def names(standings):
    return [standing.name for standing in standings]


# --- score --------------------------------------------------------------------------------


def test_a_score_is_half_closeness_and_half_variety():
    varied = math.log(1.1 / 0.35)
    found = score(measures(frechet=200.0, coverage=0.25)).value
    assert found == pytest.approx(0.5 * (math.log(4) + varied))
    assert score(measures(frechet=200.0, coverage=1.0)).value == pytest.approx(math.log(2))
    assert score(measures(frechet=50.0, coverage=1.0)) == Score(0.0, 0.0, (), OF_SEEDS)


def test_hardly_any_coverage_is_none():
    """One item or two of a hundred: no model has become twice as varied by that."""
    one, two = (score(measures(coverage=found)).value for found in (0.01, 0.02))
    assert one - two == pytest.approx(0.5 * math.log(0.12 / 0.11))


def test_both_errors_push_the_same_way():
    found = score(measures(frechet=200.0, coverage=0.25, spread=0.1))
    expected = 0.25 * (math.log(1.1 / 0.9) + math.log((0.275 + 0.1) / (0.225 + 0.1)))
    assert found.half == pytest.approx(expected)


def test_a_score_without_intervals_floors_or_coverage():
    bare = {
        name: replace(measure, interval=None, floor=None)
        for name, measure in measures(frechet=9.0, coverage=0.0, n=50).items()
    }
    found = score(bare)
    assert found.half == 0
    assert found.value == pytest.approx(0.5 * (math.log(9) + math.log(1.1 / 0.1)))


def test_a_distance_that_is_no_number_gives_no_score():
    broken = measures() | {"frechet": Measure(value=math.nan, better="lower", n=5, floor=1.0)}
    assert not math.isfinite(score(broken).value)


def test_a_score_moves_as_its_two_figures_do():
    frechet, coverage, _ = measures(frechet=200.0, coverage=0.25).values()
    moved = {
        "frechet": replace(frechet, deviations=(2.0, -2.0)),
        "coverage": replace(coverage, deviations=(-0.01, 0.01)),
    }
    moves = 0.5 * (0.01 + 0.01 / 0.35)  # to first order of log 202/200 and log 0.34/0.35
    assert score(moved).deviations == pytest.approx((moves, -moves))


def test_scores_are_told_apart_by_how_their_difference_moves():
    one = Score(1.0, 0.5, (0.2, -0.2, 0.1, -0.1))
    other = Score(1.2, 0.5, (0.21, -0.19, 0.1, -0.12))
    assert not one.equals(other), "both moved together: 1.96 · 0.015"
    assert one.equals(replace(other, deviations=())), "by intervals, where it is not known"
    assert one.equals(replace(other, deviations=(-0.2, 0.2, -0.1, 0.1)))
    assert one.meets(other)


def test_another_seed_may_turn_the_order_of_two_round():
    one, other = Score(1.0, 0.0, (), 0.06), Score(1.15, 0.0, (), 0.06)
    assert one.equals(other), "1.96 · 0.06 · √2 = 0.166"
    assert not one.equals(replace(other, value=1.17))
    assert score(measures()).of_seeds == OF_SEEDS
    curve = [(10.0, replace(one, value=2.0)), (30.0, one)]
    reach = DAMPING["gan"]
    expected = 0.06 * math.hypot(1 + reach, reach)
    assert forecast(curve, 90.0, "gan").of_seeds == pytest.approx(expected)


# --- forecast -----------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_a_forecast_goes_on_along_the_curve_with_a_slope_damped_as_its_family_is(family):
    curve = [(10.0, Score(2.0, 0.1)), (30.0, Score(1.5, 0.1))]
    found = forecast(curve, 90.0, family)  # as far again on a logarithmic axis
    damping = DAMPING[family]
    assert found.value == pytest.approx(1.5 - damping * 0.5)
    assert found.half == pytest.approx(math.hypot((1 + damping) * 0.1, damping * 0.1))


def test_a_forecast_moves_with_both_its_points():
    curve = [(10.0, Score(2.0, 0.1, (0.1, -0.1))), (30.0, Score(1.5, 0.1, (0.2, -0.2)))]
    found = forecast(curve, 90.0, "gan")
    expected = (1 + DAMPING["gan"]) * 0.2 - DAMPING["gan"] * 0.1
    assert found.deviations == pytest.approx((expected, -expected))


def test_a_forecast_takes_its_slope_from_the_last_two_points():
    curve = [(1.0, Score(9.0, 0.0)), (10.0, Score(2.0, 0.0)), (30.0, Score(2.0, 0.0))]
    assert forecast(curve, 500.0, "gan").value == pytest.approx(2.0)


@pytest.mark.parametrize("seconds", [5.0, 30.0])
def test_a_forecast_does_not_go_back(seconds):
    curve = [(10.0, Score(2.0, 0.1)), (30.0, Score(1.5, 0.2))]
    assert forecast(curve, seconds, "gan") == Score(1.5, 0.2)


def test_one_point_has_no_trend():
    assert forecast([(10.0, Score(2.0, 0.1))], 90.0, "gan") == Score(2.0, 0.1)


# --- rank ---------------------------------------------------------------------------------


def test_the_lower_score_is_better():
    found = rank([standing("vae", 1.5), standing("gan", 1.0), standing("gan-free", 1.3)])
    assert names(found) == ["gan", "gan-free", "vae"]


def test_copying_comes_last_however_good_it_looks():
    found = rank([standing("gan", 0.1, copies=True), standing("vae", 1.5)])
    assert names(found) == ["vae", "gan"]


def test_among_the_best_that_cannot_be_told_apart_the_cheaper_one_wins():
    level = [standing("vae", 1.0, cost=3.0), standing("gan", 1.04, cost=1.0)]
    assert names(rank(level)) == ["gan", "vae"]
    apart = [standing("vae", 1.0, cost=3.0), standing("gan", 1.06, cost=1.0)]
    assert names(rank(apart)) == ["vae", "gan"]


def test_among_those_that_cannot_be_told_apart_the_family_of_auto_comes_before_cost():
    level = [
        standing("vae", 1.0, cost=1.0),
        standing("gan", 1.04, cost=3.0, favoured=True),
        standing("gan-free", 1.02, cost=2.0, favoured=True),
    ]
    assert names(rank(level)) == ["gan-free", "gan", "vae"]
    apart = [standing("vae", 1.0), standing("gan", 1.06, favoured=True)]
    assert names(rank(apart)) == ["vae", "gan"]


def test_a_cost_that_is_much_the_same_decides_nothing():
    level = [
        standing("gan-strict", 1.0, cost=1.1),
        standing("gan", 1.02, cost=1.0),
        standing("vae-wide", 1.01, cost=3.0),
        standing("vae", 1.03, cost=2.0),
    ]
    assert names(rank(level)) == ["gan-strict", "gan", "vae", "vae-wide"]


def test_a_variant_must_be_told_apart_from_what_fit_trains():
    plain = standing("gan", 1.04, cost=0.1, plain=True)
    assert names(rank([standing("gan-free", 1.0), plain])) == ["gan", "gan-free"]
    assert names(rank([standing("gan-free", 0.98), plain])) == ["gan-free", "gan"]
    dear = replace(plain, cost=1.0)
    assert names(rank([standing("gan-free", 1.0), dear])) == ["gan-free", "gan"]


def test_one_wide_interval_does_not_make_two_alike():
    found = rank([standing("vae", 1.0, half=0.01, cost=3.0), standing("gan", 1.2, half=0.5)])
    assert names(found) == ["vae", "gan"]


def test_alike_is_measured_from_the_best_of_them():
    """1.00, 1.04 and 1.08: the third is like the second, not like the first."""
    chain = [
        standing("a", 1.0, cost=3.0),
        standing("b", 1.04, cost=2.0),
        standing("c", 1.08, cost=1.0),
    ]
    assert names(rank(chain)) == ["b", "a", "c"]


def test_a_copy_is_not_level_with_what_does_not_copy():
    found = rank([standing("vae", 1.0, cost=9.0), standing("gan", 1.0, copies=True, cost=1.0)])
    assert names(found) == ["vae", "gan"]


def test_twice_the_speed_weighs_as_much_as_half_the_memory():
    assert cost(2000.0, 1_000_000) == pytest.approx(cost(1000.0, 500_000))
    assert cost(2000.0, 1_000_000) < cost(1000.0, 1_000_000)


# --- promote ------------------------------------------------------------------------------


def test_the_best_of_each_family_goes_on():
    ranked = [standing(n, i) for i, n in enumerate(["vae", "vae-wide", "gan-free", "gan"])]
    assert names(promote(ranked, 2)) == ["vae", "gan-free"]
    assert names(promote(ranked, 3)) == ["vae", "vae-wide", "gan-free"]


def test_one_family_fills_the_places_of_the_other():
    ranked = [standing("vae", 0.0), standing("vae-wide", 1.0)]
    assert names(promote(ranked, 2)) == ["vae", "vae-wide"]
    assert names(promote(ranked[:1], 2)) == ["vae"]
