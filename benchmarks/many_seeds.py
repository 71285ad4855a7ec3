"""Whether default trainings ever end in collapse: many seeds, both families, several data sets.

Every training has the same short time. A run counts as failed if it diverged (exit 4) or if it has
collapsed: of 50 kinds of held-out pictures (k-means of their pixels) 500 samples show less than
half of what as many other held-out pictures show. The other figures are in features of a network;
they do not decide, since they fall with quality too: after a thousand steps on emoji the samples
are blobs, and cover next to nothing, though no two are alike. Events are those of the guard and of
adaptive augmentation; a training that the guard has mended has not failed, and is counted.

Data: clothes of Fashion-MNIST, OpenMoji, and the 5,000 digits of the demo. A training on digits is
without their labels.

Every training that is finished is written to `parts.json` in the work folder and not done again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.cluster import KMeans

import ectype
from benchmarks.common import machine, parser, tell, write_json
from benchmarks.image_data import fashion_mnist, openmoji
from benchmarks.parts import Part, once
from ectype.demo.image import read_digits
from ectype.errors import DivergedError
from ectype.measures.diversity import effective_number
from ectype.measures.features import feature_space
from ectype.measures.frechet import frechet_distance
from ectype.measures.neighbours import neighbourhoods

SPACE = "efficientnet-lite0@128"
FAMILIES = ("gan", "vae")
SAMPLES = 500
#: Kinds of pictures, and the share of what held-out ones show below which a run has collapsed.
KINDS, LEAST_KINDS = 50, 0.5
EMOJI = 1_000
HELD_OUT_DIGITS = 1_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is not done yet, and tell what has been found."""
    cli = parser("many_seeds", __doc__)
    cli.add_argument("--fashion", type=Path, required=True, metavar="FILE", help="as .npz")
    cli.add_argument("--emoji", type=Path, required=True, metavar="FOLDER", help="OpenMoji as PNG")
    cli.add_argument("--seconds", type=float, default=120.0, help="budget of every training")
    cli.add_argument("--seeds", nargs="+", type=int, default=range(20))
    cli.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES)
    cli.add_argument("--threads", type=int, help="of torch; its own choice by default")
    cli.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="for all runs")
    options = cli.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    facts = {**machine(), "features": SPACE, "seconds": options.seconds, "samples": SAMPLES}
    sets = data(options)
    floors = {name: _figures(pictures[SAMPLES:], pictures) for name, (_, pictures) in sets.items()}
    parts: dict[tuple[str, str], list[Part]] = {}
    for seed, name, family in itertools.product(options.seeds, sets, options.families):
        folder = options.work / f"{name}-{options.seconds:g}s-seed-{seed}"
        part = partial(train, *sets[name], family, seed, options.seconds, folder / family)
        parts.setdefault((name, family), []).append(once(folder, family, part))
    rows = [summary(name, family, found, floors[name]) for (name, family), found in parts.items()]
    print(tell("Many seeds", "many_seeds", arguments, facts, rows))
    write_json(options.json, facts, rows)


def data(options: argparse.Namespace) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Training and held-out pictures, at least 1,000 of these, by name."""
    fashion, emoji = fashion_mnist(options.fashion), openmoji(options.emoji, EMOJI)
    digits = read_digits()[0][..., None]
    digits = digits[np.random.default_rng(0).permutation(len(digits))]
    return {
        "fashion": (fashion.train, fashion.held_out[: 2 * SAMPLES]),
        "emoji": (emoji.train, emoji.held_out[: 2 * SAMPLES]),
        "digits": (digits[HELD_OUT_DIGITS:], digits[:HELD_OUT_DIGITS]),
    }


def train(
    items: np.ndarray, held_out: np.ndarray, family: Any, seed: int, seconds: float, out: Path
) -> Part:
    """One training and its figures; what it wrote is removed."""
    try:
        run = ectype.fit(items, model=family, labels="none", budget=seconds, seed=seed, out=out)
    except DivergedError as error:
        return {"diverged": str(error), "events": _events(out)}
    samples = run.sample(SAMPLES, seed=seed).items
    found = {**_figures(samples, held_out), "events": _events(out)}
    shutil.rmtree(out)
    return found


def summary(
    name: str, family: str, parts: Sequence[Part], floor: Mapping[str, float]
) -> dict[str, Any]:
    """A row: how many seeds failed, and the spread of the others."""
    whole = [part for part in parts if "diverged" not in part]
    failed = len(parts) - len(whole) + sum(collapsed(part, floor) for part in whole)
    kinds = [{event for event in part["events"] if event != "augment"} for part in parts]
    row: dict[str, Any] = {"data": name, "family": family, "seeds": len(parts), "failed": failed}
    row["guard stepped in"] = sum(bool(kind) for kind in kinds)
    for figure in ("kinds", "Fréchet", "coverage", "diversity"):
        values = [part[figure] for part in whole]
        if values:
            low, middle, high = min(values), statistics.median(values), max(values)
            row[f"{figure} (least, median, most)"] = f"{low:.3g} {middle:.3g} {high:.3g}"
        row[f"{figure} of real"] = floor[figure]
    return row


def collapsed(part: Mapping[str, float], floor: Mapping[str, float]) -> bool:
    """Whether samples show few of the kinds of pictures that there are."""
    return part["kinds"] < LEAST_KINDS * floor["kinds"]


def share_of_kinds(samples: np.ndarray, real: np.ndarray) -> float:
    """The share of kinds of real pictures (n, h, w, c) that is among the samples (m, h, w, c)."""
    kinds = KMeans(min(KINDS, len(real)), n_init="auto", random_state=0)
    kinds.fit(real.reshape(len(real), -1) / 255)
    return len(np.unique(kinds.predict(samples.reshape(len(samples), -1) / 255))) / kinds.n_clusters


def _figures(samples: np.ndarray, held_out: np.ndarray) -> dict[str, float]:
    samples, held_out = samples[:SAMPLES], held_out[:SAMPLES]
    extract = feature_space(SPACE).extract
    generated, real = extract(samples), extract(held_out)
    return {
        "kinds": share_of_kinds(samples, held_out),
        "Fréchet": frechet_distance(generated, real),
        "coverage": neighbourhoods(real, generated).coverage,
        "diversity": effective_number(generated, real.mean(0)),
    }


def _events(run: Path) -> list[str]:
    """The kinds of what the guard and the augmentation told."""
    file = run / "events.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line)["event"] for line in lines]


if __name__ == "__main__":
    main()
