"""Clips cut once into one memory-mapped array, with what is known of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from ectype.domains.audio.decoding import BadSoundError, Floats, Form, clips, starts
from ectype.domains.audio.files import Opener, Sounds, Survey
from ectype.domains.audio.form import ONE_UP_TO
from ectype.domains.base import Reject
from ectype.domains.cache import ArrayWriter, Cache, key_of
from ectype.domains.files import printable
from ectype.domains.parallel import in_order
from ectype.nets.mel import log_mel

#: Raised whenever what is stored, or how, changes.
STORE_VERSION = 3
#: A sound longer than this is cut by itself, clip after clip, not beside others.
_LONG_SECONDS = 60.0
#: Two clips are near-identical if their sketches differ by at most this root mean square (dB) over
#: what of them is not silent.
MOST_APART = 1.5
#: Among more clips than this near-identical ones are not sought.
MOST_COMPARED = 20_000
#: Clips that are compared with all at a time.
_ROWS = 256
_SKETCH_BANDS, _SKETCH_FRAMES, _FLOOR = 16, 16, -60.0


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Clips of one form.

    Attributes:
        items: int16 (n, length, channels), often a read-only memory map.
        index: position in the survey of the sound that each clip is from, (n,).
        hashes: content hash of each clip, uint8 (n, 16).
        near: the lowest clip that each is near-identical to, itself where there is none, (n,).
        rejects: what could not be used, and what was a duplicate.
    """

    items: np.ndarray
    index: np.ndarray
    hashes: np.ndarray
    near: np.ndarray
    rejects: list[Reject]


def store(sounds: Sounds, survey: Survey, form: Form, *, cache: Cache, workers: int) -> Stored:
    """Cut the sounds of a survey into the cache, or find the clips there.

    Raises:
        StorageError: the disk is full, or the cache cannot be written.
    """

    def build(folder: Path) -> None:
        _build(folder, sounds, survey, form, workers)

    key = key_of(STORE_VERSION, sounds.identity, asdict(form), len(survey.names))
    folder = cache.entry("clips-" + key, build)
    facts = json.loads((folder / "facts.json").read_text())
    return Stored(
        items=np.load(folder / "items.npy", mmap_mode="r"),
        index=np.load(folder / "index.npy"),
        hashes=np.load(folder / "hashes.npy"),
        near=np.load(folder / "near.npy"),
        rejects=[Reject(printable(item), reason) for item, reason in facts["rejects"]],
    )


def cut_all(
    sounds: Sounds, survey: Survey, form: Form, workers: int
) -> tuple[np.ndarray, list[int], list[Reject]]:
    """All clips of a survey's sounds in memory, duplicates included.

    Returns:
        The clips (n, length, channels), the number in the survey of the sound that each is of,
        and what was left out.
    """
    items: list[np.ndarray] = []
    index: list[int] = []
    rejects: list[Reject] = []
    for number, found in _cut(sounds, survey, form, workers):
        if isinstance(found, str):
            rejects.append(Reject(survey.names[number], found))
        else:
            items.append(found)
            index.append(number)
    shape = (0, form.length, form.channels)
    return np.stack(items) if items else np.empty(shape, np.int16), index, rejects


def _as_stored(clip: Floats) -> np.ndarray:
    """Floats within ±1 as int16."""
    return np.rint(np.clip(clip, -1, 1) * 32767).astype(np.int16)


def _build(folder: Path, sounds: Sounds, survey: Survey, form: Form, workers: int) -> None:
    """Write one entry of the cache."""
    first_with: dict[bytes, int] = {}
    index: list[int] = []
    rejects: list[tuple[str, str]] = []
    sketches: list[Floats] = []
    with ArrayWriter(folder / "items.npy", (form.length, form.channels), np.int16) as writer:
        for position, found in _cut(sounds, survey, form, workers):
            if isinstance(found, str):
                rejects.append((survey.names[position], found))
                continue
            digest = hashlib.blake2b(found.data, digest_size=16).digest()
            first = first_with.setdefault(digest, position)
            if len(first_with) == len(index):
                name = survey.names[first]
                rejects.append((survey.names[position], f"it is a duplicate of {name}"))
                continue
            index.append(position)
            writer.append(found[None])
            if len(index) <= MOST_COMPARED:
                sketches.append(sketch(found, form.rate))
    near = np.arange(len(index))
    if sketches and len(index) <= MOST_COMPARED:
        near = near_groups(np.stack(sketches))
    np.save(folder / "index.npy", np.array(index, np.int64))
    hashes = np.frombuffer(b"".join(first_with), np.uint8).reshape(len(index), 16)
    np.save(folder / "hashes.npy", hashes)
    np.save(folder / "near.npy", near)
    (folder / "facts.json").write_text(json.dumps({"rejects": rejects}))


def _cut(
    sounds: Sounds, survey: Survey, form: Form, workers: int
) -> Iterator[tuple[int, np.ndarray | str]]:
    """Each clip as it is stored, with the position of its sound; or why a sound gives none."""
    long = [heard.whole > _LONG_SECONDS for heard in survey.heard]
    with sounds.reading() as opened:
        cut = _cutter(opened, survey, form)
        for is_long, run in groupby(range(len(survey.names)), key=long.__getitem__):
            positions = list(run)
            if is_long:  # clip after clip: a recording of hours must not be held at once
                several = (cut(position) for position in positions)
            else:
                # one by one: many sounds of a minute at once would fill the memory
                several = in_order(lambda position: [*cut(position)], positions, workers, chunk=1)
            for position, found in zip(positions, several, strict=True):
                for clip in found:
                    yield position, clip


def _cutter(
    opened: Opener, survey: Survey, form: Form
) -> Callable[[int], Iterator[np.ndarray | str]]:
    def cut(position: int) -> Iterator[np.ndarray | str]:
        heard = survey.heard[position]
        at = starts(heard, form.seconds, trim=form.trim, one_up_to=ONE_UP_TO)
        gave = False
        try:
            with opened(survey.names[position]) as reader:
                for clip in clips(reader, heard, at, form):
                    gave = True
                    yield _as_stored(clip)
        except BadSoundError as error:
            yield str(error)
        else:
            if not gave:
                hint = "" if form.trim else " (data.trim=yes leaves out silence before a sound)"
                yield f"its clips are silent{hint}"

    return cut


def sketch(item: np.ndarray, rate: int) -> Floats:
    """A coarse log-mel picture of one clip (length, channels), flattened, dB."""
    sound = item.astype(np.float32).mean(1)[None] / np.float32(32767)
    window = 2 ** round(np.log2(0.032 * rate))
    mel = log_mel(sound, rate, window=window, hop=window // 2, bands=_SKETCH_BANDS, floor=_FLOOR)[0]
    edges = np.linspace(0, mel.shape[1], min(_SKETCH_FRAMES, mel.shape[1]) + 1).astype(int)
    return np.concatenate([mel[:, a:b].mean(1) for a, b in pairwise(edges)]).astype(np.float32)


def near_groups(sketches: Floats) -> np.ndarray:
    """Lowest index among the clips that each is near-identical to, be it through others, (n,).

    From their sketches (n, d). Groups grow row by row: of three hours of rain nearly all pairs
    are near-identical, and a list of them would fill the memory.
    """
    group = np.arange(len(sketches))
    squares = (sketches**2).sum(1)
    heard = (sketches > _FLOOR).sum(1).astype(np.float32)
    for start in range(0, len(sketches), _ROWS):
        rows = slice(start, start + _ROWS)
        apart = squares[rows, None] + squares - 2 * sketches[rows] @ sketches.T
        near = apart <= MOST_APART**2 * np.maximum(heard[rows, None], heard)
        for row, others in enumerate(near, start):
            met = group[row:][others[row:]]  # those before it have met it
            lowest = min(group[row], met.min(initial=group[row]))
            if group[row] != lowest or (met != lowest).any():
                group[np.isin(group, [group[row], *np.unique(met)])] = lowest
    return group
