"""Us and peers on short sounds, each for the same wall clock on the same cores, judged by one code.

What is compared: our VAE and our GAN as `ectype.fit` trains them, a textbook WaveGAN, and a
convolutional VAE of mel spectra made audible by Griffin and Lim's algorithm.

Data: a folder of sounds whose paths say which kit each is of; drum hits of 1 s at 16 kHz (Debian
package hydrogen-drumkits, 752 sounds of 14 kits). Not part of this repository. Cut in halves twice:
at random, which leaves takes of one drum on both sides, and by kits.

Fair: every candidate gets the same int16 array, cores and wall clock, one after another, each in a
process of its own; imports and reading the array count for none, nor does drawing samples. Figures
compare as many samples as there are held-out sounds with these, in the space
`log-mel-statistics@16000` (`ectype.measures.audio.statistics`: 52 statistics of log-mel spectra,
whitened on the sounds that were learned). "real" are the learned sounds in the samples' place: the
floor. Ours keeps 50 of the sounds it is given back for its own choices; the peers learn from all.

In favour of ours: our defaults were tried on these very data. In favour of peers: WaveGAN is
narrowed so that it makes the most of the time.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import (
    check_keep,
    machine,
    parser,
    run_apart,
    tell,
    working_folder,
    write_json,
)
from benchmarks.peers.protocol import Result, read_results
from ectype.domains.audio.domain import AudioDomain
from ectype.domains.audio.drawing import save_png, save_wav, sheet
from ectype.domains.audio.files import FileSounds
from ectype.domains.audio.spec import AudioSettings, AudioSpec
from ectype.domains.audio.store import cut_all
from ectype.domains.base import PrepareOptions
from ectype.domains.cache import Cache
from ectype.domains.files import open_tree
from ectype.measures.audio import Whitening, is_clipped, is_silent, statistics
from ectype.measures.copying import nearer_to_train
from ectype.measures.frechet import frechet_distance
from ectype.measures.neighbours import neighbourhoods

RATE, SECONDS = 16_000, 1.0
#: Seconds beyond the wall clock after which a candidate counts as hung (sampling included).
PATIENCE = 900.0
SHEET, HEARD = 48, 8
Rows = list[dict[str, Any]]

CANDIDATES = {
    "ours-vae": ("ours", "--family", "vae", "--domain", "audio"),
    "ours-gan": ("ours", "--family", "gan", "--domain", "audio"),
    "wavegan": ("wavegan",),
    "mel-vae and Griffin-Lim": ("mel_vae",),
}


@dataclass(frozen=True, kw_only=True)
class Split:
    """Sounds int16 (n, length, 1) to learn from and held out."""

    name: str
    train: np.ndarray
    held_out: np.ndarray


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all candidates on both splits; exit code 1 if one failed."""
    options = _options(arguments)
    rows: Rows = []
    with working_folder(options.keep) as folder:
        for split in splits(options.sounds, options.kit, options.splits, folder / "cache"):
            rows += compare(split, options, folder / split.name.replace(" ", "-"))
    facts = {**machine(), "features": f"log-mel-statistics@{RATE}", "seconds": options.seconds}
    print(tell("Equal time: sounds", "equal_time_audio", arguments, facts, rows))
    write_json(options.json, facts, rows)
    if any("error" in row for row in rows):
        sys.exit(1)


def splits(folder: Path, kit: str, wanted: Sequence[str], cache: Path) -> Iterator[Split]:
    """The halves, at random and by kits; always the same ones."""
    domain = AudioDomain()
    settings = AudioSettings(rate=RATE, seconds=SECONDS, channels="mono", cache=str(cache))
    spec = domain.prepare(folder, settings, PrepareOptions()).spec
    assert isinstance(spec, AudioSpec)
    sounds = FileSounds(open_tree(folder))
    survey = sounds.survey(Cache(cache), 2)
    items, _, _ = cut_all(sounds, survey, spec.form, 2)
    random = np.random.default_rng(0)
    half = len(items) // 2
    if "random" in wanted:
        order = random.permutation(len(items))
        yield Split(name="random", train=items[order[:half]], held_out=items[order[half:]])
    if "kits" in wanted:
        found = [re.search(kit, name) for name in survey.names]
        kits = np.array([m.group(1) if m else n for m, n in zip(found, survey.names, strict=True)])
        names = np.random.default_rng(0).permutation(np.unique(kits))
        counts = np.array([(kits == name).sum() for name in names])
        learned = np.isin(kits, names[np.cumsum(counts) <= half])
        yield Split(name="kits", train=items[learned], held_out=items[~learned])


def compare(split: Split, options: argparse.Namespace, folder: Path) -> Rows:
    """Train and judge every candidate on one split."""
    folder.mkdir(parents=True)
    np.save(folder / "train.npy", split.train)
    judge = Judge(split)
    base = {"split": split.name, "n": judge.n}
    rows: Rows = [{**base, "candidate": "real, learned", "seed": None, **judge.floor_row()}]
    _draw(split.held_out, folder / "real")
    for seed in options.seeds:
        for name in options.only:
            out = folder / f"{name.replace(' ', '-')}-{seed}"
            outcome = run_candidate(CANDIDATES[name], seed, judge.n, options, folder, out)
            row = {**base, "candidate": name, "seed": seed}
            rows.append({**row, **_judged(judge, outcome, out)})
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


class Judge:
    """Measures samples against held-out sounds, all at one number of items."""

    def __init__(self, split: Split):
        self.n = min(len(split.train), len(split.held_out))
        learned = statistics(split.train, RATE)
        self.whiten = Whitening.fit(learned)
        self.train = self.whiten(learned)
        self.reference = self.whiten(statistics(split.held_out, RATE))[: self.n]
        self.split = split

    def floor_row(self) -> dict[str, Any]:
        """The figures of learned sounds in the place of samples."""
        figures = self._figures(self.train[: self.n], self.split.train)
        return {**figures, "nearer to train": None}

    def row(self, samples: np.ndarray) -> dict[str, Any]:
        """The figures of samples, int16 (at least n, length, 1)."""
        samples = samples[: self.n]
        return self._figures(self.whiten(statistics(samples, RATE)), samples)

    def _figures(self, features: np.ndarray, items: np.ndarray) -> dict[str, Any]:
        near = neighbourhoods(self.reference, features)
        return {
            "Fréchet": frechet_distance(features, self.reference),
            "precision": near.precision,
            "recall": near.recall,
            "density": near.density,
            "coverage": near.coverage,
            "nearer to train": nearer_to_train(
                features, self.train[: self.n], self.reference
            ).value,
            "silent": float(is_silent(items).mean()),
            "clipped": float(is_clipped(items).mean()),
        }


def run_candidate(
    candidate: tuple[str, ...],
    seed: int,
    samples: int,
    options: argparse.Namespace,
    data: Path,
    out: Path,
) -> Result | str:
    """Train one candidate in a process of its own; gives its result, or why there is none."""
    module, *more = candidate
    command = [*more, "--train", str(data / "train.npy"), "--out", str(out), "--seed", str(seed)]
    command += ["--seconds", str(options.seconds), "--samples", str(samples)]
    if module == "ours":
        command += [f"--set={change}" for change in (f"data.rate={RATE}", *options.set)]
    print(f"{out.name}: {options.seconds:.0f} s", file=sys.stderr, flush=True)
    failure = run_apart(module, command, options.seconds + PATIENCE)
    return read_results(out)[0] if failure is None else failure


def _judged(judge: Judge, outcome: Result | str, out: Path) -> dict[str, Any]:
    """The figures of one candidate; its samples are drawn and written beside its folder."""
    if isinstance(outcome, str):
        return {"error": outcome}
    samples = np.load(out / outcome.file)
    _draw(samples, out)
    drawn = outcome.sample_seconds or 0.0
    return {
        **judge.row(samples),
        "sounds seen": outcome.items,
        "training, s": outcome.train_seconds,
        "s of sound a second": len(samples) * SECONDS / drawn if drawn else None,
        "note": outcome.note,
    }


def _draw(sounds: np.ndarray, path: Path) -> None:
    """A sheet and some WAV files of the first sounds."""
    save_png(sheet(sounds[:SHEET], RATE, columns=8), path)
    for number, sound in enumerate(sounds[:HEARD]):
        save_wav(sound, RATE, path.with_name(f"{path.name}-{number}.wav"))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    cli = parser("equal_time_audio", __doc__)
    cli.add_argument("--sounds", type=Path, required=True, metavar="FOLDER")
    cli.add_argument(
        "--kit",
        default=r"([^/]+?)__",
        help="regular expression whose group is the kit in a path (default: %(default)s)",
    )
    cli.add_argument("--seconds", type=float, default=600.0, help="wall clock for each candidate")
    cli.add_argument("--splits", nargs="+", choices=("random", "kits"), default=["random", "kits"])
    cli.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    cli.add_argument("--seeds", nargs="+", type=int, default=[0])
    cli.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of ectype's"
    )
    cli.add_argument("--keep", type=Path, metavar="FOLDER", help="keep samples and sheets there")
    options = cli.parse_args(arguments)
    check_keep(cli, options.keep)
    return options


if __name__ == "__main__":
    main()
