"""A prior that needs no training: each item's latent, moved in the directions of its neighbours.

The latents of real data lie near a surface of few dimensions in a space of many. A mixture of few
Gaussians must bridge its bends, and fills the space between the data with noise; with little data
there are not even items enough for the covariance of one. Locally the latents vary in few
directions, and those are what an item's neighbours show.

"Manifold Parzen windows": Vincent and Bengio, NIPS 2002.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ectype.nets.precision import full_precision

#: The most items that are kept: of more data a random choice.
MOST_ITEMS = 20_000
#: How many neighbours show the directions, and how far samples spread, as a multiple of theirs.
#: Less of either gives samples nearer to held-out items, and more copies: docs/benchmarks.md.
NEIGHBOURS = 20
SPREAD = 1.4
BLOCK = 1024


class LocalPrior(nn.Module):
    """p(z) = 1/n Σ_i N(z; z_i, s² C_i), C_i the second moments about z_i of its nearest latents.

    Neighbours have the label of the item. The latents of training items are part of the model, in
    half precision: whoever has its file can decode them.

    Args:
        size: length d of a latent.
        classes: number of labels, 0 for none.
        spread: s; at 0 the training latents themselves are drawn.
    """

    counts: Tensor  # (classes or 1,), items of each label
    latents: Tensor  # (n, d), sorted by label
    neighbours: Tensor  # (n, k), an item itself where there are too few others

    def __init__(self, size: int, classes: int, spread: float = SPREAD):
        super().__init__()
        self.spread = spread
        self.register_buffer("counts", torch.zeros(max(classes, 1), dtype=torch.int64))
        self.register_buffer("latents", torch.zeros(0, size, dtype=torch.float16))
        self.register_buffer("neighbours", torch.zeros(0, NEIGHBOURS, dtype=torch.int32))
        self.register_load_state_dict_pre_hook(_as_many)

    @torch.no_grad()
    @full_precision
    def fit(self, z: Tensor, label: Tensor | None) -> None:
        """Keep latents z (n, d) with labels (n,), the first `MOST_ITEMS` of them."""
        z = z[:MOST_ITEMS].float()
        label = torch.zeros(len(z), dtype=torch.int64) if label is None else label[: len(z)].cpu()
        self.counts.copy_(label.bincount(minlength=len(self.counts)))
        z = z[label.argsort(stable=True).to(z.device)]
        groups = z.split(self.counts.tolist())
        starts = (self.counts.cumsum(0) - self.counts).tolist()
        near = neighbours if self.spread else _alone
        joined = [start + near(group) for start, group in zip(starts, groups, strict=True)]
        self.latents = z.half()
        self.neighbours = torch.cat(joined).int()

    def draw(
        self, n: int, label: Tensor | None, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """Latents (n, d); drawn on the generator's device, returned on the prior's."""
        own, home = self.latents.device, generator.device
        place = torch.rand(n, generator=generator, device=home).to(own)
        noise = torch.randn(n, NEIGHBOURS, generator=generator, device=home).to(own)
        first, size = torch.zeros(n, dtype=torch.int64, device=own), self.counts.sum().expand(n)
        if label is not None:
            there = self.counts[label] > 0  # a label without items: as the whole
            first = torch.where(there, (self.counts.cumsum(0) - self.counts)[label], first)
            size = torch.where(there, self.counts[label], size)
        chosen = first + (place * size).long()
        centre, near = self.latents[chosen].float(), self.neighbours[chosen].long()
        others = (near != chosen[:, None]).sum(1).clamp_min(1)
        weight = self.spread * temperature * noise / others.sqrt()[:, None]
        steps = self.latents[near].float() - centre[:, None]
        return centre + torch.einsum("nk,nkd->nd", weight, steps)


def _as_many(prior: LocalPrior, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
    """Make room for as many items as there are in a saved state."""
    del rest
    for name in ("latents", "neighbours"):
        if prefix + name in state:
            setattr(prior, name, getattr(prior, name).new_empty(state[prefix + name].shape))


def _alone(z: Tensor) -> Tensor:
    """No other row: what is not moved needs no directions."""
    return torch.arange(len(z), device=z.device)[:, None].repeat(1, NEIGHBOURS)


def neighbours(z: Tensor) -> Tensor:
    """Of each row of z (n, d) the nearest other rows, (n, k): itself where there are too few."""
    index = torch.arange(len(z), device=z.device)
    found = index[:, None].repeat(1, NEIGHBOURS)
    near = max(0, min(NEIGHBOURS, len(z) - 1))
    for block in index.split(BLOCK):
        distance = torch.cdist(z[block], z)
        distance[torch.arange(len(block), device=z.device), block] = torch.inf
        found[block, :near] = distance.topk(near, largest=False).indices
    return found
