"""Tables from files and from memory, as columns of codes and different values."""

from __future__ import annotations

import dataclasses
import importlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ectype.domains.base import Reject
from ectype.domains.files import existing_path
from ectype.domains.table.csv import check_names, read_csv
from ectype.domains.table.kinds import MOST_EXACT, Raw
from ectype.errors import DataError, UsageError

CSV = (".csv", ".tsv", ".tab", ".psv")
COMPRESSED = (".gz", ".bz2", ".xz")
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as it was read.

    Attributes:
        columns: as they came.
        rows: how many.
        form: how it is written, to write samples the same way; plain JSON.
        where: what it is called in messages.
        rejects: rows that were left out.
        notes: what was found, a sentence each.
    """

    columns: list[Raw]
    rows: int
    form: dict[str, Any]
    where: str
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def is_table(source: Any) -> bool:
    """Whether a source is a table: by the suffix of a file, by the type of an object."""
    source, _ = with_label(source)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return path.is_file() and _suffix(path) in (*CSV, *PARQUET)
    return is_frame(source)


def with_label(source: Any) -> tuple[Any, str | None]:
    """A table and the name of its label, where a pair of both was given."""
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[1], str):
        return source
    return source, None


def is_frame(source: Any) -> bool:
    """Whether an object is a pandas DataFrame; pandas is not loaded to see that."""
    kind = type(source)
    return kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"


def open_table(source: Any, encoding: str | None = None) -> Table:
    """Read a table.

    Args:
        source: path of a CSV or Parquet file, or a pandas DataFrame; or a pair of that and the
            name of the label.
        encoding: of a CSV file; None to find it out.

    Raises:
        DataError: it is no table; the message names line and column.
        UsageError: the path does not exist, or a package that is needed.
    """
    source, _ = with_label(source)
    if is_frame(source):
        return _from_frame(source, "the DataFrame", {"type": "frame"})
    if not isinstance(source, str | os.PathLike):
        message = f"a table is a path or a pandas DataFrame, not a {type(source).__name__}"
        raise UsageError(message, hint="for instance pandas.DataFrame(…)")
    path = existing_path(source)
    if _suffix(path) in PARQUET:
        return _from_parquet(path)
    records = read_csv(path, encoding)
    triples = zip(records.names, records.codes, records.texts, strict=True)
    return Table(
        columns=[
            Raw(
                name=name,
                codes=codes,
                values=[*texts],
                lines=records.lines,
                comma=records.dialect.separator == ";",
            )
            for name, codes, texts in triples
        ],
        rows=len(records.lines),
        form={"type": "csv", **dataclasses.asdict(records.dialect)},
        where=str(path),
        rejects=records.rejects,
        notes=records.notes,
    )


def need(name: str) -> Any:
    """A package of the extra `table`.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        message = f"this needs the package {package}, which is not installed"
        raise UsageError(message, hint="pip install 'ectype[table]'") from None


def _suffix(path: Path) -> str:
    """The suffix in small letters, that of a compression left out."""
    name = path.name.lower()
    for compressed in COMPRESSED:
        name = name.removesuffix(compressed)
    return Path(name).suffix


def _from_parquet(path: Path) -> Table:
    arrow, parquet = need("pyarrow"), need("pyarrow.parquet")
    need("pandas")
    try:
        table = parquet.read_table(path)
        frame = table.to_pandas(integer_object_nulls=any(map(_outgrows_floats, table.columns)))
    except (arrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the file is no whole Parquet file: {reason}", where=str(path), hint="write it again"
        ) from error
    return _from_frame(frame, str(path), {"type": "parquet"})


def _outgrows_floats(column: Any) -> bool:
    """Whether an Arrow column holds gaps and whole numbers: pandas would make them floats."""
    if not column.null_count or str(column.type) not in ("int64", "uint64"):
        return False
    bounds = need("pyarrow.compute").min_max(column).as_py()
    return any(abs(bound or 0) > MOST_EXACT for bound in bounds.values())


def _from_frame(frame: Any, where: str, form: dict[str, Any]) -> Table:
    names = [str(name) for name in frame.columns]
    check_names(names, "the header", where)
    if not names or not len(frame):
        message = f"the table has {len(names)} columns and {len(frame):,} rows"
        raise DataError(message, where=where, hint="at least a column and some rows are needed")
    columns = [_raw(name, frame.iloc[:, i]) for i, name in enumerate(names)]
    return Table(columns=columns, rows=len(frame), form=form, where=where)


def _raw(name: str, series: Any) -> Raw:
    """A pandas column as codes and different values; days and times as seconds since 1970."""
    pandas = need("pandas")
    codes, values = pandas.factorize(series)
    dtype, kind = str(series.dtype), pandas.api.types.infer_dtype(values)
    if kind in ("datetime64", "datetime"):
        dtype = str(pandas.DatetimeIndex(values).dtype)
        moments = pandas.to_datetime(values, utc=True).tz_localize(None).as_unit("us")
        plain = [micro / 1e6 for micro in moments.asi8.tolist()]
    elif kind == "date":
        dtype = "date"
        plain = np.array([*values], "datetime64[s]").astype(np.int64).astype(float).tolist()
    elif kind == "time":
        dtype = "time"
        plain = [t.hour * 3600 + t.minute * 60 + t.second + t.microsecond / 1e6 for t in values]
    elif kind == "decimal":  # large ones may be identifiers, so whole ones stay exact
        dtype = "object"
        plain = [int(v) if v == v.to_integral_value() else float(v) for v in values]
    else:
        plain = [value.item() if isinstance(value, np.generic) else value for value in values]
        plain = [str(v) if isinstance(v, str | pandas.Interval) else v for v in plain]
        dtype = "object" if kind == "interval" else dtype
    return Raw(name=name, codes=codes.astype(np.int32), values=plain, dtype=dtype)
