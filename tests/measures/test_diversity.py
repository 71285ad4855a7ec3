"""The effective number of items against closed forms and the full matrix of similarities."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ectype.measures.diversity import effective_number


def slow_number(x: NDArray[np.float64], centre: NDArray[np.float64]) -> float:
    directions = (x - centre) / np.linalg.norm(x - centre, axis=1, keepdims=True)
    shares = np.linalg.eigvalsh(directions @ directions.T / len(x))
    shares = shares[shares > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))


@pytest.mark.parametrize(("n", "d"), [(30, 8), (30, 30), (8, 30)])
def test_agrees_with_the_matrix_of_all_pairs(n: int, d: int):
    generator = np.random.default_rng(0)
    x, centre = generator.standard_normal((n, d)) + 5, np.full(d, 4.9)
    assert effective_number(x, centre) == pytest.approx(slow_number(x, centre), rel=1e-6)


@pytest.mark.parametrize("copies", [1, 7])
def test_directions_at_right_angles_are_counted_however_often_each_comes(copies: int):
    x = np.repeat(np.eye(9)[:5] * 3, copies, axis=0)
    assert effective_number(x, np.zeros(9)) == pytest.approx(5, rel=1e-9)
    assert effective_number(x + 100, np.full(9, 100.0)) == pytest.approx(5, rel=1e-9)


def test_one_item_repeated_is_one():
    x = np.repeat(np.random.default_rng(0).standard_normal((1, 6)), 40, axis=0)
    assert effective_number(x, np.zeros(6)) == pytest.approx(1, rel=1e-9)


def test_an_item_at_the_centre_itself_has_no_direction_and_is_no_fault():
    assert effective_number(np.zeros((4, 3)), np.zeros(3)) == 1


@pytest.mark.parametrize(
    ("x", "message"),
    [(np.ones(3), "not \\(3,\\)"), (np.ones((4, 2)), "centre"), (np.full((4, 3), np.nan), "NaN")],
)
def test_what_has_no_diversity_is_named(x: NDArray[np.float64], message: str):
    with pytest.raises(ValueError, match=message):
        effective_number(x, np.zeros(3))
