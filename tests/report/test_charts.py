"""What is drawn stands where the numbers say."""

import itertools
import re

import pytest

from ectype.measures.measure import Measure
from ectype.report import charts
from ectype.report.charts import Series


def curves(svg):
    """The points of each curve, as they are drawn."""
    paths = re.findall(r'<path class="curve c(\d)" d="M([^"H]+)"/>', svg)
    return [
        (int(style), [tuple(map(float, point.split())) for point in path.split("L")])
        for style, path in paths
    ]


def test_a_curve_goes_through_its_points():
    """The frame is 50 to 430 across and 190 to 10 up; the axes end at 0 and 10."""
    series = [Series("a", ((0.0, 0.0), (5.0, 10.0), (10.0, 2.5)))]
    svg = charts.line_chart(series, title="t", x_label="time", x_limits=(0.0, 10.0))
    assert curves(svg) == [(0, [(50.0, 190.0), (240.0, 10.0), (430.0, 145.0)])]


def test_ticks_stand_at_their_values():
    series = [Series("a", ((0.0, 0.0), (4.0, 10.0)))]
    svg = charts.line_chart(series, title="t", x_label="time", x_limits=(0.0, 4.0))
    texts = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">([^<]+)<', svg)
    up = {
        label: float(y) - 4 for _, y, anchor, label in texts if anchor == "end" and label != "time"
    }
    across = {label: float(x) for x, _, anchor, label in texts if anchor == "middle"}
    assert up == {"0": 190, "2": 154, "4": 118, "6": 82, "8": 46, "10": 10}
    assert across == {"0": 50, "1": 145, "2": 240, "3": 335, "4": 430}


def test_a_spike_meets_the_frame_and_leaves_the_rest_readable():
    points = tuple((float(k), 1e6 if k == 50 else float(k % 10)) for k in range(100))
    svg = charts.line_chart([Series("a", points)], title="t", x_label="x", x_limits=(0.0, 99.0))
    ((_, drawn),) = curves(svg)
    heights = [y for _, y in drawn]
    assert min(heights) == heights[50] == 10
    assert max(heights) - sorted(heights)[1] > 100


def test_a_single_point_is_a_dot():
    svg = charts.line_chart([Series("a", ((1.0, 3.0),))], title="t", x_label="x", x_limits=(0, 2))
    assert '<circle class="curve c0" cx="240.0" cy="100.0"' in svg


@pytest.mark.parametrize(
    ("low", "high"), [(0.3, 9.2), (-1000, 420), (1e-7, 3e-7), (1e6, 1e6 + 1), (5, 5), (0, 0)]
)
def test_ticks_are_few_round_even_and_around_the_values(low, high):
    ticks = charts.nice_ticks(low, high)
    steps = {float(f"{b - a:.6g}") for a, b in itertools.pairwise(ticks)}
    assert 2 <= len(ticks) <= 6
    assert ticks[0] <= low <= high <= ticks[-1]
    assert len(steps) == 1
    assert re.fullmatch(r"[125]\.0+e[+-]\d+", f"{steps.pop():.5e}")
    labels = [charts.tick_text(tick, ticks) for tick in ticks]
    assert len(set(labels)) == len(ticks)


def test_learning_curves_have_a_chart_a_player_and_one_axis_of_time():
    log = [
        {
            "seconds": 60.0 * k,
            "losses": {"critic/loss": k + 1.0, "critic/penalty": 2.0 + k},
            "measures": {"score": 3.0} if k == 2 else {},
        }
        for k in range(4)
    ]
    last = {"prior/loss": 7.0, "critic/loss": None}
    log.append({"seconds": 240.0, "losses": last, "measures": {}})
    critic, prior, validation = charts.learning_curves(log)
    assert ">Critic<" in critic
    assert ">Prior<" in prior
    assert [style for style, _ in curves(critic)] == [0, 1]
    ((_, loss), _) = curves(critic)
    assert [x for x, _ in loss] == [50.0, 145.0, 240.0, 335.0]  # the null is left out
    assert "training time, minutes" in prior
    assert 'cx="430.0"' in prior
    assert ">Validation<" in validation
    assert 'cx="240.0"' in validation


def test_losses_of_other_sizes_get_their_own_charts():
    log = [
        {
            "seconds": float(k),
            "losses": {"vae/reconstruction": 400.0, "vae/kl": 5.0, "vae/b": -90.0},
        }
        for k in range(3)
    ]
    together = [re.findall(r"</svg>(\w+)</li>", chart) for chart in charts.learning_curves(log)]
    assert together == [["reconstruction", "b"], ["kl"]]


def test_a_run_of_no_time_is_drawn():
    (chart,) = charts.learning_curves([{"seconds": 0.0, "losses": {"a/loss": 2.0}}])
    assert 'cx="50.0" cy="100.0"' in chart


def test_no_log_no_charts():
    assert charts.learning_curves([]) == []


def test_a_bar_shows_value_floor_and_interval():
    """Shares are drawn from 0 to 1, which is 7 to 125 across."""
    svg = charts.measure_bar(
        Measure(value=0.5, better="higher", n=9, floor=1.0, interval=(0.25, 0.75))
    )
    assert 'class="value" cx="66.0"' in svg
    assert 'class="floor" d="M125.0 ' in svg
    assert 'class="band" x="36.5" y="7" width="59.0"' in svg


@pytest.mark.parametrize(
    "lone",
    [
        Measure(value=3.0, better="lower", n=9, interval=(2.0, 4.0)),
        Measure(value=float("nan"), better="lower", n=9, floor=1.0),
        Measure(value=1.0, better="lower", n=9, floor=1.0, interval=(0.0, float("inf"))),
    ],
)
def test_where_there_is_nothing_to_compare_there_is_no_bar(lone):
    assert charts.measure_bar(lone) == ""
