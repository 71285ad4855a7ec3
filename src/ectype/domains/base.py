"""The contract between a kind of data and everything else.

A new domain is one subclass of `Domain`: it need not touch the trainer, the models or the
command line. `tests/contract/points.py` shows the smallest one.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ectype.config import Budget, Family
from ectype.errors import UsageError

if TYPE_CHECKING:  # inspecting data must not wait for torch
    from torch import Tensor, nn

    from ectype.measures.features import FeatureSpace
    from ectype.measures.measure import Measure
    from ectype.models.likelihoods import Likelihood
    from ectype.nets.augment import Augmentation
    from ectype.report import Exhibit

Role = Literal["generator", "discriminator", "encoder", "decoder"]
Part = Literal["train", "validation", "test"]
SelectsBy = Literal["frechet", "bound", "last"]


@dataclass(frozen=True, kw_only=True)
class Spec:
    """All that is needed to rebuild the networks and to write samples; saved as `spec.json`.

    `shape` is that of one stored item, without the batch dimension. A domain subclasses this
    for what else it must remember; every field must be plain JSON.
    """

    domain: str
    shape: tuple[int, ...]
    labels: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """Number of labels; 0 for unlabelled data."""
        return len(self.labels)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Spec:
        """From what `to_json` gave, read back from a file."""
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)


@dataclass(frozen=True)
class Reject:
    """An item that was left out, and why."""

    item: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A user's data made ready.

    Attributes:
        items: stored items, (n, *spec.shape), often a read-only memory map.
        labels: label index of each item, int64 (n,), or None for unlabelled data.
        parts: indices into `items`, one array a part; no index is in two parts.
        rejects: what was left out.
        fingerprint: hash of the items' content and of all that shaped it; equal fingerprints
            mean equal data.
        notes: what was found and chosen, a plain sentence each, for `inspect` and the log.
        summary: figures about the data for `inspect --json`.
    """

    spec: Spec
    items: np.ndarray
    labels: np.ndarray | None
    parts: dict[Part, np.ndarray]
    fingerprint: str
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    def part(self, name: Part) -> tuple[np.ndarray, np.ndarray | None]:
        """Items and labels of one part, copied into memory."""
        index = self.parts[name]
        return self.items[index], None if self.labels is None else self.labels[index]


@dataclass(frozen=True, kw_only=True)
class Further:
    """Further items for a run, in the form that its spec says.

    Attributes:
        items: stored items, (n, *spec.shape).
        labels: label index of each item, int64 (n,); None where not all have one that is known.
        rejects: what was left out.
    """

    items: np.ndarray
    labels: np.ndarray | None = None
    rejects: list[Reject] = field(default_factory=list)


class Chosen:
    """Some stored items, in a fixed order, read from where they lie when they are asked for.

    `chosen[:64]` or `chosen[[3, 1]]` is an array of items, `np.asarray(chosen)` that of them all.

    Args:
        items: all items, often a memory map.
        index: which of them.
        labels: label index of each of all items, or None.
    """

    def __init__(self, items: np.ndarray, index: np.ndarray, labels: np.ndarray | None = None):
        self._items = items
        self._index = index
        self._labels = labels

    @property
    def labels(self) -> np.ndarray | None:
        """Label index of each, int64 (n,)."""
        return None if self._labels is None else self._labels[self._index]

    def first(self, n: int) -> Chosen:
        """The first `n` of them."""
        return Chosen(self._items, self._index[:n], self._labels)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, which: Any) -> np.ndarray:
        return self._items[self._index[which]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """What besides its own settings a domain is told when it prepares data."""

    seed: int = 0
    labels: str = "auto"
    budget: Budget = Budget(seconds=600)
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class NoSettings:
    """For a domain that has nothing to set."""


@dataclass(frozen=True)
class Conditions:
    """What samples must meet: a label to ask the model for, and a test of stored items.

    `meets` says of items (n, ...) whether each does, bool (n,).
    """

    label: str | None
    meets: Callable[[np.ndarray], np.ndarray]


class Domain(ABC):
    """A kind of data.

    Stored items (what `Dataset.items` holds, compact) and network items (what networks read and
    write, float tensors) are two forms of the same thing; `to_network` and `from_network` pass
    between them.
    """

    name: ClassVar[str]
    Settings: ClassVar[type] = NoSettings
    Spec: ClassVar[type[Spec]] = Spec
    #: Sizes that `capacity` may take, ascending, and the one that a step budget uses.
    capacities: ClassVar[tuple[int, ...]] = (16, 24, 32, 48, 64, 96, 128, 192)
    default_capacity: ClassVar[int] = 32
    #: What this kind of data needs of the settings `gan.*`, `vae.*` and `training.*` by key,
    #: where the defaults, which are those of pictures, do not serve it.
    defaults: ClassVar[Mapping[str, Any]] = {}
    #: Samples are computed in whole blocks of so many: more where an item costs little.
    sample_block: ClassVar[int] = 64
    #: At which of them samples are drawn for `temperature_exhibits`; none for no such exhibit.
    temperatures: ClassVar[tuple[float, ...]] = ()
    #: Whether gradients pass through network items. Through words they do not: there a GAN learns
    #: the latents of an autoencoder, and no generator or discriminator is asked of the domain.
    differentiable: ClassVar[bool] = True
    #: Items that the view of all samples shows, where these are written block by block in bounded
    #: memory; None where each has a place of its own in the view.
    shown_items: ClassVar[int | None] = None
    #: Whether networks may compute in bf16 (8 bits of precision): enough for pictures, too
    #: little where a value's digits matter.
    tolerates_bf16: ClassVar[bool] = False
    #: Names of the feature spaces in which items can be measured, see `measures/features.py`;
    #: the first is the default. `values` are the stored numbers as they are.
    feature_spaces: ClassVar[tuple[str, ...]] = ("values",)
    #: Names of further spaces in which near copies are sought: what one is blind to, another sees.
    copy_spaces: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def recognises(self, source: Any) -> bool:
        """Whether a source (a path, an array, a table, a list) is of this kind."""

    @abstractmethod
    def prepare(self, source: Any, settings: Any, options: PrepareOptions) -> Dataset:
        """Read a source into a dataset.

        Raises:
            DataError: nothing in it can be used.
            UsageError: the settings do not fit the source.
        """

    def default_batch(self, family: Family, device: str) -> int:
        """Items a step; `device` is cpu or cuda.

        Few where arithmetic is scarce, since many small steps then learn more.
        """
        sizes = {("gan", "cpu"): 16, ("vae", "cpu"): 64, ("gan", "cuda"): 128, ("vae", "cuda"): 256}
        return sizes[family, device]

    def selects_by(self, family: Family, spec: Any) -> SelectsBy:
        """What a run's weights are chosen by.

        The Fréchet distance of samples; the bound of held-out items, where a VAE's many weights see
        so few numbers an item that it may learn them by heart; or nothing, so that the last are
        kept, where items are so few numbers that their means and covariances say too little.
        """
        del family, spec
        return "frechet"

    def pinned(self, spec: Any) -> dict[str, str]:
        """Data settings under which `prepare` gives this spec again, whatever the budget.

        By default there are none: only a domain that looks at the budget needs any.
        """
        return {}

    @abstractmethod
    def read(self, source: Any, spec: Any) -> Further:
        """Read a source as stored items in the form that an existing spec says."""

    @abstractmethod
    def network(
        self,
        role: Role,
        spec: Any,
        *,
        capacity: int,
        latent: int,
        likelihood: Likelihood | None = None,
    ) -> nn.Module:
        """Build one network.

        - generator: (latents (n, latent), label) → network items
        - discriminator: (network items, label) → (n,)
        - encoder: (network items, label) → mean and log-variance, each (n, latent)
        - decoder: (latents (n, latent), label) → the likelihood's parameters

        `label` is an int64 tensor (n,), or None where the spec has no labels.
        """

    @abstractmethod
    def likelihood(self, spec: Any, name: str) -> Likelihood:
        """The distribution that a decoder's output stands for; `auto` for the domain's own."""

    def augmentation(self, spec: Any) -> Augmentation | None:
        """Random changes to network items after which they still look like this kind of data.

        They keep a discriminator from learning few items by heart; `nets/augment.py` has those
        of pictures. By default there are none.
        """
        return None

    @abstractmethod
    def to_network(self, items: Tensor, spec: Any) -> Tensor:
        """Stored items (n, *spec.shape) as network items, on the same device."""

    @abstractmethod
    def from_network(self, items: Tensor, spec: Any) -> np.ndarray:
        """Network items as stored items, for writing and for the user."""

    def present(self, items: np.ndarray, spec: Any) -> Any:
        """Stored items as a user of this kind of data wants to have them in Python.

        For instance a list of texts or a DataFrame; by default the array as it is.
        """
        del spec
        return items

    @abstractmethod
    def write(self, samples: np.ndarray, spec: Any, folder: Path, label: str | None) -> list[Path]:
        """Write samples as the files that a user of this kind of data expects."""

    def write_blocks(
        self, blocks: Iterator[np.ndarray], spec: Any, folder: Path, label: str | None
    ) -> list[Path]:
        """Write samples as they are generated; a domain with `shown_items` need not hold them all.

        By default they are put together for `write`.
        """
        return self.write(np.concatenate([*blocks]), spec, folder, label)

    def conditions(self, text: str, spec: Any) -> Conditions:
        """What a text such as "age>=60" asks of items.

        Raises:
            UsageError: it says nothing, or items of this kind have nothing to ask for.
        """
        del text, spec
        raise UsageError(
            f"{self.name} data have no columns to set conditions on",
            hint="conditions are for tables; --label asks for a label",
        )

    def columns(self, spec: Any) -> int:
        """How many items stand in a row of a sheet, such as one of items above others."""
        del spec
        return 8

    @abstractmethod
    def preview(
        self, samples: np.ndarray, spec: Any, path: Path, columns: int | None = None
    ) -> Path:
        """Write one file that shows many samples at a glance; returns it with its suffix.

        `columns` is how many stand in a row; None for what looks best.
        """

    def write_walks(self, items: np.ndarray, spec: Any, folder: Path, steps: int) -> list[Path]:
        """Write walks between items as files, beside the sheet that `preview` draws of them.

        By default none: of most kinds of data the sheet says it all. Of sounds it says little.

        Args:
            items: stored items (walks · steps, *spec.shape), walk after walk.
            spec: what `prepare` found.
            folder: where to.
            steps: items of a walk.
        """
        return []

    def feature_space(self, name: str, spec: Any) -> FeatureSpace:
        """One of `feature_spaces` or `copy_spaces`, which takes stored items of this spec."""
        from ectype.measures.features import feature_space

        del spec
        return feature_space(name)

    def own_measures(
        self,
        generated: np.ndarray,
        reference: Chosen,
        train: Chosen | None,
        spec: Any,
    ) -> dict[str, Measure]:
        """Figures by name that only this kind of data has, beside those in a feature space.

        For instance how well a model trained on generated rows predicts real ones. By default
        there are none.

        Args:
            generated: stored items (n, *spec.shape), drawn with labels as in the data.
            reference: as many held-out real items.
            train: training items, for floors (the same figure with real items in the place of
                the generated ones) and for what must be learned from real data: more or fewer
                of them; None where they are not at hand.
            spec: what `prepare` found.
        """
        return {}

    def reconstruction_measures(
        self, originals: np.ndarray, copies: np.ndarray, spec: Any
    ) -> dict[str, Measure]:
        """Figures by name of held-out items and of what a VAE made of each; none by default."""
        return {}

    def temperature_exhibits(
        self,
        drawn: Mapping[float, np.ndarray],
        reference: Chosen,
        train: Chosen | None,
        spec: Any,
        folder: Path,
    ) -> Sequence[Exhibit]:
        """What a report shows of items drawn at each of `temperatures`, as files in a folder.

        The other arguments are those of `own_measures`. By default there is nothing.
        """
        return ()

    def own_exhibits(
        self,
        generated: np.ndarray,
        reference: Chosen,
        train: Chosen | None,
        spec: Any,
        folder: Path,
    ) -> Sequence[Exhibit]:
        """What a report shows beside the sheets that `preview` draws, as files in a folder.

        The other arguments are those of `own_measures`. By default there is nothing.
        """
        return ()
