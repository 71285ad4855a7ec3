"""The one training loop: a game of players, for every family and every kind of data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ectype.config import Budget, TrainingSettings
from ectype.errors import InterruptedRun
from ectype.models.base import Batch, Model, Player, Turn
from ectype.nets.memory import place
from ectype.training.batches import Batches
from ectype.training.checkpoint import Checkpoint, Checkpoints
from ectype.training.clock import Clock
from ectype.training.controllers import Controller
from ectype.training.ema import ExponentialAverage
from ectype.training.guard.memory import within_memory
from ectype.training.learned import is_finite, learned, load_learned, optimiser, part
from ectype.training.logs import LOGS, append, cut
from ectype.training.precision import Precision
from ectype.training.progress import Reporter
from ectype.training.selection import Selection
from ectype.training.signals import StopSignals
from ectype.training.telling import Meter, Previews

#: The most training items that a player is shown when it prepares for its first turn.
PREPARE_ITEMS = 40_000
#: And the most that a model settles with while training goes on, for previews and the like.
EARLY_ITEMS = 2_000


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a turn came to; the scalars lie on the device until somebody asks for them.

    Attributes:
        player: whose turn it was.
        step: of which round.
        drawn: items drawn before it: where its batch stands in the order of the data.
        figures: `loss`, `gradient` (its Euclidean norm before any clipping) and the turn's log.
    """

    player: str
    step: int
    drawn: int
    figures: Mapping[str, Tensor]


class Trainer:
    """Trains a model's players in turn until the budget is spent.

    Everything that decides how training goes on is in `state`: the networks, the optimisers,
    the averaged weights, the order of the data, every source of randomness. A run that goes on
    from a checkpoint therefore ends with the very weights of one that was never interrupted.

    Args:
        model: networks and players; moved to the device.
        batches: the training part.
        settings: of the loop.
        budget: time or steps.
        folder: the run's folder.
        precision: device and arithmetic.
        seed: of the training noise.
        reporter: told how it goes.
        preview: called with the step (and averaged weights in place) to draw a preview.
        export: called (with averaged weights in place) after each checkpoint, to write the
            weights that others read.
        selection: decides which averaged weights are the best; None to keep the last ones.
        controllers: what watches training and changes it, in this order, after every round.

    Attributes:
        rates: factor on every player's learning rate; 1 until a controller changes it.
        played: the turns of the last round.
        statistics: those that the model's losses change, see `Model.statistics`.
    """

    def __init__(
        self,
        model: Model,
        batches: Batches,
        settings: TrainingSettings,
        budget: Budget,
        folder: Path,
        *,
        precision: Precision,
        seed: int,
        reporter: Reporter,
        preview: Callable[[int], None],
        export: Callable[[], None],
        selection: Selection | None = None,
        controllers: Sequence[Controller] = (),
    ):
        self.model = place(model, precision.device).train()
        self.batches = batches
        self.settings = settings
        self.precision = precision
        self.folder = folder
        self.reporter = reporter
        self.preview = preview
        self.export = export
        self.selection = selection
        self.controllers = controllers
        self.players = tuple(model.players)
        self.rates = {player.name: 1.0 for player in self.players}
        self.played: list[Played] = []
        self.optimisers = {player.name: optimiser(player) for player in self.players}
        self.ema = ExponentialAverage(model.averaged(), settings.ema)
        self.statistics = model.statistics()
        self.generator = torch.Generator(precision.device).manual_seed(seed % 2**63)
        self.checkpoints = Checkpoints(folder / "checkpoints", settings.keep)
        self.clock = Clock(budget)
        self.step = 0
        self._saved_step = self._settled_step = -1
        self._prepared: set[str] = set()
        self._dealt: tuple[int, Batch] | None = None
        self._healthy: dict[str, Tensor] = {}
        self._healthy_prepared: set[str] = set()
        self._begin_telling()

    # --- the game -------------------------------------------------------------------------

    def run(self) -> None:
        """Play until the budget is spent; save regularly, and when stopped by a signal.

        Raises:
            InterruptedRun: SIGINT or SIGTERM came; everything is saved.
            DivergedError: the guard, one of the controllers, could not save training.
            StorageError: the disk refused a checkpoint; the last one is whole.
        """
        self.clock.start()
        self._begin_telling()
        if self.controllers and not self._healthy:
            self.keep_healthy()
        due_save = time.perf_counter() + self.settings.checkpoint_seconds
        with StopSignals() as stop:
            progress = self.clock.progress(self.step)
            while progress < 1 and not stop.received:
                self.round(progress)
                progress = self.clock.progress(self.step)
                for controller in self.controllers:
                    controller.after_round(self)
                self._score_if_due(progress)
                if progress >= 1:
                    self.clock.end()
                if self._meter.due:
                    self.tick()
                self._draw_due_preview()
                if time.perf_counter() >= due_save and self.save():
                    due_save = time.perf_counter() + self.settings.checkpoint_seconds
            if self._meter.untold:
                self.tick()
            self._draw_due_preview()
            saved = self.save()
        if stop.received:
            raise InterruptedRun(
                f"stopped at step {self.step:,} and {'saved' if saved else 'not saved: damaged'}",
                signal_number=stop.received,
                where=str(self.folder),
            )

    def round(self, progress: float) -> None:
        """One turn of every player that plays now."""
        self.played, self._dealt = [], None
        for player in self.players:
            if player.plays(progress, self.step):
                self.turn(player, progress)
            else:  # before it plays again, what it had prepared for may have changed
                self._prepared.discard(player.name)
        self.ema.update()
        self.step += 1

    def turn(self, player: Player, progress: float) -> None:
        """One player's step; all other parameters are frozen meanwhile."""
        if player.prepare is not None and player.name not in self._prepared:
            with self.precision.autocast():
                player.prepare(self.batches.in_order(PREPARE_ITEMS), self.generator)
            self._prepared.add(player.name)
            self.ema.begin(player.module)
        self.model.requires_grad_(False)
        player.module.requires_grad_(True)
        if player.draws or self._dealt is None:
            self._dealt = self.batches.drawn, self.batches.next()
        drawn, batch = self._dealt
        turn = Turn(batch, progress, self.step, self.generator)
        figures = within_memory(self, player.name, lambda: self._learn(player, turn))
        self.played.append(Played(player=player.name, step=self.step, drawn=drawn, figures=figures))

    def _learn(self, player: Player, turn: Turn) -> dict[str, Tensor]:
        """The step itself; returns the turn's figures."""
        optimiser = self.optimisers[player.name]
        optimiser.zero_grad(set_to_none=True)
        with self.precision.autocast():
            loss, log = player.loss(turn)
        loss.backward()
        gradients = [p.grad for p in player.module.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if player.max_gradient_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(
                player.module.parameters(), player.max_gradient_norm, norm
            )
        for group in optimiser.param_groups:
            group["lr"] = self.rates[player.name] * player.learning_rate(turn.progress)
        optimiser.step()
        figures = {name: value.detach() for name, value in log.items()}
        self._meter.add(player.name, figures)
        return figures | {"loss": loss.detach(), "gradient": norm}

    # --- what is told ---------------------------------------------------------------------

    def tick(self) -> None:
        """Fetch the losses from the device, log and show them."""
        self._meter.tick(self.step)

    def event(self, kind: str, **facts: Any) -> None:
        """Tell the reporter that something happened, and add it to `events.jsonl`.

        Among the facts is `what`, a plain sentence.
        """
        append(self.folder / "events.jsonl", {"event": kind, "step": self.step, **facts})
        self.reporter.note(facts["what"])

    def _begin_telling(self) -> None:
        """Count rates and previews from here on: a session begins."""
        log, batch = self.folder / "log.jsonl", self.batches.size
        self._meter = Meter(self.clock, self.step, batch=batch, log=log, reporter=self.reporter)
        self._previews = Previews(self.clock, self.step)

    def _draw_due_preview(self) -> None:
        if self._previews.due(self.step):
            with self._previews.drawing(), self.evaluating():
                self.preview(self.step)

    def _score_if_due(self, progress: float) -> None:
        """Score the averaged weights where the selection wants it."""
        selection = self.selection
        if selection is None:
            return
        self.clock.reserve = selection.reserve
        if self.model.ready(progress) and selection.due(self.step, progress, self.clock):
            self._meter.measures = selection.consider(self.step, self.clock, self.evaluating)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """A context with the averaged weights in place and the model in evaluation mode."""
        with self.ema.applied(), self.precision.autocast():
            self.model.eval()
            if self._settled_step != self.step:
                early = self.clock.progress(self.step) < 1
                items = self.batches.in_order(EARLY_ITEMS if early else PREPARE_ITEMS)
                self.model.settle(items)
                self._settled_step = self.step
            try:
                yield
            finally:
                self.model.train()

    # --- saving and going on --------------------------------------------------------------

    def save(self) -> bool:
        """Write the weights that others read, then a checkpoint.

        In this order: whatever moment the process dies at, the weights are not older than the
        newest checkpoint. A state in which a number is not finite is never saved; False then.
        """
        if self._saved_step == self.step:
            return True
        state = self.state()
        if not is_finite(state.tensors.values()):
            return False
        with self.evaluating():
            self.export()
        self.checkpoints.save(self.step, state)
        self._saved_step = self.step
        return True

    def state(self) -> Checkpoint:
        """All training state."""
        tensors = self.learned()
        tensors |= {f"healthy.{k}": v for k, v in self._healthy.items()}
        tensors["random.training"] = self.generator.get_state()
        tensors["random.torch"] = torch.get_rng_state()
        values = {
            "step": self.step,
            "drawn": self.batches.drawn,
            "ema_updates": self.ema.updates,
            "ema_begun": self.ema.begun,
            "prepared": sorted(self._prepared),
            "healthy_prepared": sorted(self._healthy_prepared),
            "device": self.precision.device.type,
            "seconds": self.clock.seconds(),
            "progress": self.clock.progress(self.step),
            "kept": self.step,
            "rates": self.rates,
            "dials": self.model.dials,
            "pieces": self.model.pieces,
            "controllers": {each.name: each.state() for each in self.controllers},
        }
        if self.selection is not None:
            best, values["selection"] = self.selection.state()
            tensors |= {f"best.{k}": v for k, v in best.items()}
            if self.selection.kept is not None:
                values["kept"] = self.selection.kept.step
        return Checkpoint(tensors, values)

    def learned(self) -> dict[str, Tensor]:
        """What training has made so far: weights, averaged weights, the optimisers' moments."""
        return learned(self.model, self.ema, self.players, self.optimisers)

    def keep_healthy(self) -> None:
        """Remember what was learned so far, to return to it."""
        self._healthy = {name: value.clone() for name, value in self.learned().items()}
        self._healthy_prepared = {*self._prepared}

    def roll_back(self) -> None:
        """Return to what was learned when it was last healthy.

        Steps, time, noise and the order of the data go on: what comes next is another try. Who had
        not prepared by then prepares anew: what that made is gone.
        """
        self._load_learned(self._healthy)
        self._prepared = {*self._healthy_prepared}

    def resume(self) -> bool:
        """Take up the newest whole checkpoint; False where there is none."""
        checkpoint, passed_over = self.checkpoints.latest()
        for text in passed_over:
            self.reporter.note(f"{text}; using the one before")
        if checkpoint is None:
            for name in LOGS:
                (self.folder / name).unlink(missing_ok=True)
            return False
        self.load_state(checkpoint)
        for name in LOGS:
            cut(self.folder / name, self.step)
        with self.evaluating():  # the weights may be those of a later step, or be lost
            self.export()
        return True

    def load_state(self, checkpoint: Checkpoint) -> None:
        """Put every part of a state back where it came from."""
        tensors, values = checkpoint.tensors, checkpoint.values
        self._load_learned(tensors)
        self._healthy = part(tensors, "healthy.")
        device = self.precision.device.type
        if values.get("device", device) == device:
            self.generator.set_state(tensors["random.training"].cpu())
        else:  # the state of one means nothing to the other
            self.reporter.note(f"going on on {device}: the noise is not what it would have been")
        torch.set_rng_state(tensors["random.torch"].cpu())
        self.step = self._saved_step = values["step"]
        self.batches.drawn = values["drawn"]
        self.ema.updates = values["ema_updates"]
        self.ema.begun.update(values.get("ema_begun", {}))
        self._prepared = set(values["prepared"])
        self._healthy_prepared = set(values.get("healthy_prepared", values["prepared"]))
        self.clock = Clock(self.clock.budget, values["seconds"])
        self.rates = dict(values["rates"])
        self.model.dials.update(values["dials"])
        self.model.pieces = values["pieces"]
        for controller in self.controllers:
            controller.load_state(values["controllers"][controller.name])
        if self.selection is not None:
            self.selection.load_state(part(tensors, "best."), values["selection"])

    def _load_learned(self, tensors: dict[str, Tensor]) -> None:
        load_learned(tensors, self.model, self.ema, self.players, self.optimisers)
        self._settled_step = -1
