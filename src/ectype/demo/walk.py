"""Every command in turn, on the data of one kind."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import ectype
from ectype import pages
from ectype.console import Answer
from ectype.training.progress import Reporter

#: Where everything is written, below the current folder, a folder a kind of data.
FOLDER = Path("ectype-demo")


class Demo(Protocol):
    """What a module of this package has."""

    #: How long to train.
    BUDGET: str
    #: What to try afterwards: commands, in which RUN stands for the run's folder.
    NEXT: tuple[str, ...]

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the data as somebody's own would lie, if it is not there yet.

        Returns:
            What to learn from, and a little of the same that the model never sees.

        Raises:
            UsageError: the package that holds the data is not installed.
        """
        ...


def demo(kind: str) -> Demo:
    """The demo of a kind of data."""
    return cast(Demo, import_module(f"ectype.demo.{kind}"))


def walk(
    kind: str,
    *,
    settings: Iterable[str],
    reporter: Reporter,
    new: bool = False,
    folder: Path | None = None,
) -> Iterator[tuple[str, Answer]]:
    """Inspect, train, sample, interpolate, with a VAE reconstruct, and evaluate.

    Args:
        kind: of data.
        settings: for the training.
        reporter: is told each command before it is carried out, and how it goes.
        new: put an earlier run aside and train afresh.
        folder: for all that is written.

    Yields:
        The name of each command and what it answers.

    Raises:
        UsageError: the package that holds the data is not installed.
    """
    tour, folder, settings = demo(kind), folder or FOLDER / kind, list(settings)
    asked = f"--budget {tour.BUDGET}" + "".join(f" --set {shlex.quote(s)}" for s in settings)
    data, unseen = tour.write(folder)
    run_folder = folder / "run"

    reporter.note(f"$ ectype inspect {data} {asked}")
    inspection = ectype.inspect(data, budget=tour.BUDGET, settings=settings)
    yield "inspect", pages.inspected(str(data), inspection)

    reporter.note(f"\n$ ectype fit {data} {asked} --out {run_folder}{' --new' * new}")
    run = ectype.fit(
        data,
        budget=tour.BUDGET,
        out=run_folder,
        new=new,
        settings=settings,
        reporter=reporter,
    )
    yield "fit", pages.fitted(run)

    out = folder / "samples"
    reporter.note(f"\n$ ectype sample {run_folder} -n 64 -o {out}")
    yield "sample", pages.written(run_folder, out, run.sample(64).save(out))

    out = folder / "between"
    reporter.note(f"\n$ ectype interpolate {run_folder} -o {out}")
    yield "interpolate", pages.written(run_folder, out, run.interpolate().save(out))

    if run.config.family == "vae":
        out = folder / "copies"
        reporter.note(f"\n$ ectype reconstruct {run_folder} {unseen} -o {out}")
        yield "reconstruct", pages.written(run_folder, out, run.reconstruct(unseen).save(out))

    reporter.note(f"\n$ ectype evaluate {run_folder}")
    evaluation = ectype.evaluate(run, reporter=reporter)
    yield "evaluate", pages.evaluated(evaluation)
