"""Short sounds for live coding: the 346 clips of FoxDot (CC BY-SA 4.0)."""

from __future__ import annotations

import shutil
from pathlib import Path

from ectype.demo.places import package_folder, partial

#: Sounds learn more slowly than digits.
BUDGET = "4m"
NEXT = ("ectype sample RUN -n 200 -o sounds", "ectype fit YOUR_SOUNDS")

_SUFFIXES = {".wav", ".aif", ".aiff"}
_EVERY = 12  # one sound of so many is kept aside, and the model never sees it


def write(folder: Path) -> tuple[Path, Path]:
    """Copy the clips into one folder; see `walk.Demo`.

    They lie in the package by the character that plays them; here its folders go before the names.

    Returns:
        The folder to learn from, and one with a few sounds kept aside.

    Raises:
        UsageError: the package that holds the sounds is not installed.
    """
    sounds, unseen = folder / "sounds", folder / "unseen"
    if sounds.exists() and unseen.exists():
        return sounds, unseen
    source = package_folder("FoxDot", "sounds") / "snd"
    clips = sorted(path for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES)
    for whole in (sounds, unseen):
        partial(whole).mkdir(parents=True, exist_ok=True)
    for number, clip in enumerate(clips):
        name = "-".join(clip.relative_to(source).parts)
        into = unseen if number % _EVERY == _EVERY - 1 else sounds
        shutil.copyfile(clip, partial(into) / name)
    for whole in (sounds, unseen):
        partial(whole).replace(whole)
    return sounds, unseen
