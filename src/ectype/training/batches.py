"""Endless shuffled batches whose whole state is one number."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ectype.models.base import Batch

#: Data up to this share of a GPU's free memory is kept there.
DEVICE_SHARE = 0.25


class Batches:
    """Batches from one part of a dataset, reshuffled every epoch.

    The order is a function of the seed and of how many items were drawn before, so `drawn` is
    all that a checkpoint must hold. Where the data fits they lie on the device as they are
    stored; else batches are read from the memory map.

    Args:
        items: all stored items, (n, ...), of which `index` names the part.
        labels: label indices (n,), or None.
        index: the part's indices.
        size: items a batch; a batch may span two epochs.
        to_network: stored items to network items.
    """

    def __init__(
        self,
        items: np.ndarray,
        labels: np.ndarray | None,
        index: np.ndarray,
        *,
        size: int,
        seed: int,
        device: torch.device,
        to_network: Callable[[Tensor], Tensor],
    ):
        self.size = size
        self.seed = seed
        self.device = device
        self.to_network = to_network
        self.drawn = 0
        self.index = torch.as_tensor(np.asarray(index, dtype=np.int64))
        self._order: tuple[int, Tensor] | None = None
        self._labels = None if labels is None else torch.as_tensor(np.asarray(labels)).to(device)
        self._source = items
        self._resident = _on_device(items, device)

    def __len__(self) -> int:
        return len(self.index)

    def next(self) -> Batch:
        """The next batch, on the device."""
        batch = self.at(self.order(self.drawn))
        self.drawn += self.size
        return batch

    def in_order(self, most: int, size: int = 512) -> Iterator[Batch]:
        """Each item of the part once, or a random `most` of them (the same ones every time)."""
        generator = torch.Generator().manual_seed(self.seed % 2**63)
        order = self.index[torch.randperm(len(self.index), generator=generator)[:most]]
        for chosen in order.split(size):
            yield self.at(chosen)

    def order(self, start: int) -> Tensor:
        """Indices (size,) of the batch that is drawn after `start` items."""
        n, missing = len(self.index), self.size
        chosen = []
        while missing:
            epoch, offset = divmod(start, n)
            piece = self._epoch(epoch)[offset : offset + missing]
            chosen.append(piece)
            start += len(piece)
            missing -= len(piece)
        return torch.cat(chosen)

    def at(self, chosen: Tensor) -> Batch:
        """The items at given indices (n,) into all items, as a batch."""
        if self._resident is not None:
            items = self._resident[chosen.to(self.device)]
        else:
            items = torch.from_numpy(self._source[chosen.numpy()]).to(self.device)
        label = None if self._labels is None else self._labels[chosen.to(self.device)]
        return Batch(self.to_network(items), label)

    def _epoch(self, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != epoch:
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
            order = torch.randperm(len(self.index), generator=generator)
            self._order = (epoch, self.index[order])
        return self._order[1]


def _on_device(items: np.ndarray, device: torch.device) -> Tensor | None:
    """The items as a tensor on the device, or None where they must be read piece by piece.

    On the CPU a memory map already is in place: the operating system keeps in memory what fits.
    """
    if device.type == "cpu":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    if items.nbytes > DEVICE_SHARE * free:
        return None
    return torch.from_numpy(np.array(items)).to(device)
