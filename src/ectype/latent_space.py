"""A user's own items in a model's latent space: walks between them, and which lie near."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ectype.errors import UsageError
from ectype.models.base import Batch
from ectype.models.vae import Vae
from ectype.samples import Samples

if TYPE_CHECKING:  # a run can be asked, so `run` knows this module
    from ectype.run import Run


def encode(run: Run, source: Any, label: str | None) -> Tensor:
    """The latents of a source's items, (n, *latent), on the model's device.

    Raises:
        UsageError: the model has no encoder, or needs to be told the label.
        DataError: none of the data can be used.
    """
    model = run.model
    if not isinstance(model, Vae):
        model.reconstruct(Batch(torch.empty(0), None))  # raises, with the reason
        raise UsageError("this model has no encoder")
    if run.spec.classes and label is None:
        known = ", ".join(run.spec.labels[:20])
        raise UsageError("a latent of this run is that of an item with a label", hint=known)
    index = run.label_index(label)
    items = run.domain.read(source, run.spec).items
    found = []
    for start in range(0, len(items), model.block):
        stored = torch.from_numpy(np.array(items[start : start + model.block]))
        x = run.domain.to_network(stored.to(run.precision.device), run.spec)
        labels = None if index is None else torch.full((len(x),), index, device=x.device)
        with torch.inference_mode(), run.precision.autocast():
            found.append(model.encode(x, labels))
    return torch.cat(found)


def between(run: Run, source: Any, steps: int, label: str | None) -> Samples:
    """Walks from each item of a source to the next one, `steps` items each, both ends included.

    Raises:
        UsageError: there are fewer than two, the model has no encoder, or needs a label.
        DataError: none of the data can be used.
    """
    z = encode(run, source, label)
    if len(z) < 2 or steps < 2:
        raise UsageError("a walk needs two items and two steps at least")
    index = run.label_index(label)
    share = torch.linspace(0, 1, steps, device=z.device)
    labels = None if index is None else torch.full((steps,), index, device=z.device)
    with torch.inference_mode(), run.precision.autocast():
        walks = [
            run.model.decode(run.model.path(start, end, share), labels).float().cpu()
            for start, end in pairwise(z)
        ]
    items = run.domain.from_network(torch.cat(walks), run.spec)
    return Samples(lambda: iter([items]), run.spec, run.domain, label, columns=steps, as_grid=True)


def nearest(run: Run, source: Any, among: Any, k: int, label: str | None) -> np.ndarray:
    """Indices (n, k) of the items of `among` whose latents lie nearest to those of a source.

    Both are read as `Run.reconstruct` reads them; items that cannot be used do not count.

    Raises:
        UsageError: the model has no encoder, or needs a label.
        DataError: none of the data can be used.
    """
    if k < 1:
        raise UsageError(f"{k} neighbours cannot be found", hint="ask for at least 1")
    z, others = encode(run, source, label).flatten(1), encode(run, among, label).flatten(1)
    nearest_ones = [
        torch.cdist(block, others).topk(min(k, len(others)), largest=False).indices
        for block in z.split(1024)
    ]
    return torch.cat(nearest_ones).cpu().numpy()
