"""The words follow from the figures, for models whose worth is known."""

import math

import pytest

from ectype.measures.measure import Measure
from ectype.report import verdict
from tests.report.examples import SPACE, change, measures


@pytest.mark.parametrize(
    ("values", "headline"),
    [
        ({}, "The samples are convincing and as varied as the data."),
        (  # ours, docs/benchmarks.md
            {
                "frechet": 176.6,
                "precision": 0.792,
                "recall": 0.331,
                "density": 0.687,
                "coverage": 0.558,
            },
            "Most samples are convincing, but they show only part of the variety of the data.",
        ),
        (  # DCGAN, in the same table
            {
                "frechet": 382.2,
                "precision": 0.725,
                "recall": 0.056,
                "density": 0.490,
                "coverage": 0.217,
            },
            "Some samples are convincing, many are not, and they repeat a small part of the data "
            "over and over.",
        ),
        (  # one real item again and again
            {"frechet": 300.0, "density": 1.4, "recall": 0.0, "coverage": 0.002, "diversity": 1.0},
            "Most samples are convincing, but they repeat a small part of the data over and over.",
        ),
        (  # half of the classes missing
            {"frechet": 90.0, "recall": 0.45, "coverage": 0.5},
            "The samples are convincing, but they show only part of the variety of the data.",
        ),
        (  # noise
            {"frechet": 2000.0, "precision": 0.0, "density": 0.0, "recall": 0.0, "coverage": 0.0},
            "The samples do not look like the data yet.",
        ),
        (  # noise inside the wide neighbourhoods of a few outliers
            {"frechet": 2000.0, "precision": 1.0, "density": 1.0},
            "Some samples are convincing, many are not. They are as varied as the data.",
        ),
        (  # many agreeable samples
            {"frechet": 200.0, "recall": 0.6, "precision": 0.7},
            "Most samples are convincing and nearly as varied as the data.",
        ),
    ],
)
def test_headlines(values, headline):
    said = verdict(measures(**values))
    assert said.headline == headline
    assert not said.copying
    assert any("no sign of copying" in sentence for sentence in said.sentences)


@pytest.mark.parametrize(
    ("values", "headline"),
    [
        ({"near_copies": 1.0, "nearer_to_train": 1.0}, "This model copies its training data."),
        ({"near_copies": 0.2}, "This model copies its training data."),
        ({"nearer_to_train": 0.8}, "This model copies its training data."),
        ({"near_copies": 0.03}, "Some samples are near copies of training data."),
        ({"nearer_to_train": 0.66}, "The samples keep too close to the training data."),
    ],
)
def test_copying_comes_first(values, headline):
    said = verdict(measures(**values))
    assert said.copying
    assert said.headline == headline
    assert "training data" in said.sentences[0]
    assert not any("no sign of copying" in sentence for sentence in said.sentences)
    assert any(
        s.endswith("says little: the samples are convincing and as varied as the data.")
        for s in said.sentences
    )


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        # within what the data themselves repeat
        ("near_copies", {"value": 0.3, "floor": 0.3, "interval": (0.28, 0.32)}),
        # more than the floor, but by chance as well as not
        ("near_copies", {"value": 0.05, "interval": (0.0, 0.1)}),
        # 7 of 10, without an interval: two standard errors reach down to 0.41
        ("nearer_to_train", {"value": 0.7, "interval": None, "n": 10}),
        # a lean that every trained model has
        ("nearer_to_train", {"value": 0.56, "interval": (0.54, 0.58)}),
    ],
)
def test_what_chance_or_the_data_explain_is_no_copying(name, fields):
    assert not verdict(change(measures(), name, **fields)).copying


def test_rare_copies_are_told_though_they_do_not_make_the_headline():
    said = verdict(change(measures(), "near_copies", value=0.008, interval=(0.005, 0.011)))
    assert not said.copying
    assert any(
        sentence.startswith("Copies are rare, but there are some. Of the samples, fewer than 1")
        for sentence in said.sentences
    )


def test_a_frechet_distance_never_stands_without_its_features():
    sentences = [s for s in verdict(measures(frechet=60.0)).sentences if "Fréchet" in s]
    assert sentences == [
        "Taken together, the samples are close to real data: the Fréchet distance in "
        f"{SPACE} features is 60.0, 1.3 times the 47.4 that other real data have."
    ]


def test_measures_that_rest_on_less_raise_no_doubt_where_the_verdict_needs_none_of_them():
    few = {"elbo": Measure(value=-3.0, better="higher", n=500)}
    assert verdict({**measures(), **few}) == verdict(measures())


def test_labels_and_pairs_are_told():
    found = measures(two_sample_auc=0.93)
    found["label_fidelity"] = Measure(value=0.92, better="higher", n=5000, floor=0.95)
    text = " ".join(verdict(found).sentences)
    assert "a classifier sorts 93 in 100 rightly" in text
    assert "92 in 100 are recognised; of real data, 95 in 100." in text


@pytest.mark.parametrize(
    ("found", "doubt"),
    [
        (measures(n=300), "Only 300 items"),
        (change(measures(), "recall", interval=(0.7, 0.95)), "uncertain: recall (0.700 to 0.950)."),
        (change(measures(), "frechet", interval=(40.0, 60.0)), "uncertain: Fréchet distance"),
        (change(measures(), "recall", floor=0.3), "a recall of only 0.300"),
        (change(measures(), "two_sample_auc", floor=0.8), "can be told apart (AUC 0.800)"),
        (change(measures(), "near_copies", floor=0.05), "5 in 100 held-out items are near copies"),
        (change(measures(), "precision", features="pixels"), "compare pixels one by one"),
        (measures(recall=None, coverage=None), "not measured how varied the samples are."),
        (measures(near_copies=None), "Not measured: near copies."),
        (change(measures(), "frechet", floor=None), "real data beside it: Fréchet distance."),
        ({}, "not measured whether the samples are copies."),
    ],
)
def test_doubts(found, doubt):
    assert any(doubt in said for said in verdict(found).doubts), verdict(found).doubts


def test_a_sound_evaluation_raises_no_doubt_but_that_of_its_features():
    (doubt,) = verdict(measures()).doubts
    assert "trained on photographs" in doubt
    plain = {
        k: Measure(value=m.value, better=m.better, n=m.n, floor=m.floor)
        for k, m in measures().items()
    }
    assert verdict(plain).doubts == ()


@pytest.mark.parametrize("name", list(measures()))
def test_every_measure_may_be_missing_or_not_a_number(name):
    """One that is not a number says as much as one that is not there."""
    without, nan = measures(5000, **{name: None}), change(measures(), name, value=math.nan)
    assert verdict(nan) == verdict(without)


def test_without_figures_there_is_no_verdict():
    own = {"stripe_trends": Measure(value=0.8, better="higher", n=5000)}
    for found in ({}, own):
        said = verdict(found)
        assert said.headline == "There are too few figures for a verdict."
        assert said.sentences == ()
        assert not said.copying


def test_a_frechet_distance_alone_judges_quality():
    alone = {"frechet": measures()["frechet"]}
    assert verdict(alone).headline == "The samples are convincing."
