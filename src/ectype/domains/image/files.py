"""Pictures in a folder or an archive."""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from ectype.domains.base import Part, Reject
from ectype.domains.cache import Cache, key_of
from ectype.domains.files import Tree, printable
from ectype.domains.image.decoding import BadPictureError, decode, pillow_ready, read_header
from ectype.domains.labels import parts_and_labels
from ectype.domains.parallel import in_order
from ectype.errors import DataError

PICTURES = frozenset(
    (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif", ".tif")
).union((".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".avif"))
#: Pictures that people have but that cannot be read here: named one by one, not just counted.
UNREADABLE = frozenset(
    (".heic", ".heif", ".svg", ".eps", ".psd", ".xcf", ".raw", ".dng", ".cr2", ".nef", ".jp2")
)
#: Raised whenever what is stored, or how, changes.
SCAN_VERSION = 1

#: Decodes the picture at an index; sides of at least the given length are wanted.
Read = Callable[[int, int], Image.Image]


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What is known of the pictures before they are decoded.

    Attributes:
        names: relative path of each picture, or the like.
        sizes: upright width and height, int64 (n, 2).
        forms: `L`, `LA`, `RGB` or `RGBA` of each.
        labels: label of each, None where there is none.
        parts: the part that the source prescribes for each, None where it does not.
        rejects: what was left out already.
        notes: plain sentences.
    """

    names: list[str]
    sizes: np.ndarray
    forms: list[str]
    labels: list[str | None] = field(default_factory=list)
    parts: list[Part | None] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Pictures(ABC):
    """Where pictures come from.

    Attributes:
        where: for messages.
        has_paths: whether names are paths, which may tell groups.
    """

    where: str
    has_paths: bool

    @cached_property
    @abstractmethod
    def identity(self) -> str:
        """Changes whenever the pictures may have changed."""

    @abstractmethod
    def scan(self, cache: Cache | None, max_pixels: int, workers: int) -> Scan:
        """Look at every picture's header."""

    @abstractmethod
    def reading(self, scan: Scan, max_pixels: int) -> contextlib.AbstractContextManager[Read]:
        """Within the context, decodes pictures of the scan by index, from several threads."""


class FilePictures(Pictures):
    """Pictures that are files of a folder or an archive, or one file.

    The first folder of a path names the label, unless all lie in the same one; folders named
    train, validation and test prescribe parts, and the next folder names the label.
    """

    has_paths = True

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.where = str(tree.path)

    @cached_property
    def identity(self) -> str:
        """See `Tree.identity`."""
        return self.tree.identity(_is_candidate)

    def scan(self, cache: Cache | None, max_pixels: int, workers: int) -> Scan:
        """Headers of all files; found in the cache where nothing has changed."""
        if cache is None:
            plain = self._scan_files(max_pixels, workers)
        else:
            key = "pictures-" + key_of(SCAN_VERSION, self.identity, max_pixels)

            def build(folder: Path) -> None:
                plain = self._scan_files(max_pixels, workers)
                (folder / "scan.json").write_text(json.dumps(plain))

            plain = json.loads((cache.entry(key, build) / "scan.json").read_text())
        headers = plain["headers"]
        names = [name for name, *_ in headers]
        parts, labels = parts_and_labels(names)
        return Scan(
            names=names,
            sizes=np.array([[w, h] for _, w, h, _ in headers], np.int64).reshape(-1, 2),
            forms=[form for *_, form in headers],
            labels=labels,
            parts=parts,
            rejects=[Reject(printable(item), reason) for item, reason in plain["rejects"]],
            notes=plain["notes"],
        )

    @contextlib.contextmanager
    def reading(self, scan: Scan, max_pixels: int) -> Iterator[Read]:
        """See `Pictures.reading`."""
        with pillow_ready(), self.tree.reading() as open_file:

            def read(index: int, least: int) -> Image.Image:
                with _open(open_file, scan.names[index]) as file:
                    return decode(file, max_pixels, least)

            yield read

    def _scan_files(self, max_pixels: int, workers: int) -> dict[str, list]:
        candidates = [name for name in self.tree.names if _is_candidate(name)]
        headers: list[tuple[str, int, int, str]] = []
        rejects: list[tuple[str, str]] = []
        with pillow_ready(), self.tree.reading() as open_file:

            def look(name: str) -> tuple[int, int, str] | str:
                if (suffix := _suffix(name)) in UNREADABLE:
                    return f"{suffix} files cannot be read; convert them to PNG or JPEG"
                try:
                    with _open(open_file, name) as file:
                        return read_header(file, max_pixels)
                except BadPictureError as error:
                    return error.message

            results = in_order(look, candidates, workers)
            for name, result in zip(candidates, results, strict=True):
                if isinstance(result, str):
                    rejects.append((name, result))
                else:
                    headers.append((name, *result))
        notes = self.tree.skipped
        others = [name for name in self.tree.names if not _is_candidate(name)]
        if others:
            kinds = Counter(_suffix(name) or "without a suffix" for name in others)
            listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(4))
            notes = [*notes, f"{len(others):,} other files are no pictures: {listed}."]
        if not candidates:
            hint = "give a folder or archive that holds PNG, JPEG, WebP, BMP, GIF or TIFF files"
            message = " ".join(["there are no pictures here.", *notes])
            raise DataError(message.strip(), where=self.where, hint=hint)
        return {"headers": headers, "rejects": rejects, "notes": notes}


def counts_as_pictures(tree: Tree) -> bool:
    """Whether at least a third of the files that one meets first are named as pictures."""
    names = tree.first_names(1_000)
    pictures = sum(_suffix(name) in PICTURES for name in names)
    return pictures > 0 and pictures * 3 >= len(names)


@contextlib.contextmanager
def _open(open_file: Callable[[str], IO[bytes]], name: str) -> Iterator[IO[bytes]]:
    try:
        file = open_file(name)
    except OSError as error:
        raise BadPictureError(f"it cannot be read: {error.strerror or error}") from error
    with file:
        yield file


def _suffix(name: str) -> str:
    _, dot, end = name.rpartition(".")  # many times quicker than a path's suffix
    return f".{end.lower()}" if dot and "/" not in end else ""


def _is_candidate(name: str) -> bool:
    return _suffix(name) in PICTURES or _suffix(name) in UNREADABLE
