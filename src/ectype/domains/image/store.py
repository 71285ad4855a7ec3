"""Pictures decoded once into one memory-mapped array, with what is known of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ectype.domains.base import Reject
from ectype.domains.cache import ArrayWriter, Cache, key_of
from ectype.domains.files import printable
from ectype.domains.image.decoding import CHANNELS, BadPictureError, Fit, fitted, on_white
from ectype.domains.image.files import Pictures, Scan
from ectype.domains.near import Sketches, near_pairs, sketch
from ectype.domains.parallel import in_order
from ectype.domains.splitting import connected

#: Raised whenever what is stored, or how, changes.
STORE_VERSION = 1
#: Below this share of pictures with transparency it is taken for a stray.
LEAST_ALPHA = 0.01
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Target:
    """What pictures are made into."""

    width: int
    height: int
    fit: Fit
    form: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a stored item: (h, w, c)."""
        return self.height, self.width, CHANNELS[self.form]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Decoded pictures.

    Attributes:
        items: read-only memory map, uint8 (n, h, w, c).
        form: `L`, `LA`, `RGB` or `RGBA`: no richer than the pictures need.
        index: position of each item in the scan, (n,).
        hashes: content hash of each item, uint8 (n, 16).
        near: the lowest item that each is near-identical to, itself where there is none, (n,).
        alpha_used: how many pictures have transparency.
        rejects: what could not be used, and what was a duplicate.
    """

    items: np.ndarray
    form: str
    index: np.ndarray
    hashes: np.ndarray
    near: np.ndarray
    alpha_used: int
    rejects: list[Reject]


def richest_form(forms: list[str], alpha: str) -> str:
    """The poorest form that holds every one of the given forms."""
    colour = "RGB" if any(form.startswith("RGB") for form in forms) else "L"
    transparent = alpha == "keep" or (alpha == "auto" and any("A" in form for form in forms))
    return colour + "A" if transparent else colour


def store(
    pictures: Pictures,
    scan: Scan,
    target: Target,
    *,
    cache: Cache,
    max_pixels: int,
    workers: int,
    keep_alpha: bool,
) -> Stored:
    """Decode the pictures of a scan into the cache, or find them there.

    Args:
        pictures: where they come from.
        scan: their headers; the result's `index` points into it.
        target: with the richest form that may be needed; unused channels are left out.
        cache: where decoded pictures are kept.
        max_pixels: larger pictures are refused.
        workers: threads.
        keep_alpha: keep an alpha channel even where nothing is transparent.

    Raises:
        StorageError: the disk is full, or the cache cannot be written.
    """
    parts = (
        STORE_VERSION,
        pictures.identity,
        target.shape,
        target.fit,
        target.form,
        keep_alpha,
        max_pixels,
    )

    def build(folder: Path) -> None:
        _Builder(folder, scan, target).build(pictures, max_pixels, workers, keep_alpha=keep_alpha)

    folder = cache.entry("images-" + key_of(*parts), build)
    facts = json.loads((folder / "facts.json").read_text())
    return Stored(
        items=np.load(folder / "items.npy", mmap_mode="r"),
        form=facts["form"],
        index=np.load(folder / "index.npy"),
        hashes=np.load(folder / "hashes.npy"),
        near=np.load(folder / "near.npy"),
        alpha_used=facts["alpha_used"],
        rejects=[Reject(printable(item), printable(reason)) for item, reason in facts["rejects"]],
    )


def decode_all(
    pictures: Pictures, scan: Scan, target: Target, max_pixels: int, workers: int
) -> tuple[np.ndarray, list[int], list[Reject]]:
    """Decode the pictures of a scan into memory, duplicates included.

    Returns:
        The items (n, h, w, c), the number in the scan of each, and what was left out.
    """
    items: list[np.ndarray] = []
    index: list[int] = []
    rejects: list[Reject] = []
    for number, result in enumerate(_decoded(pictures, scan, target, max_pixels, workers)):
        if isinstance(result, str):
            rejects.append(Reject(scan.names[number], result))
        else:
            items.append(result)
            index.append(number)
    return np.stack(items) if items else np.empty((0, *target.shape), np.uint8), index, rejects


def _decoded(
    pictures: Pictures, scan: Scan, target: Target, max_pixels: int, workers: int
) -> Iterator[np.ndarray | str]:
    """Each item in turn, or the reason why there is none."""
    # Twice the size is left for the resampling filter to work on.
    least = 2 * max(target.width, target.height)
    with pictures.reading(scan, max_pixels) as read:

        def one(index: int) -> np.ndarray | str:
            try:
                return fitted(
                    read(index, least), target.width, target.height, target.fit, target.form
                )
            except BadPictureError as error:
                return error.message

        yield from in_order(one, range(len(scan.names)), workers)


class _Builder:
    """Writes one entry of the cache."""

    def __init__(self, folder: Path, scan: Scan, target: Target) -> None:
        self.folder = folder
        self.scan = scan
        self.target = target
        self.first_with: dict[bytes, int] = {}
        self.index: list[int] = []
        self.rejects: list[tuple[str, str]] = []
        self.sketches: list[Sketches] = []
        self.colour_used = False
        self.alpha_used = 0

    def build(self, pictures: Pictures, max_pixels: int, workers: int, *, keep_alpha: bool) -> None:
        items = self.folder / "items.npy"
        with ArrayWriter(items, self.target.shape) as writer:
            batch: list[np.ndarray] = []
            results = _decoded(pictures, self.scan, self.target, max_pixels, workers)
            for index, result in enumerate(results):
                if isinstance(result, str):
                    self.rejects.append((self.scan.names[index], result))
                elif self._is_new(result, index):
                    batch.append(result)
                if len(batch) == _CHUNK:
                    self._append(writer, batch)
                    batch = []
            if batch:
                self._append(writer, batch)
        form = self._needed_form(keep_alpha=keep_alpha)
        if form != self.target.form:
            self._reduce(items, form)
        count = len(self.index)
        pairs = near_pairs(Sketches.join(self.sketches)) if count else []
        hashes = np.frombuffer(b"".join(self.first_with), np.uint8).reshape(count, 16)
        np.save(self.folder / "index.npy", np.array(self.index, np.int64))
        np.save(self.folder / "hashes.npy", hashes)
        np.save(self.folder / "near.npy", connected(count, pairs))
        facts = {"form": form, "alpha_used": self.alpha_used, "rejects": self.rejects}
        (self.folder / "facts.json").write_text(json.dumps(facts))

    def _is_new(self, item: np.ndarray, index: int) -> bool:
        digest = hashlib.blake2b(item.data, digest_size=16).digest()
        first = self.first_with.setdefault(digest, index)
        if first == index:
            self.index.append(index)
            return True
        reason = f"it is a duplicate of {self.scan.names[first]}"
        self.rejects.append((self.scan.names[index], reason))
        return False

    def _append(self, writer: ArrayWriter, batch: list[np.ndarray]) -> None:
        items = np.stack(batch)
        writer.append(items)
        self.sketches.append(sketch(items))
        if self.target.form.startswith("RGB"):
            grey = (items[..., 0] == items[..., 1]) & (items[..., 1] == items[..., 2])
            self.colour_used |= not grey.all()
        if self.target.form.endswith("A"):
            self.alpha_used += int((items[..., -1] < 255).any(axis=(1, 2)).sum())

    def _needed_form(self, *, keep_alpha: bool) -> str:
        colour = "RGB" if self.colour_used else "L"
        enough = self.alpha_used and self.alpha_used >= LEAST_ALPHA * len(self.index)
        return colour + "A" if keep_alpha or enough else colour

    def _reduce(self, path: Path, form: str) -> None:
        """Write the array anew with the channels of a poorer form."""
        wide = path.rename(path.with_name("wide.npy"))
        items = np.load(wide, mmap_mode="r")
        with ArrayWriter(path, (*self.target.shape[:2], CHANNELS[form])) as writer:
            for start in range(0, len(items), _CHUNK):
                writer.append(_poorer(items[start : start + _CHUNK], form))
        wide.unlink()


def _poorer(items: np.ndarray, form: str) -> np.ndarray:
    """Items without the channels that a poorer form lacks; grey ones have R = G = B."""
    has_alpha = items.shape[-1] % 2 == 0
    if has_alpha and "A" not in form:
        return on_white(items)[..., : CHANNELS[form]]
    if form == "LA":
        return items[..., [0, 3]]
    return items[..., : CHANNELS[form]]
