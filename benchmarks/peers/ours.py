"""Our own candidate: `ectype.fit` on an array, as a user would call it."""

from __future__ import annotations

import importlib
import time
from typing import Any

import ectype
from benchmarks.peers.protocol import (
    Result,
    argument_parser,
    read_task,
    write_results,
    write_samples,
)

#: A time budget of ours counts training alone. What comes beside it (preparing the data,
#: measuring speed to choose the capacity, the last checkpoint) must fit into the wall clock too:
#: this share and so many seconds are kept back for what cannot be timed in advance.
RESERVED_SHARE = 0.04
RESERVED_SECONDS = 1.0
#: What is kept back from learning, for the choices that training makes: at least one of the two.
VALIDATION_SHARE, VALIDATION_ITEMS = 0.01, 50
#: Imported in advance, since importing counts for no candidate.
LAZY_MODULES = (
    "ectype.fitting",
    "ectype.models.build",
    "ectype.nets.image",
    "ectype.training.trainer",
    "safetensors.torch",
    "torch._dynamo",  # by the first optimiser
)


def main() -> None:
    """Train one family and sample from it."""
    parser = argument_parser(__doc__)
    parser.add_argument("--family", choices=("gan", "vae"), required=True)
    parser.add_argument("--domain", help="kind of data; found out by default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    for module in LAZY_MODULES:
        importlib.import_module(module)
    task = read_task(arguments)
    source = task.train if task.labels is None else (task.train, task.labels)
    call: dict[str, Any] = {
        "domain": arguments.domain,
        "model": arguments.family,
        "seed": task.seed,
        "labels": "none" if task.labels is None else "auto",
        # learn from nearly all that is given, as the peers do; prepare it afresh
        "settings": [
            f"data.validation={max(VALIDATION_SHARE, VALIDATION_ITEMS / len(task.train))}",
            "data.test=0",
            f"data.cache={task.out / 'cache'}",
            *arguments.set,
        ],
    }

    start = time.perf_counter()
    ectype.inspect(source, **call)  # prepares the data, so that what it takes is known
    left = task.seconds - (time.perf_counter() - start)
    budget = left - RESERVED_SHARE * task.seconds - RESERVED_SECONDS
    run = ectype.fit(source, budget=max(budget, 0.3 * task.seconds), out=task.out / "run", **call)
    trained = time.perf_counter()
    samples = run.sample(task.samples, seed=task.seed).items
    sampled = time.perf_counter()

    summary = run.summary()
    result = Result(
        train_seconds=trained - start,
        sample_seconds=sampled - trained,
        items=summary["items"],
        note=f"capacity {summary['capacity']}, {summary['parameters']:,} parameters",
    )
    write_samples(task, result, samples)
    write_results(task, [result])


if __name__ == "__main__":
    main()
