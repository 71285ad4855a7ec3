"""`evaluate`: how good a run is, measured on data that nothing else has looked at."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ectype.config import format_seconds, to_dict
from ectype.domains.base import Chosen, Dataset, Part
from ectype.domains.cache import ArrayWriter, Cache, key_of
from ectype.errors import UsageError
from ectype.exhibits import exhibits
from ectype.held_out import TRAIN_ITEMS, HeldOut, find, part_of
from ectype.measures.features import Features, FeatureSpace
from ectype.measures.frechet import frechet_distance
from ectype.measures.inception import inception_space
from ectype.measures.likelihood import likelihood_measures
from ectype.measures.measure import Measure
from ectype.measures.suite import (
    SMALLEST,
    FeatureSets,
    label_fidelity,
    measure_features,
    share_of_copies,
)
from ectype.models.base import Batch
from ectype.models.vae import Vae
from ectype.report import Report, write_report
from ectype.training.progress import Reporter, Silent

if TYPE_CHECKING:  # a run can be evaluated, so `run` knows this module
    from ectype.run import Run

#: Items on each side unless the user says otherwise: more change hardly any figure.
MOST_ITEMS = 10_000
#: Copies are sought among this many samples at least, however few items were held out.
FEWEST_SAMPLES = 500
#: Held-out items for what passes them through a VAE.
LIKELIHOOD_ITEMS = 500
#: Of the samples that are measured: they are the first of `ectype sample RUN`.
SEED = 0

_CHUNK = 256  # items whose features are extracted at a time
_PROGRESS_SECONDS = 10.0
_FEATURES = "features.npy"


@dataclass(frozen=True, kw_only=True)
class Evaluation(Mapping[str, Measure]):
    """What was found: `evaluation["frechet"]` is a `Measure`.

    `folder` is where the report was written.
    """

    report: Report
    folder: Path

    @property
    def measures(self) -> dict[str, Measure]:
        """All figures by name."""
        return self.report.measures

    def to_json(self) -> dict[str, Any]:
        """The content of `report.json`."""
        return self.report.to_json()

    def __getitem__(self, name: str) -> Measure:
        return self.measures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.measures)

    def __len__(self) -> int:
        return len(self.measures)


def evaluate(
    run: Run,
    source: Any = None,
    *,
    n: int | None = None,
    features: str | None = None,
    reporter: Reporter | None = None,
) -> Evaluation:
    """Measure a run on held-out data and write a report into it.

    Args:
        run: what to measure.
        source: further data of the same kind, all of it taken for held-out; by default the test
            part of the run's own data.
        n: samples, and held-out items to compare them with, fewer where there are not so many;
            by default as many as there are, 500 to 10,000. Copies are sought among all training
            items (20,000 at most), but where features take a network among twice as many as n.
        features: the feature space; by default that of the settings, else the domain's first.
        reporter: is told how it goes.

    Raises:
        UsageError: the run's data are not there any more, or there is no such feature space.
        DataError: there are too few held-out items.
    """
    reporter = reporter or Silent()
    space = _space(run, features)
    if n is not None and n < SMALLEST:
        raise UsageError(f"{n} items measure nothing", hint=f"ask for at least {SMALLEST}")
    held_out = find(run, source)
    for note in held_out.notes:
        reporter.note(note)
    most_train = TRAIN_ITEMS if n is None else 2 * n
    n = n or min(MOST_ITEMS, max(FEWEST_SAMPLES, len(held_out.reference)))
    judging = _Judging(run, space, held_out, n, SEED, reporter, most_train)
    measures = {**judging.measures(), **judging.likelihood()}
    reporter.note("drawing the report …")
    report = Report(
        name=run.path.resolve().name,
        domain=run.config.domain,
        family=run.config.family,
        n=n,
        held_out_n=len(judging.reference),
        features=space.name,
        measures=measures,
        facts=_facts(run, held_out, judging),
        settings=to_dict(run.config),
        exhibits=exhibits(
            run,
            (judging.sets, *judging.closer),
            generated=judging.generated,
            reference=judging.reference,
            train=judging.train,
            copies=judging.copies,
        ),
        log=_lines(run.folder.log),
        events=_lines(run.folder.events),
    )
    write_report(report, run.path)
    return Evaluation(report=report, folder=run.path)


def judge(
    run: Run,
    dataset: Dataset,
    part: Part,
    *,
    n: int,
    features: str | None = None,
    seed: int = 0,
) -> dict[str, Measure]:
    """The figures of a run on one part of its dataset, and nothing else.

    Args:
        run: what to measure.
        dataset: the one it was made with.
        part: to compare with: `validation` for every choice, `test` for the last word.
        n: samples, and items to compare them with; fewer of these if the part is smaller.
        features: see `evaluate`.
        seed: of the samples.

    Raises:
        DataError: the part is too small.
    """
    held_out = part_of(dataset, part)
    return _Judging(run, _space(run, features), held_out, n, seed, Silent(), 2 * n).measures()


# --- figures ------------------------------------------------------------------------------


class _Judging:
    """Samples of a run beside real items: as items, and as features.

    Where features take a network, `most_train` training items at most are looked at. `copies` are
    the first held-out items passed through a model with an encoder, as stored items.
    """

    def __init__(
        self,
        run: Run,
        space: FeatureSpace,
        held_out: HeldOut,
        n: int,
        seed: int,
        reporter: Reporter,
        most_train: int,
    ):
        self.run = run
        self.space = space
        self.reporter = reporter
        self.reference = held_out.reference.first(n)
        self.train = held_out.train
        self.generated, self.labels = self._sample(n, seed)
        seen = self.train
        if seen is not None and space.dim is not None:
            seen = seen.first(most_train)
        self.seen_labels = None if seen is None else seen.labels
        train = None if seen is None else self._cached(seen, "training items")
        self.sets = FeatureSets(
            space=space.name,
            generated=np.concatenate([*self._features(self.generated, "samples")]),
            reference=self._cached(self.reference, "held-out items"),
            train=train,
        )
        self.closer = [] if self.train is None else [*self._closer(self.train)]
        self.copies: np.ndarray | None = None

    def measures(self) -> dict[str, Measure]:
        """The figures that every kind of data and every family has, and the domain's own."""
        self.reporter.note("measuring …")
        run, sets, reference, train = self.run, self.sets, self.reference, self.train
        measures = measure_features(sets)
        asked, real, seen = self.labels, reference.labels, self.seen_labels
        if sets.train is not None and not (asked is None or real is None or seen is None):
            measures["label_fidelity"] = label_fidelity(
                *(sets.train, seen),
                *(sets.generated, asked),
                *(sets.reference, real),
                space=sets.space,
            )
        for other in self.closer:
            measures[f"near_copies_{other.space.partition('@')[0]}"] = share_of_copies(other)
        own = run.domain.own_measures(self.generated, reference, train, run.spec)
        return {**measures, **own}

    def likelihood(self) -> dict[str, Measure]:
        """What passing held-out items through a VAE tells; nothing where their labels lack."""
        run, model, shown = self.run, self.run.model, self.reference.first(LIKELIHOOD_ITEMS)
        if not isinstance(model, Vae) or (run.spec.classes and shown.labels is None):
            return {}
        self.reporter.note("passing held-out items through the model …")
        with run.precision.autocast():
            measures = likelihood_measures(model, self._batches(shown))
            with torch.inference_mode():
                copies = [model.reconstruct(batch).float().cpu() for batch in self._batches(shown)]
        self.copies = run.domain.from_network(torch.cat(copies), run.spec)
        measures |= run.domain.reconstruction_measures(shown[:], self.copies, run.spec)
        features = np.concatenate([*self._features(self.copies, "reconstructions")])
        measures["reconstruction_frechet"] = Measure(
            value=frechet_distance(features, self.sets.reference[: len(shown)]),
            better="lower",
            n=len(shown),
            features=self.space.name,
            note="of reconstructions to the very items that they are of: 0 is perfect",
        )
        return measures

    def _sample(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        progress = _Progress(self.reporter, f"drawing {n:,} samples", n)
        items: list[np.ndarray] = []
        labels: list[np.ndarray] = []
        for block, block_labels in self.run.sample_blocks(n, seed=seed):
            items.append(block)
            if block_labels is not None:
                labels.append(block_labels)
            progress.add(len(block))
        return np.concatenate(items), np.concatenate(labels) if labels else None

    def _batches(self, items: Chosen) -> Iterator[Batch]:
        device, labels = self.run.precision.device, items.labels
        size = self.run.model.block
        for start in range(0, len(items), size):
            block = slice(start, start + size)
            x = self.run.domain.to_network(torch.from_numpy(items[block]).to(device), self.run.spec)
            label = None if labels is None else torch.from_numpy(labels[block]).to(device)
            yield Batch(x, label)

    def _closer(self, train: Chosen) -> Iterator[FeatureSets]:
        """The same items in the spaces that only near copies are sought in."""
        for name in self.run.domain.copy_spaces:
            space = self.run.domain.feature_space(name, self.run.spec)
            if name != self.space.name:
                sides = (self.generated, self.reference, train)
                features = (np.concatenate([*_extracted(space, side)]) for side in sides)
                generated, reference, seen = features
                yield FeatureSets(space=name, generated=generated, reference=reference, train=seen)

    def _features(self, items: np.ndarray | Chosen, what: str) -> Iterator[Features]:
        """Features of items, some at a time."""
        progress = _Progress(self.reporter, f"features of {len(items):,} {what}", len(items))
        for start in range(0, len(items), _CHUNK):
            chunk = items[start : start + _CHUNK]
            yield self.space.extract(chunk, device=str(self.run.precision.device))
            progress.add(len(chunk))

    def _cached(self, items: Chosen, what: str) -> Features:
        """Features of real items, which are kept in the cache if a network computes them."""
        space = self.space
        dim = space.dim
        if dim is None:
            return np.concatenate([*self._features(items, what)])

        def build(folder: Path) -> None:
            with ArrayWriter(folder / _FEATURES, (dim,), np.float32) as file:
                for features in self._features(items, what):
                    file.append(features)

        digest = hashlib.sha256()
        for start in range(0, len(items), _CHUNK):
            digest.update(np.ascontiguousarray(items[start : start + _CHUNK]).tobytes())
        # what stored items mean may be said by the spec: the numbers of a text's pieces are
        key = key_of("features", space.name, self.run.spec.to_json(), digest.hexdigest())
        cache = Cache(getattr(self.run.config.data, "cache", None))
        return np.load(cache.entry(key, build) / _FEATURES, mmap_mode="r", allow_pickle=False)


def _extracted(space: FeatureSpace, items: np.ndarray | Chosen) -> Iterator[Features]:
    for start in range(0, len(items), _CHUNK):
        yield space.extract(items[start : start + _CHUNK])


class _Progress:
    """Says what is being done, and every ten seconds how far it is."""

    def __init__(self, reporter: Reporter, what: str, total: int):
        self._reporter, self._total = reporter, total
        self._done, self._start = 0, time.monotonic()
        self._due = self._start + _PROGRESS_SECONDS
        reporter.note(f"{what} …")

    def add(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        now = time.monotonic()
        if now < self._due or self._done >= self._total:
            return
        self._due = now + _PROGRESS_SECONDS
        left = (now - self._start) * (self._total / self._done - 1)
        self._reporter.note(f"  {self._done:,} of {self._total:,}, {format_seconds(left)} to go")


def _space(run: Run, features: str | None) -> FeatureSpace:
    """The feature space that is asked for, by the call, the settings or the domain.

    Raises:
        UsageError: the domain has none of that name.
    """
    known = run.domain.feature_spaces
    settings = run.config.evaluation
    name = features or settings.features or known[0]
    if name not in known:
        message = f"{run.config.domain} data has no feature space “{name}”"
        raise UsageError(message, hint=f"known: {', '.join(known)}")
    if name == "inception":
        return inception_space(settings.inception)
    return run.domain.feature_space(name, run.spec)


# --- the report's facts -------------------------------------------------------------------


def _facts(run: Run, held_out: HeldOut, judging: _Judging) -> dict[str, dict[str, str]]:
    content, summary = run.folder.read_config(), run.summary()
    n = len(judging.generated)
    place = {"source": run.source} if isinstance(run.source, str) else {}
    labels = {"labels": f"{run.spec.classes:,}"} if run.spec.classes else {}
    shape = "×".join(map(str, run.spec.shape))
    return {
        "Data": {**place, "an item": shape, **labels, **held_out.facts},
        "Training": {
            "budget": summary["budget"] + ("" if summary["finished"] else ", not yet spent"),
            "steps": f"{summary['step']:,}",
            "items seen": f"{summary['items']:,}",
            "time": format_seconds(summary["seconds"]),
            "device": content["device"],
        },
        "Model": {
            "family": summary["family"],
            "capacity": str(summary["capacity"]),
            "parameters": f"{summary['parameters']:,}",
            "samples measured": f"{n:,}, those of `ectype sample {run.path} -n {n} --seed {SEED}`",
        },
        "Versions": content["versions"],
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines; the last line may be cut off while training writes."""
    if not path.exists():
        return []
    found: list[dict[str, Any]] = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
