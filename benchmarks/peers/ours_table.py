"""Our own candidate on tables: `ectype.fit` on a CSV file, as a user would call it."""

from __future__ import annotations

import importlib
import time

import ectype
from benchmarks.peers.table_protocol import (
    SAMPLES,
    Result,
    argument_parser,
    peak_gigabytes,
    write_result,
)

#: Kept back of the wall clock for what a time budget of ours does not count and what cannot be
#: timed in advance: measuring speed to choose the capacity, the last checkpoint.
RESERVED_SHARE, RESERVED_SECONDS = 0.04, 1.0
LAZY_MODULES = (
    *("ectype.fitting", "ectype.models.build", "ectype.nets.table"),
    *("ectype.training.trainer", "safetensors.torch", "torch._dynamo"),
)


def main() -> None:
    """Train one family and sample from it."""
    parser = argument_parser(__doc__)
    parser.add_argument("--family", choices=("gan", "vae"), required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for module in LAZY_MODULES:
        importlib.import_module(module)
    settings = ["data.test=0", *options.set]
    start = time.perf_counter()
    ectype.inspect(options.train, settings=settings)  # so that what preparing takes is known
    left = options.seconds - (time.perf_counter() - start)
    budget = left - RESERVED_SHARE * options.seconds - RESERVED_SECONDS
    run = ectype.fit(
        options.train,
        model=options.family,
        budget=max(budget, 0.3 * options.seconds),
        seed=options.seed,
        settings=settings,
        out=options.out / "run",
    )
    trained = time.perf_counter()
    written = run.sample(options.samples, seed=options.seed).save(options.out / "rows")
    sampled = time.perf_counter()
    written[0].replace(options.out / SAMPLES)
    summary = run.summary()
    result = Result(
        train_seconds=trained - start,
        sample_seconds=sampled - trained,
        rows_seen=summary["items"],
        peak_gigabytes=peak_gigabytes(),
        note=f"capacity {summary['capacity']}, {summary['parameters']:,} parameters",
    )
    write_result(options.out, result)


if __name__ == "__main__":
    main()
