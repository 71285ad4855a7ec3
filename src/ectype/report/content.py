"""What a report holds, before it is drawn."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ectype.measures.measure import Measure
from ectype.report.verdict import Verdict, verdict


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """Something to look at, to listen to or to read.

    Attributes:
        key: what it is and so where it stands: samples, real, near_copies, neighbours,
            interpolation, reconstruction, previews; any other stands after these.
        title: a few words.
        caption: a sentence that says what is seen.
        files: PNG, WAV or UTF-8 text files; the page embeds them whole.
    """

    key: str
    title: str
    caption: str
    files: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was found about a run.

    Attributes:
        name: of the run.
        domain: kind of data.
        family: gan or vae.
        n: samples that were measured.
        held_out_n: real items that they were measured against.
        features: name of the main feature space.
        measures: the figures by name, in the order in which they are shown.
        facts: section ("Data", "Training", "Model", "Versions") → name → text.
        settings: the resolved configuration, nested plain values.
        exhibits: what to look at, in the order in which it is shown.
        log: lines of `log.jsonl`.
        events: lines of `events.jsonl`.
    """

    name: str
    domain: str
    family: str
    n: int
    held_out_n: int
    features: str
    measures: dict[str, Measure]
    facts: dict[str, dict[str, str]]
    settings: dict[str, Any]
    exhibits: tuple[Exhibit, ...] = ()
    log: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """What the measures mean, in plain words."""
        return verdict(self.measures)

    def to_json(self) -> dict[str, Any]:
        """As plain values for `report.json`; a number that is not finite is null."""
        return _plain(
            {
                "name": self.name,
                "domain": self.domain,
                "family": self.family,
                "n": self.n,
                "held_out_n": self.held_out_n,
                "features": self.features,
                "verdict": asdict(self.verdict),
                "measures": {name: m.to_json() for name, m in self.measures.items()},
                "facts": self.facts,
                "settings": self.settings,
            }
        )


def _plain(value: Any) -> Any:
    """The same value with lists for tuples and None for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
