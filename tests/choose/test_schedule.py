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


def test_the_winner_trains_for_most_of_the_budget():
    budget = 1200.0
    left = budget * (1 - SELECTION_SHARE)
    assert last_training(left - 60.0, [(12.0, 5.0), (36.0, 5.4)]) >= 0.8 * budget


@pytest.mark.parametrize(
    ("overheads", "beside"),
    [
        ([(50.0, 5.0)], lambda seconds: 0.1 * seconds),
        ([(20.0, 5.0), (50.0, 5.0)], lambda seconds: 5.0),
        ([(20.0, 5.0), (50.0, 8.0)], lambda seconds: 3.0 + 0.1 * seconds),
        ([(20.0, 9.0), (50.0, 8.0)], lambda seconds: 8.0),
        ([(1.0, 9.0), (20.0, 5.0), (50.0, 8.0)], lambda seconds: 3.0 + 0.1 * seconds),
    ],
)
def test_the_last_training_and_what_comes_beside_it_fit_in(overheads, beside):
    seconds = last_training(700.0, overheads)
    assert seconds + beside(seconds) == pytest.approx(700.0)
    assert last_training(4.0, [(50.0, 5.0), (60.0, 5.0)]) == 0.0
