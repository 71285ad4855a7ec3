"""Whether `compare` and `auto` choose well, found out by training every candidate in full.

For each set of pictures and each seed: `ectype.compare` with a budget; then each of its candidates
alone, by `ectype.fit` with the whole budget. All runs are measured by one code on pictures that
none has seen, those that the data set brings for that (not the test part, which is small where
data is little).

Two questions are answered. Was the choice right: is the chosen candidate, trained alone, the best
of all, or is the best within its interval? And what did choosing cost: how far is the run that
`compare` leaves behind from the best that the whole budget could have bought?

In favour of the candidates alone: their budget counts training only, that of `compare` everything
(preparing, measuring, the report). In favour of `compare`: nothing is known of; it has the same
training part and the same seed, and sees the pictures of this judgement no more than the others.

Four candidates, two sets, three seeds and 20 minutes are ten hours. So every part that is finished
is written to `parts.json` in the work folder and not done again, and a part that was interrupted
goes on where it stopped: stop it at any time and give the same command again.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ectype
from benchmarks.common import machine, parser, tell, write_json
from benchmarks.image_data import Pictures, fashion_mnist, openmoji
from benchmarks.parts import once
from ectype.choose.advice import times_real
from ectype.choose.candidates import Candidate, candidates
from ectype.choose.ranking import Score, score
from ectype.choose.state import read_measures
from ectype.config import Budget, Config
from ectype.domains.base import Dataset
from ectype.domains.image.domain import ImageDomain
from ectype.models.build import default_gamma
from ectype.request import asked_config, choose_family, facts_of, prepare_data

#: What is compared, as `compare` and `fit` are called.
LABELS = "none"
COMPARED = "compare"


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is not done yet, and tell what has been found."""
    options = _options(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    tasks: list[Pictures] = []
    if options.fashion:
        tasks.append(fashion_mnist(options.fashion))
    if options.emoji:
        tasks.append(openmoji(options.emoji))
    facts = {**machine(), "seconds": options.seconds}
    rows: list[dict[str, Any]] = []
    for pictures in tasks:
        for seed in options.seeds:
            study = Study(pictures, seed, options.seconds, options.samples, options.work)
            rows += told(study.name, seed, study.auto(), study.parts())
    print(tell("Choices", "choices", arguments, facts, rows))
    write_json(options.json, facts, rows)


@dataclass(frozen=True)
class Study:
    """One set of pictures and one seed.

    Args:
        pictures: the task.
        seed: of split, weights and noise.
        seconds: budget of `compare`, and of each candidate alone.
        samples: how many are measured.
        work: folder of everything that is written.
    """

    pictures: Pictures
    seed: int
    seconds: float
    samples: int
    work: Path

    @property
    def name(self) -> str:
        """Of the pictures."""
        return self.pictures.name

    @property
    def folder(self) -> Path:
        """Where the runs of this study lie."""
        kind = self.pictures.name.split()[0].lower()
        return self.work / f"{kind}-{self.seconds:g}s-seed-{self.seed}"

    def parts(self) -> dict[str, Any]:
        """Figures of all runs: of each candidate alone, and of what `compare` gives."""
        alone = {
            candidate.name: once(self.folder, candidate.name, lambda c=candidate: self._alone(c))
            for candidate in self._candidates()
        }
        return {COMPARED: once(self.folder, COMPARED, self._compare), **alone}

    def auto(self) -> str:
        """The family that `fit --model auto` takes for these pictures and this budget."""
        return choose_family("auto", facts_of(self._dataset(), Budget(seconds=self.seconds)))[0]

    def _asked(self) -> Config:
        budget = Budget(seconds=self.seconds)
        return asked_config(ImageDomain(), "auto", budget, self.seed, LABELS, ())

    def _dataset(self) -> Dataset:
        return prepare_data(ImageDomain(), self.pictures.train, self._asked(), "cpu")

    def _candidates(self) -> list[Candidate]:
        """Those that `compare` tries."""
        dataset = self._dataset()
        items, gamma = len(dataset.parts["train"]), default_gamma(math.prod(dataset.spec.shape))
        return candidates(self._asked(), (), items=items, gamma=gamma)

    def _compare(self) -> dict[str, Any]:
        found = ectype.compare(
            self.pictures.train,
            budget=self.seconds,
            seed=self.seed,
            labels=LABELS,
            out=self.folder / COMPARED,
        )
        return {
            "winner": found.state.winner,
            "rungs": found.to_json()["rungs"],
            "wall clock, s": found.state.seconds,
            **self._figures(found.winner.path),
        }

    def _alone(self, candidate: Candidate) -> dict[str, Any]:
        try:
            run = ectype.fit(
                self.pictures.train,
                model=candidate.family,
                budget=self.seconds,
                seed=self.seed,
                labels=LABELS,
                out=self.folder / candidate.name,
                settings=candidate.changes,
            )
        except ectype.DivergedError as error:
            return {"error": error.message}
        return self._figures(run.path)

    def _figures(self, path: Path) -> dict[str, Any]:
        """The measures of a run on pictures that no part of the training set holds."""
        run = ectype.load(path)
        run.source = self.pictures.train  # so that floors and copying can be measured
        measures = run.evaluate(self.pictures.held_out, n=self.samples)
        return {"measures": {name: measure.to_json() for name, measure in measures.items()}}


def told(name: str, seed: int, auto: str, parts: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one study: what `compare` left behind, then each candidate alone."""
    winner = parts[COMPARED]["winner"]
    alone = {key: _score(part) for key, part in parts.items() if key != COMPARED}
    best = min((s for s in alone.values() if s is not None), key=lambda s: s.value, default=None)
    compared = _score(parts[COMPARED])
    base = {"data": name, "seed": seed}
    rows = [
        {
            **base,
            "run": f"compare → {winner}",
            **_cells(parts[COMPARED], compared),
            "verdict": f"{_said(compared, best)} (against the best alone)",
        }
    ]
    for key, found in alone.items():
        marks = [f"chosen: {_said(found, best)}"] if key == winner else []
        marks += ["auto"] if key == auto else []
        rows.append(
            {
                **base,
                "run": f"{key} alone",
                **_cells(parts[key], found),
                "verdict": "; ".join(marks),
            }
        )
    return rows


def _said(found: Score | None, best: Score | None) -> str:
    """Whether a score is the best, or the best lies within its interval."""
    if found is None or best is None:
        return "failed"
    behind = found.value - best.value
    if behind <= 0:
        return "best"
    within = "within its interval" if behind <= found.half else "beyond its interval"
    return f"{100 * np.expm1(behind):.0f}% behind, {within}"


def _score(part: dict[str, Any]) -> Score | None:
    return score(read_measures(part["measures"])) if "measures" in part else None


def _cells(part: dict[str, Any], found: Score | None) -> dict[str, Any]:
    if found is None:
        return {"note": part["error"]}
    figures = {name: part["measures"][name]["value"] for name in ("frechet", "coverage")}
    return {"times real": times_real(found), "n": part["measures"]["frechet"]["n"], **figures}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    cli = parser("choices", __doc__)
    cli.add_argument("--fashion", type=Path, metavar="FILE", help="Fashion-MNIST as .npz")
    cli.add_argument("--emoji", type=Path, metavar="FOLDER", help="OpenMoji as PNG files")
    cli.add_argument("--seconds", type=float, default=1200.0, help="budget of everything")
    cli.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    cli.add_argument("--samples", type=int, default=2_000)
    cli.add_argument("--threads", type=int, help="of torch; its own choice by default")
    cli.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="for all runs")
    options = cli.parse_args(arguments)
    if not (options.fashion or options.emoji):
        cli.error("name the data: --fashion FILE, --emoji FOLDER, or both")
    return options


if __name__ == "__main__":
    main()
