"""How fast the default GAN trains, beside an earlier commit of this repository.

Both versions train the same pictures with the same width, batch and number of steps, each through
its own `ectype fit`, in turn, in processes of their own. The first line of the log is left out: it
holds what only the start costs. Rates are items of real data that the discriminator sees a second,
medians over the pairs.

The earlier version is taken from git, so this needs a clone with its history.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, machine, parser, tell, write_json

#: The last commit of the first part of the project.
PART_1 = "4db732a"
SEED = 0
PICTURES = 4_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Time both and print a table."""
    cli = parser("earlier", __doc__)
    cli.add_argument("--commit", default=PART_1, help="the earlier version")
    cli.add_argument("--size", type=int, default=28, help="side of the pictures")
    cli.add_argument("--channels", type=int, default=1)
    cli.add_argument("--width", type=int, default=48, help="capacity of the networks")
    cli.add_argument("--batch", type=int, default=16)
    cli.add_argument("--seconds", type=float, default=40.0, help="of each training")
    cli.add_argument("--pairs", type=int, default=5)
    options = cli.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        versions = {options.commit: _export(options.commit, work / "earlier"), "today": ROOT}
        shape = (PICTURES, options.size, options.size, options.channels)
        pictures = np.random.default_rng(SEED).integers(0, 256, shape, np.uint8)
        np.save(work / "pictures.npy", pictures)
        rates: dict[str, list[float]] = {name: [] for name in versions}
        for _ in range(options.pairs):
            for name, root in versions.items():
                rates[name].append(_rate(root, work, options))
    pairs = zip(*rates.values(), strict=True)
    ratios = [today / earlier for earlier, today in pairs]
    rows = [
        {"version": name, "items a second": statistics.median(found)}
        for name, found in rates.items()
    ]
    rows[-1]["ratio"] = statistics.median(ratios)
    rows[-1]["of pairs"] = " ".join(f"{ratio:.2f}" for ratio in ratios)
    facts = {
        **machine(),
        "pictures": "×".join(map(str, shape[1:])),
        "width": options.width,
        "batch": options.batch,
        "seconds each": options.seconds,
    }
    print(tell("The GAN's rate beside an earlier version", "earlier", arguments, facts, rows))
    write_json(options.json, facts, rows)


def _export(commit: str, folder: Path) -> Path:
    """The files of a commit in a folder of their own."""
    folder.mkdir()
    archive = subprocess.run(
        ["git", "archive", commit, "src"], cwd=ROOT, check=True, capture_output=True
    )
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


def _rate(root: Path, work: Path, options: Any) -> float:
    """Items a second of one training with the package below `root`."""
    settings = {
        "training.capacity": options.width,
        "training.batch": options.batch,
        "training.checkpoint_seconds": 1e6,
    }
    command = [sys.executable, "-m", "ectype", "fit", str(work / "pictures.npy")]
    command += ["--model", "gan", "--budget", f"{options.seconds}s", "--out", str(work / "run")]
    command += ["--seed", str(SEED), "--new", "--json"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "ECTYPE_CACHE": str(work)}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    lines = [json.loads(line) for line in (work / "run" / "log.jsonl").read_text().splitlines()]
    first, last = lines[0], lines[-1]
    return (last["items"] - first["items"]) / (last["seconds"] - first["seconds"])


if __name__ == "__main__":
    main()
