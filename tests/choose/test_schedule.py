import itertools

import pytest

from ectype.choose.schedule import GROWTH, SELECTION_SHARE, halving, last_training


@pytest.mark.parametrize(
    ("candidates", "counts"), [(2, [2]), (3, [3, 2]), (4, [4, 2]), (7, [7, 4, 2])]
)
def test_half_go_on_until_two_are_left(candidates, counts):
    rungs = halving(candidates, 600.0)
    assert [count for count, _ in rungs] == counts
    times = [seconds for _, seconds in rungs]
    assert [b / a for a, b in itertools.pairwise(times)] == pytest.approx(
        [GROWTH] * (len(times) - 1)
    )
    assert sum(count * seconds for count, seconds in rungs) == pytest.approx(SELECTION_SHARE * 600)


def test_the_winner_trains_for_about_half_of_the_budget():
    budget = 1200.0
    left = budget * (1 - SELECTION_SHARE)
    assert last_training(left, report=60.0, overhead=0.1) >= 0.5 * budget


def test_the_last_training_and_its_overhead_end_in_time_for_the_report():
    seconds = last_training(700.0, report=40.0, overhead=0.1)
    assert 1.1 * seconds + 40.0 == pytest.approx(700.0)
    assert last_training(30.0, report=40.0, overhead=0.1) == 0.0
