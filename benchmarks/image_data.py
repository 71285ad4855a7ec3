"""The two sets of pictures of `equal_time_images`, with the split that all candidates share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

EMOJI_SIDE = 32
EMOJI_TRAIN = 1_000
EMOJI_HELD_OUT = 1_300  # at least
SPLIT_SEED = 0

# Code points that make a variant of an emoji, not another one: skin tones, signs of gender, the
# arrow that turns a person round, the emoji style, the joiner.
_DROPPED = {*(f"1F3F{digit}" for digit in "BCDEF"), "2640", "2642", "27A1", "FE0F", "200D"}
_SAME = {
    **dict.fromkeys(("1F468", "1F469", "1F9D1"), ("adult",)),
    **dict.fromkeys(("1F466", "1F467", "1F9D2"), ("child",)),
    **dict.fromkeys(("1F474", "1F475", "1F9D3"), ("elder",)),
    **dict.fromkeys(("1F934", "1F478", "1FAC5"), ("royal",)),
    **dict.fromkeys(("1F385", "1F936"), ("adult", "1F384")),
    **dict.fromkeys(("1F46B", "1F46C", "1F46D"), ("adult", "1F91D", "adult")),
    "1F46A": ("adult", "child"),
    "1F48F": ("adult", "2764", "1F48B", "adult"),
    "1F491": ("adult", "2764", "adult"),
}


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A task: pictures to learn from, and pictures that no candidate sees.

    Attributes:
        name: of the set.
        train: uint8 (n, h, w, c), in an order like that of `held_out`.
        labels: of the training pictures, int64 (n,), or None.
        held_out: uint8 (m, h, w, c), at least 2: the first ones are what samples are compared
            with, the last ones stand in for samples to give the floor.
    """

    name: str
    train: np.ndarray
    labels: np.ndarray | None
    held_out: np.ndarray


def fashion_mnist(path: Path) -> Pictures:
    """Fashion-MNIST: the whole train split to learn from, the test split held out."""
    with np.load(path) as data:
        return Pictures(
            name="Fashion-MNIST 28×28",
            train=data["x_train"][..., None],
            labels=data["y_train"].astype(np.int64),
            held_out=data["x_test"][..., None],
        )


def openmoji(folder: Path, count: int = EMOJI_TRAIN) -> Pictures:
    """1,000 emoji, or `count`, at 32×32 RGB over white; no variant of a training emoji is held out.

    Variants come in clumps (three couples have 104 each) and so do the parts: real against real
    is far from perfect here, and is what samples should be compared with.

    Raises:
        SystemExit: the folder holds too few emoji.
    """
    paths = sorted(folder.glob("*.png"))
    train, held_out = split_by_group([variant_group(path.stem) for path in paths], count)
    if len(held_out) < EMOJI_HELD_OUT:
        raise SystemExit(f"{folder} holds {len(paths)} PNG files, too few for this benchmark")
    pictures = np.stack([_over_white(path) for path in paths])
    return Pictures(
        name=f"OpenMoji 32×32, {count:,} to learn from",
        train=pictures[train],
        labels=None,
        held_out=pictures[held_out],
    )


def variant_group(name: str) -> tuple[str, ...]:
    """What the variants of an emoji have in common, from code points joined by hyphens.

    >>> variant_group("1F44B-1F3FB") == variant_group("1F44B")
    True
    >>> variant_group("1F469-1F3FF-200D-1F33E") == variant_group("1F9D1-200D-1F33E")
    True
    >>> variant_group("1F468-200D-1F469-200D-1F467-200D-1F467")
    ('adult', 'child')
    """
    kept = [point for point in name.upper().split("-") if point not in _DROPPED]
    points = [same for point in kept for same in _SAME.get(point, (point,))]
    if {"adult", "child"} == {*points}:  # families of all sizes
        return ("adult", "child")
    return tuple(points)


def split_by_group(groups: Sequence[tuple[str, ...]], count: int) -> tuple[list[int], list[int]]:
    """Draw `count` items by whole groups; gives their indices and the others', groups together."""
    members: dict[tuple[str, ...], list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    shuffled = list(members.values())
    np.random.default_rng(SPLIT_SEED).shuffle(shuffled)
    drawn: list[int] = []
    others: list[int] = []
    for group in shuffled:
        (drawn if len(drawn) + len(group) <= count else others).extend(group)
    return drawn, others


def _over_white(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        coloured = picture.convert("RGBA")
    white = Image.new("RGBA", coloured.size, "white")
    composed = Image.alpha_composite(white, coloured).convert("RGB")
    return np.asarray(composed.resize((EMOJI_SIDE, EMOJI_SIDE), Image.Resampling.BOX))
