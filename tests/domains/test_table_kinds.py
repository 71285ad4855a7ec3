import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from ectype.domains.table.forms import dates, numbers, write_date, write_number
from ectype.domains.table.identifiers import make, template
from ectype.domains.table.kinds import Raw, find
from ectype.domains.table.sources import open_table
from ectype.errors import DataError, UsageError


def raw(texts, name="x"):
    known = list(dict.fromkeys(texts))
    codes = np.array([known.index(text) for text in texts], np.int32)
    return Raw(name=name, codes=codes, values=known, lines=[i + 2 for i in range(len(texts))])


def kind(texts, name="x"):
    return find(raw(texts, name)).column.kind


RANDOM = np.random.default_rng(0)
WORDS = [f"{a}{b}" for a in "bcdf" for b in "aeiou"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([f"{v:.2f}" for v in RANDOM.normal(size=50)], "number"),
        ([str(v) for v in RANDOM.integers(0, 9, 50)], "integer"),
        ([f"1e{i % 7}" for i in range(50)], "integer"),
        (["yes", "no"] * 25, "boolean"),
        (["TRUE", "FALSE", ""] * 25, "boolean"),
        (["red", "blue", "green"] * 20, "category"),
        ([f"city {i % 25}" for i in range(75)], "category"),
        (["1", "2", "3+"] * 20, "category"),
        ([f"{i:05d}" for i in range(1000, 1050)] * 2, "category"),
        ([f"2020-01-{i:02d}" for i in range(1, 29)], "date"),
        ([f"{i}/{i + 1}/2021 10:30" for i in range(1, 11)], "date"),
        (["12:30", "13:45", "09:05"] * 9, "date"),
        ([f"C-{i:04d}" for i in range(50)], "identifier"),
        ([str(i) for i in RANDOM.permutation(50)], "identifier"),
        ([" ".join(RANDOM.choice(WORDS, 9)) for _ in range(50)], "text"),
        (["same"] * 9, "constant"),
        (["", "NA", "?"] * 9, "constant"),
    ],
)
def test_kinds_are_found(texts, expected):
    found = find(raw(texts))
    assert found.column.kind == expected
    assert found.column.evidence


def test_whole_numbers_that_differ_are_identifiers_only_by_name():
    spread = [str(v) for v in RANDOM.permutation(10_000)[:60]]
    assert kind(spread, "price") == "integer"
    assert kind(spread, "customer_id") == "identifier"


@pytest.mark.parametrize(
    "texts",
    [
        ["1", "22", "-3"],
        ["1.50", "22.00", "-3.25"],
        ["0.5", "1.25", "3.0"],
        ["1,5", "22,25", "-3,0"],
        ["1,234", "22", "1,234,567"],
        ["1.234,5", "22,0", "1.234.567,5"],
        ["$5.00", "$1,200.50", "$0.25"],
        ["5 %", "12 %", "99 %"],
        ["1 234", "22", "1 234 567"],
        ["0,567", "1,250", "52,520"],
        ["1.234,50", "5.678,25"],
        ["-$3.00", "$1,200.50"],
        ["$-3.00", "$1,200.50"],
    ],
)
def test_numbers_are_written_as_they_were_read(texts):
    values, form = numbers(texts)
    assert np.isfinite(values).all()
    assert [write_number(v, form) for v in values.tolist()] == texts


def test_three_digits_behind_a_comma():
    for comma, expected in ((False, [1250, 52520]), (True, [1.25, 52.52])):
        values, _ = numbers(["1,250", "52,520"], comma=comma)
        assert values.tolist() == expected
    values, _ = numbers(["1,250", "1,234,567"], comma=True)
    assert values.tolist() == [1250, 1234567]


@pytest.mark.parametrize(
    "texts",
    [
        ["2020-01-31", "1969-07-20"],
        ["31.01.2020", "20.07.1969"],
        ["1/31/2020", "7/20/1969"],
        ["2020-01-31T10:30:05Z", "1969-07-20T00:00:01Z"],
        ["2020-01-31 10:30", "1969-07-20 23:59"],
        ["31 Jan 2020", "20 Jul 1969"],
        ["10:30", "23:05"],
        ["1/2/2013 9:05", "11/12/2013 10:00"],
        ["1/2/2013 09:05", "11/12/2013 10:00"],
        ["2013-01-02 9:05:07", "2013-11-12 10:00:00"],
        ["1/2/05 9:05", "11/12/13 10:00"],
        ["2013-1-2", "2013-11-12"],
        ["3.1.2013", "13.11.2013"],
        ["3 Jan 2013", "13 Nov 2013"],
        ["Jan 3, 2013", "Nov 13, 2013"],
        ["9:00", "10:05"],
        ["9:05 AM", "12:00 PM", "12:30 AM"],
        ["2013-01-02T03:04:05.678Z", "2013-01-02T03:04:05.070Z"],
        ["2013-01-02 03:04:05.000678", "2013-01-02 03:04:05.050000"],
        ["2013-01-02 03:04:05.0", "2013-01-02 03:04:06.0"],
    ],
)
def test_dates_are_written_as_they_were_read(texts):
    found = dates(texts)
    assert found is not None
    values, form = found
    assert [write_date(v, form) for v in values.tolist()] == texts


def test_day_and_month_stand_as_in_a_known_format():
    for known, expected in (("", "%d/%m/%Y"), ("%m/%d/%Y %H:%M", "%m/%d/%Y")):
        found = dates(["03/04/2013", "05/06/2013"], known)
        assert found is not None
        assert found[1]["format"] == expected


def test_whole_numbers_that_no_float_holds_are_names():
    large = 2**62
    texts = [str(large + i % 3) for i in range(60)]
    found = find(raw(texts))
    assert (found.column.kind, found.names) == ("category", list(dict.fromkeys(texts)))
    assert kind([str(large + 9 * i) for i in range(60)]) == "identifier"
    assert kind([f"{i % 7}e20" for i in range(60)]) == "integer"
    frame = pd.DataFrame({"again": [large + i % 3 for i in range(60)]})
    frame["own"] = pd.array([None, *(large + 9 * i for i in range(59))], dtype="Int64")
    again, own = (find(raw) for raw in open_table(frame).columns)
    assert (again.column.kind, again.names) == ("category", [large, large + 1, large + 2])
    assert own.column.kind == "identifier"
    assert own.column.template["next"] == large + 9 * 58 + 1


def test_large_whole_numbers_of_parquet_with_gaps(tmp_path):
    path = tmp_path / "data.parquet"
    large = [2**62, 2**62 + 1, None]
    parquet.write_table(pa.table({"large": large * 9, "small": [1, 2, None] * 9}), path)
    found = find(open_table(path).columns[0])
    assert found.names == large[:2]


def test_mixed_values_are_named_by_line_and_column():
    texts = [str(v) for v in RANDOM.normal(size=99)] + ["oops"]
    with pytest.raises(DataError, match="line 101, column “x”: “oops” is no number, and 99 of 100"):
        find(raw(texts))
    assert find(raw(texts), "category").column.kind == "category"
    with pytest.raises(DataError, match="line 101, column “x”: “oops” is no integer"):
        find(raw(texts), "integer")
    days = [f"2020-{m:02d}-{d:02d}" for m in range(1, 13) for d in range(1, 9)] + ["soon"]
    with pytest.raises(DataError, match="line 98, column “x”: “soon” is no date"):
        find(raw(days))


def test_a_second_header_line_is_seen_as_one():
    with pytest.raises(DataError, match="line 2, column “x”: “years” is no number") as refused:
        find(raw(["years", *map(str, RANDOM.normal(size=50))]))
    assert "second header line" in str(refused.value.hint)


def test_wishes():
    texts = ["1", "2", "3"] * 20
    assert find(raw(texts), "category").column.kind == "category"
    with pytest.raises(UsageError, match="no kind of column “colour”"):
        find(raw(texts), "colour")


def test_missing_values_are_written_as_they_were():
    found = find(raw(["1", "NA", "2", "NA", ""] * 5))
    assert found.column.missing == "NA"
    assert np.isnan(found.stored).sum() == 15


def test_typed_sources():
    frame = pd.DataFrame(
        {
            "f": [0.5, 1.25, None, 3.0] * 10,
            "i": pd.array([1, 2, None, 4] * 10, dtype="Int64"),
            "b": [True, False] * 20,
            "c": pd.Categorical(["x", "y"] * 20),
            "t": pd.date_range("2020-01-01", periods=40, tz="Europe/Berlin"),
        }
    )
    found = [find(raw).column for raw in open_table(frame).columns]
    assert [c.kind for c in found] == ["number", "integer", "boolean", "category", "date"]
    with pytest.raises(DataError, match="row 1, column “m”: its values are of several types"):
        find(open_table(pd.DataFrame({"m": [1, "a", 2.5] * 9})).columns[0])


def test_types_of_arrow_and_objects(tmp_path):
    day, moment = datetime.date(2020, 1, 31), datetime.datetime(2020, 1, 31, 9, 5)
    zone = pa.timestamp("us", "Europe/Berlin")
    arrays = {
        "day": pa.array([day, None] * 20),
        "price": pa.array([Decimal("1.50"), Decimal("3.00")] * 20),
        "own": pa.array([Decimal(2**62 + i) for i in range(40)]),
        "time": pa.array([datetime.time(9, 5), datetime.time(10)] * 20),
        "moment": pa.array([moment, None] * 20, zone),
    }
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table(arrays), path)
    backed = pa.table(arrays).to_pandas(types_mapper=pd.ArrowDtype)
    for source in (path, backed):
        columns = [find(raw).column for raw in open_table(source).columns]
        assert [c.kind for c in columns] == ["date", "number", "identifier", "date", "date"]
        assert columns[1].decimals == 1
        assert columns[2].template["next"] == 2**62 + 40
        assert [c.form["step"] for c in columns[3:]] == [60, 60]
    far = pd.DataFrame({"day": [datetime.date(9999, 12, 31), day] * 20})
    assert find(open_table(far).columns[0]).column.kind == "date"
    cut = pd.DataFrame({"cut": pd.cut(pd.Series([1, 2, 3] * 9), 2)})
    assert find(open_table(cut).columns[0]).names == ["(0.998, 2.0]", "(2.0, 3.0]"]


def test_types_that_no_column_has_are_named():
    frame = pd.DataFrame({"took": pd.to_timedelta([1, 2, 3] * 9, unit="h")})
    with pytest.raises(DataError, match=r"“took” is of the type timedelta64.*Timedelta"):
        find(open_table(frame).columns[0])


def test_wishes_for_typed_columns():
    frame = pd.DataFrame({"seq": range(11, 61), "day": pd.date_range("2020-01-01", periods=50)})
    seq, day = open_table(frame).columns
    assert find(seq).column.kind == "identifier"
    found = find(seq, "integer")
    assert found.column.kind == "integer"
    assert found.stored.tolist() == [*range(11, 61)]
    with pytest.raises(DataError, match="“11” is no date"):
        find(seq, "date")
    with pytest.raises(DataError, match="is no number"):
        find(day, "number")


@pytest.mark.parametrize(
    "real",
    [
        [*range(100, 200)],
        [f"{i:06d}" for i in range(50)],
        [f"C-{i:04d}-{'abc'[i % 3]}" for i in range(60)],
        [f"{int(v):08x}-4a" for v in RANDOM.integers(0, 2**31, 80)],
        ["short", "longer", "the longest"],
        ["a", "b", "c"],
    ],
)
def test_identifiers_are_new_and_all_different(real):
    made = make(template(real), 0, 500)
    later = make(template(real), 500, 10)
    assert len(set(made) | set(later)) == 510
    assert not {*map(str, made)} & {*map(str, real)}
    assert make(template(real), 100, 5) == made[100:105]
    assert all(isinstance(value, type(real[0])) for value in made)
