"""Whether adaptive augmentation helps on little data and does no harm on much, and `--from` too.

- Emoji: 300 and 1,000 of them, a GAN with `gan.augment=adaptive` and with `off`, for the same time.
- Fashion-MNIST: all 60,000, the same two: the discriminator should not over-fit here, and adaptive
  augmentation should stay off.
- Clothes: 1,000 pictures of five kinds from Fashion-MNIST; a GAN that learns them from nothing and
  one that starts (`fit --from`) from a GAN of the five other kinds. Both have the same time; the
  training of the earlier run (`--earlier`) is not counted, since it is there already where `--from`
  is used.

All are measured on pictures that none has seen: the held-out emoji of other groups, at least 1,300,
and the test split of Fashion-MNIST. A run keeps the weights that did best on its validation part;
what it had come to at the end is measured besides ("last weights").

Every training that is finished is written to `parts.json` in the work folder and not done again,
and one that was interrupted goes on where it stopped: give the same command again.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ectype
from benchmarks.common import machine, parser, tell, write_json
from benchmarks.image_data import Pictures, fashion_mnist, openmoji
from benchmarks.parts import Part, once
from benchmarks.scoring import SPACE, Judge

COUNTS = (300, 1_000)
TASKS = ("emoji", "fashion", "clothes")
#: Kinds of Fashion-MNIST that are learned first; the others come after.
FIRST_KINDS = 5
EARLIER = "earlier run"
FROM_RUN = "from a run"


@dataclass(frozen=True, kw_only=True)
class Task:
    """Pictures, and what is tried on them.

    Attributes:
        folder: its name in the work folder.
        pictures: to learn from and to measure with.
        candidates: the settings of each by its name.
        first: what the earlier run learns that `FROM_RUN` starts from.
    """

    folder: str
    pictures: Pictures
    candidates: dict[str, list[str]]
    first: np.ndarray | None = None


AUGMENTED_OR_NOT = {"adaptive": ["gan.augment=adaptive"], "none": ["gan.augment=off"]}
FROM_RUN_OR_NOT: dict[str, list[str]] = {FROM_RUN: [], "from nothing": []}


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is not done yet, and tell what has been found."""
    options = _options(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    facts = {**machine(), "features": SPACE, "seconds": options.seconds}
    rows = [row for task in _tasks(options) for row in Study(task, options).rows()]
    print(tell("Little data", "little_data", arguments, facts, rows))
    write_json(options.json, facts, rows)


class Study:
    """One task, with all its candidates and seeds."""

    def __init__(self, task: Task, options: argparse.Namespace):
        self.task = task
        self.options = options
        self.judge = Judge(task.pictures, options.samples)

    def rows(self) -> list[dict[str, Any]]:
        """The floor, then a row for each training."""
        base = {"data": self.task.pictures.name, "n": self.judge.n}
        real = {**base, "candidate": "real, held out", "seed": None, **self.judge.floor_row()}
        return [
            real,
            *(
                {**base, "candidate": name, "seed": seed, **self.part(name, seed)}
                for seed in self.options.seeds
                for name in self.task.candidates
            ),
        ]

    def part(self, name: str, seed: int) -> Part:
        """The figures of a candidate, trained now or earlier."""
        return once(self.folder(seed), name, lambda: self.figures(name, seed))

    def figures(self, name: str, seed: int) -> Part:
        """Train a candidate, or let it go on, and measure it."""
        start = None
        if name == FROM_RUN:
            assert self.task.first is not None
            seconds = self.options.earlier
            folder = self.options.work / f"{EARLIER.replace(' ', '-')}-{seconds:g}s-seed-{seed}"
            start = self.fit(self.task.first, folder, seed, seconds=seconds).path
        folder = self.folder(seed) / name.replace(" ", "-")
        settings = self.task.candidates[name]
        run = self.fit(self.task.pictures.train, folder, seed, settings=settings, start=start)
        facts = run.summary()
        last = of_last_weights(run).sample(self.judge.n, seed=seed).data
        return {
            **self.judge.row(run.sample(self.judge.n, seed=seed).data),
            "Fréchet, last weights": self.judge.row(last)["Fréchet"],
            "capacity": facts["capacity"],
            "items seen": facts["items"],
            "strength, mean": _mean_strength(run.path / "log.jsonl"),
        }

    def fit(
        self,
        items: np.ndarray,
        folder: Path,
        seed: int,
        *,
        settings: Sequence[str] = (),
        seconds: float | None = None,
        start: Path | None = None,
    ) -> ectype.Run:
        """One training, for the time of all unless it says otherwise."""
        return ectype.fit(
            items,
            model="gan",
            labels="none",
            budget=self.options.seconds if seconds is None else seconds,
            seed=seed,
            out=folder,
            start=start,
            settings=[*settings, *self.options.set],
        )

    def folder(self, seed: int) -> Path:
        """Where the runs of a seed lie."""
        return self.options.work / f"{self.task.folder}-{self.options.seconds:g}s-seed-{seed}"


def of_last_weights(run: ectype.Run) -> ectype.Run:
    """A copy of a run with the weights it ended with, in the place of the best ones."""
    copy = run.path.with_name(f"{run.path.name}-last")
    shutil.copytree(
        run.path, copy, ignore=shutil.ignore_patterns("checkpoints"), dirs_exist_ok=True
    )
    (copy / "last.safetensors").replace(copy / "model.safetensors")
    return ectype.load(copy)


def clothes(path: Path, count: int) -> tuple[Pictures, np.ndarray]:
    """`count` pictures of the later kinds of clothes, with held-out ones; all of the first."""
    with np.load(path) as data:
        first = data["y_train"] < FIRST_KINDS
        later = data["x_train"][~first][:count, ..., None]
        held_out = data["x_test"][data["y_test"] >= FIRST_KINDS][..., None]
        before = data["x_train"][first][..., None]
    name = f"Fashion-MNIST, {len(later):,} of five kinds"
    return Pictures(name=name, train=later, labels=None, held_out=held_out), before


def _tasks(options: argparse.Namespace) -> list[Task]:
    tasks = []
    for count in options.counts if options.emoji and "emoji" in options.tasks else ():
        pictures = openmoji(options.emoji, count)
        tasks.append(Task(folder=f"emoji-{count}", pictures=pictures, candidates=AUGMENTED_OR_NOT))
    if options.fashion and "fashion" in options.tasks:
        whole = fashion_mnist(options.fashion)
        tasks.append(Task(folder="fashion", pictures=whole, candidates=AUGMENTED_OR_NOT))
    if options.fashion and "clothes" in options.tasks:
        later, first = clothes(options.fashion, max(options.counts))
        candidates = FROM_RUN_OR_NOT
        tasks.append(Task(folder="clothes", pictures=later, candidates=candidates, first=first))
    return tasks


def _mean_strength(log: Path) -> float:
    """The strength of augmentation over a training: where nothing is logged it was 0."""
    ticks = [json.loads(line)["losses"] for line in log.read_text().splitlines()]
    return sum(tick.get("discriminator/augment", 0.0) for tick in ticks) / len(ticks)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    cli = parser("little_data", __doc__)
    cli.add_argument("--emoji", type=Path, metavar="FOLDER", help="OpenMoji as PNG files")
    cli.add_argument("--fashion", type=Path, metavar="FILE", help="Fashion-MNIST as .npz")
    cli.add_argument("--counts", nargs="+", type=int, default=COUNTS, help="of emoji to learn from")
    cli.add_argument("--seconds", type=float, default=600.0, help="budget of every training")
    cli.add_argument("--earlier", type=float, default=600.0, help="budget of the earlier run")
    cli.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    cli.add_argument("--seeds", nargs="+", type=int, default=[0])
    cli.add_argument("--samples", type=int, default=2_000)
    cli.add_argument("--threads", type=int, help="of torch; its own choice by default")
    cli.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all runs")
    cli.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="for all runs")
    options = cli.parse_args(arguments)
    if not (options.fashion or options.emoji):
        cli.error("name the data: --emoji FOLDER, --fashion FILE, or both")
    return options


if __name__ == "__main__":
    main()
