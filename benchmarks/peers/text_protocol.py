"""What `equal_time_text` and its candidates tell each other: one command line, one JSON file.

A candidate is `python -m benchmarks.peers.NAME --train FILE --held-out FILE --seconds S …`. It
trains for S seconds of wall clock from the moment at which its texts are in memory and its modules
imported, then writes samples and, where it can, figures of held-out texts into `--out`. Texts are
JSON lists of strings.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESULT = "result.json"
#: Of the held-out texts the first so many are what candidates measure themselves on.
MEASURED = 500


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a candidate is asked for: `held_out` may be measured by it, and is not learned from."""

    train: list[str]
    held_out: list[str]
    seconds: float
    samples: int
    seed: int
    out: Path


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a candidate made.

    Attributes:
        samples: texts.
        train_seconds: wall clock spent on training.
        sample_seconds: wall clock of drawing all samples.
        items: training texts seen, repeats counted.
        figures: of held-out texts, by name: reconstruction, nats.
        note: anything that explains the figures.
    """

    samples: list[str]
    train_seconds: float
    sample_seconds: float
    items: int | None = None
    figures: dict[str, float] = field(default_factory=dict)
    note: str = ""


def argument_parser(doc: str | None) -> argparse.ArgumentParser:
    """The command line that all candidates share; each may add to it."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    return parser


def read_task(arguments: argparse.Namespace) -> Task:
    """Load what the command line names into memory."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    return Task(
        train=json.loads(arguments.train.read_text("utf-8")),
        held_out=json.loads(arguments.held_out.read_text("utf-8")),
        seconds=arguments.seconds,
        samples=arguments.samples,
        seed=arguments.seed,
        out=arguments.out,
    )


def write_result(task: Task, result: Result) -> None:
    """The last thing that a candidate does."""
    (task.out / RESULT).write_text(json.dumps(asdict(result), ensure_ascii=False), "utf-8")


def read_result(folder: Path) -> Result:
    """What a candidate wrote."""
    return Result(**json.loads((folder / RESULT).read_text("utf-8")))
