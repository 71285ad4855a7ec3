"""What `equal_time_images` and its candidates tell each other: one command line, one JSON file.

A candidate is `python -m benchmarks.peers.NAME --train FILE.npy --seconds S …`. It trains for S
seconds of wall clock from the moment at which its data are in memory and its modules imported,
then writes uint8 samples (n, h, w, c) and `results.json` into `--out`. Needs only numpy, since
candidates run in environments of their own.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = "results.json"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a candidate is asked for.

    Attributes:
        train: uint8 (n, h, w, c).
        labels: int64 (n,), or None.
        seconds: wall clock for all of training, set-up included.
        samples: how many to write.
        seed: of weights and noise.
        out: an empty folder.
    """

    train: np.ndarray
    labels: np.ndarray | None
    seconds: float
    samples: int
    seed: int
    out: Path


@dataclass(frozen=True, kw_only=True)
class Result:
    """One way to sample what a candidate trained.

    Attributes:
        sampler: its name, empty where there is only one.
        train_seconds: wall clock spent on training.
        sample_seconds: wall clock of drawing all samples, fitting a sampler included.
        items: training pictures seen, repeats counted; None if not known.
        note: anything that explains the figures.
        error: why there are no samples.
    """

    sampler: str = ""
    train_seconds: float
    sample_seconds: float | None = None
    items: int | None = None
    note: str = ""
    error: str = ""

    @property
    def file(self) -> str:
        """Name of the samples' file in the candidate's folder."""
        return f"samples-{self.sampler}.npy" if self.sampler else "samples.npy"


def argument_parser(doc: str | None) -> argparse.ArgumentParser:
    """The command line that all candidates share; each may add to it."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--train", type=Path, required=True, help="uint8 (n, h, w, c), .npy")
    parser.add_argument("--labels", type=Path, help="int64 (n,), .npy")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    return parser


def read_task(arguments: argparse.Namespace) -> Task:
    """Load what the command line names into memory."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    return Task(
        train=np.load(arguments.train),
        labels=None if arguments.labels is None else np.load(arguments.labels),
        seconds=arguments.seconds,
        samples=arguments.samples,
        seed=arguments.seed,
        out=arguments.out,
    )


def write_samples(task: Task, result: Result, samples: np.ndarray) -> None:
    """Write the samples of one result."""
    np.save(task.out / result.file, samples)


def write_results(task: Task, results: list[Result]) -> None:
    """Write what the samples stand for; the last thing that a candidate does."""
    (task.out / RESULTS).write_text(json.dumps([asdict(result) for result in results]))


def read_results(folder: Path) -> list[Result]:
    """What a candidate wrote."""
    values: list[dict[str, Any]] = json.loads((folder / RESULTS).read_text())
    return [Result(**value) for value in values]
