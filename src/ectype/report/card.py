"""The model card: what the report says, as Markdown for whoever gets the run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from ectype.report.content import Report
from ectype.report.words import BETTER, interval, number, term

_FAMILIES = {"gan": "generative adversarial network (GAN)", "vae": "variational autoencoder (VAE)"}


def card(report: Report, folder: Path) -> str:
    """The model card of a run.

    Args:
        report: what was found.
        folder: where the card will lie; it shows the samples only if they lie in there too.
    """
    verdict = report.verdict
    family = _FAMILIES.get(report.family, report.family)
    parts = [
        f"# {plain(report.name)}",
        f"A {plain(family)} for data of the kind “{plain(report.domain)}”, trained with ectype.",
        *_picture(report, folder),
        "## Verdict",
        f"**{plain(verdict.headline)}**",
        *([_bullets(verdict.sentences)] if verdict.sentences else []),
        "## Measures",
        f"{report.n:,} samples against {report.held_out_n:,} held-out real items. The floor is the "
        "same figure with real data in the samples' place. Fréchet distances compare only within "
        "one feature space and at one n.",
        _measures(report),
        *_facts(report),
        "## Load and sample",
        _usage(report),
        "## Limits",
        _bullets([*verdict.doubts, *_limits(report)]),
    ]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    r"""Text that Markdown takes as it is: one line, every sign of its own escaped.

    >>> plain("a|b *c*")
    'a\\|b \\*c\\*'
    """
    return re.sub(r"([\\`*_\[\]<>#|~&])", r"\\\1", " ".join(text.split()))


def _picture(report: Report, folder: Path) -> list[str]:
    pictures = [
        f"![{plain(exhibit.title)}](<{path.resolve().relative_to(folder.resolve()).as_posix()}>)"
        for exhibit in report.exhibits
        if exhibit.key == "samples"
        for path in exhibit.files
        if path.suffix.lower() == ".png" and path.resolve().is_relative_to(folder.resolve())
    ]
    return pictures[:1]


def _measures(report: Report) -> str:
    headings = ("Measure", "Value", "Floor", "95 % interval", "Better", "n", "Features")
    rows = [
        (
            plain(term(name).plain) + (f" ({plain(term(name).aside)})" if term(name).aside else ""),
            number(measure.value),
            number(measure.floor),
            interval(measure.interval),
            BETTER[measure.better],
            f"{measure.n:,}",
            plain(measure.features or "–"),
        )
        for name, measure in report.measures.items()
    ]
    return _table(headings, rows)


def _facts(report: Report) -> list[str]:
    return [
        text
        for title, facts in report.facts.items()
        for text in (
            f"## {plain(title)}",
            _bullets([f"{name}: {value}" for name, value in facts.items()]),
        )
    ]


def _usage(report: Report) -> str:
    python, shell = json.dumps(report.name, ensure_ascii=False), shlex.quote(report.name)
    return (
        f"In the folder that holds this run:\n\n"
        f"```python\nimport ectype\n\nrun = ectype.load({python})\n"
        f'run.sample(16, seed=0).save("samples")\n```\n\n'
        f"```\nectype sample {shell} -n 16 -o samples\n```"
    )


def _limits(report: Report) -> list[str]:
    limits = [
        "The model knows its training data and nothing else: it repeats their gaps and leanings.",
        "The figures hold for these data, this feature space and this number of items only.",
    ]
    if report.settings.get("vae", {}).get("prior") == "local" and report.family == "vae":
        limits.append("Its file holds codes of training items; who has it can decode them.")
    if report.verdict.copying:
        limits.insert(0, "It copies training data: what it makes may belong to somebody.")
    return limits


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {plain(item)}" for item in items)
