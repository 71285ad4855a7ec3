"""What training tells the outside while it goes on.

The trainer knows only the `Reporter` protocol; the displays below it are ways to show it.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

from ectype.config import format_seconds

if TYPE_CHECKING:  # rich is loaded by the display that needs it
    from rich.live import Live


@dataclass(frozen=True, kw_only=True)
class Tick:
    """The state of training at one moment; also a line of `log.jsonl`.

    `seconds` is training time over all sessions of the run, `rate` is in items a second,
    `eta` in seconds, `losses` are means since the previous tick, keyed `player/name`, `measures`
    are of the averaged weights at this very step, where any were made.
    """

    step: int
    items: int
    seconds: float
    progress: float
    rate: float
    eta: float
    losses: dict[str, float] = field(default_factory=dict)
    measures: dict[str, float] = field(default_factory=dict)


class Reporter(Protocol):
    """Receives what a fit has to say. Methods are called from the training thread."""

    def note(self, text: str) -> None:
        """A plain sentence: what was found, chosen, saved, and why."""
        ...

    def tick(self, tick: Tick) -> None:
        """A new state; called about once a second."""
        ...

    def close(self) -> None:
        """Training has ended, well or not; restore the terminal."""
        ...


class Silent:
    """Reports nothing: the default of the Python API outside a terminal."""

    def note(self, text: str) -> None:
        """Nothing."""

    def tick(self, tick: Tick) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def reporter_for(stream: TextIO) -> Reporter:
    """A live display where it can be shown, else plain lines."""
    can_draw = (stream.encoding or "").lower().startswith("utf") and os.environ.get(
        "TERM"
    ) != "dumb"
    return LiveReporter(stream) if can_draw and stream.isatty() else PlainReporter(stream)


class PlainReporter:
    """A line at the first tick, then at growing intervals, at last one a half minute.

    For log files and pipes: the start is seen at once, a long run does not flood the log.
    """

    longest = 30.0

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        self._stream = stream
        self._clock = clock
        self._interval = 1.0
        self._due = -math.inf
        self._unwritten: Tick | None = None

    def note(self, text: str) -> None:
        """Write the sentence."""
        print(text, file=self._stream, flush=True)

    def tick(self, tick: Tick) -> None:
        """Write a line if one is due."""
        now = self._clock()
        self._unwritten = tick
        if now < self._due:
            return
        self._write(tick)
        self._due = now + self._interval
        self._interval = min(2 * self._interval, self.longest)

    def close(self) -> None:
        """Write where training ended."""
        if self._unwritten:
            self._write(self._unwritten)

    def _write(self, tick: Tick) -> None:
        self.note("  ".join([headline(tick), *(f"{k} {v:.4g}" for k, v in tick.losses.items())]))
        self._unwritten = None


class LiveReporter:
    """A display at the bottom of a terminal; notes scroll above it.

    The losses are drawn over the whole run, so that one look tells whether training is alive:
    falling or swinging is well, flat at the bottom or a × (not a number) is not.
    """

    def __init__(self, stream: TextIO):
        from rich.console import Console

        self._console = Console(file=stream, markup=False, emoji=False, highlight=False)
        self._live: Live | None = None
        self._traces: dict[str, Trace] = {}

    def note(self, text: str) -> None:
        """Print the sentence above the display."""
        self._console.print(text)

    def tick(self, tick: Tick) -> None:
        """Draw the new state."""
        for name, loss in tick.losses.items():
            self._traces.setdefault(name, Trace()).add(loss)
        if self._live is None:
            from rich.live import Live

            # Drawn here and not by a thread of rich, which would compete with training.
            self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)
            self._live.start()
        self._live.update(self._picture(tick), refresh=True)

    def close(self) -> None:
        """Leave the last state on the screen and give the terminal back."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._traces = {}  # another training may follow

    def _picture(self, tick: Tick) -> str:
        width, height = self._console.size
        lines = picture(tick, self._traces, width)
        return "\n".join(lines[: max(height - 1, 2)])


class Trace:
    """A curve over a run of any length, in bounded memory.

    When it is full, neighbours are merged into their mean, so that it always covers everything
    from the first value on.
    """

    limit = 256

    def __init__(self) -> None:
        self.values: list[float] = []
        self.last = math.nan
        self._span = 1
        self._pending: list[float] = []

    def add(self, value: float) -> None:
        """Append a value."""
        self.last = value
        self._pending.append(value)
        if len(self._pending) < self._span:
            return
        self.values.append(sum(self._pending) / self._span)
        self._pending = []
        if len(self.values) == self.limit:
            self.values = _merge(self.values, self.limit // 2)
            self._span *= 2


def headline(tick: Tick) -> str:
    """How far training is, in words.

    >>> headline(Tick(step=90, items=5760, seconds=3, progress=0.25, rate=1920, eta=9))
    ' 25%  step 90  1,920 items/s  9s to go'
    """
    rate = f"{tick.rate:,.0f}" if tick.rate >= 10 else f"{tick.rate:.1f}"
    parts = [f"{math.floor(100 * tick.progress):3d}%", f"step {tick.step:,}", f"{rate} items/s"]
    if tick.progress < 1 and math.isfinite(tick.eta):
        parts.append(f"{format_seconds(round(tick.eta))} to go")
    return "  ".join(parts)


def picture(tick: Tick, traces: dict[str, Trace], width: int) -> list[str]:
    """The live display as lines that fit a terminal's width."""
    lines = [bar(tick.progress, min(width, 60)), headline(tick)]
    name_width = max((len(name) for name in traces), default=0)
    for name, trace in traces.items():
        label, figure = name.ljust(name_width), f"{trace.last:10.4g}"
        room = min(width - len(label) - len(figure) - 2, 60)
        curve = sparkline(trace.values, room) if room >= 8 else ""
        lines.append(f"{label} {figure} {curve}")
    return [line[:width].rstrip() for line in lines]


def bar(progress: float, width: int) -> str:
    """A bar filled as far as training is.

    >>> bar(0.5, 8)
    '━━━━────'
    """
    filled = math.floor(min(max(progress, 0), 1) * width)
    return "━" * filled + "─" * (width - filled)


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve as one line of text, scaled to its own range; a value that is no number is ×.

    >>> sparkline([0, 1, 2, 3], 8)
    '▁▃▆█'
    """
    values = _merge(values, width)
    finite = sorted(v for v in values if math.isfinite(v))
    if not finite:
        return "×" * len(values)
    # The few highest values are cut off: the first losses would flatten all that comes after.
    low, high = finite[0], finite[math.ceil(0.95 * (len(finite) - 1))]
    return "".join(_block((v - low) / (high - low) if high > low else 0.0) for v in values)


def _block(share: float) -> str:
    if not math.isfinite(share):
        return "×"
    blocks = "▁▂▃▄▅▆▇█"
    return blocks[round(min(share, 1) * (len(blocks) - 1))]


def _merge(values: Sequence[float], width: int) -> list[float]:
    """At most `width` values, each the mean of its stretch."""
    if len(values) <= width:
        return list(values)
    edges = [i * len(values) // width for i in range(width + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
