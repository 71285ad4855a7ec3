"""Where sounds come from: files of a folder or an archive, or arrays."""

from __future__ import annotations

import contextlib
import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ectype.domains.audio.decoding import (
    MOST_CLIPPED,
    BadSoundError,
    Floats,
    Heard,
    Reader,
    libraries,
    listen,
)
from ectype.domains.base import Part, Reject
from ectype.domains.cache import Cache, key_of
from ectype.domains.files import Tree, printable
from ectype.domains.labels import names_in, parts_and_labels
from ectype.domains.parallel import in_order
from ectype.errors import DataError, UsageError

SOUNDS = frozenset(
    (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc")
).union((".au", ".caf", ".w64", ".rf64", ".wv"))
#: Sounds that people have but that cannot be read here: named one by one, not just counted.
UNREADABLE = frozenset((".m4a", ".aac", ".wma", ".mp4", ".mid", ".midi", ".amr", ".ape"))
#: Raised whenever what is stored, or how, changes.
SURVEY_VERSION = 1
#: What arrays are taken for unless data.rate says otherwise.
ARRAY_RATE = 16_000


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What is known of the sounds before they are cut.

    Attributes:
        names: relative path of each sound, or the like.
        heard: what is in each.
        labels: label of each, None where there is none.
        parts: the part that the source prescribes for each, None where it does not.
        rejects: what was left out already.
        notes: plain sentences.
    """

    names: list[str]
    heard: list[Heard]
    labels: list[str | None]
    parts: list[Part | None]
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def without_clipped(survey: Survey) -> Survey:
    """A survey whose clipped sounds are among the rejects."""
    kept = [i for i, heard in enumerate(survey.heard) if heard.clipped <= MOST_CLIPPED]
    gone = [
        Reject(
            survey.names[i],
            f"it is clipped: {100 * heard.clipped:.0f} % of it lies flat at full scale "
            "(data.clipped=keep takes it)",
        )
        for i, heard in enumerate(survey.heard)
        if heard.clipped > MOST_CLIPPED
    ]
    return Survey(
        names=[survey.names[i] for i in kept],
        heard=[survey.heard[i] for i in kept],
        labels=[survey.labels[i] for i in kept],
        parts=[survey.parts[i] for i in kept],
        rejects=survey.rejects + gone,
        notes=survey.notes,
    )


class Sounds(ABC):
    """Where sounds come from.

    Attributes:
        where: for messages.
        has_paths: whether names are paths, which may tell groups.
    """

    where: str
    has_paths: bool

    @cached_property
    @abstractmethod
    def identity(self) -> str:
        """Changes whenever the sounds may have changed."""

    @abstractmethod
    def survey(self, cache: Cache | None, workers: int) -> Survey:
        """Listen to every sound."""

    @abstractmethod
    def reading(self) -> contextlib.AbstractContextManager[Opener]:
        """Within the context, opens sounds by name, from several threads."""


class Opener(ABC):
    """Opens sounds of one source."""

    @abstractmethod
    def __call__(self, name: str) -> contextlib.AbstractContextManager[Reader]:
        """A reader at the start of a sound.

        Raises:
            BadSoundError: it is no sound that can be read.
        """


class FileSounds(Sounds):
    """Sounds that are files; folders name labels and parts as they do for pictures."""

    has_paths = True

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.where = str(tree.path)

    @cached_property
    def identity(self) -> str:
        """See `Tree.identity`."""
        return self.tree.identity(_is_candidate)

    def survey(self, cache: Cache | None, workers: int) -> Survey:
        """All files, read through once; found in the cache where nothing has changed."""
        if cache is None:
            plain = self._listen(workers)
        else:
            key = "sounds-" + key_of(SURVEY_VERSION, self.identity)

            def build(folder: Any) -> None:
                (folder / "survey.json").write_text(json.dumps(self._listen(workers)))

            plain = json.loads((cache.entry(key, build) / "survey.json").read_text())
        names = list(plain["heard"])
        parts, labels = parts_and_labels(names)
        return Survey(
            names=names,
            heard=[Heard(**{**h, "onsets": tuple(h["onsets"])}) for h in plain["heard"].values()],
            labels=labels,
            parts=parts,
            rejects=[Reject(printable(item), reason) for item, reason in plain["rejects"]],
            notes=plain["notes"],
        )

    @contextlib.contextmanager
    def reading(self) -> Iterator[Opener]:
        """See `Sounds.reading`."""
        with self.tree.reading() as open_file:
            yield _FileOpener(open_file)

    def _listen(self, workers: int) -> dict[str, Any]:
        names = [name for name in self.tree.names if _is_candidate(name)]
        notes = list(self.tree.skipped)
        others = Counter(_suffix(n) or "without a suffix" for n in self.tree.names)
        others = {k: v for k, v in others.items() if k not in SOUNDS and k not in UNREADABLE}
        if others:
            top = sorted(others.items(), key=lambda pair: -pair[1])[:4]
            listed = ", ".join(f"{count:,} {kind}" for kind, count in top)
            notes.append(f"{sum(others.values()):,} other files are no sounds: {listed}.")
        if not names:
            message = " ".join(["there are no sounds here.", *notes])
            hint = "give a folder or archive that holds WAV, FLAC, OGG, MP3 or AIFF files"
            raise DataError(message, where=self.where, hint=hint)
        heard: dict[str, Any] = {}
        rejects: list[tuple[str, str]] = []
        with self.reading() as opened:

            def look(name: str) -> Heard | str:
                if (suffix := _suffix(name)) in UNREADABLE:
                    return f"{suffix} files cannot be read; convert them to WAV, FLAC or MP3"
                try:
                    with opened(name) as reader:
                        return listen(reader)
                except BadSoundError as error:
                    return str(error)

            for name, found in zip(names, in_order(look, names, workers), strict=True):
                if isinstance(found, str):
                    rejects.append((name, found))
                else:
                    heard[name] = asdict(found)
        return {"heard": heard, "rejects": rejects, "notes": notes}


class ArraySounds(Sounds):
    """Sounds that are arrays: int16 or floats, (n, length) or (n, length, channels).

    Args:
        items: the array.
        labels: of each sound, or None.
        rate: samples a second.
    """

    has_paths = False

    def __init__(self, items: np.ndarray, labels: Any, rate: int) -> None:
        self.where = "an array"
        if items.ndim not in (2, 3) or not len(items) or items.dtype.kind not in "fi":
            raise DataError(
                f"{items.dtype} of shape {items.shape} are no sounds",
                hint="expected int16 or floats, (n, length) or (n, length, channels)",
            )
        if items.dtype.kind == "i" and items.dtype != np.int16:
            raise DataError(f"sounds of whole numbers are int16, not {items.dtype}")
        self.items = items if items.ndim == 3 else items[:, :, None]
        self.labels = None if labels is None else names_in(labels)
        if self.labels is not None and len(self.labels) != len(items):
            raise DataError(f"{len(self.labels)} labels for {len(items)} sounds")
        self.rate = rate

    @cached_property
    def identity(self) -> str:
        """Hash of the array."""
        digest = hashlib.sha256(f"{self.items.shape}{self.items.dtype}{self.rate}".encode())
        for item in self.items:
            digest.update(np.ascontiguousarray(item).data)
        return digest.hexdigest()

    def survey(self, cache: Cache | None, workers: int) -> Survey:
        """See `Sounds.survey`."""
        del cache
        names = [f"[{i}]" for i in range(len(self.items))]
        kept: list[int] = []
        heard: list[Heard] = []
        rejects: list[Reject] = []
        with self.reading() as opened:

            def look(name: str) -> Heard | str:
                try:
                    with opened(name) as reader:
                        return listen(reader)
                except BadSoundError as error:
                    return str(error)

            for i, found in enumerate(in_order(look, names, workers)):
                if isinstance(found, str):
                    rejects.append(Reject(names[i], found))
                else:
                    kept.append(i)
                    heard.append(found)
        return Survey(
            names=[names[i] for i in kept],
            heard=heard,
            labels=[None if self.labels is None else self.labels[i] for i in kept],
            parts=[None] * len(kept),
            rejects=rejects,
        )

    @contextlib.contextmanager
    def reading(self) -> Iterator[Opener]:
        """See `Sounds.reading`."""
        yield _ArrayOpener(self.items, self.rate)


class _FileOpener(Opener):
    def __init__(self, open_file: Any) -> None:
        self._open = open_file
        self._soundfile, _ = libraries()

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[Reader]:
        try:
            with self._open(name) as file, self._soundfile.SoundFile(file) as sound:
                yield _FileReader(sound)
        except self._soundfile.LibsndfileError as error:
            text = error.error_string.rstrip(".")
            raise BadSoundError(f"it cannot be read as sound: {text}") from error
        except (OSError, RuntimeError) as error:
            raise BadSoundError(f"it cannot be read: {error}") from error


class _FileReader:
    def __init__(self, sound: Any) -> None:
        self._sound = sound
        self.samplerate: int = sound.samplerate
        self.channels: int = sound.channels
        self.frames: int = sound.frames

    def read(self, frames: int) -> Floats:
        """See `Reader.read`."""
        return self._sound.read(frames, dtype="float32", always_2d=True)


class _ArrayOpener(Opener):
    def __init__(self, items: np.ndarray, rate: int) -> None:
        self._items, self._rate = items, rate

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[Reader]:
        yield _ArrayReader(self._items[int(name[1:-1])], self._rate)


class _ArrayReader:
    def __init__(self, item: np.ndarray, rate: int) -> None:
        self._item, self._position = item, 0
        self.samplerate = rate
        self.frames, self.channels = item.shape

    def read(self, frames: int) -> Floats:
        """See `Reader.read`."""
        piece = self._item[self._position : self._position + frames]
        self._position += len(piece)
        if piece.dtype == np.int16:
            return piece.astype(np.float32) / np.float32(32767)
        return piece.astype(np.float32)


def counts_as_sounds(tree: Tree) -> bool:
    """Whether at least a third of the files that one meets first are named as sounds."""
    names = tree.first_names(1_000)
    sounds = sum(_suffix(name) in SOUNDS for name in names)
    return sounds > 0 and sounds * 3 >= len(names)


def open_arrays(source: Any, rate: int | None) -> ArraySounds:
    """An array or a tensor, alone or with labels.

    Raises:
        DataError: it is no array of sounds.
        UsageError: it is nothing of the kind.
    """
    items: Any = source
    labels = None
    if isinstance(source, tuple) and len(source) == 2:
        items, labels = source
    if hasattr(items, "detach"):
        items = items.detach().cpu().numpy()
    if not isinstance(items, np.ndarray):
        raise UsageError(f"a {type(items).__name__} is no sound", hint="give a path or an array")
    return ArraySounds(items, labels, rate or ARRAY_RATE)


def _suffix(name: str) -> str:
    _, dot, end = name.rpartition(".")
    return f".{end.lower()}" if dot and "/" not in end else ""


def _is_candidate(name: str) -> bool:
    return _suffix(name) in SOUNDS or _suffix(name) in UNREADABLE
