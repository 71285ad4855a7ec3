"""How numbers and dates are written: found out from a column's texts, and given back.

A form is a plain dictionary, part of the run's spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

#: What stands for a missing value, in small letters and without spaces around it.
MISSING = frozenset(
    {"", "na", "n/a", "n.a.", "#n/a", "nan", "null", "none", "?", "nil", "<na>", "missing"}
)
#: Share of a column's rows that must be numbers for the others to be mistakes.
MOSTLY = 0.9

#: A sign before a number; letters there ("city 7") make it a name.
_SIGN_BEFORE = re.compile(r"([$€£¥₹₩₽₺]?\s?)[+-]?[\d.,]")
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
#: Decimal point and thousands of the ways to write numbers.
_POINTS = ((".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (".", "'"))
#: Steps in seconds that dates may be multiples of.
_STEPS = (86_400, 3600, 60, 1, 0.001, 1e-6)
#: Times are taken as the table's own clock shows them.
_EPOCH = datetime(1970, 1, 1)

_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d.%m.%y", "%d/%m/%y"),
    *("%m/%d/%y", "%Y.%m.%d", "%Y-%m"),
)
_TIMES = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_ZONES = ("", "Z", "+00:00", "+0000", " UTC")
_FRACTION = re.compile(r":\d+\.(\d+)")
_MAY_BE_DATE = re.compile(r"\d{1,4}[-/. ](?:\d{1,2}|\w{3,9})\b|\w{3,9} \d{1,2}, \d{4}|\d{1,2}:\d\d")


def is_missing(text: str) -> bool:
    """Whether a text stands for a missing value."""
    return text.strip().lower() in MISSING


def numbers(
    texts: Sequence[str], *, comma: bool = False, known: dict[str, Any] | None = None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Texts as numbers, float64 (n,), NaN for what is none; and the form of most of them.

    Args:
        texts: as they stand in the data.
        comma: whether 1,250 is rather 1.25, as in files whose fields semicolons separate.
        known: a form that comes before all others, if it fits as many.

    >>> values, form = numbers(["$1,200.50", "$3.00"])
    >>> values.tolist(), form["prefix"], form["thousands"], form["decimals"]
    ([1200.5, 3.0], '$', ',', 2)
    """
    best = np.full(len(texts), np.nan)
    form: dict[str, Any] = {}
    prefix, suffix = _units(texts)
    points = sorted(_POINTS, key=lambda pair: pair == (".", ",")) if comma else _POINTS
    units = {"prefix": prefix, "suffix": suffix}
    trials = [{**units, "decimal": point, "thousands": group} for point, group in points]
    if known and "decimal" in known:
        trials.insert(0, {key: known[key] for key in trials[0]})
    for trial in trials:
        found = [_plain(text, trial) for text in texts]
        values = np.array([np.nan if t is None else float(t) for t in found])
        if np.isfinite(values).sum() > np.isfinite(best).sum():
            best, form = values, {**trial, **_digits([t for t in found if t is not None])}
        if np.isfinite(best).all():
            break
    if prefix and any(text.strip().startswith(f"-{prefix}") for text in texts):
        form["sign_first"] = True
    return np.where(np.isfinite(best), best, np.nan), form


def write_number(value: float, form: dict[str, Any]) -> str:
    """A number as its column writes it.

    >>> write_number(1200.5, {"decimals": 2, "least": 2, "thousands": ",", "prefix": "$"})
    '$1,200.50'
    """
    decimals = form.get("decimals")
    if decimals is None:
        text = repr(float(value))
    else:
        text = f"{value:,.{decimals}f}" if form.get("thousands") else f"{value:.{decimals}f}"
        whole, _, part = text.partition(".")
        part = part.rstrip("0").ljust(form.get("least", 0), "0")
        text = f"{whole}.{part}" if part else whole
    if form.get("decimal", ".") == ",":
        text = text.translate(str.maketrans(".,", f",{form.get('thousands') or '.'}"))
    elif form.get("thousands", ",") not in ("", ","):
        text = text.replace(",", form["thousands"])
    text = text.removeprefix("-") if re.fullmatch(r"-0[.,]?0*", text) else text
    sign = "-" if form.get("sign_first") and text.startswith("-") else ""
    return f"{sign}{form.get('prefix', '')}{text.removeprefix(sign)}{form.get('suffix', '')}"


def dates(texts: Sequence[str], known: str = "") -> tuple[np.ndarray, dict[str, Any]] | None:
    """Texts as dates in whole steps since 1970, float64 (n,); None where they are no dates.

    The form says what a step is, in seconds. A text that does not fit the rest gives NaN. Of
    formats that fit, one with day, month and year in the order of a known one comes first.

    >>> values, form = dates(["03.01.1970", "04.01.1970"])
    >>> values.tolist(), form["format"], form["step"]
    ([2.0, 3.0], '%d.%m.%Y', 86400)
    """
    probe = texts[:: max(1, len(texts) // 100)]
    if sum(bool(_MAY_BE_DATE.match(text.strip())) for text in probe) < MOSTLY * len(probe):
        return None
    few = probe[:5]  # most formats fit none of them
    fits = [f for f in _formats() if _share(few, f) > 0 and _share(probe, f) >= MOSTLY]
    if not fits:
        return None
    seconds = {fit: np.array([_seconds(text, fit) for text in texts]) for fit in fits}
    best = max(  # the first of equals
        fits, key=lambda fit: (_order(fit) == _order(known), np.isfinite(seconds[fit]).sum())
    )
    values = seconds[best]
    step = step_of(values[np.isfinite(values)])
    days = [re.sub(r"\d+:.*", "", text) for text in texts]
    ambiguous = sum(np.isfinite(seconds[fit]).all() for fit in fits) > 1
    form = {
        "format": best,
        "step": step,
        "decimals": 0,
        "padded": not any(re.search(r"(?<!\d)\d(?!\d)", day) for day in days),
        "ambiguous": bool(ambiguous),
    }
    if ":" in best:
        form["padded_hours"] = not any(re.search(r"(?<!\d)\d:", text) for text in texts)
    if "%f" in best:
        form["fraction"] = max(len(found[1]) for t in texts if (found := _FRACTION.search(t)))
    return np.round(values / step), form


def step_of(seconds: np.ndarray) -> float:
    """The widest step that all of some seconds since 1970 are multiples of."""
    micro = np.round(seconds * 1e6).astype(np.int64)
    return next(s for s in _STEPS if (micro % round(s * 1e6) == 0).all())


def write_date(value: float, form: dict[str, Any]) -> str:
    """A date as its column writes it, from steps since 1970.

    >>> write_date(2.0, {"format": "%d.%m.%Y", "step": 86400, "padded": True})
    '03.01.1970'
    """
    moment = _EPOCH + timedelta(seconds=value * form["step"])
    padded = form.get("padded", True)
    pattern = form["format"]
    if not padded:
        pattern = pattern.replace("%d", str(moment.day)).replace("%m", str(moment.month))
    if not form.get("padded_hours", padded):
        pattern = pattern.replace("%H", str(moment.hour))
        pattern = pattern.replace("%I", str((moment.hour - 1) % 12 + 1))
    digits = f"{moment.microsecond:06d}"[: form.get("fraction", 6)]
    return moment.strftime(pattern.replace("%f", digits))


def decimals_of(values: np.ndarray) -> int | None:
    """The digits behind the point that suffice for all values, None if more than 9 would not."""
    for decimals in range(10):
        rounded = np.round(values, decimals)
        if np.allclose(rounded, values, rtol=1e-12, atol=0):
            return decimals
    return None


def _units(texts: Sequence[str]) -> tuple[str, str]:
    """What stands before and behind the digits of every text, a currency for instance."""
    some = [text.strip() for text in texts[:1000]]
    inside = [text.removeprefix("-") for text in some]
    first = _SIGN_BEFORE.match(inside[0]) if some else None
    prefix = first[1] if first else ""
    last = re.search(r"\d(\s?[^\d\s.,]{1,4})$", some[0]) if some else None
    suffix = last[1] if last else ""
    if prefix and sum(text.startswith(prefix) for text in inside) < MOSTLY * len(some):
        prefix = ""
    if suffix and sum(text.endswith(suffix) for text in some) < MOSTLY * len(some):
        suffix = ""
    return prefix, suffix


def _plain(text: str, form: dict[str, Any]) -> str | None:
    """A text as Python writes numbers, or None where it is no number of the form."""
    text = text.strip().removesuffix(form["suffix"])
    sign = "-" if text.startswith("-") else ""  # before a currency or behind it
    text = sign + text.removeprefix(sign).removeprefix(form["prefix"])
    thousands, decimal = form["thousands"], form["decimal"]
    if thousands and thousands in text:
        whole, _, part = text.partition(decimal)
        groups = whole.lstrip("+-").split(thousands)
        if not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]):
            return None
        if groups[0].startswith("0") or thousands in part:  # 0,567 and 1.234,5 have decimals
            return None
        text = text.replace(thousands, "")
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    return text if _PLAIN.fullmatch(text) else None


def _digits(texts: Sequence[str]) -> dict[str, Any]:
    """How many digits stand behind the point, at most and at least; None with exponents."""
    if any("e" in text or "E" in text for text in texts):
        return {"decimals": None, "least": 0}
    behind = [len(text.partition(".")[2]) for text in texts]
    return {"decimals": max(behind, default=0), "least": min(behind, default=0)}


def _formats() -> Iterator[str]:
    yield from _DATES
    for zone in _ZONES:
        for join in (" ", "T"):
            yield from (f"{date}{join}{time}{zone}" for date in _DATES for time in _TIMES)
    yield from _TIMES


def _order(form: str) -> list[str]:
    """In which order day, month and year stand in a format."""
    return [sign.lower().replace("b", "m") for sign in re.findall("%([dmbByY])", form)]


def _share(texts: Sequence[str], form: str) -> float:
    return float(np.isfinite([_seconds(text, form) for text in texts]).mean())


def _seconds(text: str, form: str) -> float:
    try:
        moment = datetime.strptime(text.strip(), form)
    except ValueError:
        return float("nan")
    if moment.year == 1900 and "%Y" not in form and "%y" not in form:
        moment = moment.replace(year=1970)  # a time of day
    return (moment.replace(tzinfo=None) - _EPOCH).total_seconds()
