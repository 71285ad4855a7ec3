"""What a comparison has found so far: `compare.json`, written whole after every step."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ectype.choose.candidates import Candidate
from ectype.choose.ranking import Score, Standing, cost, forecast, rank, score
from ectype.config import Family
from ectype.errors import UsageError
from ectype.files import write_whole
from ectype.measures.measure import Measure
from ectype.report.verdict import verdict

#: Name of the file, and version of its layout.
STATE = "compare.json"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of one training of a candidate.

    Attributes:
        run: its folder, relative to the comparison's.
        seconds: training time it was given.
        overhead: seconds that `fit` took beside training.
        measuring: seconds that measuring took.
        measures: on validation data; none if it failed.
        deviations: those of its score, see `Score`.
        items_per_second: samples made a second, the median of a few attempts.
        weight_bytes: size of the weights that are loaded to sample.
        samples: a file that shows samples, relative to the comparison's folder.
        failure: why there is no result.
    """

    run: str
    seconds: float
    overhead: float = 0.0
    measuring: float = 0.0
    measures: dict[str, Measure] = field(default_factory=dict)
    deviations: tuple[float, ...] = ()
    items_per_second: float = 0.0
    weight_bytes: int = 0
    samples: str = ""
    failure: str | None = None

    @property
    def score(self) -> Score:
        """What it is ranked by."""
        return dataclasses.replace(score(self.measures), deviations=self.deviations)


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A rung that has begun: who trains for how long, and what has come of it."""

    seconds: float
    names: list[str]
    trials: dict[str, Trial] = field(default_factory=dict)


@dataclass(kw_only=True)
class State:
    """All that is known, and all that a later call needs to go on.

    Attributes:
        asked: the configuration as asked for, plain values; a later call must ask for the same.
        fingerprint: of the data.
        settings: what is set for every candidate, `key=value`.
        favoured: the family that `auto` would take.
        held_back: what is set besides until the choice is made: where few items are held out, more.
        n: samples that a candidate is measured by, against as many validation items at most.
        candidates: all, in the order in which they train.
        seconds: wall clock spent, over all sessions.
        rungs: the rungs so far; the last training is a rung of one.
        winner: its name, once its last training is done.
        test: the winner's measures on the test part.
    """

    asked: dict[str, Any]
    fingerprint: str
    settings: list[str]
    n: int
    candidates: list[Candidate]
    favoured: Family = "auto"
    held_back: list[str] = field(default_factory=list)
    seconds: float = 0.0
    rungs: list[Rung] = field(default_factory=list)
    winner: str | None = None
    test: dict[str, Measure] = field(default_factory=dict)

    @property
    def budget(self) -> float:
        """Seconds of wall clock for everything."""
        return self.asked["budget"]["seconds"]

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.test)

    def candidate(self, name: str) -> Candidate:
        """The candidate of this name."""
        return next(candidate for candidate in self.candidates if candidate.name == name)

    def trials(self, name: str) -> list[Trial]:
        """A candidate's trainings, the shortest first."""
        return [rung.trials[name] for rung in self.rungs if name in rung.trials]

    def results(self, name: str) -> list[Trial]:
        """Those of a candidate's trainings that gave a result, the shortest first."""
        return [trial for trial in self.trials(name) if not trial.failure]

    def failure(self, name: str) -> str | None:
        """Why a candidate failed, if it ever did."""
        return next((t.failure for t in self.trials(name) if t.failure), None)

    def curve(self, name: str) -> list[tuple[float, Score]]:
        """Seconds of training and the score after them, in the order of time."""
        return [(trial.seconds, trial.score) for trial in self.results(name)]

    def before_last(self) -> State:
        """What was known when the candidate for the last training was chosen."""
        return dataclasses.replace(self, rungs=[r for r in self.rungs if len(r.names) > 1])

    def standing(self, name: str, seconds: float | None = None) -> Standing | None:
        """Where a candidate stands; None if it has no result.

        Args:
            name: of the candidate.
            seconds: carry its score on to a training of this length.
        """
        results = self.results(name)
        if not results:
            return None
        curve, family = self.curve(name), self.candidate(name).family
        return Standing(
            name=name,
            family=family,
            score=curve[-1][1] if seconds is None else forecast(curve, seconds, family),
            copies=verdict(results[-1].measures).copying,
            cost=cost(results[-1].items_per_second, results[-1].weight_bytes),
            favoured=family == self.favoured,
            plain=not self.candidate(name).settings,
        )

    def ranking(self, seconds: float | None = None) -> list[Standing]:
        """All candidates with a result, the best first.

        Those who came to a later rung stand before those who did not, and within a rung those who
        have not failed since.

        Args:
            seconds: carry scores on to a training of this length.
        """
        ranked: list[Standing] = []
        for rung in reversed(self.rungs):
            there = [s for name in rung.trials if (s := self.standing(name, seconds))]
            for failed in (False, True):
                new = [s for s in there if bool(self.failure(s.name)) == failed]
                known = {standing.name for standing in ranked}
                ranked += rank([s for s in new if s.name not in known])
        return ranked

    def save(self, folder: Path) -> None:
        """Write it whole into the comparison's folder."""
        write_whole(folder / STATE, json.dumps(self.to_json(), indent=2))

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        plain = {"format": FORMAT, **dataclasses.asdict(self)}
        plain["test"] = {name: measure.to_json() for name, measure in self.test.items()}
        for rung, values in zip(self.rungs, plain["rungs"], strict=True):
            for name, trial in rung.trials.items():
                measures = {key: measure.to_json() for key, measure in trial.measures.items()}
                values["trials"][name]["measures"] = measures
        return plain


def read_state(folder: Path) -> State:
    """What an earlier call has found in a folder.

    Raises:
        UsageError: the file is damaged or of a later format.
    """
    path = folder / STATE
    try:
        values = json.loads(path.read_bytes())
        if values.pop("format") != FORMAT:
            raise UsageError(
                "this comparison was made by another version of ectype",
                where=str(path),
                hint="--new starts afresh (the old one is kept)",
            )
        rungs = [
            Rung(**{**rung, "trials": {k: _trial(v) for k, v in rung["trials"].items()}})
            for rung in values.pop("rungs")
        ]
        candidates = [Candidate(**candidate) for candidate in values.pop("candidates")]
        test = read_measures(values.pop("test"))
        return State(**values, rungs=rungs, candidates=candidates, test=test)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"damaged: {type(error).__name__}: {error}",
            where=str(path),
            hint="--new starts afresh (what is there is kept)",
        ) from None


def _trial(values: dict[str, Any]) -> Trial:
    measures = read_measures(values["measures"])
    deviations = tuple(values.get("deviations", ()))
    return Trial(**{**values, "measures": measures, "deviations": deviations})


def read_measures(values: dict[str, dict[str, Any]]) -> dict[str, Measure]:
    """Measures from what their `to_json` gave, by name."""
    return {
        name: Measure(**{**v, "interval": None if v["interval"] is None else tuple(v["interval"])})
        for name, v in values.items()
    }
