"""Whether pictures could as well be mirrored: whether a mirror image is one of their kind.

A classifier is shown pictures and their mirror images and asked which is which, about pictures
that it has not seen. Where it is hardly ever right by more than chance, left and right do not
matter, and augmentation may mirror.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

#: Left and right do not matter if less than this share of mirror images can be told...
MOST = 0.65
#: ...by two standard errors: with few pictures chance alone must not say so.
ERRORS = 2
#: At most so many pictures are asked about, at about this side.
_ITEMS, _SIDE = 2_000, 32
_FOLDS = 4
#: Weight of the L2 term, as a share of the mean squared length of what the classifier sees.
_RIDGE = 0.1


def choose_mirror(
    items: np.ndarray, index: np.ndarray, wanted: Literal["auto", "yes", "no"], seed: int
) -> tuple[bool, str]:
    """Whether augmentation may mirror pictures, and why, as a sentence; empty where it may not.

    Args:
        items: (n, h, w, c) uint8, often a memory map.
        index: which of them are for training.
        wanted: `data.mirror`.
        seed: of the choice of pictures that are asked about.
    """
    if wanted != "auto":
        said = "If augmentation is needed, it mirrors pictures, too (data.mirror=yes)."
        return wanted == "yes", said if wanted == "yes" else ""
    some = np.random.default_rng(seed).permutation(index)[:_ITEMS]
    share = told(items, some)
    error = 0.5 / max(len(some), 1) ** 0.5
    if max(share, 0.5) + ERRORS * error >= MOST:
        return False, ""
    return True, (
        f"Left and right do not matter: of mirror images {share:.0%} can be told as such, by "
        "chance it would be 50%. If augmentation is needed, it mirrors, too, unless data.mirror=no."
    )


def told(items: np.ndarray, index: np.ndarray) -> float:
    """The share of pictures that are told from their mirror images by one trained on others.

    Ridge regression on x − mirrored x, to 1, without a constant: to mirror a picture is to turn
    the sign, so this is the problem of two classes in half of the space. It sees the same of the
    distances from each picture's mean, so that light on dark and dark on light do not cancel.

    Args:
        items: (n, h, w, c) uint8.
        index: which of them, in an order that means nothing.

    Returns:
        0.5 where nothing can be told, 1 where all is, or where there is less than one for a fold.
    """
    if len(index) < _FOLDS:
        return 1.0
    one_sided = np.concatenate([_one_sided(items[np.sort(some)]) for some in _chunks(index)])
    products = one_sided @ one_sided.T
    scores = np.empty(len(products))
    for held_out in np.array_split(np.arange(len(products)), _FOLDS):
        rest = np.delete(np.arange(len(products)), held_out)
        inner = products[np.ix_(rest, rest)]
        inner[np.diag_indices_from(inner)] += _RIDGE * max(np.trace(inner) / len(inner), 1e-12)
        weights = np.linalg.solve(inner, np.ones(len(inner)))
        scores[held_out] = products[np.ix_(held_out, rest)] @ weights
    return float(np.mean(0.5 + 0.5 * np.sign(scores)))  # its own mirror image: half


def _chunks(index: np.ndarray) -> list[np.ndarray]:
    """Pieces that are in memory in full size at once."""
    return np.array_split(index, -(-len(index) // 100))


def _one_sided(items: np.ndarray) -> np.ndarray:
    """What tells each picture from its mirror image, means over blocks, (n, values) float64."""
    n, height, width, channels = items.shape
    x = items / 255.0
    x = np.concatenate([x, np.abs(x - x.mean((1, 2), keepdims=True))], axis=-1)
    x = (x - x[:, :, ::-1])[:, :, : width // 2]
    block = max(1, min(height, width) // _SIDE)
    rows, columns = height // block, width // 2 // block
    x = x[:, : rows * block, : columns * block]
    return x.reshape(n, rows, block, columns, block, 2 * channels).mean((2, 4)).reshape(n, -1)
