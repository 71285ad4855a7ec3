"""Figures of tables, against slow references and other packages, and on what they should catch."""

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ectype.measures.privacy import closest, membership
from ectype.measures.support import alpha_precision, beta_recall
from ectype.measures.table import (
    associated,
    column_shapes,
    correlations,
    cramers_v,
    exact_copies,
    kolmogorov_smirnov,
    mean_trend,
    missing_error,
    pair_trends,
    total_variation,
)
from ectype.measures.trees import two_sample_trees, usefulness

NAMES = np.array([False, False, True, True])


def ks(a, b):
    result: Any = stats.ks_2samp(a, b)
    return result.statistic


def rows(n, seed, gaps=0.1):
    """Two numbers that go together, and two names of which one follows from a number."""
    random = np.random.default_rng(seed)
    a = random.normal(size=n)
    b = a + random.normal(size=n)
    c = (a > 0).astype(float) + (random.random(n) < 0.1)
    d = random.integers(0, 3, n).astype(float)
    table = np.stack([a, b, c, d], 1)
    table[random.random(n) < gaps, 1] = np.nan
    table[random.random(n) < gaps, 3] = np.nan
    return table


def test_distances_of_distributions():
    random = np.random.default_rng(0)
    a, b = random.normal(size=200).round(1), random.normal(0.3, 1, 300).round(1)
    assert kolmogorov_smirnov(a, b) == pytest.approx(ks(a, b))
    assert kolmogorov_smirnov(np.append(a, np.nan), b) == kolmogorov_smirnov(a, b)
    assert total_variation(np.array([0, 0, 1]), np.array([1, 2])) == pytest.approx(2 / 3)


def test_shapes_are_one_less_the_distances():
    real, made = rows(400, 0), rows(300, 1)
    found = column_shapes(real, made, NAMES)
    a, b = real[:, 1], made[:, 1]
    assert found[1] == pytest.approx(1 - ks(a[~np.isnan(a)], b[~np.isnan(b)]))
    share = [
        [np.mean(np.isnan(t[:, 3])), *[np.mean(t[:, 3] == v) for v in range(3)]]
        for t in (real, made)
    ]
    assert found[3] == pytest.approx(1 - np.abs(np.array(share[0]) - share[1]).sum() / 2)
    assert (column_shapes(real, real, NAMES) == 1).all()


def test_correlations_take_rows_that_have_both():
    table = rows(500, 0, gaps=0.3)
    found = correlations(table)
    for i, j in itertools.combinations(range(4), 2):
        both = ~np.isnan(table[:, [i, j]]).any(1)
        assert found[i, j] == pytest.approx(np.corrcoef(table[both][:, [i, j]].T)[0, 1], abs=0.02)
    whole = rows(500, 0, gaps=0)
    assert np.allclose(correlations(whole), np.corrcoef(whole.T))
    assert correlations(np.ones((5, 2)))[0, 1] == 0


def test_trends_are_those_of_pairs():
    real, made = rows(800, 0, gaps=0), rows(700, 1, gaps=0)
    found = pair_trends(real, made, NAMES)
    difference = np.corrcoef(real[:, :2].T)[0, 1] - np.corrcoef(made[:, :2].T)[0, 1]
    assert found[0, 1] == pytest.approx(1 - abs(difference) / 2)
    edges = np.histogram_bin_edges(real[:, 0], 10)[1:-1]
    tables = []
    for t in (real, made):
        counts = np.zeros((10, 3))
        np.add.at(counts, (np.digitize(t[:, 0], edges), t[:, 2].astype(int)), 1)
        tables.append(counts / len(t))
    assert found[0, 2] == pytest.approx(1 - np.abs(tables[0] - tables[1]).sum() / 2)
    assert np.isnan(found.diagonal()).all()
    assert np.allclose(found, found.T, equal_nan=True)


def test_names_of_many_kinds_do_not_fall_together():
    kinds = np.arange(20_000.0)
    real = np.stack([kinds, kinds % 2], 1)
    both = np.array([True, True])
    assert pair_trends(real, real, both)[0, 1] == 1
    moved = np.stack([kinds, (kinds + 1) % 2], 1)
    assert pair_trends(real, moved, both)[0, 1] == pytest.approx(0)


def test_what_goes_together_is_as_scipy_has_it():
    table = rows(2000, 0, gaps=0)
    table[:, 3] = np.where(np.random.default_rng(0).random(2000) < 0.5, table[:, 2], 0)
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (table[:, 2].astype(int), table[:, 3].astype(int)), 1)
    plain = stats.contingency.association(counts, "cramer")
    n, terms = len(table), 2 / (len(table) - 1)  # of three kinds and three: (3 - 1)² / (n - 1)
    expected = ((2 * plain**2 - 2 * terms) / (2 - 2 * terms)) ** 0.5
    found = cramers_v(table[:, 2].astype(int), table[:, 3].astype(int))
    assert found == pytest.approx(expected)
    assert found == pytest.approx(plain, abs=2 / n)
    random = np.random.default_rng(1)
    many, few = random.integers(0, 300, n), random.integers(0, 3, n)
    assert cramers_v(many, few) < 0.1  # without the correction .39
    assert cramers_v(np.arange(n), few) == 0  # every value once: nothing can be told
    assert cramers_v(np.zeros(5, int), np.arange(5)) == 0
    together = associated(table, NAMES)
    assert together[2, 3]
    assert together[0, 1] == (abs(np.corrcoef(table[:, :2].T)[0, 1]) > 0.5)
    assert not together.diagonal().any()
    assert (together == together.T).all()


def test_the_mean_trend_is_of_pairs_that_go_together():
    real = rows(3000, 0, gaps=0)
    apart = np.random.default_rng(0).permuted(real, axis=0)
    scores, together = pair_trends(real, apart, NAMES), associated(real, NAMES)
    assert mean_trend(real, apart, NAMES) == pytest.approx(scores[together].mean())
    assert mean_trend(real, apart, NAMES) < np.nanmean(scores)
    # of columns that have nothing to do with one another all count
    assert mean_trend(apart, apart[::-1], NAMES) == 1


def test_shuffled_columns_have_shapes_and_no_trends():
    real = rows(3000, 0)
    shuffled = np.random.default_rng(0).permuted(real, axis=0)
    assert column_shapes(real, shuffled, NAMES).min() == 1
    assert pair_trends(real, shuffled, NAMES)[0, 1] < 0.7
    assert two_sample_trees(real, shuffled, NAMES) > 0.75
    assert 0.45 < two_sample_trees(real, rows(3000, 1), NAMES) < 0.55


def test_missing_patterns():
    together, apart = rows(2000, 0, gaps=0), rows(2000, 1, gaps=0)
    random = np.random.default_rng(0)
    gone = random.random(2000) < 0.2
    together[gone, 0] = together[gone, 1] = np.nan
    apart[gone, 0] = apart[random.permutation(gone), 1] = np.nan
    # the columns lack as much in both, never together in one and at random in the other
    assert missing_error(together, apart) == pytest.approx(2 * 0.2 * 0.8, abs=0.03)
    assert missing_error(together, together[::-1]) == 0


def test_exact_copies_are_found_with_their_gaps():
    train = rows(100, 0)
    made = np.concatenate([train[3:5], rows(50, 1), train[90:91]])
    flags = exact_copies(made, train)
    assert np.flatnonzero(flags).tolist() == [0, 1, 52]


def test_usefulness_is_that_of_what_it_was_learned_from():
    real, new = rows(3000, 0), rows(2000, 1)
    shuffled = np.random.default_rng(0).permuted(real, axis=0)
    assert usefulness(real, new, NAMES, 2) > 0.85
    assert usefulness(shuffled, new, NAMES, 2) == pytest.approx(0.5, abs=0.1)
    assert usefulness(real, new, NAMES, 0) > 0.5
    constant = real.copy()
    constant[:, 2] = 1
    with pytest.raises(ValueError, match="never varies"):
        usefulness(constant, new, NAMES, 2)


def features(n, seed, width=6, scale=1.0, shift=0.0):
    random = np.random.default_rng(seed)
    return (shift + scale * random.normal(size=(n, width))).astype(np.float32)


def test_alpha_precision_and_beta_recall():
    real, same = features(1500, 0), features(1500, 1)
    assert alpha_precision(real, same) > 0.95
    narrow, far = features(1500, 1, scale=0.3), features(1500, 1, shift=9.0)
    assert alpha_precision(real, narrow) < 0.4
    assert alpha_precision(real, far) < 0.1
    assert beta_recall(real, same) > beta_recall(real, narrow)
    assert beta_recall(real, far) < 0.1
    assert beta_recall(real, real) > 0.95


def test_alarms_ring_for_copies():
    train, held_out = features(800, 0), features(800, 1)
    fresh, copied = features(800, 2), train + 1e-3
    assert closest(fresh, train) > 100 * closest(copied, train)
    assert membership(fresh, train, held_out) == pytest.approx(0.5, abs=0.05)
    assert membership(copied, train, held_out) > 0.99
