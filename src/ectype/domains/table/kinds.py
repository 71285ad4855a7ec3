"""What kind of values a column has, and by what evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from ectype.domains.table.columns import FEW_VALUES, KINDS, Column, Kind
from ectype.domains.table.forms import MOSTLY, dates, decimals_of, is_missing, numbers, step_of
from ectype.domains.table.identifiers import template
from ectype.errors import DataError, UsageError

#: Whole numbers beyond this are not all floats: they are kept as names.
MOST_EXACT = 2**53
#: Texts of more words than this on average, and mostly different ones, are free text.
FREE_TEXT_WORDS = 4.0
#: Share of different values from which texts are free text or identifiers.
MOSTLY_DIFFERENT = 0.9
#: Names of columns that hold identifiers.
_IDENTIFIERS = re.compile(
    r"(^|[_\W])(id|uid|uuid|guid|key|identifier|nr|no|number|code)$|[a-z]I[Dd]$"
)
_BOOLEANS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}, {"0", "1"}, {"on", "off"})


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A column as it was read.

    Attributes:
        name: in the header.
        codes: index of each row's value, int32 (n,), −1 where there is none.
        values: the different values: texts, or numbers, booleans or dates of a typed source.
        dtype: of a typed source (`int64`, `category`, `date`, …), else empty.
        lines: line of each row in the file, or None.
        comma: whether the file is of a kind whose numbers have a decimal comma.
    """

    name: str
    codes: np.ndarray
    values: list[Any]
    dtype: str = ""
    lines: list[int] | None = None
    comma: bool = False

    def place(self, index: int) -> str:
        """Where the first row with the value of an index stands."""
        row = int(np.flatnonzero(self.codes == index)[0])
        return f"line {self.lines[row]:,}" if self.lines is not None else f"row {row:,}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A column's kind, and what stored rows hold of it.

    Attributes:
        column: name, kind, evidence and form; how values are spread is found out later.
        stored: float64 (n,), NaN where missing; for names the index into `names`.
        names: the values of a category or boolean, as they came.
    """

    column: Column
    stored: np.ndarray
    names: list[Any]


def find(raw: Raw, wish: str | None = None, known: dict[str, Any] | None = None) -> Found:
    """Find the kind of a column, or take the one that is wished for.

    Args:
        raw: the column.
        wish: the kind that it should be.
        known: a form that its values are read in where they fit it.

    Raises:
        DataError: its values are mixed, or do not fit the wish; the message names a line.
        UsageError: there is no such kind.
    """
    if wish is not None and wish not in KINDS:
        raise UsageError(
            f"there is no kind of column “{wish}”",
            where=f"data.columns.{raw.name}",
            hint=f"known: {', '.join(KINDS)}",
        )
    return _Finder(raw, wish, known or {}).find()


class _Finder:
    def __init__(self, raw: Raw, wish: str | None, known: dict[str, Any]):
        self.raw, self.wish, self.known = raw, wish, known
        self.counts = np.bincount(raw.codes[raw.codes >= 0], minlength=len(raw.values))
        is_text = [isinstance(value, str) for value in raw.values]
        gaps = [t and is_missing(v) for t, v in zip(is_text, raw.values, strict=True)]
        self.gap = np.array(gaps, dtype=bool)
        self.typed = not all(is_text)
        self.there = np.flatnonzero(~self.gap & (self.counts > 0))
        self.rows = int(self.counts[self.there].sum())
        self.texts = [] if self.typed else [raw.values[i] for i in self.there.tolist()]
        self.missing: str | None = None
        if self.rows < len(raw.codes):
            among = np.flatnonzero(self.gap & (self.counts > 0))
            usual = among[self.counts[among].argmax()] if len(among) else -1
            self.missing = raw.values[usual] if usual >= 0 else ""

    def find(self) -> Found:
        """The kind by the first rule that applies."""
        if len(self.there) == 0:
            return self._simple("constant", "it has no value in any row", value=self.missing)
        if self.wish in ("constant", "text"):
            return self._simple(self.wish, "as asked", value=self.raw.values[self.there[0]])
        if self.wish == "identifier":
            return self._identifier("as asked")
        if self.wish in ("number", "integer", "date", "category", "boolean"):
            return self._as_asked(self.wish)
        if len(self.there) == 1 and self.missing is None:
            value = self.raw.values[self.there[0]]
            return self._simple("constant", f"every row has “{value}”", value=value)
        return self._typed() if self.typed else self._of_texts()

    # --- texts --------------------------------------------------------------------------

    def _of_texts(self) -> Found:
        different = len(self.there)
        lowered = {text.strip().lower() for text in self.texts}
        if different == 2 and lowered in _BOOLEANS:
            return self._names("boolean", f"its values are {self._listed()}")
        padded = [t for t in self.texts if re.fullmatch(r"0\d+", t.strip())]
        values, form = numbers(self.texts, comma=self.raw.comma)
        share = self._share(values)
        if padded and share == 1:
            evidence = f"digits with leading zeros, “{padded[0]}” for instance, are names"
            return (
                self._identifier(evidence)
                if self._all_different()
                else self._names("category", evidence)
            )
        if share == 1 and form["decimals"] == 0 and np.abs(values).max() > MOST_EXACT:
            return self._too_large()
        if share == 1:
            return self._numbers(values, form)
        found = dates(self.texts)
        if found is not None and self._share(found[0]) >= MOSTLY:
            self._refuse_mixed(found[0], "date")
            return self._date(*found)
        if share >= MOSTLY and different > FEW_VALUES:
            self._refuse_mixed(values, "number")
        words = np.average([len(text.split()) for text in self.texts])
        distinct = different / self.rows
        if distinct > 0.5 and words > FREE_TEXT_WORDS and different > FEW_VALUES:
            evidence = f"{words:.0f} words a value, and {different:,} different ones"
            return self._simple("text", evidence, value=None)
        if self._mostly_different():
            evidence = f"{different:,} different values in {self.rows:,} rows"
            return self._identifier(evidence)
        return self._names("category", f"{different:,} different texts in {self.rows:,} rows")

    def _share(self, values: np.ndarray) -> float:
        """Share of the rows with a value whose value is a number."""
        there = np.isfinite(values)
        return float(self.counts[self.there][there].sum() / self.rows)

    def _refuse_mixed(self, values: np.ndarray, kind: Kind) -> None:
        odd = self.there[~np.isfinite(values)]
        if not len(odd):
            return
        first, name = int(odd[0]), self.raw.name
        count = int(self.counts[odd].sum())
        raise DataError(
            f"{self.raw.place(first)}, column “{name}”: “{self.raw.values[first]}” is no {kind}, "
            f"and {self.rows - count:,} of {self.rows:,} values are",
            hint=(
                "remove the line if it is a second header line, or correct it"
                if self.raw.codes[0] == first and count == 1
                else f"correct it, or say what it is: --set data.columns.{name}=category"
            ),
        )

    def _numbers(self, values: np.ndarray, form: dict[str, Any]) -> Found:
        whole = bool((values == np.round(values)).all()) and not form.get("decimals")
        different = len(np.unique(values))
        if whole and self._all_different() and self._names_an_identifier(values):
            return self._identifier(f"{different:,} whole numbers, no two alike")
        said = "whole numbers" if whole else "numbers"
        units = [u for u in (form.get("prefix"), form.get("suffix")) if u]
        with_units = f" written with “{units[0].strip()}”" if units else ""
        evidence = f"{different:,} different {said}{with_units}"
        return self._stored("integer" if whole else "number", evidence, values, form)

    def _too_large(self) -> Found:
        """Whole numbers that would be rounded are names."""
        evidence = f"{len(self.there):,} different whole numbers, too large to reckon with"
        if self._mostly_different():
            return self._identifier(evidence)
        return self._names("category", evidence)

    def _date(self, values: np.ndarray, form: dict[str, Any]) -> Found:
        evidence = f"dates as {form['format']}"
        if form.pop("ambiguous"):
            evidence += ", though another order of day and month would fit as well"
        return self._stored("date", evidence, values, form)

    # --- typed sources --------------------------------------------------------------------

    def _typed(self) -> Found:
        dtype, values = self.raw.dtype, [self.raw.values[i] for i in self.there.tolist()]
        if all(isinstance(value, bool | np.bool_) for value in values):
            return self._names("boolean", f"its type is {dtype}")
        if any(type(value) is int and abs(value) > MOST_EXACT for value in values):
            return self._too_large()
        sizes = self._sizes()
        if sizes is not None and self._typed_date:
            return self._stored("date", f"its type is {dtype}", *sizes)
        if sizes is not None:
            return self._numbers(*sizes)
        if any(isinstance(value, list | dict | tuple | np.ndarray | bytes) for value in values):
            raise DataError(
                f"{self.raw.place(int(self.there[0]))}, column “{self.raw.name}” holds nested "
                f"values ({type(values[0]).__name__}): a table has one value a cell",
                hint="leave the column out, or spread it over several",
            )
        kinds = sorted({type(value).__name__ for value in values})
        if len(kinds) == 1:
            raise DataError(
                f"column “{self.raw.name}” is of the type {dtype}: values of the type {kinds[0]} "
                "cannot be learned",
                hint="make them numbers, dates or texts, for instance with astype(str)",
            )
        first = next(
            i for i, v in zip(self.there, values, strict=True) if type(v) is not type(values[0])
        )
        raise DataError(
            f"{self.raw.place(int(first))}, column “{self.raw.name}”: its values are of several "
            f"types ({', '.join(kinds)})",
            hint="make them one type, for instance with astype(str)",
        )

    @property
    def _typed_date(self) -> bool:
        return self.raw.dtype.startswith("date") or self.raw.dtype == "time"

    def _sizes(self) -> tuple[np.ndarray, dict[str, Any]] | None:
        """A typed column's numbers, or dates in steps, and their form; None of anything else."""
        values = [self.raw.values[i] for i in self.there.tolist()]
        if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            return None
        found = np.array(values, dtype=np.float64)
        if self._typed_date:
            step = step_of(found)
            times = "%H:%M:%S" if step >= 1 else "%H:%M:%S.%f"
            pattern = {"date": "%Y-%m-%d", "time": times}.get(self.raw.dtype, "")
            return np.round(found / step), {"format": pattern, "step": step, "decimals": 0}
        whole = self.raw.dtype.startswith(("int", "uint", "Int", "UInt"))
        return found, {"decimals": 0 if whole else decimals_of(found), "least": 0}

    # --- results --------------------------------------------------------------------------

    def _as_asked(self, kind: Kind) -> Found:
        if kind in ("category", "boolean"):
            return self._names(kind, "as asked")
        if self.typed:
            parsed = self._sizes() if self._typed_date == (kind == "date") else None
        elif kind == "date":
            parsed = dates(self.texts, self.known.get("format", ""))
        else:
            parsed = numbers(self.texts, comma=self.raw.comma, known=self.known)
        if parsed is None:
            self._refuse_wish(int(self.there[0]), kind)
        values, form = parsed
        form.pop("ambiguous", None)
        if not np.isfinite(values).all():
            self._refuse_wish(int(self.there[~np.isfinite(values)][0]), kind)
        return self._stored(kind, "as asked", values, form)

    def _refuse_wish(self, index: int, kind: Kind) -> NoReturn:
        raise DataError(
            f"{self.raw.place(index)}, column “{self.raw.name}”: “{self.raw.values[index]}” is "
            f"no {kind}",
            where=f"data.columns.{self.raw.name}={kind}",
            hint="correct the value, or leave the kind to ectype",
        )

    def _simple(self, kind: Kind, evidence: str, value: Any) -> Found:
        column = Column(
            name=self.raw.name,
            kind=kind,
            evidence=evidence,
            form={"dtype": self.raw.dtype},
            missing=self.missing,
            value=value if kind == "constant" else None,
        )
        return Found(column=column, stored=np.zeros(len(self.raw.codes)), names=[])

    def _identifier(self, evidence: str) -> Found:
        values = [self.raw.values[i] for i in self.there.tolist()]
        column = Column(
            name=self.raw.name,
            kind="identifier",
            evidence=evidence,
            form={"dtype": self.raw.dtype},
            missing=self.missing,
            template=template(values),
        )
        return Found(column=column, stored=np.zeros(len(self.raw.codes)), names=[])

    def _names(self, kind: Kind, evidence: str) -> Found:
        position = np.full(len(self.raw.values) + 1, np.nan)  # the last is for −1
        position[self.there] = np.arange(len(self.there))
        column = Column(
            name=self.raw.name,
            kind=kind,
            evidence=evidence,
            form={"dtype": self.raw.dtype},
            missing=self.missing,
        )
        names = [self.raw.values[i] for i in self.there.tolist()]
        return Found(column=column, stored=position[self.raw.codes], names=names)

    def _stored(self, kind: Kind, evidence: str, values: np.ndarray, form: dict[str, Any]) -> Found:
        place = np.full(len(self.raw.values) + 1, np.nan)
        place[self.there] = values
        bounds = [float(values.min()), float(values.max())]
        column = Column(
            name=self.raw.name,
            kind=kind,
            evidence=evidence,
            form={**form, "bounds": bounds, "dtype": self.raw.dtype},
            missing=self.missing,
        )
        return Found(column=column, stored=place[self.raw.codes], names=[])

    def _all_different(self) -> bool:
        return len(self.there) == self.rows and self.rows > FEW_VALUES

    def _mostly_different(self) -> bool:
        different = len(self.there)
        return different >= MOSTLY_DIFFERENT * self.rows and different > FEW_VALUES

    def _names_an_identifier(self, values: np.ndarray) -> bool:
        """Whether whole numbers, all different, count rows or stand under an identifier's name."""
        inner = np.sort(values)
        dense = inner[-1] - inner[0] + 1 <= 1.1 * len(values)
        return dense or bool(_IDENTIFIERS.search(self.raw.name))

    def _listed(self) -> str:
        return " and ".join(f"“{text}”" for text in sorted(self.texts))
