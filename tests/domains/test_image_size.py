"""The working size follows the data, and the budget."""

import numpy as np
import pytest

from ectype.config import Budget
from ectype.domains.image.size import choose_size, parse_size, size_cap


@pytest.mark.parametrize(
    ("sizes", "cap", "expected"),
    [
        ([(28, 28)] * 3, 32, (28, 28)),  # all equal and small: kept
        ([(27, 35)] * 3, 32, (27, 35)),
        ([(64, 64)] * 3, 32, (32, 32)),
        ([(64, 48)] * 3, 64, (64, 48)),
        ([(64, 48)] * 3, 32, (36, 28)),
        ([(4000, 3000)] * 2 + [(3000, 2000)], 64, (72, 56)),
        ([(3000, 4000)] * 3 + [(10, 10)], 64, (56, 72)),
        ([(400, 300)] * 5 + [(300, 400)] * 5, 64, (64, 64)),  # half upright: square
        ([(20, 21), (20, 20), (21, 20)], 64, (20, 20)),  # never enlarged
        ([(50, 30), (51, 30)], 64, (48, 28)),
        ([(5, 5)] * 3, 32, (8, 8)),
        ([(3000, 100)] * 3, 32, (64, 16)),
        ([(2000, 10)] * 3, 32, (64, 8)),
    ],
)
def test_choice(sizes, cap, expected):
    width, height, why = choose_size(np.array(sizes), cap)
    assert (width, height) == expected
    assert why.endswith(".")


@pytest.mark.parametrize(
    ("budget", "device", "cap"),
    [
        (Budget(seconds=900), "cpu", 32),
        (Budget(seconds=901), "cpu", 64),
        (Budget(seconds=7201), "cpu", 128),
        (Budget(seconds=900), "cuda", 64),
        (Budget(seconds=7200), "cuda:1", 128),
        (Budget(seconds=1e6), "cuda", 256),
        (Budget(steps=1_000_000), "cpu", 32),
        (Budget(steps=10), "cuda", 64),
    ],
)
def test_cap(budget, device, cap):
    assert size_cap(budget, device) == cap


def test_texts():
    assert parse_size("auto") is None
    assert parse_size("64x48") == (64, 48)
    assert parse_size("64") == (64, 64)
    assert parse_size("64 × 48") == (64, 48)
