"""Us and peers on tables, each for the same wall clock on the same cores, judged by one code.

What is compared: our VAE and our GAN as `ectype.fit` trains them, CTGAN and TVAE of the package
ctgan 0.12.1, and a Gaussian copula of copulas 0.14.1.

Data: CSV files with a header line, for instance Adult (48,842 rows; target income) and diamonds
(53,940 rows; target price). Neither is part of this repository. A fifth of the rows, drawn at
random, is held out.

Fair: every candidate gets the same file, cores and wall clock, one after another, each in a
process of its own. For ours the wall clock holds everything: reading and understanding the file,
measuring speed to choose a size, checkpoints. For ctgan it holds its transforms, for the copula
(which needs no more than it takes) nothing. Imports count for no candidate, drawing rows for none.

Rows are compared with held-out rows at equal numbers. "Real" are training rows in their place;
"shuffled" are training rows whose columns were shuffled each by itself: what has perfect shapes
and no relations at all. "Train on it" is how well boosted trees that are fitted to the rows predict
the target in held-out rows (area under the ROC curve, or R² of a number).
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import (
    check_keep,
    machine,
    parser,
    run_apart,
    tell,
    working_folder,
    write_json,
)
from benchmarks.peers.pythae_environment import python_with
from benchmarks.peers.table_protocol import SAMPLES, Result, read_result
from benchmarks.table_scoring import TableJudge
from ectype.errors import DataError

REQUIREMENTS = ("ctgan==0.12.1", "copulas==0.14.1", "torch>=2.11,<2.14")
#: Seconds beyond the wall clock after which a candidate counts as hung (sampling included).
PATIENCE = 900.0
#: Share of the wall clock by which training may run over before its row says so.
TOLERANCE = 0.02
HELD_OUT = 0.2
CANDIDATES: dict[str, tuple[str, ...]] = {
    "ours-vae": ("ours_table", "--family", "vae"),
    "ours-gan": ("ours_table", "--family", "gan"),
    "ctgan": ("ctgan_tables", "--kind", "ctgan"),
    "tvae": ("ctgan_tables", "--kind", "tvae"),
    "copula": ("ctgan_tables", "--kind", "copula"),
}
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all candidates on all tables that were named; exit code 1 if one failed."""
    options = _options(arguments)
    facts = {**machine(), "seconds": options.seconds}
    rows: list[Row] = []
    with working_folder(options.keep) as folder:
        for given in options.table:
            path, _, target = given.rpartition(":")
            rows += compare(Path(path), target, options, folder / Path(path).stem)
    print(tell("Equal time: tables", "equal_time_tables", arguments, facts, rows))
    write_json(options.json, facts, rows)
    if any("error" in row for row in rows):
        sys.exit(1)


def compare(path: Path, target: str, options: argparse.Namespace, folder: Path) -> list[Row]:
    """Train and judge every candidate on one table."""
    folder.mkdir(parents=True)
    train, held_out = split(path, folder)
    with train.open(newline="") as file:
        count = sum(1 for _ in csv.reader(file)) - 1
    trained = [
        (name, seed, out, run_candidate(name, seed, count, options, train, out))
        for seed in options.seeds
        for name in options.only
        for out in [folder / f"{name}-{seed}"]
    ]
    # Judged only now, so that no candidate trains beside a process that still holds memory.
    judge = TableJudge(train, held_out, target)
    base: Row = {"data": path.stem}
    rows = [
        {**base, "candidate": "real", "seed": None, **judge.floor_row()},
        {**base, "candidate": "shuffled", "seed": None, **judge.row(shuffled(judge.train))},
    ]
    for name, seed, out, outcome in trained:
        row = {**base, "candidate": name, "seed": seed}
        rows.append({**row, **judged(judge, count, options.seconds, out, outcome)})
    return rows


def split(path: Path, folder: Path) -> tuple[Path, Path]:
    """Write the rows to learn from and the held-out ones as two CSV files."""
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    random.Random(0).shuffle(rows)
    count = round(HELD_OUT * len(rows))
    paths = folder / "train.csv", folder / "held-out.csv"
    for target, part in zip(paths, (rows[count:], rows[:count]), strict=True):
        with target.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *part])
    return paths


def shuffled(rows: np.ndarray) -> np.ndarray:
    """Stored rows with every column in an order of its own."""
    return np.random.default_rng(0).permuted(rows, axis=0)


def run_candidate(
    name: str, seed: int, count: int, options: argparse.Namespace, train: Path, out: Path
) -> Result | str:
    """Train one candidate in a process of its own; gives its result, or why there is none."""
    module, *own = CANDIDATES[name]
    command = [*own, "--train", str(train), "--out", str(out)]
    command += ["--seed", str(seed), "--seconds", str(options.seconds), "--samples", str(count)]
    if module == "ours_table":
        command += [f"--set={change}" for change in options.set]
    print(f"{out.parent.name}: {out.name}: {options.seconds:.0f} s", file=sys.stderr, flush=True)
    peers = partial(python_with, options.peer_environment, REQUIREMENTS)
    environment = peers if module == "ctgan_tables" else None
    failure = run_apart(module, command, options.seconds + PATIENCE, environment)
    return read_result(out) if failure is None else failure


def judged(judge: TableJudge, count: int, seconds: float, out: Path, outcome: Result | str) -> Row:
    """The figures of one candidate, or its error."""
    if isinstance(outcome, str):
        return {"error": outcome}
    try:
        figures = judge.row(judge.rows(out / SAMPLES))
    except DataError as error:
        return {"error": f"rows of no use: {error}"}
    seen = outcome.rows_seen  # the copula takes what it takes
    late = seen is not None and outcome.train_seconds > (1 + TOLERANCE) * seconds
    return {
        **figures,
        "rows/s training": None if seen is None else round(seen / outcome.train_seconds),
        "rows/s sampling": round(count / outcome.sample_seconds),
        "training, s": outcome.train_seconds,
        "memory, GiB": outcome.peak_gigabytes,
        "note": f"TOOK TOO LONG; {outcome.note}" if late else outcome.note,
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    cli = parser("equal_time_tables", __doc__)
    cli.add_argument(
        "--table", nargs="+", required=True, metavar="FILE:TARGET", help="CSV file and its target"
    )
    cli.add_argument("--seconds", type=float, default=300.0, help="wall clock for each candidate")
    cli.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    cli.add_argument("--seeds", nargs="+", type=int, default=[0])
    cli.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of ectype's"
    )
    cli.add_argument("--keep", type=Path, metavar="FOLDER", help="keep rows and runs there")
    cli.add_argument(
        "--peer-environment",
        type=Path,
        metavar="FOLDER",
        default=Path.home() / ".cache" / "ectype-benchmarks" / "ctgan",
        help="where ctgan is installed, made at the first call (default: %(default)s)",
    )
    options = cli.parse_args(arguments)
    if not all(":" in given for given in options.table):
        cli.error("--table: name the target too, for instance adult.csv:income")
    check_keep(cli, options.keep)
    return options


if __name__ == "__main__":
    main()
