"""Our own candidates for texts: `ectype.fit` on a list of texts, as a user would call it."""

from __future__ import annotations

import importlib
import time
from typing import Any

import numpy as np
import torch

import ectype
from benchmarks.peers.text_protocol import (
    MEASURED,
    Result,
    Task,
    argument_parser,
    read_task,
    write_result,
)
from ectype.measures.likelihood import likelihood_measures
from ectype.measures.text_suite import reconstruction_measures
from ectype.models.base import Batch
from ectype.run import Run

#: What is kept back of the wall clock for all that is not training; see `benchmarks.peers.ours`.
RESERVED_SHARE, RESERVED_SECONDS = 0.04, 1.0
VALIDATION_SHARE = 0.02
LAZY_MODULES = (
    "ectype.fitting",
    "ectype.models.build",
    "ectype.nets.text",
    "ectype.training.trainer",
    "safetensors.torch",
    "torch._dynamo",  # by the first optimiser
)


def main() -> None:
    """Train one family and sample from it."""
    parser = argument_parser(__doc__)
    parser.add_argument("--family", choices=("gan", "vae"), required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    for module in LAZY_MODULES:
        importlib.import_module(module)
    task = read_task(arguments)
    call: dict[str, Any] = {
        "model": arguments.family,
        "seed": task.seed,
        # learn from nearly all that is given, as the peers do
        "settings": [f"data.validation={VALIDATION_SHARE}", "data.test=0", *arguments.set],
    }
    start = time.perf_counter()
    ectype.inspect(task.train, **call)  # prepares the data, so that what it takes is known
    left = task.seconds - (time.perf_counter() - start)
    budget = max(left - RESERVED_SHARE * task.seconds - RESERVED_SECONDS, 0.3 * task.seconds)
    run = ectype.fit(task.train, budget=budget, out=task.out / "run", **call)
    trained = time.perf_counter()
    samples = run.sample(task.samples, seed=task.seed).data
    sampled = time.perf_counter()
    summary = run.summary()
    result = Result(
        samples=samples,
        train_seconds=trained - start,
        sample_seconds=sampled - trained,
        items=summary["items"],
        figures=measure(run, task) if arguments.family == "vae" else {},
        note=f"capacity {summary['capacity']}, {summary['parameters']:,} parameters, "
        f"{run.spec.to_json()['tokens']}",
    )
    write_result(task, result)


def measure(run: Run, task: Task) -> dict[str, float]:
    """Nats of held-out texts, as of the peers, and what comes back of them."""
    items = run.domain.read(task.held_out[:MEASURED], run.spec).items
    x = run.domain.to_network(torch.from_numpy(np.array(items)), run.spec)
    bounds = likelihood_measures(run.model, [Batch(block, None) for block in x.split(64)])  # pyright: ignore[reportArgumentType]
    copies = run.reconstruct(task.held_out[:MEASURED]).data
    originals = run.domain.present(items, run.spec)
    found = reconstruction_measures(originals, copies)
    return {
        "nats": -bounds["iwae"].value,
        "KL": bounds["kl"].value,
        "reconstruction": found["reconstruction_accuracy"].value,
        "active": bounds["active_units"].value / run.config.vae.latent,
    }


if __name__ == "__main__":
    main()
