"""What each command answers: the figures for programs, the sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ectype.config import format_seconds
from ectype.console import Answer, Table

if TYPE_CHECKING:
    from ectype.choose.comparing import Comparison
    from ectype.domains.base import Dataset, Reject
    from ectype.evaluating import Evaluation
    from ectype.inspecting import Inspection
    from ectype.run import Run
    from ectype.samples import Tally

_SHOWN = 20  # rejects and labels on a page; `--json` has them all


def inspected(data: str, inspection: Inspection) -> Answer:
    """What the data is and what `fit` would do with it."""
    dataset = inspection.dataset
    shape = "×".join(map(str, dataset.spec.shape))
    parts = ", ".join(f"{len(index):,} {name}" for name, index in dataset.parts.items())
    page: list[str | Table] = [
        f"{data}: {dataset.spec.domain} data, {len(dataset.items):,} items of {shape} ({parts})",
        *_labels(dataset),
        *_rejects(dataset.rejects),
        *_section("What was found", dataset.notes),
        *_section("What `ectype fit` would do", inspection.plan),
    ]
    return Answer(inspection.to_json(), page)


def fitted(run: Run) -> Answer:
    """Where the run is and what can be done with it."""
    summary = run.summary()
    preview = _newest_preview(run)
    state = "finished" if summary["finished"] else "unfinished; the same command goes on"
    page: list[str | Table] = [
        f"The run is {run.path} ({state}).",
        f"  {summary['family'].upper()} with {summary['parameters']:,} parameters,"
        f" {summary['items']:,} items seen in {format_seconds(summary['seconds'])}",
    ]
    if preview:
        page.append(f"  newest samples: {preview}")
    page += [
        "Next:",
        f"  ectype sample {run.path} -n 64 -o samples",
        f"  ectype interpolate {run.path} -o between",
    ]
    if summary["family"] == "vae":
        page.append(f"  ectype reconstruct {run.path} DATA -o copies")
    summary.pop("path", None)  # `run`, as every command calls it
    values = {"run": str(run.path), "preview": preview and str(preview), **summary}
    return Answer(values, page)


def compared(comparison: Comparison) -> Answer:
    """Which model to use, why, and what speaks against relying on it."""
    headings, rows = comparison.table
    advice = comparison.advice
    page: list[str | Table] = [
        Table(headings, rows),
        "(times worse than real data, 95% interval in brackets; Fréchet distance and coverage in "
        f"{comparison.features} features)",
        "",
        advice.headline,
        *(f"  {sentence}" for sentence in advice.sentences),
        *_section("Reasons to doubt it", advice.doubts),
        "Next:",
        f"  look at {comparison.folder / 'compare.html'}",
        f"  look at {comparison.winner.path / 'report.html'}",
        f"  ectype sample {comparison.winner.path} -n 64 -o samples",
    ]
    return Answer(comparison.to_json(), page)


def written(
    run: Path,
    folder: Path,
    files: Sequence[Path],
    rejects: Sequence[Reject] = (),
    tally: Tally | None = None,
) -> Answer:
    """Which files a command wrote; the last one shows them all."""
    count = f"{len(files):,} files are" if len(files) > 1 else "1 file is"
    page: list[str | Table] = [f"{count} in {folder}; look at {files[-1]}"]
    values = {
        "run": str(run),
        "files": [str(file) for file in files],
        "rejects": [{"item": reject.item, "reason": reject.reason} for reject in rejects],
    }
    if tally is not None:
        values |= {"drawn": tally.drawn, "met": tally.met}
        page.append(f"{tally}.")
    return Answer(values, [*page, *_rejects(rejects)])


def evaluated(evaluation: Evaluation) -> Answer:
    """The verdict in words, then every figure with its floor and its interval."""
    from ectype.report.words import BETTER, interval, number

    report, verdict = evaluation.report, evaluation.report.verdict
    rows = [
        (
            name,
            number(measure.value),
            number(measure.floor),
            interval(measure.interval),
            BETTER[measure.better],
            f"{measure.n:,}",
            measure.features or "",
        )
        for name, measure in evaluation.items()
    ]
    headings = ("measure", "value", "floor", "interval (95%)", "better", "n", "features")
    page: list[str | Table] = [
        verdict.headline,
        *(f"  {sentence}" for sentence in verdict.sentences),
        *_section("What speaks against trusting this", verdict.doubts),
        f"{report.n:,} samples beside {report.held_out_n:,} held-out items"
        " (the floor is what real data get in the samples' place):",
        Table(headings, rows),
        f"The report is {evaluation.folder / 'report.html'}",
    ]
    return Answer(evaluation.to_json(), page)


def checked(facts: Mapping[str, Any]) -> Answer:
    """What this machine offers."""
    gpus = ", ".join(facts["gpus"]) or "none"
    features = "there" if facts["image_features"] else "missing: reinstall ectype"
    page = [
        f"ectype {facts['ectype']}, torch {facts['torch']}, Python {facts['python']}",
        f"system      {facts['system']}",
        f"cores       {facts['cores']}, of which torch uses {facts['threads']}",
        f"GPUs        {gpus}",
        f"device      {facts['device']}",
        f"arithmetic  {facts['reason']}",
        f"cache       {facts['cache']}",
        f"features    weights of the image feature network: {features}",
    ]
    return Answer(dict(facts), page)


def listed(rows: Sequence[dict[str, str]], prefix: str) -> Answer:
    """The settings that `--set` takes."""
    table = Table(
        ("setting", "default", "meaning", "values"),
        [(row["key"], row["default"], row["doc"], row["kind"]) for row in rows],
    )
    page = [table] if rows else [f"No setting begins with “{prefix}”."]
    return Answer({"settings": list(rows)}, page)


def toured(answers: Mapping[str, Answer], further: Sequence[str]) -> Answer:
    """The end of a demo: where to look and what to try next, RUN being the run's folder."""
    run = answers["fit"].values["run"]
    looks = [f"  {Path(a.values['files'][-1])}" for a in answers.values() if "files" in a.values]
    looks += [f"  {Path(run) / 'report.html'}"] if "evaluate" in answers else []
    page = [
        "",
        "Look at:",
        *looks,
        "Then try:",
        *(f"  {command.replace('RUN', str(run))}" for command in further),
    ]
    return Answer({name: answer.values for name, answer in answers.items()}, page)


def _labels(dataset: Dataset) -> list[str]:
    if dataset.labels is None:
        return ["labels: none"]
    names = dataset.spec.labels
    counts = [int((dataset.labels == index).sum()) for index in range(len(names))]
    shown = [f"{name} ({n:,})" for name, n in zip(names, counts, strict=True)][:_SHOWN]
    more = [f"and {len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return [f"{len(names):,} labels: {', '.join([*shown, *more])}"]


def _rejects(rejects: Sequence[Reject]) -> list[str]:
    if not rejects:
        return []
    lines = [f"  {reject.item}: {reject.reason}" for reject in rejects[:_SHOWN]]
    if len(rejects) > _SHOWN:
        lines.append(f"  and {len(rejects) - _SHOWN:,} more; --json names them all")
    return [f"{len(rejects):,} left out:", *lines]


def _section(title: str, sentences: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {sentence}" for sentence in sentences)] if sentences else []


def _newest_preview(run: Run) -> Path | None:
    """The newest picture of samples; `real` beside them shows the data."""
    files = [p for p in run.folder.samples.glob("*") if p.is_file() and p.stem != "real"]
    return max(files, key=lambda p: p.stat().st_mtime, default=None)
