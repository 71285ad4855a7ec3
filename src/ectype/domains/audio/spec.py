"""What can be set about sounds, and what must be remembered of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ectype.config import setting
from ectype.domains.audio.decoding import Form
from ectype.domains.audio.form import HIGHEST_RATE, LONGEST, LOWEST_RATE, SHORTEST
from ectype.domains.base import Spec


@dataclass(frozen=True, kw_only=True)
class AudioSettings:
    """How sounds are read."""

    rate: int | None = setting(
        None,
        "samples a second to learn at; of arrays, their own",
        least=LOWEST_RATE,
        most=HIGHEST_RATE,
    )
    seconds: float | None = setting(None, "length of a clip", least=SHORTEST, most=LONGEST)
    channels: Literal["auto", "mono", "stereo"] = setting(
        "auto", "auto (stereo where most sounds are), mono or stereo"
    )
    loudness: Literal["peak", "keep"] = setting(
        "peak", "peak brings every clip to one peak; keep leaves loudness as it is"
    )
    trim: bool = setting(True, "leave out silence before a sound")
    clipped: Literal["leave_out", "keep"] = setting(
        "leave_out", "sounds that are cut off at full scale: leave_out or keep"
    )
    validation: float = setting(0.1, "share of the clips that choices in training look at", least=0)
    test: float = setting(0.15, "share of the clips that only evaluation looks at", least=0)
    group: str | None = setting(
        None, "regular expression on the path without suffix; equal matches stay in one part"
    )
    cache: str | None = setting(None, "folder for clips; ECTYPE_CACHE or ~/.cache/ectype")
    workers: int | None = setting(None, "threads that decode; as many as there are cores", least=1)


@dataclass(frozen=True, kw_only=True)
class AudioSpec(Spec):
    """Clips of one form: `shape` is (length, channels), the rest as in `Form`.

    `whitening` is what `ectype.measures.audio.Whitening` says of the training clips: figures are
    measured in a space in which these vary alike in all directions.
    """

    rate: int
    loudness: str
    trim: bool
    whitening: tuple[float, ...]

    @property
    def form(self) -> Form:
        """What further sounds are made into."""
        length, channels = self.shape
        return Form(
            rate=self.rate,
            length=length,
            channels=channels,
            loudness=self.loudness,
            trim=self.trim,
        )
