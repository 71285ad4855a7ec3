"""Parts of a long benchmark that are done once, so that it can be stopped and given again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ectype.files import write_whole

Part = dict[str, Any]


def once(folder: Path, name: str, work: Callable[[], Part]) -> Part:
    """What a part gave, now or earlier: finished ones are kept in the folder."""
    parts = finished(folder)
    if name not in parts:
        print(f"{folder.name}: {name}", file=sys.stderr, flush=True)
        parts[name] = work()
        write_whole(_file(folder), json.dumps(parts, indent=2))
    return parts[name]


def finished(folder: Path) -> dict[str, Part]:
    """The parts that are done, by name."""
    return json.loads(_file(folder).read_text()) if _file(folder).exists() else {}


def _file(folder: Path) -> Path:
    return folder / "parts.json"
