"""Whether samples are copies of training items: each one by itself, and all of them together.

See also: "A Non-Parametric Test to Detect Data-Copying in Generative Models"
(https://arxiv.org/abs/2004.05675), which compares samples' and held-out items' distances to the
training set. That mixes copying with quality: blurred samples lie nearer to everything, poor ones
farther. Both figures here compare a sample with itself only.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ectype.measures.distances import Neighbours, Points, nearest_rows, points
from ectype.measures.intervals import NORMAL_95

_FOLLOWING = 10
_FRACTION = 0.5
_TINY = 1e-300


@dataclass(frozen=True, kw_only=True, eq=False)
class NearCopies:
    """Samples that are near copies of a training item.

    Attributes:
        flags: (n,) bool, which samples are.
        floor_flags: (m,) bool, which held-out real items are by the same rule.
        items: indices of the samples that are, worst first, int64.
    """

    flags: NDArray[np.bool_]
    floor_flags: NDArray[np.bool_]
    items: NDArray[np.int64]

    @property
    def share(self) -> float:
        """Share of the samples, 0..1."""
        return float(self.flags.mean())

    @property
    def floor(self) -> float:
        """Share of the held-out real items, 0..1."""
        return float(self.floor_flags.mean())


def near_copies(
    generated: NDArray[Any], train: NDArray[Any], reference: NDArray[Any]
) -> NearCopies:
    """Find samples that lie much nearer to one training item than to the next ones.

    A sample is a near copy where its nearest training item is less than half as far as the mean of
    the 10 that follow (of a tenth of the training set, where that is less): the rule of
    "Extracting Training Data from Diffusion Models" (https://arxiv.org/abs/2301.13188), section
    5.1. A ratio of distances asks nothing of the scale of the features, of dense and sparse
    regions, or of the quality of samples. A copy of an item that the training set holds twice is
    still found; of one that it holds ten times, only an exact one.

    The paper takes 50 that follow. In small sets those are no longer near: of 200 to 1,800 MNIST
    digits, 50 call 1 to 7 % of new digits copies, and 10 at most 0.3 %.

    Args:
        generated: features (n, d).
        train: features (t, d) of all training items, t at least 2.
        reference: features (m, d) of real items of the same origin that were not trained on.

    Raises:
        ValueError: if the features do not match or there are too few.
    """
    seen, x, unseen = points(train, generated, reference)
    return _near_copies(_first_neighbours(x, seen), _first_neighbours(unseen, seen))


@dataclass(frozen=True, kw_only=True)
class NearerToTrain:
    """How much nearer samples are to training items than to held-out ones.

    Attributes:
        value: 0.5 for a model that cannot tell the two sets apart, 1 for one that repeats its
            training items.
        interval: about 95 %, see `nearer_to_train`.
    """

    value: float
    interval: tuple[float, float]


def nearer_to_train(
    samples: NDArray[Any], train: NDArray[Any], held_out: NDArray[Any]
) -> NearerToTrain:
    """Compare how often the nearest real item is a training item and how often a held-out one.

    With n training items and m held-out ones, and q the share of samples whose nearest item of all
    n + m is a held-out one (a tie counts half):

        value = ((1 - q) / n) / ((1 - q) / n + q / m)

    A model that has learned the distribution gives each item its equal part, q = m / (n + m), and
    the value is 0.5. At equal sizes it is 1 - q, the share of "Holdout-Based Fidelity and Privacy
    Assessment of Mixed-Type Synthetic Data" (https://arxiv.org/abs/2104.00635). That paper makes
    the sizes equal by leaving training items out, and the copies of those left out go unseen.

    The interval is that of q over which items were held out. Let c be the number of samples that
    each of the n + m items is nearest to. Were the model blind to the split, the held-out items
    would be m of them at random, without replacement, so for k samples

        Var q = m (1 - m / (n + m)) Var c / k^2.

    Samples far from all data share a few nearest items, and then the split of those few is chance:
    Var c is large, and the interval wide, as a count of samples alone would not show.

    Args:
        samples: features (k, d).
        train: features (n, d) of items that the model was trained on.
        held_out: features (m, d) of items of the same origin that it never saw.

    Raises:
        ValueError: if the features do not match.
    """
    seen, x, unseen = points(train, samples, held_out)
    return _nearer_to_train(nearest_rows(x, seen), nearest_rows(x, unseen), len(seen), len(unseen))


def copying(
    generated: NDArray[Any], train: NDArray[Any], reference: NDArray[Any]
) -> tuple[NearCopies, NearerToTrain]:
    """Compute `near_copies` and `nearer_to_train`, which share most of the work."""
    seen, x, unseen = points(train, generated, reference)
    to_seen = _first_neighbours(x, seen)
    return (
        _near_copies(to_seen, _first_neighbours(unseen, seen)),
        _nearer_to_train(to_seen, nearest_rows(x, unseen), len(seen), len(unseen)),
    )


def nearest(
    queries: NDArray[Any], items: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the nearest item of each query.

    Args:
        queries: features (n, d).
        items: features (m, d).

    Returns:
        Its index and its distance, both (n,).

    Raises:
        ValueError: if the features do not match.
    """
    x, y = points(queries, items)
    indices, squared = nearest_rows(x, y)
    return indices[:, 0].numpy(), squared[:, 0].sqrt().numpy()


def _first_neighbours(x: Points, train: Points) -> Neighbours:
    """Find as many training items nearest to each row as `near_copies` looks at."""
    return nearest_rows(x, train, 1 + min(_FOLLOWING, max(1, len(train) // 10)))


def _near_copies(of_generated: Neighbours, of_reference: Neighbours) -> NearCopies:
    ratios: list[NDArray[np.float64]] = []
    for _, squared in (of_generated, of_reference):
        distances = squared.sqrt()
        # A copy of an item that the training set holds over and over is one: 0 / 0 counts as 0.
        ratio = distances[:, 0] / distances[:, 1:].mean(1).clamp_min(_TINY)
        ratios.append(ratio.numpy())
    flags, floor_flags = (ratio < _FRACTION for ratio in ratios)
    order = np.argsort(ratios[0], kind="stable")
    return NearCopies(flags=flags, floor_flags=floor_flags, items=order[flags[order]])


def _nearer_to_train(to_seen: Neighbours, to_unseen: Neighbours, n: int, m: int) -> NearerToTrain:
    (seen, seen_distance), (unseen, unseen_distance) = (
        (indices[:, 0], squared[:, 0]) for indices, squared in (to_seen, to_unseen)
    )
    k = len(seen)
    half = torch.tensor(0.5, dtype=torch.float64)
    in_held_out = torch.heaviside(seen_distance - unseen_distance, half)
    counts = torch.zeros(n + m, dtype=torch.float64)
    counts.index_add_(0, seen, 1 - in_held_out)
    counts.index_add_(0, n + unseen, in_held_out)

    q = float(in_held_out.mean())
    reach = NORMAL_95 * (m * n / (n + m) * float(counts.var())) ** 0.5 / k
    low, high = max(0.0, q - reach), min(1.0, q + reach)
    return NearerToTrain(
        value=_balanced(q, n, m), interval=(_balanced(high, n, m), _balanced(low, n, m))
    )


def _balanced(q: float, n: int, m: int) -> float:
    """Turn the share q of the m held-out items into the value of `nearer_to_train`."""
    seen, unseen = (1 - q) / n, q / m
    return seen / (seen + unseen)
