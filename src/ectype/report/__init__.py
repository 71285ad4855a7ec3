"""What `evaluate` found, as a page to send, as JSON, and as a model card.

Pure rendering from values and files: it knows no run, no domain and no torch.
"""

from __future__ import annotations

import json
from pathlib import Path

from ectype.files import write_whole
from ectype.report.card import card
from ectype.report.content import Exhibit, Report
from ectype.report.sheet import sheet
from ectype.report.verdict import Verdict, verdict

__all__ = ["Exhibit", "Report", "Verdict", "verdict", "write_report"]


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write `report.html`, `report.json` and `README.md` into a folder; returns their paths.

    Raises:
        FileNotFoundError: an exhibit's file is not there.
        ValueError: an exhibit's file is of a kind that the page cannot show.
        StorageError: the disk is full or refuses.
    """
    contents = {
        "report.html": sheet(report),
        "report.json": json.dumps(report.to_json(), indent=2, allow_nan=False, ensure_ascii=False)
        + "\n",
        "README.md": card(report, folder),
    }
    for name, content in contents.items():
        write_whole(folder / name, content)
    return [folder / name for name in contents]
