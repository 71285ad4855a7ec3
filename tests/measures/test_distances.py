"""Quick distances against distances spelled out, where rounding could show."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ectype.measures.distances import blocks, exact, nearest_rows, points, slack


def features(n: int, d: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((n, d), dtype=np.float32)


def slow_squares(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.square(x[:, None].astype(float) - y[None]).sum(2)


@pytest.mark.parametrize("offset", [0, 100])
def test_rounding_of_a_block_is_bounded(offset: float):
    x, y = features(70, 300) + np.float32(offset), features(50, 300, seed=1) + np.float32(offset)
    a, b = points(x, y)
    quick = torch.cat([squared for _, squared in blocks(a, b, block=16)]).numpy()
    error = np.abs(quick - slow_squares(x, y))
    assert (error < slack(a, b).numpy() / 3).all()


def test_exact_distances_agree_to_float32_of_a_difference():
    x, y = features(40, 30), features(40, 30, seed=1)
    i, j = torch.arange(40).flip(0), torch.arange(40)
    expected = slow_squares(x, y)[i.numpy(), j.numpy()]
    np.testing.assert_allclose(exact(*_pair(x, y, i, j)).numpy(), expected, rtol=1e-6)
    same = exact(*_pair(x, x, j, j))
    assert not same.any()


def _pair(x: NDArray[np.float32], y: NDArray[np.float32], i: torch.Tensor, j: torch.Tensor):
    a, b = points(x, y)
    return a, i, b, j


@pytest.mark.parametrize("others", [False, True])
@pytest.mark.parametrize("block", [1, 7, None])
@pytest.mark.parametrize("k", [1, 5, 19])
def test_nearest_rows_are_those_of_a_full_sort(k: int, block: int | None, others: bool):
    x = features(20, 4)
    y = x if others else features(25, 4, seed=1)
    squares = slow_squares(x, y)
    if others:
        np.fill_diagonal(squares, np.inf)
    order = np.argsort(squares, axis=1)[:, :k]
    a, b = points(x, y)
    indices, distances = nearest_rows(a, a if others else b, k, others=others, block=block)
    np.testing.assert_array_equal(indices.numpy(), order)
    np.testing.assert_allclose(distances, np.take_along_axis(squares, order, 1), rtol=1e-6)


def test_neighbours_that_rounding_would_exchange_are_in_order():
    """Far from the centre, float32 products cannot tell 0, 0.01 and 0.02 apart."""
    far = np.float32(1000)
    items = np.array([[far + 0.02], [far], [far + 0.01], [-far]], dtype=np.float32)
    x, y = points(np.concatenate([items[1:2], -items[1:2]]), items)
    indices, distances = nearest_rows(x, y, 3)
    assert indices[0].tolist() == [1, 2, 0]
    assert distances[0, 0] == 0


def test_no_memory_grows_with_both_sets():
    x, y = points(features(500, 3), features(400, 3, seed=1))
    sizes = {tuple(squared.shape) for _, squared in blocks(x, y, block=100)}
    assert sizes == {(100, 400)}


def test_arrays_that_may_not_be_written_to_are_taken():
    x = features(10, 3)
    x.flags.writeable = False
    a, b = points(x, x)
    assert nearest_rows(a, b)[0].flatten().tolist() == list(range(10))
