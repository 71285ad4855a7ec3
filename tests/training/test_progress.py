import io
import math

import pytest
from rich.cells import cell_len

from ectype.training.progress import (
    LiveReporter,
    PlainReporter,
    Tick,
    Trace,
    picture,
    reporter_for,
    sparkline,
)


def tick(step=1, progress=0.5, **losses):
    return Tick(
        step=step,
        items=64 * step,
        seconds=step / 10,
        progress=progress,
        rate=1234.5,
        eta=75.0,
        losses=losses or {"generator/loss": 0.7},
    )


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_plain_lines_come_at_growing_intervals():
    now = 0.0
    stream = io.StringIO()
    reporter = PlainReporter(stream, clock=lambda: now)
    reporter.note("hello")
    times = []
    for second in range(200):
        now = float(second)
        before = stream.tell()
        reporter.tick(tick(step=second))
        if stream.tell() > before:
            times.append(second)
    reporter.close()
    assert times == [0, 1, 3, 7, 15, 31, 61, 91, 121, 151, 181]
    lines = stream.getvalue().splitlines()
    assert lines[0] == "hello"
    assert lines[1] == " 50%  step 0  1,234 items/s  1m15s to go  generator/loss 0.7"
    assert "step 199" in lines[-1], "the end is always told"


def test_plain_does_not_repeat_the_last_line():
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    reporter.tick(tick())
    reporter.close()
    assert len(stream.getvalue().splitlines()) == 1


def test_live_keeps_notes_as_they_are_and_gives_the_terminal_back(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")  # a dumb one has no cursor to hide
    stream = Terminal()
    reporter = LiveReporter(stream)
    reporter.note("a file named [red].png :smile:")
    reporter.tick(tick(step=1))
    reporter.note("between")
    reporter.tick(tick(step=2))
    reporter.close()
    reporter.close()
    output = stream.getvalue()
    assert "a file named [red].png :smile:" in output
    assert "between" in output
    assert "step 2" in output
    assert output.count("\x1b[?25l") == output.count("\x1b[?25h") == 1, "the cursor is shown again"


def test_live_forgets_a_training_that_has_ended():
    stream = Terminal()
    reporter = LiveReporter(stream)
    reporter.tick(tick(step=1))
    reporter.close()
    shown = len(stream.getvalue())
    reporter.tick(tick(step=2, **{"autoencoder/loss": 0.3}))
    reporter.close()
    assert "generator/loss" in stream.getvalue()[:shown]
    assert "generator/loss" not in stream.getvalue()[shown:]


def test_live_is_quiet_without_a_tick():
    stream = Terminal()
    LiveReporter(stream).close()
    assert stream.getvalue() == ""


def test_reporter_for_draws_only_where_it_can(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(reporter_for(Terminal()), LiveReporter)
    assert isinstance(reporter_for(io.StringIO()), PlainReporter)
    latin = Terminal()
    latin.encoding = "latin-1"
    assert isinstance(reporter_for(latin), PlainReporter)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(reporter_for(Terminal()), PlainReporter)


@pytest.mark.parametrize("width", [1, 10, 24, 40, 80, 200])
def test_the_picture_fits_any_width(width):
    traces = {"discriminator/loss": Trace(), "generator/loss": Trace()}
    for i in range(100):
        for trace in traces.values():
            trace.add(math.sin(i))
    lines = picture(tick(), traces, width)
    assert len(lines) == 4
    assert max(cell_len(line) for line in lines) <= width
    if width >= 80:
        assert "▁" in lines[-1]


def test_a_trace_covers_the_whole_run_in_bounded_memory():
    trace = Trace()
    n = 64 * Trace.limit
    for i in range(n):
        trace.add(i)
    assert len(trace.values) < Trace.limit
    assert trace.values[0] < n / 50
    assert trace.values[-1] > n - n / 50
    assert trace.values == sorted(trace.values)


@pytest.mark.parametrize(
    ("values", "curve"),
    [
        ([], ""),
        ([1.0], "▁"),
        ([2.0, 2.0], "▁▁"),
        ([0, 7], "▁█"),
        ([0, math.nan, 7], "▁×█"),
        ([math.inf, math.nan], "××"),
        ([0, 0, 7, 7], "▁▁██"),
    ],
)
def test_sparklines(values, curve):
    assert sparkline(values, 8) == curve


def test_a_sparkline_is_not_flattened_by_the_first_values():
    values = [1000.0] + [float(i % 8) for i in range(39)]
    assert set("▂▄▆█") <= set(sparkline(values, 40))
