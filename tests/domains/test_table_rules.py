"""Rules hold in every row, whatever the networks make; conditions say what they say."""

import numpy as np
import pandas as pd
import pytest
import torch

from ectype.domains.table.domain import TableDomain
from ectype.errors import DataError, UsageError
from tests.domains.tables import prepared, table_spec

RULES = (
    "start <= end; net + tax = total; positive: net; fixed: city, land; unique: id; "
    "net <= total; tax <= net"
)


def orders(n=600, seed=0):
    random = np.random.default_rng(seed)
    net = random.lognormal(3, 1, n).round(2)
    tax = (net * random.uniform(0, 0.3, n)).round(2)
    city = random.choice(["Rom", "Köln", "Bonn", "Pisa"], n)
    land = np.where(np.isin(city, ["Rom", "Pisa"]), "Italy", "Germany")
    start = pd.Timestamp("2021-01-01") + pd.to_timedelta(random.integers(0, 300, n), unit="D")
    end = start + pd.to_timedelta(random.integers(0, 5000, n), unit="min")
    return pd.DataFrame(
        {
            "id": np.arange(n) + 7000,
            "start": start,
            "end": pd.Series(end).mask(random.random(n) < 0.2),
            "net": net,
            "tax": tax,
            "total": (net + tax).round(2),
            "city": city,
            "land": pd.Series(land).mask(random.random(n) < 0.05),
        }
    )


def test_rules_hold_in_all_rows_even_of_noise():
    frame = orders()
    dataset = prepared(frame, rules=RULES)
    assert not dataset.rejects
    domain, spec = TableDomain(), table_spec(dataset.spec)
    size, n = spec.coding.layout.size, 100_000
    noise = 2 * torch.randn(n, size, generator=torch.Generator().manual_seed(0))
    rows = domain.from_network(noise, spec)
    assert spec.keeping is not None
    assert spec.keeping.valid(rows).all()
    out = domain.present(rows, spec)
    assert (out["start"] <= out["end"]).mask(out["end"].isna(), True).all()
    assert ((out["net"] + out["tax"] - out["total"]).abs() < 1e-6).all()
    assert (out["net"] > 0).all()
    assert (out["tax"] <= out["net"]).all()
    seen = set(map(tuple, frame[["city", "land"]].fillna("?").to_numpy()))
    assert set(map(tuple, out[["city", "land"]].fillna("?").to_numpy())) <= seen
    assert out["id"].is_unique
    assert not set(out["id"]) & set(frame["id"])
    assert out["end"].isna().mean() > 0.05


def test_rows_that_keep_the_rules_are_left_as_they_are():
    dataset = prepared(orders(), rules=RULES)
    keeping = table_spec(dataset.spec).keeping
    assert keeping is not None
    kept = keeping.kept(dataset.items)
    assert np.array_equal(kept, dataset.items, equal_nan=True)


def test_rows_that_break_a_rule_are_left_out_and_named(tmp_path):
    path = tmp_path / "data.csv"
    lines = [f"{i},{i % 50 / 10},{i % 50 / 10 + 1}" for i in range(60)]
    lines[3] = "3,9.0,1.0"
    lines[8] = "2,0.8,1.8"
    path.write_text("\n".join(["k,low,high", *lines]) + "\n")
    dataset = prepared(path, rules="low <= high; unique: k")
    assert [(r.item, r.reason) for r in dataset.rejects] == [
        ("line 5", "it breaks the rule low <= high"),
        ("line 10", "it breaks the rule “2” is in column “k” before"),
    ]
    assert len(dataset.items) == 58
    with pytest.raises(DataError, match="line 2: it breaks the rule high <= low, and so do 59 of"):
        prepared(path, rules="high <= low")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("net is big", "“net is big” is no rule"),
        ("nett <= total", "there is no column “nett”"),
        ("net <= city", "“net <= city” cannot be kept: “city” is of the kind category"),
        ("positive: id", "“positive: id” cannot be kept: “id” is of the kind identifier"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules, said):
    with pytest.raises(UsageError) as refused:
        prepared(orders(), rules=rules)
    assert said in refused.value.message


def met(text, dataset):
    found = TableDomain().conditions(text, table_spec(dataset.spec))
    out = TableDomain().present(dataset.items, table_spec(dataset.spec))
    return out[found.meets(dataset.items)], found.label


def test_conditions_choose_rows():
    dataset = prepared((orders(), "city"))
    out = TableDomain().present(dataset.items, table_spec(dataset.spec))
    rows, label = met("net>=20,tax<3.5", dataset)
    assert len(rows) == ((out["net"] >= 20) & (out["tax"] < 3.5)).sum() > 0
    assert label is None
    rows, label = met("city=Köln, land!=Italy", dataset)
    assert label == "Köln"
    assert len(rows) == ((out["land"] != "Italy") & out["land"].notna()).sum()
    rows, _ = met("start<2021-03-01", dataset)
    assert len(rows) == (out["start"] < "2021-03-01").sum() > 0
    rows, _ = met("land=missing", dataset)
    assert len(rows) == out["land"].isna().sum() > 0
    rows, _ = met("city!=Rom", dataset)
    assert len(rows) == (out["city"] != "Rom").sum()


def test_values_may_hold_signs_and_commas(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b\n" + '">50K",1\n"<=50K, or so",2\n' * 30)
    dataset = prepared(path)
    for text, value in (("a=>50K", ">50K"), ("a=<=50K, or so,b>0", "<=50K, or so")):
        rows, _ = met(text, dataset)
        assert set(rows["a"]) == {value}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age>3", "does not begin with a column's name"),
        ("net>big", "“big” is no number"),
        ("city=Cologne", "“city” is never “Cologne”"),
        ("city>Rom", "its values have no order"),
        ("start>soon", "“soon” is no date"),
    ],
)
def test_conditions_that_make_no_sense_are_refused(text, said):
    with pytest.raises(UsageError) as refused:
        met(text, prepared(orders()))
    assert said in refused.value.message
