"""All figures of one feature space, each with its floor and its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectype.errors import DataError
from ectype.measures.copying import NearCopies, copying, near_copies
from ectype.measures.diversity import effective_number
from ectype.measures.features import Features
from ectype.measures.frechet import frechet_distance
from ectype.measures.intervals import (
    Indices,
    choice,
    deviations,
    interval,
    share_interval,
)
from ectype.measures.kid import kernel_distance
from ectype.measures.linear import logistic_regression, two_sample_auc
from ectype.measures.measure import Better, Measure
from ectype.measures.neighbours import neighbourhoods

Labels = NDArray[np.integer[Any]]

SMALLEST = 12
"""Items on each side: half of them, as intervals take, must hold six for the fifth neighbour."""

_IN_BLOCKS = 1_000
"""Samples that figures are averaged over, block by block, where fewer items were held out."""

_MOST_BLOCKS = 8

_LARGEST_FIT = 10_000  # labelled items that a classifier is fitted to, for the sake of time

# What is better, and what the figure can be.
_BETWEEN: Mapping[str, tuple[Better, float, float]] = {
    "frechet": ("lower", 0, np.inf),
    "kid": ("lower", -np.inf, np.inf),
    "precision": ("higher", 0, 1),
    "recall": ("higher", 0, 1),
    "density": ("higher", 0, np.inf),
    "coverage": ("higher", 0, 1),
    "two_sample_auc": ("0.5", 0, 1),
    "diversity": ("higher", 1, np.inf),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureSets:
    """What `measure_features` compares, in one feature space.

    Attributes:
        space: its name.
        generated: (n, d) float32.
        reference: (m, d) float32, held-out real items.
        train: (t, d) float32, all training items; None where they are not at hand.
    """

    space: str
    generated: Features
    reference: Features
    train: Features | None


def measure_features(sets: FeatureSets, *, seed: int = 0) -> dict[str, Measure]:
    """Compute every figure that asks nothing but features.

    Figures of a set against the held-out set depend on how many items there are, so n of each are
    compared, the size of the smallest set, and the floor is the figure of n training items in the
    samples' place. Where there are several times as many samples, or training items, the figure is
    the mean over blocks of n of them (up to 8 blocks and 1,000 items): few items held out are then
    the only ones that chance has a say in. `nearer_to_train` and `near_copies` use every item of
    all sets: the more samples, the surer they are, however few items were held out.

    Args:
        sets: the features.
        seed: fixes the choice of items.

    Returns:
        frechet, kid, precision, recall, density, coverage, two_sample_auc, diversity,
        nearer_to_train and near_copies. Without training items there are no floors, and the last
        two are missing.

    Raises:
        DataError: a set has fewer than 12 items.
        ValueError: the features do not match, or are not finite.
    """
    sides = [sets.generated, sets.reference, *([] if sets.train is None else [sets.train])]
    n = min(map(len, sides))
    if n < SMALLEST:
        kinds = zip(sides, ("generated", "held-out", "training"), strict=False)
        counts = ", ".join(f"{len(side):,} {kind}" for side, kind in kinds)
        raise DataError(
            f"{counts} items: figures of quality need {SMALLEST} of each",
            hint="generate more, or give more data",
        )
    generator = np.random.default_rng(seed)
    generated = _blocks(sets.generated, n, generator)
    reference = sets.reference[choice(len(sets.reference), n, generator)]
    values = _mean_between(generated, reference)
    floors: Mapping[str, float | None] = dict.fromkeys(values)
    if sets.train is not None:
        floors = _mean_between(_blocks(sets.train, n, generator), reference)

    def of_draws(held_out: Indices, *drawn: Indices) -> dict[str, float]:
        blocks = [block[i] for block, i in zip(generated, drawn, strict=True)]
        return _mean_between(blocks, reference[held_out])

    moved = deviations(of_draws, n, *map(len, generated), seed=seed)
    measures = {
        name: Measure(
            value=values[name],
            better=better,
            n=n,
            floor=floors[name],
            interval=interval(values[name], float(np.std(moved[name], ddof=1)), low, high),
            features=sets.space,
            deviations=tuple(moved[name].tolist()),
        )
        for name, (better, low, high) in _BETWEEN.items()
    }
    return measures if sets.train is None else {**measures, **_copying(sets, sets.train)}


def _blocks(features: Features, n: int, generator: np.random.Generator) -> list[Features]:
    """Blocks of n items that have none in common, drawn at random."""
    count = max(1, min(len(features) // n, _IN_BLOCKS // n, _MOST_BLOCKS))
    drawn = generator.permutation(len(features))[: count * n].reshape(count, n)
    return [features[block] for block in np.sort(drawn, axis=1)]


def _mean_between(blocks: Sequence[Features], reference: Features) -> dict[str, float]:
    """Compute the figures of several sets against another, each its mean over them."""
    found = [_between(block, reference) for block in blocks]
    return {name: fmean(figures[name] for figures in found) for name in _BETWEEN}


def _between(generated: Features, reference: Features) -> dict[str, float]:
    """Compute the figures of one set against another."""
    near = neighbourhoods(reference, generated)
    return {
        "frechet": frechet_distance(generated, reference),
        "kid": kernel_distance(generated, reference),
        "precision": near.precision,
        "recall": near.recall,
        "density": near.density,
        "coverage": near.coverage,
        "two_sample_auc": two_sample_auc(generated, reference),
        "diversity": effective_number(generated, reference.mean(0, dtype=np.float64)),
    }


def _copying(sets: FeatureSets, train: Features) -> dict[str, Measure]:
    copies, nearer = copying(sets.generated, train, sets.reference)
    return {
        "nearer_to_train": Measure(
            value=nearer.value,
            better="0.5",
            n=len(sets.generated),
            floor=0.5,  # by symmetry: new real items know nothing of the split
            interval=nearer.interval,
            features=sets.space,
        ),
        "near_copies": _copies(copies, sets.space),
    }


def share_of_copies(sets: FeatureSets) -> Measure:
    """The share of samples that are near copies, alone: for a further space.

    Raises:
        ValueError: there are no training items, or the features do not match.
    """
    if sets.train is None:
        raise ValueError("without training items there is nothing to copy")
    copies = near_copies(sets.generated, sets.train, sets.reference)
    return _copies(copies, sets.space)


def _copies(copies: NearCopies, space: str) -> Measure:
    return _share(copies.flags, "lower", floor=copies.floor, space=space)


def label_fidelity(
    train: Features,
    train_labels: Labels,
    generated: Features,
    generated_labels: Labels,
    reference: Features,
    reference_labels: Labels,
    *,
    space: str,
) -> Measure:
    """How often a classifier of real items gives a sample the label that was asked for.

    A multinomial logistic regression, fitted to (at most 10,000) training items. The floor is how
    often it is right about held-out real items: no better judge than that.

    Args:
        train: (t, d).
        train_labels: (t,), each in 0..c - 1.
        generated: (n, d).
        generated_labels: (n,), what was asked for.
        reference: (m, d), held-out real items.
        reference_labels: (m,).
        space: name of the feature space.

    Raises:
        ValueError: the features do not match, or are not finite.
    """
    chosen = choice(len(train), _LARGEST_FIT, np.random.default_rng(0))
    classifier = logistic_regression(train[chosen], train_labels[chosen])
    right, floor = (
        classifier.logits(x).argmax(1).numpy() == labels
        for x, labels in ((generated, generated_labels), (reference, reference_labels))
    )
    return _share(right, "higher", floor=float(floor.mean()), space=space)


def _share(flags: NDArray[np.bool_], better: Better, *, floor: float, space: str) -> Measure:
    """Give the share of samples that a flag is set for, with its interval."""
    share = float(flags.mean())
    return Measure(
        value=share,
        better=better,
        n=len(flags),
        floor=floor,
        interval=share_interval(share, len(flags)),
        features=space,
    )
