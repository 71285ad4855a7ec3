"""Where the demos' data come from and go to."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ectype.errors import UsageError


def package_folder(package: str, what: str) -> Path:
    """The folder of an installed package, which is not imported: only its data files are read.

    Args:
        package: its import name.
        what: the data that it holds, for the error.

    Raises:
        UsageError: it is not installed.
    """
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise UsageError(
            f"the demo's {what} come with the package {package}, which is not installed",
            hint="pip install 'ectype[demo]'",
        )
    return Path(found.origin).parent


def partial(path: Path) -> Path:
    """Where something is written until it is whole, so that a half of it is never used."""
    return path.with_name(f"{path.name}.partial")
