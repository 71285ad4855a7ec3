"""An environment with pythae 0.1.2 and our own version of torch, made once and kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REQUIREMENTS = ("pythae==0.1.2", "torch>=2.11,<2.14")


def python_with_pythae(folder: Path) -> Path:
    """The environment's interpreter; see `python_with`."""
    return python_with(folder, REQUIREMENTS)


def python_with(folder: Path, requirements: Sequence[str]) -> Path:
    """The interpreter of an environment, which is made where it is not there or not whole.

    Raises:
        subprocess.CalledProcessError: pip could not install what is required.
    """
    python = folder / "bin" / "python"
    whole = folder / "installed"
    if not whole.exists():
        print(f"installing {' and '.join(requirements)} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "-qq", *requirements]
        subprocess.run(install, check=True)
        whole.write_text("\n".join(requirements) + "\n")
    return python
