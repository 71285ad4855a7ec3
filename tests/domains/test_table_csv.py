import gzip

import numpy as np
import pytest

from ectype.domains.table.csv import read_csv
from ectype.domains.table.output import CsvWriter
from ectype.domains.table.sources import is_table, open_table
from ectype.errors import DataError

ROWS = [["Ann", "1.5", "x, y"], ["Bœuf", "2", 'say "no"'], ["C", "", "two\nlines"]]


def content(separator=",", newline="\n"):
    def quoted(text):
        return '"' + text.replace('"', '""') + '"' if set(text) & set(f'{separator}"\n') else text

    lines = [["name", "size", "note"], *ROWS]
    return "".join(separator.join(map(quoted, line)) + newline for line in lines)


def columns(records):
    pairs = zip(records.codes, records.texts, strict=True)
    return [[texts[i] for i in codes] for codes, texts in pairs]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_any_common_csv_is_read(separator, encoding, newline, tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(content(separator, newline).encode(encoding))
    records = read_csv(path)
    assert records.names == ["name", "size", "note"]
    assert [list(row) for row in zip(*columns(records), strict=True)] == ROWS
    assert records.lines == [2, 3, 4]
    assert records.dialect.separator == separator
    assert records.dialect.newline == newline


def test_single_quotes_and_escapes_are_seen(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b\n" + "".join(f"'x, {i}','it is {i}'\n" for i in range(9)))
    assert columns(read_csv(path))[0] == [f"x, {i}" for i in range(9)]
    path.write_text('a,b\n"say \\"no\\"",1\n"x",2\n')
    assert columns(read_csv(path))[0] == ['say "no"', "x"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("'s-Gravenhage", "'s-Gravenhage"),
        ("the boys'", "the boys'"),
        ("\"['a', 'b', 'c']\"", "['a', 'b', 'c']"),
    ],
)
def test_apostrophes_are_no_quotes(field, value, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("price,place,note\n" + "".join(f"{i},{field},x\n" for i in range(40)))
    records = read_csv(path)
    assert columns(records)[1] == [value] * 40
    assert records.dialect.quote == '"'


def test_compressed_files_and_lines_after_line_breaks(tmp_path):
    path = tmp_path / "data.csv.gz"
    path.write_bytes(gzip.compress(b'a,b\n"1\n2",3\n4,5\n'))
    assert read_csv(path).lines == [2, 4]
    assert is_table(path)
    (tmp_path / "data.txt").write_text("no table")
    assert not is_table(tmp_path / "data.txt")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DataError, match="cannot be decompressed"):
        read_csv(path)


def test_a_file_without_a_header(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("1,a\n2,b\n")
    records = read_csv(path)
    assert records.names == ["column 1", "column 2"]
    assert columns(records) == [["1", "2"], ["a", "b"]]
    assert "no header" in records.notes[-1]


@pytest.mark.parametrize(
    ("first", "second", "header"),
    [
        ("country,1990,1995", "Chad,5.1,6.2", True),
        ("born,1990,1995", "Ann,1950,1985", False),
        ("size,1990,1990", "x,5,6", False),
        ("size,1990", "x,5", False),
        ("size,1990,12", "x,5,6", False),
    ],
)
def test_years_may_name_columns(first, second, header, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(f"{first}\n{second}\n")
    assert read_csv(path).dialect.header == header


def many(lines, count=300):
    return "a,b,c\n" + "1,2,3\n" * count + lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1 should name the columns"),
        ("\n\n", "line 1 should name the columns"),
        ("a,b\n", "line 1 names 2 columns, and no row follows"),
        ("a,b,a\n1,2,3\n", "line 1: columns 1 and 3 are both named “a”"),
        ("a,b\n1,2,3\n1,2,3\n1,2\n", "line 2: it has 3 fields, 2 are named: “3” in column 3"),
        ("a,b,c\n1,2\n1\n1,2,3\n", "line 2: it has 2 fields of 3: column 3 “c” is missing"),
        ("a,b\nx,y\na, b\n", "line 3: from column 1 “a” on it repeats the header of line 1"),
        ("a,b\n1,\0\n", "line 2 holds a zero byte"),
    ],
)
def test_bad_files_are_refused_by_line_and_column(text, said, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(DataError) as refused:
        read_csv(path)
    assert said in refused.value.message
    assert refused.value.where == str(path)


def test_a_few_ragged_lines_are_left_out_and_named(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(many("7,8\n9,9,9\n"))
    records = read_csv(path)
    assert len(records.lines) == 301
    assert [(r.item, r.reason) for r in records.rejects] == [
        ("line 302", "it has 2 fields of 3: column 3 “c” is missing")
    ]


def test_wrong_encodings_are_named_by_line_and_column(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes("a,b\nx,y\nx,é\n".encode("cp1252"))
    records = read_csv(path)
    assert columns(records)[1] == ["y", "é"]
    assert "line 3, column 2: 0xe9 is no UTF-8" in records.notes[0]
    with pytest.raises(DataError, match="line 3, column 2: the byte 0xe9 is no utf-8"):
        read_csv(path, "utf-8")
    path.write_bytes(b"a,b\nx,\x81\n")
    with pytest.raises(DataError, match="line 2, column 2: the byte 0x81 is neither"):
        read_csv(path)
    with pytest.raises(DataError, match="no encoding “klingon”"):
        read_csv(path, "klingon")


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(content(";", "\r\n").encode("utf-8-sig"))
    table = open_table(path)
    again = tmp_path / "again.csv"
    writer = CsvWriter(again, table.form, ["name", "size", "note"])
    writer.append([*map(list, zip(*ROWS, strict=True))])
    writer.close()
    assert again.read_bytes() == path.read_bytes()


def test_parquet_that_is_damaged_or_empty(tmp_path):
    import pandas as pd

    path = tmp_path / "data.parquet"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="no whole Parquet file"):
        open_table(path)
    with pytest.raises(DataError, match="1 columns and 0 rows"):
        open_table(pd.DataFrame({"a": np.array([], float)}))
    twice = pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"])
    with pytest.raises(DataError, match="columns 1 and 2 are both named “a”"):
        open_table(twice)
