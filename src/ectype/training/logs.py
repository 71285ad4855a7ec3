"""What a run writes down line by line, each line a JSON object that tells its step."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

#: The files of a run that are such logs.
LOGS = ("log.jsonl", "events.jsonl")


def append(path: Path, entry: dict[str, Any]) -> None:
    """Add a line."""
    with path.open("a") as log:
        log.write(json.dumps(entry) + "\n")


def plain(figures: dict[str, float]) -> dict[str, float | None]:
    """Figures as JSON can hold them: it knows neither infinity nor NaN."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def cut(path: Path, step: int) -> None:
    """Drop the lines of a log that lie after a step: the run will write them again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:  # the process died while writing it
            continue
        if entry["step"] <= step:
            kept.append(line + "\n")
    path.write_text("".join(kept))
