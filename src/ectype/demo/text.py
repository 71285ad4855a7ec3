"""Names: the last names of the US census of 1990, from the package names (MIT)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ectype.demo.places import package_folder, partial

BUDGET = "2m"
NEXT = (
    "ectype sample RUN -n 1000 --temperature 0.7 -o usual",
    "ectype fit YOUR_TEXTS.txt",
)

#: Names to learn from, drawn from the 88,799 that there are, and how many are kept aside.
_LEARNED, _KEPT_ASIDE = 16_000, 32


def write(folder: Path) -> tuple[Path, Path]:
    """Write names, one a line; see `walk.Demo`.

    Returns:
        The file to learn from, and one with a few names kept aside.

    Raises:
        UsageError: the package that holds the names is not installed.
    """
    learned, unseen = folder / "names.txt", folder / "unseen.txt"
    if learned.exists() and unseen.exists():
        return learned, unseen
    names = read_names()
    drawn = np.random.default_rng(0).permutation(len(names))[: _LEARNED + _KEPT_ASIDE]
    folder.mkdir(parents=True, exist_ok=True)
    for path, chosen in ((learned, drawn[:_LEARNED]), (unseen, drawn[_LEARNED:])):
        lines = "".join(f"{names[i]}\n" for i in np.sort(chosen))
        partial(path).write_text(lines, encoding="utf-8")
    for path in (learned, unseen):
        partial(path).replace(path)
    return learned, unseen


def read_names() -> list[str]:
    """The last names that the package carries, such as Smith; each once, the most common first.

    Raises:
        UsageError: the package is not installed.
    """
    path = package_folder("names", "names") / "dist.all.last"
    lines = path.read_text(encoding="ascii").splitlines()
    return [line.split()[0].capitalize() for line in lines if line.strip()]
