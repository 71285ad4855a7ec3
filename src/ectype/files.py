"""Files that are written whole or not at all. Imports neither torch nor numpy."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from ectype.errors import StorageError


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file under a temporary name, flush it to the disk, then rename it into place.

    A reader sees the old file or the new one, never a part; so does the disk after a crash.

    Raises:
        StorageError: the disk is full or refuses; the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise storage_error(error, path, len(data)) from error


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename outlives a power cut."""
    if os.name != "posix":  # other systems cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(error: OSError, path: Path, size: int | None = None) -> StorageError:
    """What happened when a write failed, in words that say what to do.

    Args:
        error: what the system said.
        path: the file that was being written.
        size: bytes that were to be written, if known.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        what = "a file" if size is None else f"{size / 1e6:.1f} MB"
        message = f"the disk is full: {what} could not be written"
        hint = "free some space and run the same command again; what was saved before is whole"
    else:
        message = f"a file could not be written: {error.strerror or error}"
        hint = "check the folder's permissions; what was saved before is whole"
    return StorageError(message, where=str(path), hint=hint)
