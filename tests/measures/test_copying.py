"""Copies are found, new items are not, however few items there are."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import hypergeom

from ectype.measures.copying import near_copies, nearer_to_train, nearest


def points(n: int, d: int = 16, seed: int = 0, shift: float = 0) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, d), dtype=np.float32) + np.float32(shift)


def slow_distances(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.linalg.norm(x[:, None].astype(float) - y[None], axis=2)


def test_nearest_agrees_with_all_pairs():
    x, y = points(40), points(60, seed=1)
    distances = slow_distances(x, y)
    indices, found = nearest(x, y)
    np.testing.assert_array_equal(indices, distances.argmin(1))
    np.testing.assert_allclose(found, distances.min(1), rtol=1e-6)
    assert indices.dtype == np.int64
    assert not nearest(x, x[::-1])[1].any()


@pytest.mark.parametrize(("t", "follow"), [(800, 10), (60, 6), (5, 1)])
def test_near_copies_agree_with_the_rule_spelled_out(t: int, follow: int):
    train, held_out = points(t), points(30, seed=1)
    generated = points(55, seed=2)
    generated[50:] = train[:5] + 0.4 * points(5, seed=3)
    found = near_copies(generated, train, held_out)
    for x, flags in ((generated, found.flags), (held_out, found.floor_flags)):
        ordered = np.sort(slow_distances(x, train), axis=1)
        expected = ordered[:, 0] < ordered[:, 1 : follow + 1].mean(1) / 2
        np.testing.assert_array_equal(flags, expected)
    assert found.share == found.flags.mean()
    assert found.floor == found.floor_flags.mean()


@pytest.mark.parametrize(("t", "m"), [(2000, 200), (200, 20)])
def test_copies_are_named_and_new_items_are_not(t: int, m: int):
    train, held_out = points(t, d=64), points(m, d=64, seed=1)
    slightly_off = train[:100] + 0.2 * points(100, d=64, seed=2)
    new = points(100, d=64, seed=3)
    found = near_copies(np.concatenate([new, slightly_off]), train, held_out)
    assert found.flags.tolist() == [False] * 100 + [True] * 100
    assert found.floor == 0

    copied = nearer_to_train(slightly_off, train, held_out)
    assert copied.value == 1
    assert copied.interval[0] > 0.6
    low, high = nearer_to_train(points(400, d=64, seed=3), train, held_out).interval
    assert low < 0.5 < high


def test_items_are_the_near_copies_worst_first():
    train = points(300)
    generated = points(40, seed=1)
    for index, distance in ((7, 0.3), (3, 0.0), (30, 0.1)):
        generated[index] = train[index] + distance * points(1, seed=2)[0]
    assert near_copies(generated, train, points(20, seed=3)).items.tolist() == [3, 30, 7]


def test_a_copy_of_an_item_that_the_training_set_holds_twice_is_found():
    train = np.repeat(points(100), 2, axis=0)
    found = near_copies(train[:50], train, points(20, seed=1))
    assert found.share == 1
    assert found.floor == 0


def test_a_copy_in_a_set_of_one_item_is_one():
    train = np.repeat(points(1), 40, axis=0)
    assert near_copies(train[:5], train, points(20, seed=1)).share == 1


def test_training_items_learned_by_heart_give_one_and_held_out_ones_zero():
    train, held_out = points(300), points(100, seed=1)
    noise = 1e-3 * points(100, seed=2)
    assert nearer_to_train(train[:100] + noise, train, held_out).value == 1
    assert nearer_to_train(held_out + noise, train, held_out).value == 0


def test_at_equal_sizes_the_value_is_the_share_nearer_to_train_and_ties_count_half():
    samples, train, held_out = points(200), points(50, seed=1), points(50, seed=2)
    to_train, to_held_out = (slow_distances(samples, x).min(1) for x in (train, held_out))
    found = nearer_to_train(samples, train, held_out).value
    assert found == pytest.approx((to_train < to_held_out).mean(), rel=1e-12)

    line = np.array([[0.0], [1.0], [2.0], [3.0]], dtype=np.float32)
    ends = (np.array([[at], [-5.0]], dtype=np.float32) for at in (1, 3))
    assert nearer_to_train(line, *ends).value == pytest.approx((1 + 1 + 0.5 + 0) / 4)
    assert nearer_to_train(samples, train, train[::-1]).value == 0.5


@pytest.mark.parametrize(("n", "m"), [(100, 100), (300, 60)])
def test_the_interval_holds_a_half_19_times_in_20_where_the_split_is_chance(n: int, m: int):
    """Samples of another distribution than the items': a model need not be good to be honest."""
    held, values = 0, []
    for trial in range(300):
        found = nearer_to_train(
            points(150, d=3, seed=3 * trial, shift=0.5),
            points(n, d=3, seed=3 * trial + 1),
            points(m, d=3, seed=3 * trial + 2),
        )
        values.append(found.value)
        held += found.interval[0] <= 0.5 <= found.interval[1]
    assert np.median(values) == pytest.approx(0.5, abs=0.02)
    assert 0.91 <= held / 300 <= 0.985


def test_noise_whose_nearest_items_are_the_same_few_proves_nothing():
    """Far away, one item is nearest to all samples; that it was trained on is chance."""
    samples = points(300, shift=100)
    found = nearer_to_train(samples, points(1000, seed=1), points(100, seed=2))
    assert found.interval[0] < 0.5 < found.interval[1]


def test_the_interval_rests_on_draws_without_replacement():
    """Samples that sit on items one to one make q hypergeometric."""
    n, m = 60, 40
    items = points(n + m)
    found = nearer_to_train(items[:50], items[:n], items[n:])
    # 50 of 100 items are hit: the held-out share of the hits is a hypergeometric number over 50.
    reach = 1.96 * hypergeom(n + m, 50, m).std() / 50
    assert found.value == 1
    assert found.interval[0] == pytest.approx(((1 - reach) / n) / ((1 - reach) / n + reach / m))


@pytest.mark.parametrize(
    ("samples", "message"),
    [(points(5, d=15), "of one d"), (points(5) * np.nan, "NaN or infinity")],
)
def test_features_that_do_not_match_are_named(samples: NDArray[np.float32], message: str):
    with pytest.raises(ValueError, match=message):
        near_copies(samples, points(50), points(50))
    with pytest.raises(ValueError, match=message):
        nearer_to_train(samples, points(50), points(50))
