"""The figures together: names, floors, sizes, and what each hangs on."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ectype.errors import DataError
from ectype.measures.frechet import frechet_distance
from ectype.measures.intervals import choice, share_interval
from ectype.measures.linear import RIDGE
from ectype.measures.measure import Measure
from ectype.measures.suite import FeatureSets, label_fidelity, measure_features

NAMES = [
    *("frechet", "kid", "precision", "recall", "density", "coverage", "two_sample_auc"),
    *("diversity", "nearer_to_train", "near_copies"),
]


def points(n: int, d: int = 24, seed: int = 0, shift: float = 0) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, d), dtype=np.float32) + np.float32(shift)


def sets(generated: NDArray[np.float32], held_out: int = 100, train: int = 300) -> FeatureSets:
    return FeatureSets(
        space="points",
        generated=generated,
        reference=points(held_out, seed=101),
        train=points(train, seed=102),
    )


@pytest.fixture(scope="module")
def honest() -> dict[str, Measure]:
    return measure_features(sets(points(150)))


def test_every_measure_has_its_name_floor_interval_and_space(honest: dict[str, Measure]):
    assert list(honest) == NAMES
    for name, measure in honest.items():
        assert measure.floor is not None
        assert measure.interval is not None
        low, high = measure.interval
        assert low <= measure.value <= high, name
        assert measure.features == "points"
        assert measure.n == (150 if name in ("nearer_to_train", "near_copies") else 100)


def test_real_against_real_sits_on_the_floor(honest: dict[str, Measure]):
    for name, measure in honest.items():
        assert measure.interval is not None
        assert measure.floor is not None
        low, high = measure.interval
        reach = 1.5 * (high - low)  # value and floor each have their own chance
        assert abs(measure.value - measure.floor) <= reach, name


def test_figures_and_floors_are_those_of_equal_numbers():
    given = sets(points(150, shift=1), train=180)
    assert given.train is not None
    found = measure_features(given, seed=3)
    generator = np.random.default_rng(3)
    generated, reference, train = (
        x[choice(len(x), 100, generator)] for x in (given.generated, given.reference, given.train)
    )
    assert found["frechet"].value == frechet_distance(generated, reference)
    assert found["frechet"].floor == frechet_distance(train, reference)


@pytest.mark.parametrize(("held_out", "samples", "blocks"), [(100, 350, 3), (30, 400, 8)])
def test_where_little_is_held_out_figures_are_means_over_blocks(
    held_out: int, samples: int, blocks: int
):
    given = sets(points(samples), held_out=held_out, train=samples)
    assert given.train is not None
    found = measure_features(given, seed=3)
    generator = np.random.default_rng(3)
    drawn = generator.permutation(samples)[: blocks * held_out].reshape(blocks, held_out)
    reference = given.reference[generator.permutation(held_out)]
    for name, kept in (("value", given.generated), ("floor", given.train)):
        if name == "floor":
            drawn = generator.permutation(samples)[: blocks * held_out].reshape(blocks, held_out)
        expected = np.mean([frechet_distance(kept[block], reference) for block in drawn])
        assert getattr(found["frechet"], name) == pytest.approx(expected, rel=1e-6)
    assert found["frechet"].n == held_out


def test_models_measured_on_the_same_items_are_told_apart_by_their_deviations():
    """Their difference knows nothing of which items were held out, as their intervals do."""
    first, second = (
        measure_features(sets(points(240, seed=seed, shift=1), held_out=30))["frechet"]
        for seed in (1, 2)
    )
    alone = np.std(first.deviations, ddof=1)
    assert first.interval is not None
    assert first.interval[1] - first.value == pytest.approx(1.96 * alone)
    assert np.std(np.subtract(first.deviations, second.deviations), ddof=1) < 0.7 * alone


def test_a_seed_fixes_every_figure(honest: dict[str, Measure]):
    assert measure_features(sets(points(150))) == honest
    assert measure_features(sets(points(150)), seed=1) != honest


def test_copies_are_seen_by_the_two_figures_that_look_for_them():
    given = sets(points(150))
    assert given.train is not None
    found = measure_features(dataclasses.replace(given, generated=given.train[:150]))
    copies, nearer = found["near_copies"], found["nearer_to_train"]
    assert (copies.value, copies.floor, nearer.value) == (1, 0, 1)
    assert nearer.interval is not None
    assert nearer.interval[0] > 0.6


def test_without_training_items_there_is_no_floor_and_no_search_for_copies(
    honest: dict[str, Measure],
):
    found = measure_features(dataclasses.replace(sets(points(150)), train=None))
    assert list(found) == NAMES[:-2]
    for name, measure in found.items():
        assert measure == dataclasses.replace(honest[name], floor=None)


def test_too_few_items_are_refused_by_name():
    assert list(measure_features(sets(points(12), held_out=12))) == NAMES
    with pytest.raises(DataError, match="20 generated, 11 held-out, 300 training items"):
        measure_features(sets(points(20), held_out=11))


def test_json_of_a_measure():
    measure = Measure(value=0.5, better="0.5", n=7, interval=(0.25, 0.75), features="points")
    plain = {"value": 0.5, "floor": None, "interval": [0.25, 0.75], "n": 7}
    assert measure.to_json() == {**plain, "features": "points", "better": "0.5"}
    noted = dataclasses.replace(measure, interval=None, note="A sentence.").to_json()
    assert (noted["interval"], noted["note"]) == (None, "A sentence.")


def test_label_fidelity_is_the_accuracy_of_a_classifier_of_real_items():
    centres = np.float32(1.2) * points(5, seed=9)

    def draw(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        labels = np.random.default_rng(seed).integers(0, 5, n)
        return np.add(points(n, seed=seed), centres[labels], dtype=np.float32), labels

    (train, a), (generated, b), (reference, c) = draw(400, 1), draw(200, 2), draw(150, 3)
    wrong = b.copy()
    wrong[:100] = (wrong[:100] + 1) % 5
    scaler = StandardScaler().fit(train.astype(np.float64))
    classifier = LogisticRegression(C=1 / (400 * RIDGE), tol=1e-8).fit(scaler.transform(train), a)
    for asked in (b, wrong):
        found = label_fidelity(train, a, generated, asked, reference, c, space="points")
        assert found.value == classifier.score(scaler.transform(generated), asked)
        assert found.floor == classifier.score(scaler.transform(reference), c)
        assert (found.better, found.n, found.features) == ("higher", 200, "points")
        assert found.interval is not None
        assert found.interval == share_interval(found.value, 200)
