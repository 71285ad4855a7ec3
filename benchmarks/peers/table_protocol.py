"""What `equal_time_tables` and its candidates tell each other: one command line, one JSON file.

A candidate trains on a CSV file for so many seconds of wall clock from the moment at which its
rows are in memory and its modules imported, then writes `samples.csv` and `results.json`. Needs
only the standard library, since candidates run in environments of their own.
"""

from __future__ import annotations

import argparse
import json
import resource
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RESULTS, SAMPLES = "results.json", "samples.csv"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a candidate did.

    Attributes:
        train_seconds: wall clock of training, set-up included.
        sample_seconds: wall clock of drawing and writing all rows.
        rows_seen: training rows, repeats counted; None if not known.
        peak_gigabytes: most memory that the process held.
        note: anything that explains the figures.
    """

    train_seconds: float
    sample_seconds: float
    rows_seen: int | None = None
    peak_gigabytes: float
    note: str = ""


def argument_parser(doc: str | None) -> argparse.ArgumentParser:
    """The command line that all candidates share; each may add to it."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--train", type=Path, required=True, help="CSV file")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    return parser


def peak_gigabytes() -> float:
    """Most memory that this process has held, in 2³⁰ bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def write_result(folder: Path, result: Result) -> None:
    """The last thing that a candidate does."""
    (folder / RESULTS).write_text(json.dumps(asdict(result)))


def read_result(folder: Path) -> Result:
    """What a candidate wrote."""
    values: dict[str, Any] = json.loads((folder / RESULTS).read_text())
    return Result(**values)
