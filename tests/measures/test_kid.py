"""The kernel distance against its formula, pair by pair."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ectype.measures.kid import kernel_distance


def features(n: int, d: int = 7, seed: int = 0, shift: float = 0) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, d), dtype=np.float32) + np.float32(shift)


def slow_distance(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    def k(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
        return (sum(float(p) * float(q) for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    xy = sum(k(a, b) for a in x for b in y) / (n * m)
    return xx + yy - 2 * xy


@pytest.mark.parametrize(("n", "m", "shift"), [(30, 30, 0), (30, 20, 0.5), (2, 3, 10)])
def test_agrees_with_the_formula(n: int, m: int, shift: float):
    x, y = features(n), features(m, seed=1, shift=shift)
    assert kernel_distance(x, y) == pytest.approx(slow_distance(x, y), rel=1e-6)


def test_closed_form_of_two_points():
    """All of x at 0 and all of y at (a, ..., a): k is 1, 1 and (a^2 + 1)^3."""
    x, y = np.zeros((5, 4), dtype=np.float32), np.full((6, 4), 2, dtype=np.float32)
    assert kernel_distance(x, y) == 1 + 5**3 - 2


def test_unbiased_at_any_n_unlike_a_mean_over_all_pairs():
    """On average 0 between sets of one distribution, whole or cut into subsets."""
    for subset in (100, 4):
        draws = [
            kernel_distance(features(8, seed=2 * i), features(8, seed=2 * i + 1), subset=subset)
            for i in range(400)
        ]
        assert abs(np.mean(draws)) < 3 * np.std(draws) / len(draws) ** 0.5


def test_subsets_estimate_the_same_whatever_the_order_of_the_items():
    x, y = features(3000), features(3000, seed=1, shift=0.3)
    order = np.argsort(x[:, 0])  # sorted, as items are that come folder by folder
    whole = kernel_distance(x, y, subset=3000)
    assert kernel_distance(x[order], y, subset=300) == pytest.approx(whole, rel=0.1)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (features(1), "n >= 2"),
        (features(5)[0], "n >= 2"),
        (features(5, d=6), "of one d"),
        (np.full((5, 7), np.inf, dtype=np.float32), "NaN or infinity"),
    ],
)
def test_what_has_no_kernel_is_named(x: NDArray[np.float32], message: str):
    with pytest.raises(ValueError, match=message):
        kernel_distance(x, features(5))
