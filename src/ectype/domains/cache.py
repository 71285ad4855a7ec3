"""Prepared data on disk, so that a second start is instant and large data need no memory.

An entry is a folder. It is written under a temporary name and renamed when it is whole, so that
two processes, or one that is killed, never leave half an entry; an entry that was damaged later
is built anew.

The cache stays bounded: after an entry is added, those used longest ago are removed until all
together take at most `LIMIT_BYTES`. A removed file that is still mapped stays readable.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ectype.errors import StorageError

LIMIT_BYTES = 20 * 2**30
_MANIFEST = "entry.json"
_TEMPORARY = ".building-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LOCKED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}


def default_folder() -> Path:
    """Where prepared data are kept unless the user says otherwise."""
    if folder := os.environ.get("ECTYPE_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ectype"


def key_of(*parts: Any) -> str:
    """A short hash of plain values, for naming an entry."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


class Cache:
    """A folder of entries, each named by the hash of all that shaped it."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder).expanduser() if folder else default_folder()

    def entry(self, key: str, build: Callable[[Path], None]) -> Path:
        """The folder of a whole entry, built first where there is none.

        Args:
            key: names the entry; equal keys must mean equal content.
            build: writes the entry's files into the empty folder it is given.

        Raises:
            StorageError: the disk is full, or the cache folder cannot be written.
        """
        target = self.folder / key
        if _is_whole(target):
            with contextlib.suppress(OSError):  # a read-only cache can be used, not kept in order
                os.utime(target / _MANIFEST)
            return target
        with self._storage_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            building = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=self.folder))
            try:
                build(building)
                _seal(building)
                _put_in_place(building, target)
            finally:
                shutil.rmtree(building, ignore_errors=True)
        self._shrink(keep=target)
        return target

    @contextlib.contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = "choose another folder with --set data.cache=FOLDER or ECTYPE_CACHE=FOLDER"
            where = str(self.folder)
            if error.errno in _FULL:
                message = "the disk is full: the prepared data do not fit into the cache"
                raise StorageError(message, where=where, hint=f"free space, or {hint}") from error
            if error.errno in _LOCKED:
                message = f"the cache folder cannot be written: {error.strerror}"
                raise StorageError(message, where=where, hint=hint) from error
            raise

    def _shrink(self, keep: Path) -> None:
        """Remove what was used longest ago, and what killed processes left behind."""
        entries: list[tuple[float, int, Path]] = []
        for folder in self.folder.iterdir():
            manifest = folder / _MANIFEST
            with contextlib.suppress(OSError):  # another process may remove it meanwhile
                if folder.name.startswith(_TEMPORARY):
                    if time.time() - folder.stat().st_mtime > 86_400:
                        shutil.rmtree(folder, ignore_errors=True)
                elif manifest.exists():
                    size = sum(file.stat().st_size for file in folder.iterdir())
                    entries.append((manifest.stat().st_mtime, size, folder))
        total = sum(size for _, size, _ in entries)
        for _, size, folder in sorted(entries):
            if total <= LIMIT_BYTES:
                return
            if folder != keep:
                shutil.rmtree(folder, ignore_errors=True)
                total -= size


class ArrayWriter:
    """Appends items to a `.npy` file, so that an array of unknown length needs no memory.

    Plain writes rather than a memory map: on a full disk a write raises an error, whereas
    touching a mapped page would end the process with SIGBUS.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any = np.uint8) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.count = 0
        self._file = path.open("wb")
        self._write_header()

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._file.seek(0)
            self._write_header()
        finally:
            self._file.close()

    def append(self, items: np.ndarray) -> None:
        """Write items (n, *shape) behind those written before."""
        if items.shape[1:] != self.shape:
            raise ValueError(f"items of shape {items.shape[1:]} do not fit into {self.shape}")
        self._file.write(np.ascontiguousarray(items, self.dtype).data)
        self.count += len(items)

    def _write_header(self) -> None:
        # numpy pads the header so that the first axis may grow in place.
        description = np.lib.format.dtype_to_descr(self.dtype)
        shape = (self.count, *self.shape)
        header = {"descr": description, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)


def _seal(folder: Path) -> None:
    """Bring every file to the disk, then list them in the manifest."""
    files = {path.name: _probe(path) for path in sorted(folder.iterdir())}
    manifest = folder / _MANIFEST
    manifest.write_text(json.dumps(files))
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _is_whole(folder: Path) -> bool:
    try:
        files = json.loads((folder / _MANIFEST).read_text())
        return all(_probe(folder / name) == probe for name, probe in files.items())
    except (OSError, ValueError, AttributeError):
        return False


def _probe(path: Path, pieces: int = 16, length: int = 4096) -> list[Any]:
    """A file's size and the hash of pieces spread over it: tells damage without reading it all."""
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for piece in range(pieces):
            file.seek(max(size - length, 0) * piece // (pieces - 1))
            digest.update(file.read(length))
    return [size, digest.hexdigest()]


def _put_in_place(building: Path, target: Path) -> None:
    """Rename; where another process was first, its entry is as good as ours."""
    try:
        building.rename(target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        if _is_whole(target):
            return
        damaged = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=target.parent))
        target.rename(damaged / "damaged")
        shutil.rmtree(damaged, ignore_errors=True)
        building.rename(target)
