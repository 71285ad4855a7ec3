"""A disk that fails at one chosen step: every way to change a file counts as one."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

#: What changes the file system besides writing.
CALLS = ("mkdir", "rename", "replace", "fsync", "unlink", "rmdir")


class ProcessDiedError(BaseException):
    """Stands for the end of the process: nothing after it reaches the disk."""


class Disk:
    """Counts the steps that change files, and fails at a chosen one.

    Args:
        patch: pytest's monkeypatch.
        below: files elsewhere are let through, uncounted.
        fail_at: which step fails, counted from 0; None for none.
        full: a full disk refuses that step and all further growth; else the process dies there:
            half of what it was writing is written, and none of what it does afterwards.
    """

    def __init__(self, patch, below: Path, fail_at: int | None = None, *, full: bool = False):
        self.below, self.fail_at, self.full = str(below), fail_at, full
        self.steps = 0
        self.failed = False
        for name in CALLS:
            patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        self._open = io.open
        patch.setattr(io, "open", self._opened)

    def step(self, grows: bool) -> None:
        """Count a step; raises where it fails."""
        here = self.steps == self.fail_at
        self.steps += 1
        if self.full:
            self.failed |= here
            if grows and self.failed:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif here or self.failed:
            self.failed = True
            raise ProcessDiedError

    def _wrapped(self, name, function):
        def call(target, *args, **kwargs):
            if name == "fsync" or str(target).startswith(self.below) or "dir_fd" in kwargs:
                self.step(grows=name in ("mkdir", "fsync"))
            return function(target, *args, **kwargs)

        return call

    def _opened(self, file, mode="r", *args, **kwargs):
        if mode in ("r", "rb") or not str(file).startswith(self.below):
            return self._open(file, mode, *args, **kwargs)
        self.step(grows=True)
        opened = self._open(file, mode, *args, **kwargs)
        return _File(opened, self)


class _File:
    """An open file whose writes are steps of the disk."""

    def __init__(self, file, disk: Disk):
        self.file, self.disk = file, disk

    def write(self, data):
        try:
            self.disk.step(grows=True)
        except (OSError, ProcessDiedError):
            self.file.write(data[: len(data) // 2])
            raise
        return self.file.write(data)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.file.close()
