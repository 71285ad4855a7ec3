"""Neighbourhood measures against their definitions, spelled out over all pairs."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ectype.measures.neighbours import Neighbourhoods, neighbourhoods


def points(n: int, d: int = 8, seed: int = 0, shift: float = 0) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, d), dtype=np.float32) + np.float32(shift)


def slow_neighbourhoods(
    real: NDArray[np.float32], generated: NDArray[np.float32], k: int
) -> Neighbourhoods:
    def distances(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.linalg.norm(x[:, None].astype(np.float64) - y[None], axis=2)

    def radii(x: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.sort(distances(x, x), axis=1)[:, k]  # column 0 is the item itself

    across = distances(real, generated)
    in_real = across <= radii(real)[:, None]
    in_generated = across <= radii(generated)[None]
    return Neighbourhoods(
        precision=float(in_real.any(0).mean()),
        recall=float(in_generated.any(1).mean()),
        density=float(in_real.sum() / (k * len(generated))),
        coverage=float(in_real.any(1).mean()),
    )


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("n", "m", "shift"), [(60, 60, 0), (50, 80, 0.7), (80, 50, 100)])
def test_agrees_with_the_definitions(n: int, m: int, shift: float, k: int):
    real, generated = points(n), points(m, seed=1, shift=shift)
    assert neighbourhoods(real, generated, k=k) == slow_neighbourhoods(real, generated, k)


@pytest.mark.parametrize("block", [1, 7, 64, None])
@pytest.mark.parametrize("offset", [0, 1000])
def test_neither_the_block_nor_the_origin_matters(block: int | None, offset: float):
    """Whole numbers make ties everywhere, where rounding could flip a comparison."""
    generator = np.random.default_rng(0)
    real, generated = (generator.integers(0, 4, (64, 6)).astype(np.float32) for _ in range(2))
    expected = slow_neighbourhoods(real, generated, 5)
    assert neighbourhoods(real + offset, generated + offset, block=block) == expected


def test_a_set_covers_itself():
    real = points(200, d=64).astype(np.float32)
    result = neighbourhoods(real, real[::-1])
    # Every closed ball holds its own centre and exactly k neighbours.
    assert result == Neighbourhoods(precision=1, recall=1, density=6 / 5, coverage=1)


def test_two_samples_of_one_distribution():
    result = neighbourhoods(points(600), points(600, seed=1))
    assert result.precision > 0.9
    assert result.recall > 0.9
    assert result.density == pytest.approx(1, abs=0.15)
    assert result.coverage > 0.9


def test_noise_far_away_is_nowhere():
    result = neighbourhoods(points(100), points(100, seed=1, shift=50))
    assert result == Neighbourhoods(precision=0, recall=0, density=0, coverage=0)


def test_one_real_item_repeated_is_precise_and_covers_nothing():
    real = points(500, d=32)
    result = neighbourhoods(real, np.repeat(real[:1], 500, axis=0))
    assert result.precision == 1
    assert result.recall == 1 / 500  # its own original, at distance zero
    assert result.coverage < 0.05


def test_copies_are_at_distance_zero():
    """With more than k copies of each real item every ball has radius 0, and still holds them."""
    real = np.repeat(points(50, d=200), 8, axis=0)
    result = neighbourhoods(real, real[::-1], block=7)
    assert result == Neighbourhoods(precision=1, recall=1, density=8 / 5, coverage=1)


@pytest.mark.parametrize(
    ("real", "generated", "message"),
    [
        (points(5), points(50), "more than k items, not 5"),
        (points(50), points(5), "more than k items, not 5"),
        (points(50), points(50, d=7), "of one d"),
        (points(50), points(50)[0], "of one d"),
        (points(50), np.full((50, 8), np.nan, dtype=np.float32), "NaN or infinity"),
    ],
)
def test_what_has_no_neighbours_is_named(
    real: NDArray[np.float32], generated: NDArray[np.float32], message: str
):
    with pytest.raises(ValueError, match=message):
        neighbourhoods(real, generated)
