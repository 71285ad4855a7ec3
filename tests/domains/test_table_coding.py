"""Stored rows to network rows and back, and what is drawn in between."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from ectype.domains.table.columns import FEWEST_IN_CELL, MOST_CELLS, cells, frequent
from ectype.domains.table.features import RowFeatures
from ectype.measures.table import kolmogorov_smirnov
from ectype.nets.rows import MOST_IN_ONE_STEP, Rows
from tests.domains.tables import prepared, table_spec


def frame(n=3000, seed=0):
    """Every kind of column, with missing values and rare names."""
    random = np.random.default_rng(seed)
    spread = random.lognormal(3, 1, n).round(2)
    capped = np.minimum(random.exponential(1, n), 2).round(3)
    zipf = np.minimum(random.zipf(1.3, n), 1900)
    gap = random.random(n) < 0.3
    return pd.DataFrame(
        {
            "spread": spread,
            "capped": np.where(capped < 0.3, 0.0, capped),
            "whole": random.poisson(3, n),
            "gappy": np.where(gap, np.nan, random.normal(size=n)),
            "city": np.array([f"city {v}" for v in zipf]),
            "kind": pd.Series(random.choice(["a", "b"], n)).mask(random.random(n) < 0.1),
            "day": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(random.integers(0, 2000, n), unit="D"),
        }
    )


@pytest.fixture(scope="module")
def dataset():
    return prepared(frame())


def test_rows_survive_the_way_through_the_networks(dataset):
    spec, items = table_spec(dataset.spec), dataset.items[dataset.parts["train"]]
    x = spec.coding.encode(torch.from_numpy(items))
    assert x.dtype == torch.float32
    assert x.shape[1] == spec.coding.layout.size
    back = spec.coding.decode(x)
    assert np.array_equal(np.isnan(back), np.isnan(items))
    for position, column in enumerate(spec.modelled):
        error = np.abs(back[:, position] - items[:, position])
        width = np.nanmax(items[:, position]) - np.nanmin(items[:, position])
        exact = column.kind not in ("number", "date") or all(
            low == high for low, high in zip(column.lows, column.highs, strict=True)
        )
        assert np.nanmax(error) <= (0 if exact else 0.02 * width), column.name


def test_codes_and_rows_are_inverse(dataset):
    layout = table_spec(dataset.spec).coding.layout
    rows, generator = Rows(layout), torch.Generator().manual_seed(0)
    codes = torch.stack(
        [torch.randint(block.codes, (4000,), generator=generator) for block in layout.blocks], 1
    )
    x = rows.rows(codes, torch.rand(codes.shape, generator=generator))
    assert torch.equal(rows.codes(x), codes)
    again = torch.zeros_like(codes)
    for step, choice in enumerate(rows.to_steps(codes).unbind(1)):
        column, choices, _ = layout.steps[step]
        assert int(choice.max()) < choices <= MOST_IN_ONE_STEP
        again[:, column] = rows.told(step, again[:, column], choice)
    assert torch.equal(again, codes)


def test_columns_drawn_by_their_frequencies_look_like_the_data(dataset):
    """Codes as often as in the data, places at random: every column must come out as it was."""
    spec, items = table_spec(dataset.spec), dataset.items[dataset.parts["train"]]
    rows, generator = Rows(spec.coding.layout), torch.Generator().manual_seed(0)
    codes = rows.codes(spec.coding.encode(torch.from_numpy(items))).repeat(10, 1)
    drawn = spec.coding.decode(rows.rows(codes, torch.rand(codes.shape, generator=generator)))
    for position, column in enumerate(spec.modelled):
        real, made = items[:, position], drawn[:, position]
        assert np.isnan(made).mean() == pytest.approx(np.isnan(real).mean(), abs=1e-9)
        real, made = real[~np.isnan(real)], made[~np.isnan(made)]
        assert kolmogorov_smirnov(real, made) < 0.02, column.name
        assert made.min() >= real.min()
        assert made.max() <= real.max()
    spread = drawn[:, 0]
    assert np.array_equal(spread, spread.round(2))


def test_cells_hold_recurring_values_alone_and_the_rest_by_ranks():
    random = np.random.default_rng(0)
    values = np.where(random.random(20_000) < 0.5, 7.0, random.normal(size=20_000))
    found = cells(values, None)
    lows, highs = np.array(found["lows"]), np.array(found["highs"])
    uppers = np.array(found["uppers"])
    assert len(lows) <= MOST_CELLS + 2
    assert uppers[-1] == pytest.approx(1)
    at = np.flatnonzero((lows == 7) & (highs == 7))
    assert len(at) == 1
    share = np.diff(np.append(0, uppers))
    assert share[at[0]] == pytest.approx((values == 7).mean())
    assert (lows[1:] >= highs[:-1]).all()
    assert (share * len(values)).min() >= 1
    middle = np.delete(share, at[0]) * len(values)
    assert np.quantile(middle, 0.1) >= FEWEST_IN_CELL


def test_values_that_recur_are_told_one_by_one():
    found = cells(np.repeat([1.0, 2.0, 5.0], [3, 300, 2]), 0)
    assert found["lows"] == found["highs"] == [1, 2, 5]


def test_frequent_values_come_first_and_the_rest_shares_a_place():
    counts = np.array([1, 500, 0, 7, *[2] * 30])
    order, kept, shares = frequent(counts)
    assert order[:2].tolist() == [1, 3]
    assert kept == 2
    assert shares[29] == pytest.approx(60 / 61)
    assert shares[-1] == 1
    assert len(shares) == len(counts) - kept


def test_rare_names_are_drawn_as_often_as_they_stand_in_the_data(dataset):
    spec = table_spec(dataset.spec)
    city = next(i for i, c in enumerate(spec.modelled) if c.name == "city")
    column = spec.modelled[city]
    assert column.shares
    rows, n = Rows(spec.coding.layout), 20_000
    codes = torch.zeros(n, len(spec.modelled), dtype=torch.int64)
    codes[:, city] = spec.coding.layout.blocks[city].codes - 1
    place = torch.rand(codes.shape, generator=torch.Generator().manual_seed(0))
    drawn = spec.coding.decode(rows.rows(codes, place))[:, city]
    counts = np.bincount(drawn.astype(int) - column.kept, minlength=len(column.shares))
    expected = np.diff(np.append(0, column.shares))
    assert np.abs(counts / n - expected).sum() / 2 < 0.06
    assert drawn.min() >= column.kept


def test_features_are_about_as_wide_in_every_column(dataset):
    spec, items = table_spec(dataset.spec), dataset.items
    features = RowFeatures(spec.modelled)(items)
    assert np.isfinite(features).all()
    assert features[:, 0].std() == pytest.approx(1, abs=0.05)
    two = items[:2].copy()
    two[1] = two[0]
    kind = next(i for i, c in enumerate(spec.modelled) if c.name == "kind")
    two[0, kind], two[1, kind] = 0, 1
    first, second = RowFeatures(spec.modelled)(two)
    assert np.linalg.norm(first - second) == pytest.approx(1)


def test_a_spec_survives_json(dataset):
    import json

    spec = table_spec(dataset.spec)
    again = table_spec(type(spec).from_json(json.loads(json.dumps(spec.to_json()))))
    assert again.table == spec.table
    x = spec.coding.encode(torch.from_numpy(dataset.items[:50]))
    assert np.array_equal(again.coding.decode(x), spec.coding.decode(x), equal_nan=True)
    assert dataclasses.asdict(again.table[0]) == again.columns[0]
