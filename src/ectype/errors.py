"""Errors that a user can act on: what was wrong, where, and what to do."""

from __future__ import annotations


class EctypeError(Exception):
    """Base of every error that ectype raises on purpose.

    `exit_code` is what the command line exits with, `code` names the error in `--json` output.
    """

    exit_code = 1
    code = "defect"

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None):
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        hint = f"\n  → {self.hint}" if self.hint else ""
        return f"{self.message}{where}{hint}"


class UsageError(EctypeError):
    """The call cannot be carried out as it was made."""

    exit_code = 2
    code = "usage"


class StorageError(UsageError):
    """The disk refused a write; everything saved before is whole."""

    code = "storage"


class DataError(EctypeError):
    """The data cannot be used."""

    exit_code = 3
    code = "data"


class DivergedError(EctypeError):
    """Training diverged, or does not fit into memory, and could not be recovered."""

    exit_code = 4
    code = "diverged"


class InterruptedRun(EctypeError):  # noqa: N818 - not a fault: the run was saved and can go on
    """Training was stopped by a signal after saving."""

    code = "interrupted"

    def __init__(self, message: str, *, signal_number: int, where: str | None = None):
        super().__init__(message, where=where, hint="run the same command again to go on")
        self.exit_code = 128 + signal_number
