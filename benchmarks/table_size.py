"""What a large table costs: a category of very many values, and a million rows to a file.

Training: a made table of 200,000 rows with dates, numbers of which 30% are missing, names, a
constant column and a category of 20,000 values, and the same table without that category. Both are
learned with the same capacity for the same number of steps. "Preparing, s" holds reading and
understanding the file, "rows/s training" what the trainer's clock counts. The rows that come back
are read as the table was: a value that never stood in it, or a date that is none, ends the run.

Sampling: a run on a table of the user's (`--table FILE`, trained for `--steps` steps) writes
`--rows` rows to CSV and to Parquet. The rate does not depend on how well the run is trained, but
does on its capacity, which is that of five minutes on two cores.

Each row is a process of its own, and its memory the most that this process held.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import ectype
from benchmarks.common import apart, machine, parser, tell, working_folder, write_json
from benchmarks.peers.table_protocol import peak_gigabytes
from ectype.domains.table.domain import TableSpec
from ectype.domains.table.reading import read_as
from ectype.domains.table.sources import open_table

ROWS, VALUES = 200_000, 20_000
CAPACITY = 96
CHECKED = 20_000
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables of figures."""
    options = _options(arguments)
    trained, drawn = [], []
    with working_folder(None) as folder:
        for name in ("with the category", "without it"):
            path = folder / f"{name.split()[0]}.csv"
            table = made_table(ROWS, VALUES)
            if name == "without it":
                table = table.drop(columns="place")
            table.to_csv(path, index=False)
            figures = apart(train_one, path, folder / path.stem, options.steps)
            trained.append({"table": name, **figures})
        if options.table:
            for ending in ("csv", "parquet"):  # rows are given back as the table came
                path = options.table
                if ending == "parquet":
                    path = folder / "given.parquet"
                    pd.read_csv(options.table).to_parquet(path)
                apart(train_one, path, folder / f"given-{ending}", options.steps)
                figures = apart(sample_one, folder / f"given-{ending}", options.rows)
                drawn.append({"to": ending, "rows": options.rows, **figures})
    facts = {**machine(), "steps": options.steps, "capacity": CAPACITY}
    print(tell("The size of tables", "table_size", arguments, facts, trained))
    if drawn:
        print(tell("A million rows", "table_size", arguments, facts, drawn))
    write_json(options.json, facts, [*trained, *drawn])


def made_table(rows: int, values: int) -> pd.DataFrame:
    """A table of every kind of column; how often places occur falls off as Zipf has it."""
    random = np.random.default_rng(0)
    share = 1 / np.arange(1, values + 1)
    # every place at least once, so that there are as many as it says
    later = random.choice(values, rows - values, p=share / share.sum())
    place = random.permutation(np.concatenate([np.arange(values), later]))
    days = random.integers(0, 3_000, rows)
    amount = np.round(random.lognormal(3, 1, rows) * (1 + place % 7), 2)
    return pd.DataFrame(
        {
            "place": [f"place {i:05d}" for i in place],
            "day": (np.datetime64("2015-01-01") + days).astype(str),
            "amount": np.where(random.random(rows) < 0.3, np.nan, amount),
            "score": np.where(random.random(rows) < 0.3, np.nan, random.normal(size=rows).round(3)),
            "kind": np.array(["a", "b", "c", "d"])[place % 4],
            "currency": "EUR",
        }
    )


def train_one(path: Path, out: Path, steps: int) -> Row:
    """Train the VAE for some steps and read back what it gives."""
    start = time.perf_counter()
    ectype.inspect(path, domain="table")
    prepared = time.perf_counter()
    settings = {"training.capacity": CAPACITY}
    run = ectype.fit(path, model="vae", domain="table", steps=steps, out=out, settings=settings)
    fitted = time.perf_counter()
    summary = run.summary()
    (written, *_) = run.sample(CHECKED).save(out.with_name(f"{out.name}-rows"))
    assert isinstance(run.spec, TableSpec)
    rows, refused = read_as(open_table(written), run.spec.modelled)
    assert len(rows) == CHECKED
    assert not refused
    return {
        "preparing, s": prepared - start,
        "fit, s": fitted - prepared,
        "rows/s training": round(summary["items"] / summary["seconds"]),
        "parameters": summary["parameters"],
        "memory, GiB": peak_gigabytes(),
    }


def sample_one(path: Path, rows: int) -> Row:
    """Write rows of a run to a file."""
    run = ectype.load(path)
    start = time.perf_counter()
    run.sample(rows).save(path.with_name(f"{path.name}-rows"))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "rows/s": round(rows / seconds), "memory, GiB": peak_gigabytes()}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    cli = parser("table_size", __doc__)
    cli.add_argument("--table", type=Path, metavar="FILE", help="CSV file to sample a run of")
    cli.add_argument("--rows", type=int, default=1_000_000)
    cli.add_argument("--steps", type=int, default=300)
    return cli.parse_args(arguments)


if __name__ == "__main__":
    main()
