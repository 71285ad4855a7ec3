"""Checkpoints that are whole or not there.

A checkpoint is a folder of two files, `state.safetensors` and `state.json`. It is written under
a temporary name, flushed to the disk, renamed, and only then listed in `manifest.json` with
sizes and SHA-256. Whatever moment the process dies at, the manifest names whole checkpoints.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from ectype.files import flush_folder, storage_error, write_whole


@dataclass(frozen=True)
class Checkpoint:
    """All training state: tensors by name, and plain values.

    Among the values are `seconds`, `progress` and `kept`, the step of the weights that are kept.
    """

    tensors: dict[str, Tensor]
    values: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: where they lie; made when first needed.
        keep: how many to keep; older ones are removed after a newer one is whole.
    """

    def __init__(self, folder: Path, keep: int = 2):
        self.folder = folder
        self.keep = keep

    @property
    def manifest(self) -> Path:
        """The list of whole checkpoints, oldest first."""
        return self.folder / "manifest.json"

    def save(self, step: int, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint; returns its folder.

        Raises:
            StorageError: the disk refused; earlier checkpoints are untouched.
        """
        contents = {
            "state.safetensors": tensor_bytes(checkpoint.tensors),
            "state.json": json.dumps(checkpoint.values).encode(),
        }
        name = f"step-{step:09d}"
        temporary = self.folder / f".{name}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            files = {}
            for file, content in contents.items():
                write_whole(temporary / file, content)
                digest = hashlib.sha256(content).hexdigest()
                files[file] = {"bytes": len(content), "sha256": digest}
            final = self.folder / name
            shutil.rmtree(final, ignore_errors=True)
            temporary.rename(final)
            flush_folder(self.folder)
            # later entries are of a future that was given up: they were damaged
            entries = [entry for entry in self.entries() if entry["step"] < step]
            facts = {key: checkpoint.values[key] for key in ("seconds", "progress", "kept")}
            entries.append({"name": name, "step": step, **facts, "files": files})
            kept = entries[-self.keep :]
            write_whole(self.manifest, json.dumps(kept, indent=1))
        except OSError as error:
            raise storage_error(error, temporary, sum(map(len, contents.values()))) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._remove_all_but({entry["name"] for entry in kept})
        return final

    def entries(self) -> list[dict[str, Any]]:
        """The manifest's entries, oldest first; empty before the first checkpoint."""
        if not self.manifest.exists():
            return []
        return json.loads(self.manifest.read_text())

    def latest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest checkpoint whose files are as the manifest says, and what was passed over."""
        passed_over: list[str] = []
        for entry in reversed(self.entries()):
            folder = self.folder / entry["name"]
            broken = [f for f, facts in entry["files"].items() if not is_whole(folder / f, facts)]
            if broken:
                passed_over.append(f"checkpoint {entry['name']} is damaged ({', '.join(broken)})")
                continue
            tensors = safetensors.torch.load_file(folder / "state.safetensors")
            values = json.loads((folder / "state.json").read_text())
            return Checkpoint(tensors, values), passed_over
        return None, passed_over

    def _remove_all_but(self, names: set[str]) -> None:
        for folder in self.folder.glob("*step-*"):
            if folder.name not in names:
                shutil.rmtree(folder, ignore_errors=True)


def tensor_bytes(tensors: dict[str, Tensor]) -> bytes:
    """Tensors as the content of a safetensors file."""
    # copies: tensors that share memory, as tied weights do, could not be saved
    copies = {k: t.detach().to("cpu", copy=True).contiguous() for k, t in tensors.items()}
    return safetensors.torch.save(copies)


def is_whole(path: Path, facts: dict[str, Any]) -> bool:
    """Whether a file has the size and the SHA-256 that the manifest noted."""
    if not path.is_file() or path.stat().st_size != facts["bytes"]:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == facts["sha256"]
