"""Pictures: from folders, archives, arrays and tensors to a dataset, and back to files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from ectype.config import setting
from ectype.domains.base import Dataset, Domain, Further, PrepareOptions, Reject, Role, Spec
from ectype.domains.cache import Cache
from ectype.domains.files import existing_path, is_archive, open_tree
from ectype.domains.fingerprint import fingerprint
from ectype.domains.grids import grid
from ectype.domains.image.arrays import (
    looks_like_pictures,
    pictures_in_memory,
    pictures_in_npy,
    pictures_in_npz,
)
from ectype.domains.image.decoding import Fit
from ectype.domains.image.files import PICTURES, FilePictures, Pictures, Scan, counts_as_pictures
from ectype.domains.image.mirror import choose_mirror
from ectype.domains.image.notes import fit_notes, form_note, summary
from ectype.domains.image.size import choose_size, parse_size, size_cap
from ectype.domains.image.store import Stored, Target, decode_all, richest_form, store
from ectype.domains.labels import choose_labels, known_labels
from ectype.domains.notes import first_rejects, part_note, reject_note
from ectype.domains.parallel import available_cores
from ectype.domains.splitting import (
    check_shares,
    dissolve_giants,
    group_names,
    joined_by_path,
    split,
)
from ectype.errors import DataError, UsageError

if TYPE_CHECKING:  # inspecting data must not wait for torch
    from torch import Tensor, nn

    from ectype.models.likelihoods import Likelihood
    from ectype.nets.augment import Augmentation


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """How pictures are read."""

    size: str = setting("auto", "width x height to learn, such as 64x48, or one side of a square")
    fit: Literal["crop", "pad", "stretch"] = setting(
        "crop", "how a picture is brought to the size: crop, pad or stretch"
    )
    alpha: Literal["auto", "keep", "drop"] = setting(
        "auto", "transparency: auto (learned where used), keep or drop"
    )
    mirror: Literal["auto", "yes", "no"] = setting(
        "auto", "augmentation mirrors pictures: auto (where left and right do not matter), yes, no"
    )
    validation: float = setting(
        0.05, "share of the pictures that choices in training look at", least=0
    )
    test: float = setting(0.1, "share of the pictures that only evaluation looks at", least=0)
    group: str | None = setting(
        None, "regular expression on the path without suffix; equal matches stay in one part"
    )
    cache: str | None = setting(
        None, "folder for decoded pictures; ECTYPE_CACHE or ~/.cache/ectype"
    )
    max_pixels: int = setting(100_000_000, "pictures of more pixels are left out", least=1)
    workers: int | None = setting(None, "threads that decode; as many as there are cores", least=1)


@dataclass(frozen=True, kw_only=True)
class ImageSpec(Spec):
    """Pictures of one size.

    `shape` is (height, width, channels), `form` what the channels mean (`L`, `LA`, `RGB` or
    `RGBA`), `fit` how further pictures are brought to the size, `mirror` whether augmentation may
    mirror them.
    """

    form: str
    fit: Fit = "crop"
    mirror: bool = False

    @property
    def height(self) -> int:
        """In pixels."""
        return self.shape[0]

    @property
    def width(self) -> int:
        """In pixels."""
        return self.shape[1]

    @property
    def channels(self) -> int:
        """1 to 4."""
        return self.shape[2]


class ImageDomain(Domain):
    """Pictures, stored as uint8 (n, h, w, c), seen by networks as float32 (n, c, h, w), -1 to 1."""

    name = "image"
    Settings: ClassVar[type] = ImageSettings
    Spec: ClassVar[type[Spec]] = ImageSpec
    tolerates_bf16: ClassVar[bool] = True
    feature_spaces: ClassVar[tuple[str, ...]] = ("efficientnet-lite0@128", "inception", "pixels")
    #: Features of a network hardly know a blurred copy; pixels do.
    copy_spaces: ClassVar[tuple[str, ...]] = ("pixels@32",)

    def recognises(self, source: Any) -> bool:
        """Paths with pictures, and arrays or tensors of their shape, alone or with labels."""
        if isinstance(source, str | os.PathLike):
            return _is_picture_path(Path(source).expanduser())
        pixels = source[0] if isinstance(source, tuple) and len(source) == 2 else source
        shape = tuple(getattr(pixels, "shape", ()))
        kind = getattr(getattr(pixels, "dtype", None), "kind", "")
        if hasattr(pixels, "detach"):  # a tensor's type has no kind
            kind = "f"
        return looks_like_pictures(shape, kind)

    def prepare(self, source: Any, settings: ImageSettings, options: PrepareOptions) -> Dataset:
        """Read pictures into a dataset; decoded ones are kept in the cache.

        Raises:
            DataError: nothing in it can be used.
            UsageError: the path does not exist, or the settings do not fit the source.
            StorageError: the disk is full, or the cache cannot be written.
        """
        check_shares(settings.validation, settings.test)
        pictures = _open(source, options.labels)
        workers = settings.workers or available_cores()
        cache = Cache(settings.cache)
        scan = pictures.scan(cache, settings.max_pixels, workers)
        _check_any(len(scan.names), scan.rejects, pictures.where)
        wanted = parse_size(settings.size)
        if wanted:
            width, height = wanted
            size_note = (
                f"Pictures are learned at {width}x{height} (width x height), as data.size says."
            )
        else:
            cap = size_cap(options.budget, options.device)
            width, height, size_note = choose_size(scan.sizes, cap)
        form = richest_form(scan.forms, settings.alpha)
        stored = store(
            pictures,
            scan,
            Target(width=width, height=height, fit=settings.fit, form=form),
            cache=cache,
            max_pixels=settings.max_pixels,
            workers=workers,
            keep_alpha=settings.alpha == "keep",
        )
        rejects = scan.rejects + stored.rejects
        _check_any(len(stored.items), rejects, pictures.where)

        labels, label_names, label_note = choose_labels(
            [scan.labels[index] for index in stored.index], options.labels
        )
        keys, group_notes = _group_keys(pictures, scan, stored, settings.group)
        given = [scan.parts[index] for index in stored.index]
        parts = split(
            keys,
            seed=options.seed,
            validation=settings.validation,
            test=settings.test,
            labels=labels,
            given=given,
        )
        mirror, mirror_note = choose_mirror(
            stored.items, parts["train"], settings.mirror, options.seed
        )
        spec = ImageSpec(
            domain=self.name,
            shape=tuple(stored.items.shape[1:]),
            labels=label_names,
            form=stored.form,
            fit=settings.fit,
            mirror=mirror,
        )
        notes = [
            *scan.notes,
            reject_note(rejects),
            form_note(stored, form, settings.alpha),
            size_note,
            *fit_notes(scan, width, height, settings.fit),
            label_note,
            mirror_note,
            *group_notes,
            part_note(parts, "pictures", given),
        ]
        return Dataset(
            spec=spec,
            items=stored.items,
            labels=labels,
            parts=parts,
            fingerprint=fingerprint(spec.to_json(), stored.hashes, labels, parts),
            rejects=rejects,
            notes=[note for note in notes if note],
            summary=summary(spec, scan, stored, labels, parts, len(rejects)),
        )

    def pinned(self, spec: ImageSpec) -> dict[str, str]:
        """The size, which is otherwise chosen for the budget."""
        return {"size": f"{spec.width}x{spec.height}"}

    def read(self, source: Any, spec: ImageSpec) -> Further:
        """Pictures of a source as stored items (n, h, w, c) of a spec, duplicates included.

        Raises:
            DataError: nothing in it can be used.
            UsageError: the path does not exist.
        """
        pictures = _open(source, "auto" if spec.labels else "none")
        settings = ImageSettings()
        workers = available_cores()
        scan = pictures.scan(None, settings.max_pixels, workers)
        target = Target(width=spec.width, height=spec.height, fit=spec.fit, form=spec.form)
        items, index, rejects = decode_all(pictures, scan, target, settings.max_pixels, workers)
        _check_any(len(items), rejects := scan.rejects + rejects, pictures.where)
        labels = known_labels([scan.labels[number] for number in index], spec.labels)
        return Further(items=items, labels=labels, rejects=rejects)

    def network(
        self,
        role: Role,
        spec: ImageSpec,
        *,
        capacity: int,
        latent: int,
        likelihood: Likelihood | None = None,
    ) -> nn.Module:
        """See `Domain.network`."""
        from ectype.nets import image as nets

        height, width, channels = spec.shape
        shape, classes = (channels, height, width), spec.classes
        if role == "discriminator":
            return nets.Discriminator(shape, capacity, classes)
        if role == "generator":
            return nets.Generator(shape, capacity, classes, latent)
        if role == "encoder":
            return nets.Encoder(shape, capacity, classes, latent)
        outputs = channels if likelihood is None else likelihood.outputs(channels)
        return nets.Decoder(outputs, (height, width), capacity, classes, latent)

    def likelihood(self, spec: ImageSpec, name: str) -> Likelihood:
        """See `Domain.likelihood`; `auto` is the Gaussian."""
        from ectype.models import likelihoods

        if name == "bernoulli":
            return likelihoods.Bernoulli()
        if name == "logistic_mixture":
            return likelihoods.LogisticMixture()
        # as many halvings as both sides allow, of those that make a difference
        levels = next(n for n in (3, 2, 1, 0) if not spec.height % 2**n and not spec.width % 2**n)
        groups = {1: (1,), 2: (1, 1), 3: (1, 2), 4: (1, 2, 1)}[spec.channels]
        return likelihoods.Gaussian(levels, limit=1.0, groups=groups)

    def augmentation(self, spec: ImageSpec) -> Augmentation | None:
        """Shifts, cut-outs, changes of light, mirror images; see `nets/augment.py`."""
        from ectype.nets.augment import PictureAugmentation

        return PictureAugmentation(colours=3 if spec.channels >= 3 else 1, mirror=spec.mirror)

    def to_network(self, items: Tensor, spec: ImageSpec) -> Tensor:
        """uint8 (n, h, w, c) to float32 (n, c, h, w) in [-1, 1], channels last in memory."""
        # The permuted view of items in NHWC order already is in channels-last memory format.
        return items.permute(0, 3, 1, 2).float().div(127.5).sub(1)

    def from_network(self, items: Tensor, spec: ImageSpec) -> np.ndarray:
        """(n, c, h, w) around [-1, 1] to uint8 (n, h, w, c), clamped and rounded."""
        values = items.detach().float().add(1).mul(127.5).round().clamp(0, 255)
        return np.ascontiguousarray(values.permute(0, 2, 3, 1).cpu().numpy().astype(np.uint8))

    def write(
        self, samples: np.ndarray, spec: ImageSpec, folder: Path, label: str | None
    ) -> list[Path]:
        """Write `00000.png`, `00001.png`, …; gives their paths."""
        del label  # the folder is the caller's to choose
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{number:05d}.png" for number in range(len(samples))]
        for path, sample in zip(paths, samples, strict=True):
            Image.fromarray(sample[..., 0] if spec.channels == 1 else sample).save(path)
        return paths

    def preview(
        self,
        samples: np.ndarray,
        spec: ImageSpec,
        path: Path,
        columns: int | None = None,
    ) -> Path:
        """Write a grid of samples as a PNG; gives its path, with the suffix."""
        path = path if path.suffix == ".png" else path.with_name(path.name + ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grid(samples, columns)).save(path)
        return path


def _open(source: Any, labels: str) -> Pictures:
    """Whatever a user may give as pictures."""
    if not isinstance(source, str | os.PathLike):
        return pictures_in_memory(source)
    path = existing_path(source)
    if path.suffix.lower() == ".npy":
        return pictures_in_npy(path)
    if path.suffix.lower() == ".npz":
        return pictures_in_npz(path, labels)
    return FilePictures(open_tree(path))


def _is_picture_path(path: Path) -> bool:
    if path.suffix.lower() == ".npy" and path.is_file():
        return _may_hold_pictures(lambda: pictures_in_npy(path))
    if path.suffix.lower() == ".npz" and path.is_file():
        return _may_hold_pictures(lambda: pictures_in_npz(path, "none"))
    if path.suffix.lower() in PICTURES and path.is_file():
        return True
    return (path.is_dir() or is_archive(path)) and counts_as_pictures(open_tree(path))


def _may_hold_pictures(open_pictures: Callable[[], Pictures]) -> bool:
    try:
        open_pictures()
    except (DataError, UsageError):
        return False
    return True


def _check_any(count: int, rejects: list[Reject], where: str) -> None:
    if not count:
        raise DataError(
            f"no picture can be used. {first_rejects(rejects)}",
            where=where,
            hint="give PNG, JPEG, WebP, BMP, GIF or TIFF files that other programs can open",
        )


def _group_keys(
    pictures: Pictures, scan: Scan, stored: Stored, group: str | None
) -> tuple[list[str], list[str]]:
    """Group of each item, from near-identical pictures and the user's rule, and notes on it.

    A group is named by its smallest content hash, so it does not depend on order or paths.
    """
    count = len(stored.items)
    near = dissolve_giants(stored.near)
    notes: list[str] = []
    dissolved = int((near != stored.near).sum())
    alike = count - len(np.unique(near))
    if dissolved:
        notes.append(
            f"{dissolved:,} pictures are nearly the same as others; they are too many to be kept "
            "in one part, so held-out figures will flatter."
        )
    if alike:
        notes.append(f"{alike:,} pictures are nearly the same as another; they share its part.")
    if group is not None:
        names = [scan.names[index] for index in stored.index]
        near = joined_by_path(near, names, group, has_paths=pictures.has_paths)
        groups = len(np.unique(near))
        notes.append(f"{groups:,} groups by data.group; each stays in one part.")
    return group_names(near, stored.hashes), notes
