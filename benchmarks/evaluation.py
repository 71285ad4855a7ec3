"""What it costs to say how good a run is: time and memory of `ectype evaluate`.

- **A whole evaluation** of 10,000 pictures of 32×32 (Fashion-MNIST, filled up with zeros): drawing
  as many samples, their features and those of as many held-out and twice as many training pictures,
  all measures with floors and intervals, and the report. Once with nothing known beforehand, and
  once more, where the features of the real pictures are. The run is a GAN of a few steps: what is
  measured does not depend on how well it is trained; the capacity is that of a budget in steps.
- **Neighbours** among 50,000 random features on each side, as long as those of EfficientNet-Lite0:
  precision, recall, density and coverage, all from one pass by blocks; and near copies.

Each row is a process of its own, and its memory the most that this process held, torch included.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import ectype
from benchmarks.common import apart, machine, parser, tell, working_folder, write_json
from benchmarks.image_data import fashion_mnist
from benchmarks.peers.table_protocol import peak_gigabytes
from ectype.measures.copying import near_copies
from ectype.measures.efficientnet import FEATURES
from ectype.measures.neighbours import neighbourhoods

STEPS = 64
BORDER = 2  # from 28 to 32 pixels
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of figures."""
    options = _options(arguments)
    rows: list[Row] = []
    with working_folder(None) as folder:
        if options.fashion:
            apart(train, options.fashion, folder / "run", STEPS)
            for times in ("the first time", "again"):
                found = apart(evaluate, options.fashion, folder, options.n)
                rows.append({"what": f"evaluation, {times}", "n": options.n, **found})
    for work in (neighbours, copies):
        rows.append(
            {"what": work.__name__, "n": options.neighbours, **apart(work, options.neighbours)}
        )
    facts = machine()
    print(tell("Evaluation", "evaluation", arguments, facts, rows))
    write_json(options.json, facts, rows)


def train(data: Path, out: Path, steps: int) -> None:
    """Train a GAN for a few steps."""
    ectype.fit(_filled(fashion_mnist(data).train), model="gan", steps=steps, labels="none", out=out)


def evaluate(data: Path, folder: Path, n: int) -> Row:
    """Evaluate it with the pictures that the data set keeps for that."""
    os.environ["ECTYPE_CACHE"] = str(folder / "cache")  # of a process of its own
    pictures = fashion_mnist(data)
    run = ectype.load(folder / "run")
    run.source = _filled(pictures.train)
    held_out = _filled(pictures.held_out)
    start = time.perf_counter()
    found = run.evaluate(held_out, n=n)
    seconds = time.perf_counter() - start
    assert found["frechet"].n == min(n, len(held_out))
    return {"seconds": seconds, "memory, GiB": peak_gigabytes()}


def neighbours(n: int) -> Row:
    """Precision, recall, density and coverage of random features."""
    real, generated = _features(n, 2)
    start = time.perf_counter()
    neighbourhoods(real, generated)
    return {"seconds": time.perf_counter() - start, "memory, GiB": peak_gigabytes()}


def copies(n: int) -> Row:
    """Near copies among random features; a fifth as many are held out."""
    train, generated = _features(n, 2)
    start = time.perf_counter()
    near_copies(generated, train, generated[: max(2, n // 5)])
    return {"seconds": time.perf_counter() - start, "memory, GiB": peak_gigabytes()}


def _features(n: int, sets: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.standard_normal((n, FEATURES), dtype=np.float32) for _ in range(sets)]


def _filled(pictures: np.ndarray) -> np.ndarray:
    border = (BORDER, BORDER)
    return np.pad(pictures, ((0, 0), border, border, (0, 0)))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    cli = parser("evaluation", __doc__)
    cli.add_argument("--fashion", type=Path, metavar="FILE", help="Fashion-MNIST as .npz")
    cli.add_argument("--n", type=int, default=10_000, help="pictures to measure")
    cli.add_argument("--neighbours", type=int, default=50_000, metavar="N", help="features a side")
    return cli.parse_args(arguments)


if __name__ == "__main__":
    main()
