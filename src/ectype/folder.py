"""The run folder: what lies where, who may write, what was asked. Imports no torch, no numpy."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ectype.config import Budget, Config, from_dict, to_dict
from ectype.errors import UsageError
from ectype.files import write_whole

#: Version of the folder's layout.
FORMAT = 1


class RunFolder:
    """Paths and small files of one run. Reading needs no lock; writing does."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.spec_file = self.path / "spec.json"
        self.weights = self.path / "model.safetensors"
        self.last_weights = self.path / "last.safetensors"
        self.samples = self.path / "samples"
        self.log = self.path / "log.jsonl"
        self.events = self.path / "events.jsonl"
        self.manifest = self.path / "checkpoints" / "manifest.json"

    def exists(self) -> bool:
        """Whether a run has begun here."""
        return self.config_file.exists()

    def require(self) -> None:
        """Check that this is a run that can be read.

        Raises:
            UsageError: it is not, with what it is instead.
        """
        if not self.path.exists():
            raise UsageError("there is no such run", where=str(self.path), hint=_nearby(self.path))
        if not self.exists():
            raise UsageError("this folder is no run", where=str(self.path), hint=_nearby(self.path))
        if not self.weights.exists():
            hint = "let `ectype fit` go on until its first checkpoint"
            raise UsageError("this run has no weights yet", where=str(self.path), hint=hint)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for writing; the lock goes with the process, however that ends.

        Raises:
            UsageError: another process holds it.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError("a file is in the place of the run's folder", where=str(self.path))
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("a+b") as file:
            if not _try_lock(file):
                file.seek(0)
                holder = file.read().decode(errors="replace").strip() or "unknown"
                raise UsageError(
                    "another process is writing to this run",
                    where=f"{self.path}, process {holder}",
                    hint="wait for it, or choose another folder with --out",
                )
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
            self._remove_leftovers()
            try:
                yield
            finally:
                self._remove_if_empty()

    def _remove_if_empty(self) -> None:
        """Leave no folder behind for a run that did not begin; called while the lock is held."""
        if sys.platform != "win32" and [path.name for path in self._content()] == [".lock"]:
            (self.path / ".lock").unlink()
            self.path.rmdir()

    def _content(self) -> list[Path]:
        return list(self.path.iterdir()) if self.path.exists() else []  # it may be put aside

    def _remove_leftovers(self) -> None:
        """Remove what a process that was killed while writing has left behind."""
        for folder in (self.path, self.manifest.parent):
            for leftover in folder.glob(".*.tmp"):
                if leftover.is_dir():
                    shutil.rmtree(leftover)
                else:
                    leftover.unlink()

    def write_config(self, asked: Config, resolved: Config, **facts: Any) -> None:
        """Save what was asked, what was chosen, and facts (versions, fingerprint)."""
        content = {
            "format": FORMAT,
            "asked": to_dict(asked),
            "resolved": to_dict(resolved),
            **facts,
        }
        write_whole(self.config_file, json.dumps(content, indent=2))

    def read_config(self) -> dict[str, Any]:
        """The content of `config.json`.

        Raises:
            UsageError: it is damaged or of a later format.
        """
        content = _read_object(self.config_file)
        if content.get("format") != FORMAT:
            raise UsageError(
                f"this run has format {content.get('format')}, this ectype reads {FORMAT}",
                where=str(self.path),
                hint="use the version of ectype that made it",
            )
        return content

    def read_spec(self) -> dict[str, Any]:
        """The content of `spec.json`."""
        return _read_object(self.spec_file)

    def spent(self) -> dict[str, float]:
        """`step`, `seconds` and `progress` of the newest checkpoint; zeros before the first."""
        zero = {"step": 0, "seconds": 0.0, "progress": 0.0}
        newest = self._newest_checkpoint()
        return {key: newest[key] for key in zero} if newest else zero

    def kept_step(self) -> int:
        """The step whose weights `model.safetensors` holds, as of the newest checkpoint."""
        return self._newest_checkpoint().get("kept", 0)

    def _newest_checkpoint(self) -> dict[str, Any]:
        """The manifest's last entry; empty before the first checkpoint."""
        entries = json.loads(self.manifest.read_text()) if self.manifest.exists() else []
        return entries[-1] if entries else {}

    def finished(self, budget: Budget) -> bool:
        """Whether the newest checkpoint has spent a budget."""
        spent = self.spent()
        if budget.steps is not None:
            return spent["step"] >= budget.steps
        return spent["seconds"] >= (budget.seconds or 0.0)

    def put_aside(self) -> Path:
        """Rename the folder to the first free `<name>-old-<k>`; returns the new place."""
        k = 1
        while (aside := self.path.with_name(f"{self.path.name}-old-{k}")).exists():
            k += 1
        self.path.rename(aside)
        return aside


def load_config(values: dict[str, Any], data_settings: type) -> Config:
    """A `Config` from the plain values of `config.json`, its `data` as the domain's settings."""
    plain = dict(values)
    data = plain.pop("data", None) or {}
    return from_dict(Config, {**plain, "data": from_dict(data_settings, data, "data.")})


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file that ectype wrote."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, FileNotFoundError) as error:
        raise UsageError(f"damaged: {error}", where=str(path)) from None
    if not isinstance(content, dict):
        raise UsageError("damaged: not a JSON object", where=str(path))
    return content


def _nearby(path: Path) -> str | None:
    """A hint that names runs that do exist."""
    parents = [p for p in (path, path.parent, Path("runs")) if p.is_dir()]
    runs = {str(config.parent) for parent in parents for config in parent.glob("*/config.json")}
    return f"runs here: {', '.join(sorted(runs)[:5])}" if runs else "`ectype fit DATA` makes one"


def _try_lock(file: BinaryIO) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
