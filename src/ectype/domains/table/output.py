"""Stored rows as people have them: texts in a file, columns of a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ectype.domains.table.columns import NAMES, NUMBERS, Column
from ectype.domains.table.forms import write_date, write_number
from ectype.domains.table.identifiers import make
from ectype.domains.table.sources import need

#: A longer text is cut where rows are shown in columns.
_WIDEST = 32
#: Rows that are written at a time.
AT_ONCE = 8192


def texts(column: Column, stored: np.ndarray | None, start: int, n: int) -> list[str]:
    """The values of one column as texts.

    Args:
        column: what is known of it.
        stored: its stored values (n,); None where it is not modelled.
        start: position of the first row among all that are written.
        n: how many rows.
    """
    if column.kind == "identifier":
        return [str(value) for value in make(column.template, start, n)]
    if stored is None:
        return ["" if column.value is None else str(column.value)] * n
    gap = column.missing or ""
    found, inverse = np.unique(stored, return_inverse=True)
    if column.kind in NAMES:
        known = [str(value) for value in column.values]
        written = [gap if np.isnan(value) else known[int(value)] for value in found]
    elif column.kind == "date" and column.form["format"]:
        written = [gap if np.isnan(v) else write_date(v, column.form) for v in found.tolist()]
    elif column.kind == "date":
        seconds = found * column.form["step"]
        moments = (seconds * 1e6).round().astype("datetime64[us]").astype(str)
        written = [gap if np.isnan(v) else str(m) for v, m in zip(found, moments, strict=True)]
    else:
        written = [gap if np.isnan(v) else write_number(v, column.form) for v in found.tolist()]
    return [written[i] for i in inverse.tolist()]


def frame(columns: Sequence[Column], stored: np.ndarray, start: int = 0) -> Any:
    """Stored rows (n, modelled columns) as a pandas DataFrame, each column in its dtype."""
    pandas = need("pandas")
    position = iter(range(stored.shape[1]))
    shown = [column for column in columns if column.kind != "text"]
    series = {}
    for column in shown:
        values = stored[:, next(position)] if column.modelled else None
        series[column.name] = _series(pandas, column, values, start, len(stored))
    return pandas.DataFrame(series)


def _series(pandas: Any, column: Column, values: np.ndarray | None, start: int, n: int) -> Any:
    dtype = column.form.get("dtype") or None
    if column.kind == "identifier":
        return pandas.Series(make(column.template, start, n), dtype=dtype)
    if values is None:
        gone = column.value is None or (column.value == column.missing)
        return pandas.Series([None if gone else column.value] * n, dtype=dtype)
    if column.kind in NAMES:
        found = np.empty(len(column.values) + 1, dtype=object)
        found[:-1], found[-1] = column.values, None
        index = np.where(np.isnan(values), len(column.values), values).astype(np.int64)
        if dtype == "category":
            kinds = sorted(column.values, key=str)
            return pandas.Series(pandas.Categorical(found[index], categories=kinds))
        return pandas.Series(found[index], dtype=dtype)
    if column.kind == "date":
        return _moments(pandas, values, column.form["step"], dtype)
    if dtype is None:
        whole = column.kind == "integer" and not np.isnan(values).any()
        dtype = "int64" if whole else "float64"
    if dtype in ("object", "str", "string"):
        return pandas.Series(values)
    if dtype.startswith(("Int", "UInt", "Float")):
        return pandas.Series(pandas.array(values, dtype="Float64")).astype(dtype)
    return pandas.Series(values).astype(dtype)


def _moments(pandas: Any, values: np.ndarray, step: float, dtype: str | None) -> Any:
    gap = np.isnan(values)
    micro = np.where(gap, 0, values * step * 1e6).round().astype(np.int64)
    moments = pandas.Series(micro.astype("datetime64[us]")).mask(gap)
    if dtype is None:
        return moments
    if dtype in ("date", "time"):  # objects of Python, in Parquet a type of their own
        return moments.dt.date if dtype == "date" else moments.dt.time
    zone = dtype.partition(", ")[2].rstrip("]")
    moments = moments.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else moments
    return moments.astype(dtype)


def write_rows(
    blocks: Iterable[np.ndarray], columns: Sequence[Column], form: dict[str, Any], folder: Path
) -> Path:
    """Write stored rows, block by block, as one file of the form that was read.

    A DataFrame's rows become a CSV file. Memory holds some thousand rows at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    blocks = _larger(blocks)
    if form["type"] == "parquet":
        return _write_parquet(blocks, columns, folder / "samples.parquet")
    shown = [column for column in columns if column.kind != "text"]
    suffix = ".tsv" if form.get("separator") == "\t" else ".csv"
    path = folder / f"samples{suffix}"
    writer = CsvWriter(path, form, [column.name for column in shown])
    start = 0
    try:
        for stored in blocks:
            writer.append(all_texts(shown, stored, start))
            start += len(stored)
    finally:
        writer.close()
    return path


def _larger(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The same rows in blocks of `AT_ONCE` or a little more, since every block has its cost."""
    held: list[np.ndarray] = []
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) >= AT_ONCE:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def all_texts(shown: Sequence[Column], stored: np.ndarray, start: int = 0) -> list[list[str]]:
    """The texts of all shown columns, column by column."""
    position = iter(range(stored.shape[1]))
    return [
        texts(c, stored[:, next(position)] if c.modelled else None, start, len(stored))
        for c in shown
    ]


def aligned(
    columns: Sequence[Column], stored: np.ndarray, rows: int = 64, group: int | None = None
) -> str:
    """The first rows as text in columns of one width, numbers to the right.

    Where a group is given, an empty line stands behind every so many rows.
    """
    shown = [column for column in columns if column.kind != "text"]
    lines = []
    for column, values in zip(shown, all_texts(shown, stored[:rows]), strict=True):
        cells = [column.name, *(value[:_WIDEST] for value in values)]
        width = max(map(len, cells))
        right = column.kind in NUMBERS
        lines.append([cell.rjust(width) if right else cell.ljust(width) for cell in cells])
    head, *body = ["  ".join(row).rstrip() for row in zip(*lines, strict=True)]
    size = group or len(body) or 1
    groups = ["\n".join(body[start : start + size]) for start in range(0, len(body), size)]
    return "\n".join([head, "\n\n".join(groups)]) + "\n"


def _write_parquet(blocks: Iterable[np.ndarray], columns: Sequence[Column], path: Path) -> Path:
    arrow, parquet = need("pyarrow"), need("pyarrow.parquet")
    writer, start = None, 0
    for stored in blocks:
        part = arrow.Table.from_pandas(frame(columns, stored, start), preserve_index=False)
        if writer is None:
            writer = parquet.ParquetWriter(path, part.schema)
        writer.write_table(part.cast(writer.schema))
        start += len(stored)
    if writer is not None:
        writer.close()
    return path


class CsvWriter:
    """Appends rows to a CSV file written as a dialect says."""

    def __init__(self, path: Path, form: dict[str, Any], names: Sequence[str]):
        self.separator = form.get("separator", ",")
        self.quote = form.get("quote", '"')
        self.escape = form.get("escape")
        self.newline = form.get("newline", "\n")
        self._file = path.open("w", encoding=form.get("encoding", "utf-8"), newline="")
        if form.get("header", True):
            self.append([[name] for name in names])

    def append(self, columns: Sequence[Sequence[str]]) -> None:
        """Write rows, given column by column."""
        quoted = [self._quoted(column) for column in columns]
        lines = [self.separator.join(row) for row in zip(*quoted, strict=True)]
        self._file.write(self.newline.join(lines) + self.newline)

    def close(self) -> None:
        """Bring all to the file."""
        self._file.close()

    def _quoted(self, column: Sequence[str]) -> list[str]:
        known = {text: self._quote(text) for text in set(column)}
        return [known[text] for text in column]

    def _quote(self, text: str) -> str:
        if not any(sign in text for sign in (self.separator, self.quote, "\n", "\r")):
            return text if text == text.lstrip() else f"{self.quote}{text}{self.quote}"
        inner = text.replace(self.quote, (self.escape or self.quote) + self.quote)
        return f"{self.quote}{inner}{self.quote}"
