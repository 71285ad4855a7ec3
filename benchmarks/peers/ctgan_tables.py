"""CTGAN and TVAE of the package ctgan 0.12.1, and a Gaussian copula of copulas 0.14.1.

Runs in an environment of its own; nothing of theirs is in this repository. What is theirs: the
networks, their sizes, batches of 500, rates and transforms, all by default, and the copula with
beta distributions (the default of the tools built on it). What is ours: a hook that ends training
when the wall clock does (the model as it is then is sampled), a name for what is missing among
names, since ctgan takes none missing, and for the copula names as numbers: each has a stretch of
0..1 as wide as it is frequent, the most frequent first, and values lie within at random.
"""

from __future__ import annotations

import csv
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch._dynamo  # the first optimiser would import it, on the clock
from copulas.multivariate import GaussianMultivariate  # pyright: ignore[reportMissingImports]
from copulas.univariate import BetaUnivariate  # pyright: ignore[reportMissingImports]
from ctgan import CTGAN, TVAE  # pyright: ignore[reportMissingImports]
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks.peers.table_protocol import (
    SAMPLES,
    Result,
    argument_parser,
    peak_gigabytes,
    write_result,
)

GAP = "(missing)"


class TimeIsUpError(Exception):
    """Ends the training loop, which has no other way to be stopped."""


class Clock:
    """Counts optimiser steps and stops at a moment of `time.perf_counter`."""

    def __init__(self, moment: float):
        self.moment = moment
        self.steps = 0

    def __call__(self, *_: Any) -> None:
        """Called after every step of any optimiser."""
        self.steps += 1
        if time.perf_counter() >= self.moment:
            raise TimeIsUpError


def read(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The table, what is missing among names named, and the columns of names."""
    table = pd.read_csv(path)
    names = [c for c in table.columns if not pd.api.types.is_numeric_dtype(table[c])]
    table[names] = table[names].fillna(GAP)
    return table, names


def fit_ctgan(kind: str, table: pd.DataFrame, names: list[str], moment: float) -> tuple[Any, int]:
    """Train until the moment; gives the model and the rows seen."""
    model = (CTGAN if kind == "ctgan" else TVAE)(epochs=1_000_000, enable_gpu=False)
    clock = Clock(moment)
    handle = register_optimizer_step_post_hook(clock)
    try:
        model.fit(table, names)
    except TimeIsUpError:
        pass
    finally:
        handle.remove()
    # CTGAN steps twice a batch, once for each side
    return model, clock.steps * 500 // (2 if kind == "ctgan" else 1)


class Copula:
    """A Gaussian copula over numbers, and over names as stretches of 0..1."""

    def __init__(self, table: pd.DataFrame, names: list[str]):
        random = np.random.default_rng(0)
        self.columns = list(table.columns)
        self.whole = [c for c in table.columns if pd.api.types.is_integer_dtype(table[c])]
        self.stretches = {}
        numbers = table.copy()
        for name in names:
            values, code, counts = np.unique(
                table[name].to_numpy(str), return_inverse=True, return_counts=True
            )
            order = np.argsort(-counts)
            share = counts[order] / len(table)
            place = np.argsort(order)[code]
            lower = (share.cumsum() - share)[place]
            numbers[name] = lower + random.random(len(table)) * share[place]
            self.stretches[name] = (share.cumsum(), values[order])
        self.model = GaussianMultivariate(distribution=BetaUnivariate)
        self.model.fit(numbers.astype(float))

    def sample(self, n: int) -> pd.DataFrame:
        """Rows with whole numbers rounded and names by their stretches."""
        rows = self.model.sample(n)[self.columns]
        for name, (uppers, values) in self.stretches.items():
            place = np.searchsorted(uppers, rows[name].to_numpy()).clip(max=len(values) - 1)
            rows[name] = values[place]
        rows[self.whole] = rows[self.whole].round().astype("int64")
        return rows


def main() -> None:
    """Train one model and sample from it."""
    parser = argument_parser(__doc__)
    parser.add_argument("--kind", choices=("ctgan", "tvae", "copula"), required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    table, names = read(options.train)
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)  # noqa: NPY002 - their generator
    start = time.perf_counter()
    seen = None
    if options.kind == "copula":
        model = Copula(table, names)
    else:
        model, seen = fit_ctgan(options.kind, table, names, start + options.seconds)
    trained = time.perf_counter()
    rows = model.sample(options.samples)
    rows[names] = rows[names].replace(GAP, "")
    rows.to_csv(options.out / SAMPLES, index=False, quoting=csv.QUOTE_MINIMAL)
    result = Result(
        train_seconds=trained - start,
        sample_seconds=time.perf_counter() - trained,
        rows_seen=seen,
        peak_gigabytes=peak_gigabytes(),
    )
    write_result(options.out, result)


if __name__ == "__main__":
    main()
