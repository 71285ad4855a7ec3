"""`fit`: from a source to a trained run."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ectype.config import Budget, Config, Family, to_dict
from ectype.domains.base import Dataset, Domain
from ectype.errors import UsageError
from ectype.files import storage_error, write_whole
from ectype.folder import RunFolder, load_config
from ectype.request import (
    Settings,
    as_changes,
    asked_config,
    check_likelihood,
    choose_family,
    choose_precision,
    facts_of,
    find_domain,
    parse_budget,
    prepare_data,
)
from ectype.run import Run, exported, load, make_model
from ectype.training.progress import Reporter, Silent
from ectype.warm import decide, hand_over, start_path

if TYPE_CHECKING:
    import numpy as np

    from ectype.models.base import Model
    from ectype.training.batches import Batches
    from ectype.training.precision import Precision
    from ectype.training.selection import Selection
    from ectype.training.trainer import Trainer

#: Items of a preview; its noise is that of seed 0, so previews show the same points over time.
PREVIEW_ITEMS = 64


def fit(
    source: Any,
    *,
    model: Family = "auto",
    budget: str | float | None = None,
    steps: int | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    labels: str = "auto",
    domain: str | Domain | None = None,
    start: str | Path | None = None,
    device: str = "auto",
    new: bool = False,
    settings: Settings = (),
    reporter: Reporter | None = None,
) -> Run:
    """Train a model on somebody's data, or go on with a training that was interrupted.

    Args:
        source: a path, an array, a tensor, or a pair of items and labels.
        model: `gan`, `vae`, or `auto` to let ectype choose.
        budget: how long to train ("10m", "2h", seconds); "+10m" extends a run.
        steps: train for so many steps instead; such runs repeat to the bit.
        out: the run's folder; by default `runs/<name of the data>`.
        seed: of the split, the weights and the training noise.
        labels: `auto`, `none`, or where the labels are.
        domain: what kind of data it is; found out by default. An own `Domain` object adds one.
        start: an earlier run of the same kind of data; training begins with its weights.
        device: auto, cpu or cuda.
        new: put an earlier run in `out` aside and start afresh.
        settings: rare settings, as `{"gan.loss": "hinge"}` or `["gan.loss=hinge"]`.
        reporter: is told how training goes.

    Raises:
        UsageError: the call cannot be carried out, or does not fit the run that is there.
        DataError: the data cannot be used.
        DivergedError: training diverged.
        InterruptedRun: a signal came; everything is saved, the same call goes on.
    """
    reporter = reporter or Silent()
    kind = find_domain(source, domain)
    folder = RunFolder(out if out is not None else default_folder(source))
    asked_budget, extension = parse_budget(budget, steps)
    start = start_path(start, folder)
    try:
        changes = as_changes(settings)
        asked = asked_config(kind, model, asked_budget, seed, labels, changes)
        asked = dataclasses.replace(asked, start=start)
        if new and folder.exists():
            if extension:
                raise UsageError("what starts afresh cannot be extended", where="--new")
            decide(asked, changes, kind)  # nothing is moved for a call that cannot be carried out
            with folder.lock():
                aside = folder.put_aside()
            reporter.note(f"the run that was here is now {aside}")
        with folder.lock():
            work = _Work(kind, folder, reporter, source, device)
            if folder.exists():
                work.go_on(asked, explicit_budget=budget or steps, extension=extension)
            elif extension:
                raise UsageError("there is no run to extend", where=str(folder.path))
            else:
                work.begin(asked, changes)
    finally:
        reporter.close()
    run = load(folder.path, domain=kind, device=device)
    if run.source is None:
        run.source = source
    return run


def default_folder(source: Any) -> Path:
    """`runs/<name of the data>`."""
    if isinstance(source, str | Path):
        name = Path(source).resolve().name.split(".")[0]
        return Path("runs") / (name or "data")
    return Path("runs") / "data"


class _Work:
    """One call of `fit` on a locked run folder."""

    def __init__(
        self, domain: Domain, folder: RunFolder, reporter: Reporter, source: Any, device: str
    ):
        self.domain = domain
        self.folder = folder
        self.reporter = reporter
        self.source = source
        self.device = device

    def begin(self, asked: Config, changes: list[str]) -> None:
        """Prepare the data, decide what is left open, and train.

        `changes` are the settings in `asked` that were given, as `key=value`.
        """
        decided = decide(asked, changes, self.domain)
        precision = choose_precision(asked, self.device, self.domain)
        device = precision.device.type
        dataset = self._dataset(decided, device)
        resolved = self._resolve(decided, dataset, precision)
        write_whole(self.folder.spec_file, _json(dataset.spec.to_json()))
        self.folder.write_config(
            asked,
            resolved,
            source=_path_of(self.source),
            fingerprint=dataset.fingerprint,
            device=device,
            versions=versions(),
            rejects=[dataclasses.asdict(reject) for reject in dataset.rejects],
        )
        self._train(resolved, dataset, precision)

    def go_on(self, asked: Config, *, explicit_budget: Any, extension: bool) -> None:
        """Continue an unfinished run, extend a finished one, or leave it as it is.

        Raises:
            UsageError: settings or data are not those of the run.
        """
        content = self.folder.read_config()
        first = load_config(content["asked"], self.domain.Settings)
        resolved = load_config(content["resolved"], self.domain.Settings)
        keep_budget = extension or not explicit_budget
        changed = differences(
            to_dict(first), to_dict(dataclasses.replace(asked, budget=first.budget))
        )
        if not keep_budget and asked.budget not in (first.budget, resolved.budget):
            changed.append(f"budget {first.budget} → {asked.budget}")
        if changed:
            raise UsageError(
                f"the run was made with other settings: {'; '.join(changed)}",
                where=str(self.folder.path),
                hint="--new starts afresh (the old run is kept), --budget +10m extends it",
            )
        if extension and resolved.budget.seconds is None:
            raise UsageError("a run that counts steps cannot be extended by a time")
        data = dataclasses.replace(first, data=resolved.data)  # an earlier run may decide on it
        dataset = self._dataset(data, content["device"])
        if dataset.fingerprint != content["fingerprint"]:
            raise UsageError(
                "the data are not those that the run was made with",
                where=str(self.folder.path),
                hint="--new starts afresh with the data as they are now; the old run is kept",
            )
        finished = self.folder.finished(resolved.budget) and self.folder.weights.exists()
        if finished and not extension:
            self.reporter.note(
                f"{self.folder.path} is finished; --budget +10m extends it, --new starts afresh"
            )
            return
        if finished:
            seconds = (resolved.budget.seconds or 0.0) + (asked.budget.seconds or 0.0)
            resolved = dataclasses.replace(resolved, budget=Budget(seconds=seconds))
            facts = {k: v for k, v in content.items() if k not in ("asked", "resolved", "format")}
            self.folder.write_config(first, resolved, **facts)
        elif extension:
            self.reporter.note(f"the run is not finished: it goes on to its {resolved.budget}")
        self._train(resolved, dataset, choose_precision(resolved, self.device, self.domain))

    def _dataset(self, asked: Config, device: str) -> Dataset:
        dataset = prepare_data(self.domain, self.source, asked, device)
        for note in dataset.notes:
            self.reporter.note(note)
        for reject in dataset.rejects[:10]:
            self.reporter.note(f"left out: {reject.item}: {reject.reason}")
        if len(dataset.rejects) > 10:
            self.reporter.note(f"… and {len(dataset.rejects) - 10} more, all in `ectype inspect`")
        return dataset

    def _resolve(self, asked: Config, dataset: Dataset, precision: Precision) -> Config:
        """Fill in all that was left to ectype."""
        from ectype.models.gan import chosen_rates
        from ectype.training.planning import plan_capacity

        family, reason = choose_family(asked.family, facts_of(dataset, asked.budget))
        reason = reason if asked.start is None else "that of the run to start from"
        self.reporter.note(f"model: {family} ({reason})")
        self.reporter.note(f"arithmetic on {precision.device.type}: {precision.reason}")
        training = asked.training
        if training.batch is None:
            batch = self.domain.default_batch(family, precision.device.type)
            training = dataclasses.replace(training, batch=batch)
        resolved = dataclasses.replace(asked, family=family, training=training)
        if family == "vae":
            check_likelihood(self.domain, dataset, asked.vae.likelihood)
        capacity = training.capacity
        if capacity is None:

            def measure(capacity: int) -> float:
                from ectype.training.planning import seconds_per_item

                trial = dataclasses.replace(training, capacity=capacity)
                return seconds_per_item(
                    self._trainer(dataclasses.replace(resolved, training=trial), dataset, precision)
                )

            # of a GAN over latents it is the autoencoder that takes the time
            plan = plan_capacity(
                family if self.domain.differentiable else "vae",
                self.domain.capacities,
                self.domain.default_capacity,
                asked.budget,
                measure,
            )
            self.reporter.note(plan.reason)
            capacity = plan.capacity
            training = dataclasses.replace(training, capacity=capacity)
        gan = asked.gan
        if family == "gan" or asked.vae.adversarial:
            rate, faster = chosen_rates(gan, capacity)
            gan = dataclasses.replace(gan, learning_rate=rate, generator_rate=faster / rate)
        return dataclasses.replace(resolved, gan=gan, training=training)

    def _train(self, config: Config, dataset: Dataset, precision: Precision) -> None:
        try:
            self._play(config, dataset, precision)
        except OSError as error:
            raise storage_error(error, Path(error.filename or self.folder.path)) from error

    def _play(self, config: Config, dataset: Dataset, precision: Precision) -> None:
        trainer = self._trainer(config, dataset, precision)
        if trainer.resume():
            trainer.event("resumed", what=f"going on from step {trainer.step:,}")
        elif config.start is not None:
            for said in hand_over(config.start, self.domain, trainer.model, dataset.spec.labels):
                trainer.event("started", what=said)
        self.folder.samples.mkdir(exist_ok=True)
        held_out = dataset.parts["validation"] if len(dataset.parts["validation"]) else None
        shown = (dataset.parts["train"] if held_out is None else held_out)[:PREVIEW_ITEMS]
        self.domain.preview(dataset.items[shown], dataset.spec, self.folder.samples / "real")
        if trainer.selection is None and config.training.select != "last":
            n = len(dataset.parts["validation"])
            what = "means and covariances of so few numbers"
            if self.domain.selects_by(config.family, dataset.spec) != "last":
                what = f"{n} validation items"
            self.reporter.note(f"the last weights are kept: {what} say too little")
        trainer.run()
        if trainer.selection is not None:
            self.reporter.note(trainer.selection.verdict())

    def _trainer(self, config: Config, dataset: Dataset, precision: Precision) -> Trainer:
        from ectype.training.augment import augmentation_controllers
        from ectype.training.guard import Guard
        from ectype.training.trainer import Trainer

        model = make_model(config, dataset.spec, self.domain)
        if dataset.labels is not None:
            _set_label_share(model, dataset)
        batches = _batches(config, dataset, precision, self.domain)
        selection = _selection(config, dataset, batches, self.domain, model)
        train, held_out = dataset.parts["train"], dataset.parts["validation"]
        controllers = augmentation_controllers(model, train, held_out, config.seed)

        def preview(step: int) -> None:
            import torch

            if model.ready(trainer.clock.progress(step)):
                items = model.sample(PREVIEW_ITEMS, seed=0)
            else:
                index = dataset.parts["validation"]
                index = index if len(index) else dataset.parts["train"]
                with torch.inference_mode():
                    shown = batches.at(torch.as_tensor(index[:PREVIEW_ITEMS]))
                    items = model.early_view(shown).float().cpu()
            stored = self.domain.from_network(items, dataset.spec)
            path = self.folder.samples / f"step-{step:08d}"
            self.domain.preview(stored, dataset.spec, path)

        def export() -> None:
            from ectype.training.checkpoint import tensor_bytes

            last = tensor_bytes(exported(model))
            write_whole(self.folder.last_weights, last)
            best = selection.best if selection is not None else {}
            write_whole(self.folder.weights, tensor_bytes(best) if best else last)

        trainer = Trainer(
            model,
            batches,
            config.training,
            config.budget,
            self.folder.path,
            precision=precision,
            seed=config.seed,
            reporter=self.reporter,
            preview=preview,
            export=export,
            selection=selection,
            controllers=(Guard(), *controllers),
        )
        return trainer


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The settings in which two nested mappings differ, as `key old → new`."""
    found: list[str] = []
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key} {a} → {b}")
    return found


def versions() -> dict[str, str]:
    """Versions that a run's result may depend on."""
    from importlib.metadata import version

    names = ("ectype", "torch", "numpy", "pillow")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _path_of(source: Any) -> str | None:
    """Where the data lie; None for data in memory."""
    if not isinstance(source, str | os.PathLike):
        return None
    return str(Path(source).expanduser().resolve())


def _batches(config: Config, dataset: Dataset, precision: Precision, domain: Domain) -> Batches:
    from ectype.training.batches import Batches

    return Batches(
        dataset.items,
        dataset.labels,
        dataset.parts["train"],
        size=config.training.batch or 1,
        seed=config.seed,
        device=precision.device,
        to_network=lambda items: domain.to_network(items, dataset.spec),
    )


def _selection(
    config: Config, dataset: Dataset, batches: Batches, domain: Domain, model: Model
) -> Selection | None:
    """What chooses among a run's weights; None where the last ones are kept."""
    from ectype.training.bound import selection_by_bound
    from ectype.training.selection import FEWEST_ITEMS, SEED, FrechetScore, Selection

    held_out = dataset.parts["validation"]
    if config.training.select == "last" or len(held_out) < FEWEST_ITEMS:
        return None
    by = domain.selects_by(config.family, dataset.spec)
    if by == "last":
        return None
    if by == "bound":
        return selection_by_bound(model, held_out, batches, lambda: exported(model))

    def sample(start: int, n: int) -> np.ndarray:
        items = model.sample(n, seed=SEED, start=start)
        return domain.from_network(items, dataset.spec)

    space = domain.feature_space(domain.feature_spaces[0], dataset.spec)
    score = FrechetScore(dataset.items, held_out, space, sample, model.block, batches.device)
    return Selection(score, lambda: exported(model))


def _set_label_share(model: Model, dataset: Dataset) -> None:
    import torch

    assert dataset.labels is not None
    train = dataset.labels[dataset.parts["train"]]
    counts = torch.bincount(torch.as_tensor(train), minlength=dataset.spec.classes)
    model.label_share.copy_(counts / counts.sum())


def _json(values: dict[str, Any]) -> str:
    import json

    return json.dumps(values, indent=2)
