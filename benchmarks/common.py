"""What the benchmarks share: facts about the machine, and how a table is told."""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch

ROOT = Path(__file__).resolve().parents[1]

Row = Mapping[str, Any]
Value = TypeVar("Value")


def parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """A command line whose help is the benchmark's docstring."""
    result = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return result


def check_keep(cli: argparse.ArgumentParser, keep: Path | None) -> None:
    """See that the folder of `--keep` holds nothing yet."""
    if keep and keep.exists() and any(keep.iterdir()):
        cli.error(f"--keep: {keep} is not empty")


@contextmanager
def working_folder(keep: Path | None) -> Iterator[Path]:
    """A folder for all that candidates write: the one to keep, or a temporary one."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="ectype-benchmark-") as folder:
        yield Path(folder)


def apart(work: Callable[..., Value], *given: Any) -> Value:
    """What some work gives that is done in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *given).result()


def run_apart(
    module: str,
    arguments: Sequence[str],
    timeout: float,
    environment: Callable[[], Path] | None = None,
) -> str | None:
    """Run a candidate of `benchmarks.peers` in a process of its own.

    Args:
        module: its name.
        arguments: its command line.
        timeout: seconds after which it counts as hung.
        environment: gives the interpreter, if not this one.

    Returns:
        Why it failed, or None.
    """
    try:
        python = str(environment()) if environment else sys.executable
        done = subprocess.run(
            [python, "-m", f"benchmarks.peers.{module}", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {error}"
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        return f"exit code {done.returncode}: {last}"
    return None


def machine() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "load at start": round(os.getloadavg()[0], 1),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "unset"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def tell(
    title: str, name: str, arguments: Sequence[str] | None, facts: Row, rows: Sequence[Row]
) -> str:
    """Markdown: a heading, the facts on a line, the command, and the rows as a table."""
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", f"benchmarks.{name}", *given])
    described = ", ".join(f"{key} {value}" for key, value in facts.items())
    return "\n\n".join([f"## {title}", described, f"`{command}`", table(rows)])


def table(rows: Sequence[Row]) -> str:
    """A Markdown table with a column for every key of any row; what a row lacks is a dash."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[_cell(row.get(column)) for column in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_json(path: Path | None, facts: Row, rows: Sequence[Row]) -> None:
    """Write facts and rows, if a file was asked for."""
    if path is not None:
        path.write_text(json.dumps({"facts": facts, "rows": rows}, indent=2) + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _processor() -> str:
    """The processor's name; `platform` does not know it on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
