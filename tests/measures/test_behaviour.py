"""Every measure sees what it is meant to see: the table of docs/measures.md, made here.

`ECTYPE_WRITE_DOCS=1 pytest tests/measures/test_behaviour.py` writes it anew.
"""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ectype.demo.image import read_digits
from ectype.measures.features import Features, feature_space
from ectype.measures.measure import Measure
from ectype.measures.suite import FeatureSets, measure_features

PAGE = Path(__file__).parents[2] / "docs" / "measures.md"
BEGIN, END = "<!-- table: tests/measures/test_behaviour.py -->\n", "<!-- end of table -->"

SPACE = "efficientnet-lite0@128"
N, TRAIN = 300, 600

#: What each set is caught by, at the least.
CAUGHT_BY = {
    "new reals": (),
    "blurred reals": ("frechet", "kid", "precision", "density", "two_sample_auc"),
    "noise": ("frechet", "kid", "precision", "density", "two_sample_auc"),
    "one sample repeated": ("frechet", "kid", "recall", "coverage", "diversity"),
    "half the labels": ("frechet", "kid", "recall", "coverage", "diversity", "two_sample_auc"),
    "copies of training items": ("nearer_to_train", "near_copies"),
}
COPYING = {"nearer_to_train", "near_copies"}
DIGITS = {"frechet": 1, "kid": 3, "diversity": 1}

Measured = dict[str, dict[str, Measure]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured() -> Measured:
    """Figures of each set, by name."""
    digits, labels = read_digits()
    order = np.random.default_rng(0).permutation(len(digits))
    digits, labels = digits[order][..., None], labels[order]
    train, reference, rest = np.split(digits, [TRAIN, TRAIN + N])
    few = rest[labels[TRAIN + N :] < 5]
    extract = feature_space(SPACE).extract
    seen, unseen = extract(train), extract(reference)
    new = extract(rest[:N])
    noise = np.random.default_rng(1).integers(0, 256, (N, *rest.shape[1:]), dtype=np.uint8)
    generated: dict[str, Features] = {
        "new reals": new,
        "blurred reals": extract(blurred(rest[:N])),
        "noise": extract(noise),
        "one sample repeated": np.repeat(new[:1], N, axis=0),
        "half the labels": extract(few[:N]),
        "copies of training items": seen[:N],
    }
    assert list(generated) == list(CAUGHT_BY)
    return {
        name: measure_features(
            FeatureSets(space=SPACE, generated=features, reference=unseen, train=seen)
        )
        for name, features in generated.items()
    }


def blurred(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blur (n, height, width, 1) by a Gaussian of one pixel."""
    blur = ImageFilter.GaussianBlur(1)
    return np.stack([np.asarray(Image.fromarray(x[..., 0]).filter(blur)) for x in images])[
        ..., None
    ]


def worse(measure: Measure) -> bool:
    """Whether the floor lies outside the interval, on the better side; above, for a share."""
    assert measure.interval is not None
    assert measure.floor is not None
    low, high = measure.interval
    return high < measure.floor if measure.better == "higher" else low > measure.floor


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_each_set_is_caught_by_the_measures_meant_for_it(measured: Measured, name: str):
    for key in CAUGHT_BY[name]:
        assert worse(measured[name][key]), (key, measured[name][key])


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_copying_is_seen_by_its_own_measures_and_they_see_nothing_else(
    measured: Measured, name: str
):
    blind = set(measured[name]) - COPYING if name == "copies of training items" else COPYING
    assert not [key for key in blind if worse(measured[name][key])]


def test_new_reals_are_on_the_floor(measured: Measured):
    for key, measure in measured["new reals"].items():
        assert measure.interval is not None
        assert measure.floor is not None
        reach = measure.interval[1] - measure.interval[0]  # value and floor each have their chance
        assert abs(measure.value - measure.floor) <= reach, key


def printed_figure(value: float, places: int) -> str:
    """Print without the sign of -0."""
    return f"{round(value, places) + 0.0:.{places}f}"


def table(measured: Measured) -> str:
    """Lay the figures out, what catches a set in bold."""
    lines = [["", "floor", *measured]]
    for key, first in measured["new reals"].items():
        places = DIGITS.get(key, 2)
        line = [f"`{key}`", printed_figure(first.floor or 0.0, places)]
        for name, measures in measured.items():
            figure = printed_figure(measures[key].value, places)
            if key == "nearer_to_train":  # whose interval is the point of it
                low, high = (printed_figure(end, places) for end in measures[key].interval or ())
                figure = f"{figure} ({low} to {high})"
            line.append(f"**{figure}**" if key in CAUGHT_BY[name] else figure)
        lines.append(line)
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def test_the_table_in_the_docs_is_this_one(measured: Measured):
    """Word for word, and figure for figure to 2 of the last digit: processors round otherwise."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    printed, after = rest.split(END)
    made = table(measured)
    if os.environ.get("ECTYPE_WRITE_DOCS"):
        PAGE.write_text(f"{before}{BEGIN}{made}{END}{after}")
        return
    figure = re.compile(r"(?<=[ *(])-?\d+\.(\d+)")
    assert figure.sub("#", printed) == figure.sub("#", made)
    for there, here in zip(figure.finditer(printed), figure.finditer(made), strict=True):
        unit = 10.0 ** -len(there[1])
        assert float(there[0]) == pytest.approx(float(here[0]), abs=2.5 * unit, rel=0.01)
