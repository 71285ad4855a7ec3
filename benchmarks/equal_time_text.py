"""Us and peers on texts, each for the same wall clock on the same cores, judged by one code.

What is compared: our VAE and our GAN as `ectype.fit` trains them, the textbook GRU-VAE with an
annealed KL, the same network without a latent (a plain language model), and a sampler of 6-grams.

Data: US names (16,000 to learn from, 4,000 held out; `names.txt`, a name a line, from the PyPI
package names) and sayings (8,000 and 1,000; `fortunes.txt`, one a line, from Debian's fortunes).
Neither is part of this repository.

Judged: forward perplexity (samples under 6-grams of texts that no candidate saw; "learned": of the
training texts, which copies please), reverse perplexity (held-out texts under 6-grams of the
samples), all of characters; whole copies of training texts; the longest string that a sample shares
with one, as a share of it; unique samples, distinct-2 and self-BLEU. "real" is the same with unseen
real texts in the samples' place. Beside them, of held-out texts: −log p in nats (a bound, for a
VAE: importance-weighted, 64 draws, under its normal prior), the same as a perplexity a character,
KL, characters that come back, active latents.

Fair: every candidate gets the same texts, cores, machine and wall clock, one after another, each
in a process of its own. For ours the wall clock holds everything: preparing the data, measuring
speed to choose a size, checkpoints, previews. Imports count for no candidate, drawing samples for
none. In favour of ours: our defaults were searched on names. In favour of peers: they learn from
all texts, ours keeps 2 in 100 back for its own choices.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import (
    check_keep,
    machine,
    parser,
    run_apart,
    tell,
    working_folder,
    write_json,
)
from benchmarks.peers.text_protocol import MEASURED, Result, read_result
from benchmarks.text_data import Texts, fortunes, names
from benchmarks.text_scoring import TextJudge

#: Seconds beyond the wall clock after which a candidate counts as hung.
PATIENCE = 900.0
CANDIDATES = {
    "ours-vae": ("ours_text", "--family", "vae"),
    "ours-gan": ("ours_text", "--family", "gan"),
    "gru-vae": ("gru_vae",),
    "language model": ("gru_vae", "--plain"),
    "6-grams": ("n_gram_sampler",),
}
Rows = list[dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all candidates on all texts that were named; exit code 1 if one failed."""
    options = _options(arguments)
    tasks: list[Texts] = []
    if options.names:
        tasks.append(names(options.names))
    if options.fortunes:
        tasks.append(fortunes(options.fortunes))
    facts = {**machine(), "seconds": options.seconds}
    rows: Rows = []
    with working_folder(options.keep) as folder:
        for texts in tasks:
            rows += compare(texts, options, folder / texts.name)
    print(tell("Equal time: texts", "equal_time_text", arguments, facts, rows))
    write_json(options.json, facts, rows)
    if any("error" in row for row in rows):
        sys.exit(1)


def compare(texts: Texts, options: argparse.Namespace, folder: Path) -> Rows:
    """Train and judge every candidate on one set of texts."""
    folder.mkdir(parents=True)
    for name, part in (("train", texts.train), ("held-out", texts.held_out)):
        (folder / f"{name}.json").write_text(json.dumps(part), "utf-8")
    samples = len(texts.held_out)
    trained = [
        (name, seed, run_candidate(name, seed, samples, options, folder))
        for seed in options.seeds
        for name in options.only
    ]
    judge = TextJudge(texts)
    rows: Rows = [
        {
            "data": texts.name,
            "candidate": "real",
            "seed": None,
            **judge.row(texts.real),
            **judge.likelihood(judge.n_gram_nats(), texts.held_out),
            "note": "nats: of 6-grams of the training texts",
        }
    ]
    for name, seed, outcome in trained:
        row = {"data": texts.name, "candidate": name, "seed": seed}
        if isinstance(outcome, str):
            rows.append({**row, "error": outcome})
            continue
        figures = dict(outcome.figures)
        if "nats" in figures:
            figures |= judge.likelihood(figures["nats"], texts.held_out[:MEASURED])
        rows.append(
            {
                **row,
                **judge.row(outcome.samples),
                **figures,
                "texts seen": outcome.items,
                "training, s": outcome.train_seconds,
                "sampling, s": outcome.sample_seconds,
                "note": outcome.note,
            }
        )
    return rows


def run_candidate(
    name: str, seed: int, samples: int, options: argparse.Namespace, data: Path
) -> Result | str:
    """Train one candidate in a process of its own; gives its result, or why there is none."""
    module, *more = CANDIDATES[name]
    out = data / f"{name.replace(' ', '-')}-{seed}"
    command = [*more, "--train", str(data / "train.json")]
    command += ["--held-out", str(data / "held-out.json")]
    command += ["--out", str(out), "--seed", str(seed)]
    command += ["--seconds", str(options.seconds), "--samples", str(samples)]
    if module == "ours_text":
        command += [f"--set={change}" for change in options.set]
    print(f"{data.name} {out.name}: {options.seconds:.0f} s", file=sys.stderr, flush=True)
    failure = run_apart(module, command, options.seconds + PATIENCE)
    return read_result(out) if failure is None else failure


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    cli = parser("equal_time_text", __doc__)
    cli.add_argument("--names", type=Path, metavar="FILE", help="names, one a line")
    cli.add_argument("--fortunes", type=Path, metavar="FILE", help="sayings, one a line")
    cli.add_argument("--seconds", type=float, default=300.0, help="wall clock for each candidate")
    cli.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    cli.add_argument("--seeds", nargs="+", type=int, default=[0])
    cli.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of ectype's"
    )
    cli.add_argument("--keep", type=Path, metavar="FOLDER", help="keep samples there")
    options = cli.parse_args(arguments)
    if not (options.names or options.fortunes):
        cli.error("name the data: --names FILE, --fortunes FILE, or both")
    check_keep(cli, options.keep)
    return options


if __name__ == "__main__":
    main()
