"""A folder or an archive as a tree of named files.

Archives are read, never extracted: a member's name is only a text, and no path is made from it.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import shutil
import tarfile
import tempfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO

from ectype.config import nearest
from ectype.errors import DataError, UsageError

Open = Callable[[str], IO[bytes]]
_COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
#: A member of an archive is held in memory while it is read.
_LARGEST_MEMBER = 2**30
_TAR_DAMAGE = (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error)
_RUN_FILES = {"config.json", "spec.json"}


def existing_path(source: str | os.PathLike[str]) -> Path:
    """The path, when there is something.

    Raises:
        UsageError: nothing is there; the hint names what is there and was probably meant.
        DataError: it may not be read.
    """
    path = Path(source).expanduser()
    try:
        if path.exists():
            _try_reading(path)
            return path
    except OSError as error:
        message = f"it cannot be read: {error.strerror or error}"
        hint = "see that you have the right to read it"
        raise DataError(message, where=str(path), hint=hint) from error
    parent = path.parent
    beside = [p.name for p in parent.iterdir()] if parent.is_dir() else []
    guess = nearest(path.name, beside)
    if guess:
        hint = f"did you mean {parent / guess}?"
    else:
        hint = "check the path" if parent.is_dir() else f"the folder {parent} does not exist either"
    raise UsageError("there is no such file or folder", where=str(path), hint=hint)


def _try_reading(path: Path) -> None:
    """Open a file or a folder; a pipe is left alone, since it would wait for its writer."""
    if path.is_dir():
        os.scandir(path).close()
    elif path.is_file():
        path.open("rb").close()


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar archive, by its content."""
    if not path.is_file():
        return False
    return _is_zip(path) or tarfile.is_tarfile(path)


def open_tree(path: Path) -> Tree:
    """The tree behind a folder, an archive or one file.

    Raises:
        DataError: an archive that is damaged.
    """
    if path.is_dir():
        return Folder(path)
    if _is_zip(path):
        return Zip(path)
    if is_archive(path):
        return Tar(path)
    return SingleFile(path)


class Tree(ABC):
    """Named files. Names are relative, with `/`, in the order of `sorted`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    @abstractmethod
    def names(self) -> list[str]:
        """Every file that is not hidden."""

    def first_names(self, most: int) -> list[str]:
        """Some names, as quickly as they can be had; for guessing what the files are."""
        return self.names[:most]

    @cached_property
    def skipped(self) -> list[str]:
        """Plain sentences about what was not looked into."""
        return []

    def identity(self, wanted: Callable[[str], bool]) -> str:
        """Changes whenever a wanted file is added, removed, or changes in size, time or rights.

        Rights count, by the time of the last change of status, so that a file that could not be
        read is tried again once it can be.
        """
        del wanted  # an archive changes as a whole
        status = self.path.stat()
        return f"{self.path.resolve()}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"

    @abstractmethod
    def reading(self) -> contextlib.AbstractContextManager[Open]:
        """Within the context, opens files by name, from several threads at once."""


class SingleFile(Tree):
    """One file as a tree of one."""

    @cached_property
    def names(self) -> list[str]:
        """The file's own name."""
        return [self.path.name]

    @contextlib.contextmanager
    def reading(self) -> Iterator[Open]:
        """See `Tree.reading`."""
        yield lambda _: self.path.open("rb")


class Folder(Tree):
    """The files below a folder; links to folders are followed, once each."""

    @cached_property
    def names(self) -> list[str]:
        """Every file below the folder that is not hidden."""
        return list(self._walked[0])

    @cached_property
    def skipped(self) -> list[str]:
        """Folders that may not be read, and runs of ectype: what it drew is not the user's data."""
        return self._walked[1]

    def first_names(self, most: int) -> list[str]:
        """See `Tree.first_names`: not the whole folder is walked."""
        return [name for name, _ in islice(self._walk([]), most)]

    @cached_property
    def _walked(self) -> tuple[dict[str, tuple[int, int, int]], list[str]]:
        """Size and times of every file, and what was skipped."""
        skipped: list[str] = []
        found: dict[str, tuple[int, int, int]] = {}
        for name, entry in self._walk(skipped):
            status = entry.stat()
            found[name] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return dict(sorted(found.items())), skipped

    def _walk(self, skipped: list[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Every file as it is met; sentences about folders that are left out join `skipped`."""
        visited: set[tuple[int, int]] = set()
        waiting = [("", self.path)]
        while waiting:
            prefix, folder = waiting.pop()
            status = folder.stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            try:
                entries = [entry for entry in os.scandir(folder) if not _is_hidden_part(entry.name)]
            except PermissionError:
                skipped.append(f"The folder {prefix or folder} may not be read: left out.")
                continue
            if prefix and {entry.name for entry in entries} >= _RUN_FILES:
                skipped.append(f"The folder {prefix} is a run of ectype: left out.")
                continue
            for entry in entries:
                if entry.is_dir():
                    waiting.append((f"{prefix}{entry.name}/", Path(entry.path)))
                elif entry.is_file():  # no pipe, no broken link
                    yield prefix + entry.name, entry

    def identity(self, wanted: Callable[[str], bool]) -> str:
        """From the paths, sizes and times of the wanted files."""
        digest = hashlib.sha256(os.fsencode(self.path.resolve()))
        for name, status in self._walked[0].items():
            if wanted(name):
                digest.update(os.fsencode("\0".join(map(str, (name, *status))) + "\n"))
        return digest.hexdigest()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Open]:
        """See `Tree.reading`."""
        yield lambda name: (self.path / name).open("rb")


class Zip(Tree):
    """The members of a zip archive."""

    @cached_property
    def names(self) -> list[str]:
        """Every member that is not hidden."""
        with self._archive() as archive:
            return sorted(m.filename for m in archive.infolist() if not _is_left_out(m))

    @contextlib.contextmanager
    def reading(self) -> Iterator[Open]:
        """See `Tree.reading`."""
        with self._archive() as archive:

            def member(name: str) -> IO[bytes]:
                info = archive.getinfo(name)
                if info.flag_bits & 1:
                    raise OSError("it is encrypted")
                _check_size(info.file_size)
                try:
                    return io.BytesIO(archive.read(info))
                except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
                    raise OSError(str(error)) from error

            yield member

    @contextlib.contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except zipfile.BadZipFile as error:
            raise _damaged(self.path, error) from error


class Tar(Tree):
    """The members of a tar archive, compressed or not.

    A compressed one is uncompressed as a whole into a nameless temporary file while it is read,
    since its members can be read only from the front.
    """

    @cached_property
    def names(self) -> list[str]:
        """Every member that is a file and not hidden."""
        try:
            with tarfile.open(self.path) as archive:
                return sorted(_tar_members(archive))
        except _TAR_DAMAGE as error:
            raise _damaged(self.path, error) from error

    def first_names(self, most: int) -> list[str]:
        """See `Tree.first_names`: a compressed archive is not uncompressed as a whole."""
        try:
            with tarfile.open(self.path) as archive:
                return [member.name for member in islice(archive, 2 * most) if _is_shown(member)]
        except _TAR_DAMAGE:
            return []

    @contextlib.contextmanager
    def reading(self) -> Iterator[Open]:
        """See `Tree.reading`."""
        lock = threading.Lock()
        with self._uncompressed() as plain, tarfile.open(fileobj=plain) as archive:
            members = _tar_members(archive)

            def member(name: str) -> IO[bytes]:
                _check_size(members[name].size)
                with lock:
                    content = archive.extractfile(members[name])
                    if content is None:
                        raise OSError("it is no file")
                    return io.BytesIO(content.read())

            yield member

    @contextlib.contextmanager
    def _uncompressed(self) -> Iterator[IO[bytes]]:
        with self.path.open("rb") as file:
            opener = _COMPRESSIONS.get(file.read(2))
            file.seek(0)
            if opener is None:
                yield file
                return
            with tempfile.TemporaryFile() as plain:
                with opener(file) as compressed:
                    shutil.copyfileobj(compressed, plain, 2**20)
                plain.seek(0)
                yield plain


def is_hidden(name: str) -> bool:
    """Whether a path holds a part that people do not see as theirs."""
    return any(_is_hidden_part(part) for part in name.split("/"))


def printable(name: str) -> str:
    """A name that any terminal and any JSON reader takes; bytes that are no UTF-8 become `?`."""
    return name.encode(errors="replace").decode()


def _is_hidden_part(part: str) -> bool:
    return (part.startswith(".") and part not in (".", "..")) or part == "__MACOSX"


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() not in (".npz", ".npy") and zipfile.is_zipfile(path)


def _is_left_out(member: zipfile.ZipInfo) -> bool:
    return member.is_dir() or is_hidden(member.filename)


def _tar_members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    members = ((member.name.removeprefix("./"), member) for member in archive.getmembers())
    return {name: member for name, member in members if _is_shown(member)}


def _is_shown(member: tarfile.TarInfo) -> bool:
    return member.isfile() and not is_hidden(member.name.removeprefix("./"))


def _check_size(size: int) -> None:
    if size > _LARGEST_MEMBER:
        raise OSError(f"it is absurdly large ({size:,} bytes)")


def _damaged(path: Path, error: Exception) -> DataError:
    hint = "make the archive again, or unpack it and give the folder"
    return DataError(f"the archive is damaged: {error}", where=str(path), hint=hint)
