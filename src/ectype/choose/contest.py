"""The candidates train and are measured, rung by rung; the best of them becomes the winner."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ectype.choose.page import write_page
from ectype.choose.ranking import promote, score
from ectype.choose.schedule import REPORT_SHARE, halving, last_training
from ectype.choose.state import Rung, State, Trial
from ectype.config import format_seconds
from ectype.domains.base import Dataset, Domain
from ectype.errors import DivergedError, EctypeError, InterruptedRun, StorageError
from ectype.evaluating import MOST_ITEMS, evaluate, judge
from ectype.fitting import fit
from ectype.folder import RunFolder
from ectype.run import Run, load
from ectype.training.progress import Reporter

#: The fewest samples that anything is measured by.
FEWEST_SAMPLES = 100
#: Samples of one attempt to measure speed, and attempts.
SPEED_ITEMS, SPEED_ATTEMPTS = 256, 3
#: Samples on a sheet.
SHEET_ITEMS = 36


@dataclass(frozen=True, kw_only=True)
class Contest:
    """What is left to do of a comparison.

    Attributes:
        state: what has been found so far; written to `compare.json` after every step.
        folder: of the comparison, locked.
        dataset: the data as the last training sees them.
        trial_dataset: as those before it see them: the same, or with more validation data.
        domain: their kind.
        source: where they come from, for `fit`.
        device: auto, cpu or cuda.
        reporter: told how it goes.
        spent: gives the wall clock so far in seconds, over all sessions.
    """

    state: State
    folder: Path
    dataset: Dataset
    trial_dataset: Dataset
    domain: Domain
    source: Any
    device: str
    reporter: Reporter
    spent: Callable[[], float]

    def finish(self) -> None:
        """Do whatever is left.

        Raises:
            DivergedError: no candidate could be trained.
            InterruptedRun: a signal came; the same call goes on.
        """
        self._select()
        self._train_winner()
        self._report()

    def save(self) -> None:
        """Write down all that is known."""
        self.state.seconds = round(self.spent(), 2)
        self.state.save(self.folder)

    def unsaved_seconds(self) -> float:
        """Training of an earlier session that came after its state was last written."""
        unfinished = (
            self._run_path(name, rung)
            for rung in self.state.rungs
            for name in rung.names
            if name not in rung.trials
        )
        return sum(RunFolder(path).spent()["seconds"] for path in unfinished)

    # --- the rungs ------------------------------------------------------------------------

    def _select(self) -> None:
        """Reduce the candidates rung by rung to those of the last one."""
        names = [candidate.name for candidate in self.state.candidates]
        for number, (count, seconds) in enumerate(halving(len(names), self.state.budget)):
            if number == len(self.state.rungs):
                if number > 0:
                    names = [s.name for s in promote(self.state.ranking(), count)]
                if len(names) == 1:
                    return
                self.state.rungs.append(Rung(seconds=round(seconds, 2), names=names))
            self._play(self.state.rungs[number])

    def _train_winner(self) -> None:
        """Train the best candidate for all the time that is left; where that fails, the next.

        If no more time is left than the candidate has had, its last run has to do.
        """
        if self.state.winner is not None:
            return
        begun = [rung.names[0] for rung in self.state.rungs if len(rung.names) == 1]
        ranked = [s.name for s in self.state.ranking(self._left_for_training())]
        in_turn = dict.fromkeys([*begun, *ranked])
        self.state.winner = next(filter(self._trained_longer, in_turn), ranked[0])
        self.save()

    def _trained_longer(self, name: str) -> bool:
        """Whether a candidate has had its last training, or there is no time for one."""
        alone = next((rung for rung in self.state.rungs if rung.names == [name]), None)
        if alone is None:
            seconds = self._left_for_training(name)
            if seconds <= self.state.results(name)[-1].seconds:
                return True
            alone = Rung(seconds=round(seconds, 2), names=[name])
            self.state.rungs.append(alone)
        self._play(alone)
        return not alone.trials[name].failure

    def _play(self, rung: Rung) -> None:
        """Give every candidate of a rung its training.

        Raises:
            DivergedError: no candidate has a result.
        """
        self.save()
        for name in rung.names:
            if name not in rung.trials:
                rung.trials[name] = self._try(name, rung)
                self.save()
        if not self.state.ranking():
            reasons = "; ".join(f"{name}: {trial.failure}" for name, trial in rung.trials.items())
            raise DivergedError(
                f"no candidate could be trained: {reasons}",
                where=str(self.folder),
                hint="--new starts afresh, with other settings or data",
            )

    # --- one candidate --------------------------------------------------------------------

    def _try(self, name: str, rung: Rung) -> Trial:
        """Train and measure a candidate; what goes wrong with it alone becomes its result."""
        candidate, path = self.state.candidate(name), self._run_path(name, rung)
        is_last = len(rung.names) == 1
        held_back = [] if is_last else self.state.held_back
        length = format_seconds(rung.seconds)
        self.reporter.note(f"\n{name}: {candidate.about}; {length} of training")
        trial = Trial(run=str(path.relative_to(self.folder)), seconds=rung.seconds)
        trained_before = RunFolder(path).spent()["seconds"]
        began = time.monotonic()
        try:
            run = fit(
                self.source,
                model=candidate.family,
                budget=rung.seconds,
                out=path,
                seed=self.state.asked["seed"],
                labels=self.state.asked["labels"],
                domain=self.domain,
                device=self.device,
                settings=[*self.state.settings, *held_back, *candidate.changes],
                reporter=self.reporter,
            )
            training = max(0.0, rung.seconds - trained_before)
            overhead = max(0.0, time.monotonic() - began - training)
            dataset = self.dataset if is_last else self.trial_dataset
            return self._measured(dataclasses.replace(trial, overhead=overhead), run, name, dataset)
        except (InterruptedRun, StorageError):
            raise
        except EctypeError as error:
            self.reporter.note(f"{name} failed: {error}")
            return dataclasses.replace(trial, failure=error.message)

    def _measured(self, trial: Trial, run: Run, name: str, dataset: Dataset) -> Trial:
        began = time.monotonic()
        measures = judge(run, dataset, "validation", n=self.state.n)
        found = score(measures)
        if not math.isfinite(found.value):
            return dataclasses.replace(trial, failure="its samples hold what is no number")
        path = self.folder / "candidates" / name / "samples"
        sheet = self.domain.preview(run.sample(SHEET_ITEMS).items, run.spec, path)
        return dataclasses.replace(
            trial,
            measures=measures,
            deviations=found.deviations,
            items_per_second=items_per_second(run),
            weight_bytes=run.folder.weights.stat().st_size,
            samples=str(sheet.relative_to(self.folder)),
            measuring=time.monotonic() - began,
        )

    # --- the end --------------------------------------------------------------------------

    def _report(self) -> None:
        """Put the winner in its place, measure it on test data, and write it all down."""
        name, place = self.state.winner, self.folder / "winner"
        assert name is not None
        if not place.exists():
            (self.folder / self.state.results(name)[-1].run).rename(place)
        run = load(place, domain=self.domain, device=self.device)
        self.reporter.note(f"\nmeasuring {name} on test data")
        self.state.test = dict(evaluate(run, self.source, n=self._test_samples()))
        self.state.seconds = round(self.spent(), 2)  # the page says it
        write_page(self.state, self.folder)
        self.save()

    def _test_samples(self) -> int:
        """As many as can be measured in the time that is left.

        Counted at twice the time that they took on validation data: a report has more to show.
        """
        assert self.state.winner is not None
        measuring = self.state.results(self.state.winner)[-1].measuring
        left = self.state.budget - self.spent()
        affordable = left / (2 * max(measuring, 1e-6)) * self.state.n
        return min(max(int(affordable), FEWEST_SAMPLES), MOST_ITEMS)

    def _left_for_training(self, name: str | None = None) -> float:
        """Seconds that one more training may take, so that the budget is kept.

        Args:
            name: of the candidate; where it did not come to the longest rung, or is not known yet,
                what `fit` took beside training is that of whoever took most there.
        """
        results = [*self._results()]
        longest = max(trial.seconds for trial in results)
        # the first measuring of all is no guide: it also computed what is known of real data since
        measuring = max(trial.measuring for trial in results if trial.seconds == longest)
        report = max(REPORT_SHARE * self.state.budget, 2 * measuring)
        left = self.state.budget - self.spent() - measuring - report
        curves = {
            candidate.name: [(t.seconds, t.overhead) for t in self.state.results(candidate.name)]
            for candidate in self.state.candidates
        }
        there = {n: curve for n, curve in curves.items() if curve and curve[-1][0] == longest}
        known = [there[name]] if name in there else there.values()
        return min(last_training(left, curve) for curve in known)

    def _results(self) -> Iterator[Trial]:
        trials = (trial for rung in self.state.rungs for trial in rung.trials.values())
        return (trial for trial in trials if not trial.failure)

    def _run_path(self, name: str, rung: Rung) -> Path:
        number = self.state.rungs.index(rung) + 1
        return self.folder / "candidates" / name / f"rung-{number}"


def items_per_second(run: Run) -> float:
    """How many samples a model makes a second: the median of a few attempts."""
    _ = run.sample(1).items  # reads the weights
    seconds = []
    for _ in range(SPEED_ATTEMPTS):
        began = time.monotonic()
        _ = run.sample(SPEED_ITEMS).items
        seconds.append(time.monotonic() - began)
    return SPEED_ITEMS / max(statistics.median(seconds), 1e-9)
