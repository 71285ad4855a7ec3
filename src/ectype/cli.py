"""The command line: parses, calls the API, prints; nothing else.

Commands import what they need when they run, so that every `--help` page is there at once.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import UnusedCliTokensError

import ectype
from ectype import pages
from ectype.console import Answer, show_failure
from ectype.errors import EctypeError, UsageError
from ectype.files import storage_error

if TYPE_CHECKING:
    from ectype.run import Run

app = App(
    name="ectype",
    help="Point it at your own data, get a GAN or a VAE out, judged honestly.\n\n"
    "Start with: ectype demo",
    help_format="plaintext",
    version=lambda: ectype.__version__,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)

Data = Annotated[
    str, Parameter(help="Your data: a folder, an archive, a table, a text or an array file.")
]
RunFolder = Annotated[Path, Parameter(name="RUN", help="A run folder that `ectype fit` wrote.")]
Out = Annotated[Path, Parameter(name=("--out", "-o"), help="Folder to write to.")]
Model = Literal["auto", "gan", "vae"]
Device = Literal["auto", "cpu", "cuda"]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """What every command takes."""

    set: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="KEY=VALUE",
            negative=(),
            show_default=False,
            help="A setting; may be repeated. `ectype settings` lists them.",
        ),
    ] = ()
    json: Annotated[
        bool,
        Parameter(
            negative=(),
            show_default=False,
            help="Print one JSON object, and nothing else, on standard output.",
        ),
    ] = False


COMMON = Common()


@app.command(sort_key=1)
def inspect(data: Data, /, *, budget: str | None = None, common: Common = COMMON) -> Answer:
    """Say what the data is, what is broken in it, and how `fit` would go about it.

    Parameters
    ----------
    budget
        How long `fit` would train, 10m or 1h30m for instance (default 10m): its plan depends on it.
    """
    return pages.inspected(data, ectype.inspect(data, budget=budget, settings=common.set))


@app.command(sort_key=2)
def fit(
    data: Data,
    /,
    *,
    model: Model = "auto",
    budget: str | None = None,
    steps: int | None = None,
    out: Path | None = None,
    seed: int = 0,
    labels: str = "auto",
    domain: str | None = None,
    start: Annotated[Path | None, Parameter(name="--from")] = None,
    device: Device = "auto",
    new: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    common: Common = COMMON,
) -> Answer:
    """Train a model on the data.

    An unfinished run goes on where it stopped; a finished one is left as it is. Ctrl-C saves.

    Parameters
    ----------
    model
        The family; `auto` chooses one that suits the data and says why.
    budget
        How long to train, 10m or 1h30m for instance (default 10m); +10m extends a finished run.
    steps
        How many steps to train instead: such a run repeats exactly.
    out
        The run folder; runs/<name of the data> if nothing is said.
    seed
        Runs with the same seed, data and steps are equal.
    labels
        `auto`: sub-folders are labels; `none`: there are none; or the name of a column.
    domain
        The kind of data, if the guess is wrong.
    start
        An earlier run on similar data, whose weights to begin with.
    device
        Where to compute; `auto` takes a GPU if there is one.
    new
        Put an existing run aside and start afresh.
    """
    from ectype.training.progress import reporter_for

    run = ectype.fit(
        data,
        model=model,
        budget=budget,
        steps=steps,
        out=out,
        seed=seed,
        labels=labels,
        domain=domain,
        start=start,
        device=device,
        new=new,
        settings=common.set,
        reporter=reporter_for(sys.stderr),
    )
    return pages.fitted(run)


@app.command(sort_key=3)
def sample(
    run: RunFolder,
    /,
    *,
    n: Annotated[int, Parameter(name="-n")] = 64,
    out: Out,
    seed: int = 0,
    label: str | None = None,
    temperature: float = 1.0,
    where: str | None = None,
    common: Common = COMMON,
) -> Answer:
    """Write new items that the model makes up.

    Parameters
    ----------
    n
        How many.
    seed
        Sample i of a seed is the same whatever N is.
    label
        Make only items of this label.
    temperature
        Below 1 more typical, above 1 more varied.
    where
        What rows of a table must meet, "age>=60,income=>50K" for instance.
    """
    samples = _load(run, common).sample(
        n, seed=seed, label=label, temperature=temperature, where=where
    )
    return pages.written(run, out, samples.save(out), tally=samples.tally)


@app.command(sort_key=4)
def reconstruct(run: RunFolder, data: Data, /, *, out: Out, common: Common = COMMON) -> Answer:
    """Pass data through a VAE and write originals beside copies."""
    copies = _load(run, common).reconstruct(data)
    return pages.written(run, out, copies.save(out), rejects=copies.rejects)


@app.command(sort_key=5)
def interpolate(run: RunFolder, /, *, out: Out, common: Common = COMMON) -> Answer:
    """Walk between points of the latent space and write what lies on the way."""
    return pages.written(run, out, _load(run, common).interpolate().save(out))


@app.command(sort_key=6)
def evaluate(
    run: RunFolder,
    data: Annotated[
        str | None, Parameter(help="Held-out data; the test part of the run's own if not given.")
    ] = None,
    /,
    *,
    n: Annotated[int | None, Parameter(name="-n")] = None,
    common: Common = COMMON,
) -> Answer:
    """Measure a run on data that it has not seen, and write a report into it.

    Parameters
    ----------
    n
        How many samples to measure; by default as many as there are held-out items, 500 to 10,000.
    """
    from ectype.training.progress import reporter_for

    reporter = reporter_for(sys.stderr)
    return pages.evaluated(ectype.evaluate(_load(run, common), data, n=n, reporter=reporter))


@app.command(sort_key=7)
def compare(
    data: Data,
    /,
    *,
    budget: str | None = None,
    out: Path | None = None,
    seed: int = 0,
    labels: str = "auto",
    domain: str | None = None,
    device: Device = "auto",
    new: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    common: Common = COMMON,
) -> Answer:
    """Train candidates of both families under one budget and say which to use and why.

    An unfinished comparison goes on where it stopped. Ctrl-C saves.

    Parameters
    ----------
    budget
        Wall clock for everything, 30m or 2h for instance (default 30m).
    out
        The folder; runs/<name of the data>-compare if nothing is said.
    seed
        Of the split, the weights and the training noise.
    labels
        `auto`: sub-folders are labels; `none`: there are none; or the name of a column.
    domain
        The kind of data, if the guess is wrong.
    device
        Where to compute; `auto` takes a GPU if there is one.
    new
        Put an existing comparison aside and start afresh.
    """
    from ectype.training.progress import reporter_for

    comparison = ectype.compare(
        data,
        budget=budget,
        out=out,
        seed=seed,
        labels=labels,
        domain=domain,
        device=device,
        new=new,
        settings=common.set,
        reporter=reporter_for(sys.stderr),
    )
    return pages.compared(comparison)


@app.command(sort_key=8)
def check(*, common: Common = COMMON) -> Answer:
    """Say what this machine offers: versions, devices, threads, arithmetic and why."""
    from ectype import environment

    return pages.checked(environment.describe(common.set))


@app.command(sort_key=9)
def settings(prefix: str = "", /, *, common: Common = COMMON) -> Answer:
    """List the settings that `--set` takes.

    Parameters
    ----------
    prefix
        Only those whose key begins so, for instance `gan.`
    """
    from ectype import environment

    rows = environment.all_settings(common.set)
    return pages.listed([row for row in rows if row["key"].startswith(prefix)], prefix)


@app.command(sort_key=10)
def demo(
    kind: Literal["image", "audio", "table", "text"] = "image",
    /,
    *,
    new: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    common: Common = COMMON,
) -> Answer:
    """Walk the whole path on real data: inspect, fit, sample, interpolate, evaluate.

    Everything is written below `ectype-demo` in the current folder; takes about four minutes.

    Parameters
    ----------
    kind
        What kind of data: the handwritten digits of MNIST for `image`, the clips of FoxDot for
        `audio`, flights from New York for `table`, last names for `text`.
    new
        Put the run of an earlier demo aside and train afresh.
    """
    from ectype.demo.walk import demo as demo_of
    from ectype.demo.walk import walk
    from ectype.training.progress import reporter_for

    answers: dict[str, Answer] = {}
    tour = walk(kind, settings=common.set, reporter=reporter_for(sys.stderr), new=new)
    for name, answer in tour:
        answers[name] = answer
        if not common.json:
            answer.show(as_json=False)
    return pages.toured(answers, demo_of(kind).NEXT)


def _load(run: Path, common: Common) -> Run:
    return ectype.load(run, settings=common.set)


def execute(arguments: Sequence[str]) -> int:
    """Carry out one command line.

    Returns:
        The exit code; `docs/commands.md` says what each means.
    """
    as_json = "--json" in arguments
    try:
        answer = app(arguments)
        if isinstance(answer, Answer):  # help and version have printed themselves
            answer.show(as_json=as_json)
        sys.stdout.flush()
        return 0
    except EctypeError as error:
        return _fail(error, as_json)
    except CycloptsError as error:
        return _fail(_usage_error(error), as_json)
    except KeyboardInterrupt:
        show_failure(
            code="interrupted", message="interrupted", where=None, hint=None, as_json=as_json
        )
        return 130
    except BrokenPipeError:  # the reader, `head` for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # noqa: BLE001 - the one place where a defect becomes a message
        if isinstance(error, OSError) and error.filename is not None:
            return _fail(storage_error(error, Path(error.filename)), as_json)
        traceback.print_exc()
        defect = EctypeError(
            f"this is a defect of ectype: {type(error).__name__}: {error}",
            hint="please report it with the traceback, which is on standard error",
        )
        return _fail(defect, as_json)


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # no “ or → there: the message still comes through
    sys.exit(execute(sys.argv[1:]))


def _fail(error: EctypeError, as_json: bool) -> int:
    show_failure(
        code=error.code,
        message=error.message,
        where=error.where,
        hint=error.hint,
        as_json=as_json,
    )
    return error.exit_code


def _usage_error(error: CycloptsError) -> UsageError:
    """The parser's complaint in our form; its guess of what was meant becomes the hint."""
    message, _, guess = str(error).partition(" Did you mean ")
    if isinstance(error, UnusedCliTokensError):
        message = f"this is more than the command takes: {' '.join(error.unused_tokens or ())}"
    command = " ".join(["ectype", *(error.command_chain or ())])
    hint = f"did you mean {guess}" if guess else f"`{command} --help` shows what it takes"
    return UsageError(message, hint=hint)


if __name__ == "__main__":
    main()
