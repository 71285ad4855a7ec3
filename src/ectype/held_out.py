"""What a run is measured against: items that it has not seen, and those that it has."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ectype.domains.base import Chosen, Dataset, Part
from ectype.errors import DataError, StorageError, UsageError
from ectype.folder import load_config
from ectype.measures.suite import SMALLEST
from ectype.request import prepare_data

if TYPE_CHECKING:  # a run can be evaluated, so `run` knows this module
    from ectype.run import Run

#: Training items that are looked at, chosen at random where there are more.
TRAIN_ITEMS = 20_000


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Held-out items, the training items if they are at hand, and what is to be said of both.

    Both are in random order, the same one every time. `facts` are for the report, `notes` are
    sentences for whoever waits.
    """

    reference: Chosen
    train: Chosen | None
    facts: dict[str, str]
    notes: tuple[str, ...] = ()


def find(run: Run, source: Any = None) -> HeldOut:
    """The test part of the run's own data, or all of a source that the model has not seen.

    A source that gives the run's own dataset, because that was moved, is read as such.

    Raises:
        UsageError: the run's data are not there, or not what they were.
        DataError: there are too few held-out items.
    """
    offer = f"name data that the model has not seen: ectype evaluate {run.path} DATA"
    if source is None:
        if run.source is None:
            raise UsageError("the run does not say where its data are", hint=offer)
        if _is_missing(run.source):
            where = str(run.source)
            raise UsageError("the run's data are not there any more", where=where, hint=offer)
        own = _prepared(run, run.source)
    else:
        own = _own_or_none(run, source)
    if own is not None:
        return part_of(own, "test")
    if source is None or _is_same_place(source, run.source):  # the training items are among them
        place = run.source if _is_path(run.source) else run.path
        message = "the data are not those that the run was made with"
        raise UsageError(message, where=str(place), hint=offer)
    return _further(run, source)


def part_of(dataset: Dataset, part: Part) -> HeldOut:
    """One part of a run's dataset, and its training items.

    Raises:
        DataError: it holds too few items.
    """
    count = len(dataset.parts[part])
    hint = f"name further data, or train with a larger {part} part (data.{part} for pictures)"
    _check_count(count, f"items in the {part} part", hint)
    train = _choose(dataset, "train", TRAIN_ITEMS)
    return HeldOut(
        reference=_choose(dataset, part, count),
        train=train,
        facts={
            "items": f"{len(dataset.items):,}, of which {len(dataset.parts['train']):,} to train",
            "held out": f"{count:,}, the {part} part",
            "copies sought among": f"{len(train):,} training items",
        },
    )


def _further(run: Run, source: Any) -> HeldOut:
    """All of a source but what the model was trained on."""
    further = run.domain.read(source, run.spec)
    items, rejects = further.items, further.rejects
    facts = {"held out": f"{len(items):,} items of {source if _is_path(source) else 'an array'}"}
    if rejects:
        facts["left out"] = f"{len(rejects):,} items that cannot be used"
    notes: list[str] = []
    if run.spec.classes and further.labels is None:
        notes.append(
            "not all items have labels that the model knows: figures of labels are left out"
        )
    own = _own_or_none(run, run.source)
    unseen = np.arange(len(items)) if own is None else _unseen(items, own)
    seen = len(items) - len(unseen)
    if own is None:
        notes.append(
            "the training data are not at hand: floors and figures of copying are left out"
        )
    elif seen:
        notes.append(
            f"{seen:,} of {len(items):,} items are left out: the model was trained on them"
        )
    _check_count(len(unseen), "items that the model has not seen", "give more of the same kind")
    return HeldOut(
        reference=Chosen(items, np.random.default_rng(0).permutation(unseen), further.labels),
        train=None if own is None else _choose(own, "train", TRAIN_ITEMS),
        facts={**facts, "note": "; ".join(notes)} if notes else facts,
        notes=tuple(notes),
    )


def _prepared(run: Run, source: Any) -> Dataset | None:
    """The run's dataset, prepared as `fit` was asked to, if a source gives it."""
    content = run.folder.read_config()
    asked, resolved = (load_config(content[k], run.domain.Settings) for k in ("asked", "resolved"))
    asked = dataclasses.replace(asked, data=resolved.data)  # a run to start from may decide on it
    dataset = prepare_data(run.domain, source, asked, content["device"])
    return dataset if dataset.fingerprint == content["fingerprint"] else None


def _own_or_none(run: Run, source: Any) -> Dataset | None:
    """The run's dataset, or None where a source does not give it for whatever reason."""
    if source is None or _is_missing(source):
        return None
    try:
        return _prepared(run, source)
    except StorageError:
        raise
    except (DataError, UsageError):
        return None


def _choose(dataset: Dataset, part: Part, most: int) -> Chosen:
    order = np.random.default_rng(0).permutation(dataset.parts[part])
    return Chosen(dataset.items, order[:most], dataset.labels)


def _unseen(items: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Indices of the items that are not among a dataset's training items, to the bit."""
    seen = {_hash(dataset.items[i]) for i in dataset.parts["train"]}
    return np.array([i for i, item in enumerate(items) if _hash(item) not in seen], dtype=np.int64)


def _hash(item: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(item).tobytes(), digest_size=16).digest()


def _check_count(count: int, what: str, hint: str) -> None:
    if count < SMALLEST:
        raise DataError(f"{count} {what} are too few to measure anything with", hint=hint)


def _is_path(source: Any) -> bool:
    return isinstance(source, str | os.PathLike)


def _is_missing(source: Any) -> bool:
    return _is_path(source) and not Path(source).expanduser().exists()


def _is_same_place(source: Any, place: Any) -> bool:
    """Whether both are paths to the same place."""
    if not (_is_path(source) and _is_path(place)):
        return False
    return Path(source).expanduser().resolve() == Path(place).expanduser().resolve()
