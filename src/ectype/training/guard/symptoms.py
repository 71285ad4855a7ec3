"""What can be seen to go wrong, from figures that training makes anyway and a few items.

Thresholds are far from anything that a healthy run was seen to do: a false alarm costs more than
a late one. `docs/guard.md` says what healthy runs do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ectype.models.base import Batch, Model
    from ectype.training.trainer import Played

#: A figure has exploded once it is so many orders of magnitude above what it typically was.
EXPLODED = 3.0
#: Above so many orders of magnitude it is on the way there, and no state to return to.
CALM = 1.5
#: Figures below this are alike: a KL of 0.01 nats that becomes 10 is a VAE that begins to learn...
SMALL = 10.0
#: ...and gradient penalties below this, which keep to smaller numbers.
SMALL_PENALTY = 1.0
#: The weight of the newest figure in what is typical: half of it is forgotten after 32 of them.
NEWEST = 1 - 0.5 ** (1 / 32)
#: A discriminator overshoots where the gradients of this many of its turns between two checks...
WILD_TURNS = 5
#: ...are so many times as long as the median of them, and as `SMALL`.
WILD = 5
#: Generated items so much closer to each other than real ones are all the same.
LOST = 0.1
#: Kinds that real items are sorted into, so that it can be seen how many of them are generated...
KINDS = 16
#: ...and the share of them at which most have been lost.
FEW = 0.25
#: Items are nearly identical if their mean distance is this share of their mean length.
ALIKE = 0.05
#: A latent is in use if the variance of its posterior mean over items is above this.
#: Burda et al. (arXiv 1509.00519), section 5.2.
ACTIVE = 0.01
#: The loss of a discriminator that hardly ever errs; a relativistic margin of 6.
SATURATED = 2e-3


@dataclass(frozen=True)
class Figures:
    """A turn's figures, fetched from the device; see `Played`."""

    player: str
    step: int
    drawn: int
    values: dict[str, float]

    def to_json(self) -> list[Any]:
        """As plain values."""
        return [self.player, self.step, self.drawn, self.values]


def fetch(played: Sequence[Played]) -> list[Figures]:
    """All figures of some turns, in one transfer from the device."""
    scalars = [value.float() for turn in played for value in turn.figures.values()]
    numbers = iter(torch.stack(scalars).tolist() if scalars else [])
    return [
        Figures(turn.player, turn.step, turn.drawn, {name: next(numbers) for name in turn.figures})
        for turn in played
    ]


def not_finite(turns: Sequence[Figures]) -> tuple[Figures, str] | None:
    """The first turn with an infinity or a NaN, and the figure that has it.

    In a turn a loss comes before its gradient, so a gradient is only named if the loss was well.
    """
    for turn in turns:
        for name, value in sorted(turn.values.items(), key=lambda pair: pair[0] == "gradient"):
            if not math.isfinite(value):
                return turn, name
    return None


def place_of(name: str) -> str:
    """Where a tensor of `Trainer.learned` belongs, in words."""
    kind, _, rest = name.partition(".")
    owner = rest.split(".")[0]
    return {
        "model": f"a weight of the {owner}",
        "ema": f"an averaged weight of the {owner}",
        "optimiser": f"a moment of the {owner}'s optimiser",
    }[kind]


class Typical:
    """What the magnitude of each figure typically was, and how far above it the latest is.

    Magnitudes are medians over a window of turns, so that one odd batch is no alarm. What is
    typical is an exponential mean of their logarithm, which a steep rise leaves behind.

    Attributes:
        levels: mean log10 by name, `player/figure`.
    """

    def __init__(self) -> None:
        self.levels: dict[str, float] = {}

    def excess(self, turns: Sequence[Figures]) -> dict[str, tuple[float, float]]:
        """Median magnitude of each figure, and the orders by which it is above its level."""
        found: dict[str, list[float]] = {}
        for turn in turns:
            for name, value in turn.values.items():
                found.setdefault(f"{turn.player}/{name}", []).append(abs(value))
        excess = {}
        for name, values in found.items():
            small = SMALL_PENALTY if name.endswith("/penalty") else SMALL
            now = math.log10(max(median(values), small))
            # at first all figures are small, but for a reconstruction: it grows with an item's
            # size, to a hundred thousand nats and more, and is taken as it comes
            first = now if name.endswith("/reconstruction") else math.log10(small)
            level = self.levels.setdefault(name, first)
            excess[name] = median(values), now - level
            self.levels[name] = level + NEWEST * (now - level)
        return excess


def spread(items: Tensor) -> float:
    """Mean distance between two items (n, ...)."""
    return torch.pdist(items.flatten(1).float()).mean().item()


def are_alike(items: Tensor) -> bool:
    """Whether the items are nearly the same one; a single item is."""
    if len(items) < 2:
        return True
    length = items.flatten(1).float().norm(dim=1).mean().item()
    return spread(items) < ALIKE * length


@torch.inference_mode()
def generated(model: Model, n: int) -> Tensor:
    """At most n items of a block, always from the same noise."""
    model.eval()
    items = model.decode(*model.draw_block(0, 0, None, 1.0))[:n]
    model.train()
    return items


def kinds(items: Tensor) -> Tensor:
    """Centres (k, d) of kinds of items (n, ...), at least four items a kind: Lloyd's algorithm."""
    x = items.flatten(1).float()
    centres = x[:: max(4, len(x) // KINDS)][:KINDS]
    for _ in range(10):
        nearest = torch.cdist(x, centres).argmin(1)
        members = torch.nn.functional.one_hot(nearest, len(centres)).to(x.dtype)
        count = members.sum(0)[:, None]
        centres = torch.where(count > 0, members.T @ x / count.clamp_min(1), centres)
    return centres


def share_of_kinds(items: Tensor, centres: Tensor) -> float:
    """Of how many kinds there is at least one among items (n, ...), a share."""
    nearest = torch.cdist(items.flatten(1).float(), centres).argmin(1)
    return nearest.unique().numel() / len(centres)


@torch.inference_mode()
def active_units(model: Any, real: Batch) -> int:
    """How many latents differ between items."""
    model.eval()
    means = model.encode(real.x, real.label)
    model.train()
    return int((means.flatten(1).var(0) > ACTIVE).sum())


def is_saturated(turns: Sequence[Figures]) -> bool:
    """Whether a discriminator no longer errs.

    Its margin D(real) − D(generated) tells this from games whose loss is small at a draw, and a
    loss near zero from that of Wasserstein, which is the margin's negative and has no end.
    """
    won = [
        abs(turn.values["loss"]) < SATURATED and turn.values["margin"] > 0.5
        for turn in turns
        if "margin" in turn.values
    ]
    return bool(won) and sum(won) > len(won) / 2


def overshot(turns: Sequence[Figures]) -> tuple[float, float] | None:
    """The longest gradient of a discriminator that overshoots, and the median; None if it does not.

    Too long steps throw it far to one side and to the other, until its weights have grown so much
    that the steps are small beside them. Of 64 turns a dozen do so, which no median shows.
    """
    lengths = sorted(turn.values["gradient"] for turn in turns if "margin" in turn.values)
    if len(lengths) < 2 * WILD_TURNS:
        return None
    typical = median(lengths)
    wild = lengths[-WILD_TURNS] > WILD * max(typical, SMALL)
    return (lengths[-1], typical) if wild else None


def first_not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds an infinity or a NaN."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            return name
    return None
