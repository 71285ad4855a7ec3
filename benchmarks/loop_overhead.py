"""Our trainer's speed as a share of a bare hand-written loop's over the same networks.

What is compared: `Trainer.run`, as `fit` calls it (clock, order of the data, freezing, losses by
name, log line and check a second), against the loops of `bare_loops`: the same networks, data,
batch, precision, losses, penalties, fused Adam and averaged weights, and nothing else. Three
loops: the GAN, the VAE's autoencoder, and the VAE's prior, whose steps are so short that overhead
shows most.

Both sides run in one process and in turn, pair by pair, for the same number of steps, after
warm-up; before, a few steps of both must meet the same gradients. Previews, checkpoints and scores
on validation data are left out on our side: they come a few times a run, not a step. The pictures
are noise, which costs the same as any.

A ratio of 1 means that the trainer costs nothing; the aim is a median of at least 0.97.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from benchmarks.bare_loops import BareGan, BareLoop, BareVae
from benchmarks.common import machine, parser, tell, write_json
from ectype.config import Budget, Config, GanSettings, TrainingSettings, VaeSettings
from ectype.domains.image.domain import ImageDomain, ImageSpec
from ectype.models.base import Model
from ectype.run import make_model
from ectype.training.batches import Batches
from ectype.training.precision import Precision, choose
from ectype.training.progress import Silent, Tick
from ectype.training.trainer import Trainer

SEED = 0
ITEMS = 4_096
#: So many that progress stays nearly 0: no preview falls due, no phase ends.
BUDGET = Budget(steps=10**9)
WARM_UP = 8
TOLERANCE = 1e-3
AIM = 0.97


@dataclass(frozen=True, kw_only=True)
class Case:
    """One loop to time."""

    name: str
    config: Config
    side: int
    fits_prior: bool = False


class EnoughError(Exception):
    """Ends a training whose budget is endless."""


class StopAfter(Silent):
    """Ends training at the first tick after so many seconds, and remembers that tick."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.start = time.perf_counter()
        self.elapsed = 0.0
        self.step = 0

    def tick(self, tick: Tick) -> None:
        """Called about once a second."""
        self.elapsed, self.step = time.perf_counter() - self.start, tick.step
        if self.elapsed >= self.seconds:
            raise EnoughError


def main(arguments: Sequence[str] | None = None) -> None:
    """Time all loops and print a table."""
    cli = parser("loop_overhead", __doc__)
    cli.add_argument("--pairs", type=int, default=9)
    cli.add_argument("--seconds", type=float, default=6.0, help="of each side of a pair, at least")
    cli.add_argument("--size", type=int, default=28, help="side of the pictures, one channel")
    cli.add_argument("--capacity", type=int, default=32)
    cli.add_argument("--batch", type=int, default=64)
    cli.add_argument("--only", nargs="+", choices=("gan", "vae", "prior"))
    options = cli.parse_args(arguments)
    facts = {
        **machine(),
        "seed": SEED,
        "size": options.size,
        "capacity": options.capacity,
        "batch": options.batch,
        "precision": precision().reason,
    }
    rows: list[dict[str, Any]] = []
    for case in cases(options.capacity, options.batch, options.size):
        if options.only and case.name not in options.only:
            continue
        check_equal(case)
        rates = [time_pair(case, options.seconds) for _ in range(options.pairs)]
        rows.append(summary(case.name, rates))
        print(f"{case.name}: {rows[-1]['each pair']}", file=sys.stderr)
    print(tell("Loop overhead", "loop_overhead", arguments, facts, rows))
    write_json(options.json, facts, rows)


def cases(capacity: int, batch: int, side: int) -> list[Case]:
    """The three loops, with what the bare ones hold fixed set explicitly."""

    def config(family: Literal["gan", "vae"], vae: VaeSettings) -> Config:
        return Config(
            family=family,
            domain="image",
            budget=BUDGET,
            seed=SEED,
            gan=GanSettings(
                loss="relativistic", penalty="r1+r2", penalty_form="exact", penalty_every=4
            ),
            vae=vae,
            training=TrainingSettings(capacity=capacity, batch=batch, checkpoint_seconds=1e9),
        )

    # the smallest share: one step of the autoencoder, the prior from then on
    at_once = VaeSettings(prior="flow", free_bits=0.0, autoencoder_share=1e-12)
    return [
        Case(name="gan", config=config("gan", VaeSettings()), side=side),
        Case(name="vae", config=config("vae", VaeSettings(prior="flow", free_bits=0.0)), side=side),
        Case(name="prior", config=config("vae", at_once), side=side, fits_prior=True),
    ]


def precision() -> Precision:
    """What `fit` would choose for pictures on this machine."""
    return choose("cpu")


def trainer_for(case: Case, folder: str, reporter: Silent) -> Trainer:
    """Our side, warm."""
    domain, spec, chosen = ImageDomain(), spec_of(case), precision()
    trainer = Trainer(
        make_model(case.config, spec, domain),
        Batches(
            pictures(case.side),
            None,
            np.arange(ITEMS),
            size=case.config.training.batch or 1,
            seed=SEED,
            device=chosen.device,
            to_network=lambda items: domain.to_network(items, spec),
        ),
        case.config.training,
        BUDGET,
        Path(folder),
        precision=chosen,
        seed=SEED,
        reporter=reporter,
        preview=lambda step: None,
        export=lambda: None,
    )
    for step in range(WARM_UP):
        trainer.round(progress_at(step))
    return trainer


def bare_for(case: Case) -> BareLoop:
    """The bare side, as warm."""
    kind = BareGan if case.config.family == "gan" else BareVae
    model: Model = make_model(case.config, spec_of(case), ImageDomain())
    items = torch.from_numpy(pictures(case.side))
    loop: Any = kind(model, items, case.config.training, precision(), SEED)
    for step in range(WARM_UP):
        if case.fits_prior and step == 1:
            loop.fit_prior()
        loop.round(progress_at(step))
    return loop


def progress_at(step: int) -> float:
    """As the trainer's clock counts it."""
    return step / (BUDGET.steps or 1)


def spec_of(case: Case) -> ImageSpec:
    """Grey pictures."""
    return ImageSpec(domain="image", shape=(case.side, case.side, 1), form="L")


def pictures(side: int) -> np.ndarray:
    """Noise, uint8 (n, side, side, 1)."""
    return np.random.default_rng(SEED).integers(0, 256, (ITEMS, side, side, 1), np.uint8)


def check_equal(case: Case) -> None:
    """Both sides must have met the same gradients, by Adam's running means of them.

    Weights would say less: at the start of a warm-up they hardly move.

    Raises:
        SystemExit: they have not, so their speeds must not be compared.
    """
    with tempfile.TemporaryDirectory() as folder:
        trainer, loop = trainer_for(case, folder, Silent()), bare_for(case)
    for player, optimiser in trainer.optimisers.items():
        states = optimiser.state.values(), loop.optimisers[player].state.values()
        for ours, bare in zip(*states, strict=True):
            for moment in ("exp_avg", "exp_avg_sq"):
                difference = float((ours[moment] - bare[moment]).abs().max())
                largest = float(ours[moment].abs().max())
                if not difference <= TOLERANCE * largest:
                    raise SystemExit(
                        f"{case.name}: the {player}'s {moment} differs by {difference:.2g} of "
                        f"{largest:.2g} between trainer and bare loop after {WARM_UP} steps; "
                        "bare_loops.py no longer does the same mathematics"
                    )


def time_pair(case: Case, seconds: float) -> tuple[float, float]:
    """Items a second of our trainer, then of the bare loop over as many steps."""
    with tempfile.TemporaryDirectory() as folder:
        clock = StopAfter(seconds)
        trainer = trainer_for(case, folder, clock)
        clock.start = time.perf_counter()
        with contextlib.suppress(EnoughError):
            trainer.run()
    steps = clock.step - WARM_UP
    loop: Any = bare_for(case)
    start = time.perf_counter()
    for step in range(WARM_UP, WARM_UP + steps):
        loop.round(progress_at(step))
    bare = time.perf_counter() - start
    items = steps * (case.config.training.batch or 1)
    return items / clock.elapsed, items / bare


def summary(name: str, rates: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """A row of the table."""
    ratios = [ours / bare for ours, bare in rates]
    median = statistics.median(ratios)
    return {
        "loop": name,
        "ours, items/s": statistics.median(ours for ours, _ in rates),
        "bare, items/s": statistics.median(bare for _, bare in rates),
        "median ratio": median,
        "lowest": min(ratios),
        "highest": max(ratios),
        f"at least {AIM}": "yes" if median >= AIM else "no",
        "each pair": " ".join(f"{ratio:.3f}" for ratio in ratios),
    }


if __name__ == "__main__":
    main()
