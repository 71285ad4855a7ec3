"""Grids show every item at its place."""

import numpy as np
import pytest

from ectype.domains.grids import grid, grid_shape


@pytest.mark.parametrize(
    ("count", "columns", "expected"),
    [
        (1, None, (1, 1)),
        (5, None, (2, 3)),
        (16, None, (4, 4)),
        (17, None, (4, 5)),
        (17, 8, (3, 8)),
        (3, 8, (1, 3)),
    ],
)
def test_shape(count, columns, expected):
    assert grid_shape(count, columns) == expected


def test_small_items_are_enlarged_by_a_whole_factor():
    items = np.random.default_rng(0).integers(0, 256, (5, 16, 12, 3), np.uint8)
    page = grid(items, columns=2)
    assert page.shape == (3 * 66 + 2, 2 * 50 + 2, 3)
    third = page[2 + 66 : 2 + 66 + 64, 2 : 2 + 48]
    np.testing.assert_array_equal(third[::4, ::4], items[2])
    np.testing.assert_array_equal(third[3::4, 3::4], items[2])
    assert (page[2 + 2 * 66 :, 52:] == 255).all()


def test_large_items_keep_their_size():
    assert grid(np.zeros((1, 100, 80, 1), np.uint8)).shape == (104, 84, 3)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_shown_on_checks(channels):
    items = np.zeros((1, 64, 64, channels), np.uint8)
    items[0, :32, :, -1] = 255
    page = grid(items)[2:-2, 2:-2]
    assert (page[:32] == 0).all()
    assert set(np.unique(page[32:])) == {232, 255}
