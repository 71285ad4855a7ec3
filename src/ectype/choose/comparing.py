"""`compare`: candidates of both families under one budget, and the best of them as a run.

What lies where in the folder: `compare.json` (all that is known, see `state`), `compare.html`,
`candidates/NAME/rung-K` (ordinary runs), `candidates/NAME/samples` and `real` (to look at), and
`winner`, the run that trained longest.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ectype.choose.advice import advise, headings, rows
from ectype.choose.candidates import candidates
from ectype.choose.contest import FEWEST_SAMPLES, SHEET_ITEMS, Contest
from ectype.choose.state import STATE, State, read_state
from ectype.config import Budget, Config, to_dict, with_changes
from ectype.domains.base import Dataset, Domain
from ectype.errors import UsageError
from ectype.fitting import default_folder, differences
from ectype.folder import RunFolder
from ectype.report.verdict import Verdict
from ectype.request import (
    Settings,
    as_changes,
    asked_config,
    choose_family,
    choose_precision,
    facts_of,
    find_domain,
    parse_budget,
    prepare_data,
)
from ectype.run import Run, load
from ectype.training.progress import Reporter, Silent, Tick

DEFAULT_BUDGET = "30m"
#: Samples that a candidate is measured by, and validation items if there are as many: so many for
#: each second of budget, so that measuring stays a small part of it, and no more than so many.
ITEMS_A_SECOND = 0.4
MOST_SAMPLES = 2_000
#: Items of a part without which nothing can be said.
LEAST_PART = 20
#: With fewer validation items than this, more are held back until the choice is made...
ENOUGH = 300
#: ...but no larger share of the data than this.
MOST_HELD_BACK = 0.25
#: Share of the budget that the last training has when all goes well; the data is prepared for that
#: time (large pictures need a long training).
LAST_SHARE = 0.8


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """What a comparison found.

    Attributes:
        folder: where everything lies.
        winner: the recommended model as a finished run.
        state: all figures.
    """

    folder: Path
    winner: Run
    state: State

    @property
    def advice(self) -> Verdict:
        """Which model to use, why, and what speaks against relying on it."""
        return advise(self.state)

    @property
    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Headings and rows, the best candidate first."""
        return headings(self.state), rows(self.state)

    @property
    def features(self) -> str:
        """Name of the feature space that the figures were made in."""
        return self.state.test["frechet"].features or ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "folder": str(self.folder),
            "run": str(self.winner.path),
            "winner": self.state.winner,
            "advice": dataclasses.asdict(self.advice),
            "ranking": [row[0] for row in rows(self.state)],
            "seconds": self.state.seconds,
            "test": {name: measure.to_json() for name, measure in self.state.test.items()},
            "candidates": self.state.to_json()["candidates"],
            "rungs": self.state.to_json()["rungs"],
        }


def compare(
    source: Any,
    *,
    budget: str | float | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    labels: str = "auto",
    domain: str | Domain | None = None,
    device: str = "auto",
    new: bool = False,
    settings: Settings = (),
    reporter: Reporter | None = None,
) -> Comparison:
    """Find out which model suits somebody's data, and train it.

    Candidates of both families share the budget: all train for a short time, the better ones for
    longer, the best for about 80% of it (see `choose.schedule`). They are ranked on validation
    data (see `choose.ranking`); the winner is measured on test data. Everything counts: preparing
    the data, measuring, the report.

    Args:
        source: a path, an array, a tensor, or a pair of items and labels.
        budget: wall clock for everything ("30m", "2h", seconds).
        out: the folder; by default `runs/<name of the data>-compare`.
        seed: of the split, the weights and the training noise.
        labels: `auto`, `none`, or where the labels are.
        domain: what kind of data it is; found out by default. An own `Domain` object adds one.
        device: auto, cpu or cuda.
        new: put an earlier comparison in `out` aside and start afresh.
        settings: for all candidates; a variant that would change one of them is not tried.
        reporter: is told how it goes.

    Raises:
        UsageError: the call cannot be carried out, or does not fit the comparison that is there.
        DataError: the data cannot be used.
        DivergedError: no candidate could be trained.
        InterruptedRun: a signal came; everything is saved, the same call goes on.
    """
    told = _Once(reporter or Silent())
    kind = find_domain(source, domain)
    place = default_folder(source)
    folder = RunFolder(out if out is not None else place.with_name(f"{place.name}-compare"))
    asked_budget, extension = parse_budget(budget or DEFAULT_BUDGET, None)
    if extension:
        raise UsageError(
            "a comparison cannot be extended",
            hint="--new with a longer --budget starts afresh; the winner is a run, which "
            "`ectype fit` extends",
        )
    changes = as_changes(settings)
    asked = asked_config(kind, "auto", asked_budget, seed, labels, changes)
    try:
        if new and (folder.path / STATE).exists():
            with folder.lock():
                aside = folder.put_aside()
            told.note(f"the comparison that was here is now {aside}")
        with folder.lock():
            if folder.exists():
                raise UsageError(
                    "this folder is a run, not a comparison",
                    where=str(folder.path),
                    hint="choose another one with --out",
                )
            work = _Work(kind, folder.path, told, source, device)
            if (folder.path / STATE).exists():
                state = work.go_on(asked, explicit_budget=budget is not None)
            else:
                state = work.begin(asked, changes)
    finally:
        told.close()
    winner = load(folder.path / "winner", domain=kind, device=device)
    return Comparison(folder=folder.path, winner=winner, state=state)


class _Work:
    """One call of `compare` on a locked folder."""

    def __init__(self, domain: Domain, folder: Path, reporter: Reporter, source: Any, device: str):
        self.domain = domain
        self.folder = folder
        self.reporter = reporter
        self.source = source
        self.device = device
        self.started = time.monotonic()

    def begin(self, asked: Config, changes: list[str]) -> State:
        """Prepare the data, choose the candidates, and go through with it.

        Raises:
            UsageError: there is too little held-out data.
        """
        from ectype.models.build import default_gamma

        dataset = self._prepare(asked)
        _check_parts(dataset)
        spec = dataset.spec
        pins = [f"data.{key}={value}" for key, value in self.domain.pinned(spec).items()]
        given = {change.partition("=")[0].strip() for change in changes}
        affordable = round(ITEMS_A_SECOND * (asked.budget.seconds or 0.0))
        state = State(
            asked=to_dict(asked),
            fingerprint=dataset.fingerprint,
            settings=[*changes, *pins],
            favoured=choose_family("auto", facts_of(dataset, _last_budget(asked)))[0],
            held_back=_held_back(dataset, asked, given),
            n=min(max(affordable, FEWEST_SAMPLES), MOST_SAMPLES),
            candidates=candidates(
                asked,
                given,
                items=len(dataset.parts["train"]),
                gamma=default_gamma(math.prod(spec.shape)),
            ),
        )
        shown = np.random.default_rng(0).permutation(dataset.parts["validation"])[:SHEET_ITEMS]
        self.domain.preview(dataset.items[shown], spec, self.folder / "real")
        self._contest(state, asked, dataset).finish()
        return state

    def go_on(self, asked: Config, *, explicit_budget: bool) -> State:
        """Take up what an earlier call left, or leave it if it is done.

        Raises:
            UsageError: settings or data are not those of the comparison.
        """
        state = read_state(self.folder)
        if not explicit_budget:
            asked = dataclasses.replace(asked, budget=Budget(**state.asked["budget"]))
        changed = differences(state.asked, to_dict(asked))
        if changed:
            raise UsageError(
                f"the comparison was made with other settings: {'; '.join(changed)}",
                where=str(self.folder),
                hint="--new starts afresh (the old comparison is kept)",
            )
        if state.done:
            self.reporter.note(f"{self.folder} is finished; --new starts afresh")
            return state
        dataset = self._prepare(asked)
        if dataset.fingerprint != state.fingerprint:
            raise UsageError(
                "the data are not those that the comparison was made with",
                where=str(self.folder),
                hint="--new starts afresh with the data as they are now; the old one is kept",
            )
        contest = self._contest(state, asked, dataset)
        self.started -= state.seconds + contest.unsaved_seconds()
        contest.finish()
        return state

    def _prepare(self, asked: Config) -> Dataset:
        """The data as the last training will see them; `fit` tells of them."""
        device = choose_precision(asked, self.device, self.domain).device.type
        asked = dataclasses.replace(asked, budget=_last_budget(asked))
        return prepare_data(self.domain, self.source, asked, device)

    def _contest(self, state: State, asked: Config, dataset: Dataset) -> Contest:
        trial_dataset = dataset
        if state.held_back:
            trial_dataset = self._prepare(with_changes(asked, state.held_back))
        return Contest(
            state=state,
            folder=self.folder,
            dataset=dataset,
            trial_dataset=trial_dataset,
            domain=self.domain,
            source=self.source,
            device=self.device,
            reporter=self.reporter,
            spent=lambda: time.monotonic() - self.started,
        )


def _check_parts(dataset: Dataset) -> None:
    """Check that there is something to choose by, and something to measure the winner on."""
    for part in ("validation", "test"):
        held_out = len(dataset.parts[part])
        if held_out < LEAST_PART:
            raise UsageError(
                f"the {part} part has {held_out} items, too few to compare anything with",
                hint=f"more data, or a larger share of them: --set data.{part}=0.2 for pictures",
            )


def _last_budget(asked: Config) -> Budget:
    """What the last training has when all goes well."""
    return Budget(seconds=LAST_SHARE * (asked.budget.seconds or 0.0))


def _held_back(dataset: Dataset, asked: Config, given: Collection[str]) -> list[str]:
    """What to set so that enough items are held out to choose by; nothing where there are.

    Among few items a neighbourhood is so wide that blurred samples cover more of them than sharp
    ones (docs/benchmarks.md, "Choices"). The test part stays as it is.
    """
    validation = len(dataset.parts["validation"])
    share = getattr(asked.data, "validation", None)
    if share is None or "data.validation" in given or validation >= ENOUGH:
        return []
    items = sum(map(len, dataset.parts.values()))
    wanted = min(MOST_HELD_BACK, ENOUGH / items)
    return [f"data.validation={wanted:.4g}"] if wanted > share else []


class _Once:
    """Passes on what a reporter is told, but no sentence twice: every `fit` describes the data."""

    def __init__(self, reporter: Reporter):
        self._reporter = reporter
        self._told: set[str] = set()

    def note(self, text: str) -> None:
        """Pass on a sentence, the first time."""
        if text not in self._told:
            self._told.add(text)
            self._reporter.note(text)

    def tick(self, tick: Tick) -> None:
        """Pass on how training goes."""
        self._reporter.tick(tick)

    def close(self) -> None:
        """Pass on that a training has ended."""
        self._reporter.close()
