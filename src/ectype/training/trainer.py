"""The one training loop: a game of players, for every family and every kind of data."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ectype.config import Budget, TrainingSettings
from ectype.errors import DivergedError, InterruptedRun
from ectype.models.base import Model, Player, Turn
from ectype.nets.memory import place
from ectype.training.batches import Batches
from ectype.training.checkpoint import Checkpoint, Checkpoints
from ectype.training.clock import Clock
from ectype.training.ema import ExponentialAverage
from ectype.training.precision import Precision
from ectype.training.progress import Reporter, Tick
from ectype.training.selection import Selection
from ectype.training.signals import StopSignals

#: Progress at which previews are drawn; another one comes within the first minute.
PREVIEWS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FIRST_PREVIEW_SECONDS = 30.0
TICK_SECONDS = 1.0
#: The most training items that a player is shown when it prepares for its first turn.
PREPARE_ITEMS = 40_000
#: And the most that a model settles with while training goes on, for previews and the like.
EARLY_ITEMS = 2_000


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
        self.players = tuple(model.players)
        self.optimisers = {player.name: optimiser(player) for player in self.players}
        self.ema = ExponentialAverage(model.averaged(), settings.ema)
        self.generator = torch.Generator(precision.device).manual_seed(seed % 2**63)
        self.checkpoints = Checkpoints(folder / "checkpoints", settings.keep)
        self.clock = Clock(budget)
        self.step = 0
        self._saved_step = self._settled_step = -1
        self._prepared: set[str] = set()
        self._sums: dict[str, tuple[Tensor, int]] = {}
        self._measures: dict[str, float] = {}

    # --- the game -------------------------------------------------------------------------

    def run(self) -> None:
        """Play until the budget is spent; save regularly, and when stopped by a signal.

        Raises:
            InterruptedRun: SIGINT or SIGTERM came; everything is saved.
            DivergedError: a loss or a weight became infinite or not a number.
            StorageError: the disk refused a checkpoint; the last one is whole.
        """
        self.clock.start()
        self._log_start()
        due_save = time.perf_counter() + self.settings.checkpoint_seconds
        with StopSignals() as stop:
            progress = self.clock.progress(self.step)
            while progress < 1 and not stop.received:
                self.round(progress)
                progress = self.clock.progress(self.step)
                self._score_if_due(progress)
                if progress >= 1:
                    self.clock.end()
                if self._measures or time.perf_counter() >= self._due_tick:
                    self.tick()
                self._draw_due_preview()
                if time.perf_counter() >= due_save:
                    self.save()
                    due_save = time.perf_counter() + self.settings.checkpoint_seconds
            if self._sums:
                self.tick()
            self._draw_due_preview()
            self.save()
        if stop.received and progress < 1:
            raise InterruptedRun(
                f"stopped at step {self.step:,} and saved",
                signal_number=stop.received,
                where=str(self.folder),
            )

    def round(self, progress: float) -> None:
        """One turn of every player that plays now."""
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
        self.model.requires_grad_(False)
        player.module.requires_grad_(True)
        turn = Turn(self.batches.next(), progress, self.step, self.generator)
        with self.precision.autocast():
            loss, log = player.loss(turn)
        optimiser = self.optimisers[player.name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if player.max_gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(player.module.parameters(), player.max_gradient_norm)
        for group in optimiser.param_groups:
            group["lr"] = player.learning_rate(progress)
        optimiser.step()
        self._note(player.name, log)

    # --- what is told ---------------------------------------------------------------------

    def tick(self) -> None:
        """Fetch the losses from the device, check them, log and show them."""
        losses = {name: (total / count).item() for name, (total, count) in self._sums.items()}
        measures = self._measures
        self._sums, self._measures = {}, {}
        seconds, progress = self.clock.seconds(), self.clock.progress(self.step)
        elapsed = max(seconds - self._session_start[0], 1e-9)
        rate = (self.step - self._session_start[1]) / elapsed
        if self.clock.budget.steps is not None:
            eta = (self.clock.budget.steps - self.step) / max(rate, 1e-9)
        else:
            eta = (self.clock.budget.seconds or 0.0) - seconds
        tick = Tick(
            step=self.step,
            items=self.step * self.batches.size,
            seconds=round(seconds, 3),
            progress=round(progress, 6),
            rate=round(rate * self.batches.size, 1),
            eta=round(max(eta, 0.0), 1),
            losses=losses,
            measures=measures,
        )
        line = asdict(tick) | {"losses": plain(losses), "measures": plain(measures)}
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        self.reporter.tick(tick)
        # a long run needs no line a second
        self._due_tick = time.perf_counter() + max(TICK_SECONDS, seconds / 500)
        if bad := [name for name, value in losses.items() if not math.isfinite(value)]:
            raise self._diverged(f"{', '.join(bad)} became infinite or not a number")

    def _note(self, player: str, log: Any) -> None:
        """Add a turn's figures to the running sums, on the device: no waiting for it here."""
        for name, value in log.items():
            key = f"{player}/{name}"
            total, count = self._sums.get(key, (0.0, 0))
            self._sums[key] = (total + value.detach(), count + 1)

    def _log_start(self) -> None:
        self._session_start = (self.clock.seconds(), self.step)
        self._due_tick = time.perf_counter() + TICK_SECONDS
        progress = self.clock.progress(self.step)
        self._previews = [share for share in PREVIEWS if share > progress]
        self._first_preview = self.step == 0

    def _draw_due_preview(self) -> None:
        progress = self.clock.progress(self.step)
        early = self._first_preview and self.clock.seconds() > FIRST_PREVIEW_SECONDS
        if not early and (not self._previews or progress < self._previews[0]):
            return
        self._first_preview = False
        self._previews = [share for share in self._previews if share > progress]
        with self.evaluating():
            self.preview(self.step)

    def _score_if_due(self, progress: float) -> None:
        """Score the averaged weights where the selection wants it."""
        selection = self.selection
        if selection is None:
            return
        self.clock.reserve = selection.reserve
        if self.model.ready(progress) and selection.due(self.step, progress, self.clock):
            self._measures = selection.consider(self.step, self.clock, self.evaluating)

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

    def save(self) -> None:
        """Write the weights that others read, then a checkpoint.

        In this order: whatever moment the process dies at, the weights are not older than the
        newest checkpoint.

        Raises:
            DivergedError: a number is not finite; such a state is never saved.
        """
        if self._saved_step == self.step:
            return
        state = self.state()
        numbers = [t for t in state.tensors.values() if t.is_floating_point()]
        if not torch.isfinite(torch.nn.utils.get_total_norm(numbers)):
            raise self._diverged("a weight or a moment became infinite or not a number")
        with self.evaluating():
            self.export()
        self.checkpoints.save(self.step, state)
        self._saved_step = self.step

    def state(self) -> Checkpoint:
        """All training state."""
        made_anew = tuple(f"{name}." for name in self.model.settled())
        weights = self.model.state_dict().items()
        tensors = {f"model.{k}": v for k, v in weights if not k.startswith(made_anew)}
        tensors |= {f"ema.{k}": v for k, v in self.ema.state().items()}
        for player in self.players:
            states = self.optimisers[player.name].state
            for name, parameter in player.module.named_parameters():
                for key, value in states.get(parameter, {}).items():
                    tensors[f"optimiser.{player.name}.{name}.{key}"] = value
        tensors["random.training"] = self.generator.get_state()
        tensors["random.torch"] = torch.get_rng_state()
        values = {
            "step": self.step,
            "drawn": self.batches.drawn,
            "ema_updates": self.ema.updates,
            "prepared": sorted(self._prepared),
            "seconds": self.clock.seconds(),
            "progress": self.clock.progress(self.step),
            "kept": self.step,
        }
        if self.selection is not None:
            best, values["selection"] = self.selection.state()
            tensors |= {f"best.{k}": v for k, v in best.items()}
            if self.selection.kept is not None:
                values["kept"] = self.selection.kept.step
        return Checkpoint(tensors, values)

    def resume(self) -> bool:
        """Take up the newest whole checkpoint; False where there is none."""
        checkpoint, passed_over = self.checkpoints.latest()
        for text in passed_over:
            self.reporter.note(f"{text}; using the one before")
        if checkpoint is None:
            (self.folder / "log.jsonl").unlink(missing_ok=True)
            return False
        self.load_state(checkpoint)
        cut_log(self.folder / "log.jsonl", self.step)
        with self.evaluating():  # the weights may be those of a later step, or be lost
            self.export()
        return True

    def load_state(self, checkpoint: Checkpoint) -> None:
        """Put every part of a state back where it came from."""
        tensors, values = checkpoint.tensors, checkpoint.values
        self.model.load_state_dict({**self.model.state_dict(), **part(tensors, "model.")})
        self.ema.average.load_state_dict(part(tensors, "ema."))
        for player in self.players:
            saved = part(tensors, f"optimiser.{player.name}.")
            states = self.optimisers[player.name].state
            for name, parameter in player.module.named_parameters():
                entries = part(saved, f"{name}.")
                # moments must lie in memory as their parameter does: fused steps rely on it
                states[parameter] = {
                    key: torch.empty_like(parameter).copy_(value)
                    if value.shape == parameter.shape and key != "step"
                    else value.clone().to(parameter.device)
                    for key, value in entries.items()
                    if "." not in key
                }
        self.generator.set_state(tensors["random.training"].cpu())
        torch.set_rng_state(tensors["random.torch"].cpu())
        self.step = self._saved_step = values["step"]
        self._settled_step = -1
        self.batches.drawn = values["drawn"]
        self.ema.updates = values["ema_updates"]
        self._prepared = set(values["prepared"])
        self.clock = Clock(self.clock.budget, values["seconds"])
        if self.selection is not None:
            self.selection.load_state(part(tensors, "best."), values["selection"])

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"training diverged at step {self.step:,}: {what}",
            where=str(self.folder),
            hint="the last good checkpoint is kept; try a lower learning rate "
            "(--set gan.learning_rate=… or vae.learning_rate=…) with --new",
        )


def optimiser(player: Player) -> torch.optim.Optimizer:
    """The player's Adam with decoupled weight decay, in one fused kernel."""
    return torch.optim.AdamW(
        player.module.parameters(),
        lr=player.learning_rate(0.0),
        betas=player.betas,
        eps=1e-8,
        weight_decay=player.weight_decay,
        fused=True,
    )


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def plain(figures: dict[str, float]) -> dict[str, float | None]:
    """Figures as JSON can hold them: it knows neither infinity nor NaN."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def cut_log(path: Path, step: int) -> None:
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
