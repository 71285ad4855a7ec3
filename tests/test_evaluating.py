"""`evaluate`: what it reads, what it compares, what it keeps, and what it says where it cannot."""

import json
import shutil

import numpy as np
import pytest

import ectype
from ectype import evaluating
from ectype.domains.base import Chosen, PrepareOptions
from ectype.errors import DataError, UsageError
from ectype.evaluating import judge
from ectype.exhibits import exhibits
from ectype.measures import features as spaces
from ectype.measures.features import FeatureSpace, register
from ectype.measures.frechet import frechet_distance
from ectype.measures.measure import Measure
from ectype.measures.suite import FeatureSets
from tests.contract.points import Points, ring
from tests.training.game import Notes

TINY = {"training.capacity": 1, "training.batch": 8, "vae.latent": 3, "vae.flow_steps": 2}


class PointFiles(Points):
    """Points that may also lie in a `.npy` file."""

    def prepare(self, source, settings, options):
        return super().prepare(self.points(source), settings, options)

    def read(self, source, spec):
        return super().read(self.points(source), spec)

    def points(self, source):
        return np.load(source) if not isinstance(source, np.ndarray | tuple) else source


@pytest.fixture(autouse=True)
def _as_many_samples_as_held_out_items(monkeypatch):
    monkeypatch.setattr(evaluating, "FEWEST_SAMPLES", 0)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A run of points in a file, and the file."""
    folder = tmp_path_factory.mktemp("original")
    np.save(folder / "points.npy", ring(300)[0])
    run = ectype.fit(
        folder / "points.npy",
        model="vae",
        steps=20,
        out=folder / "run",
        domain=PointFiles(),
        settings=TINY,
        device="cpu",
    )
    return run.path, folder / "points.npy"


@pytest.fixture
def run(original, tmp_path, monkeypatch):
    """A copy of that run, which a test may spoil."""
    monkeypatch.setenv("ECTYPE_CACHE", str(tmp_path / "cache"))
    return load(shutil.copytree(original[0], tmp_path / "copy"))


def load(path, **more):
    return ectype.load(path, domain=more.pop("domain", PointFiles()), device="cpu", **more)


def dataset_of(run):
    return run.domain.prepare(run.source, None, PrepareOptions())


def test_samples_are_compared_with_the_test_part(run):
    found = run.evaluate()
    held_out = dataset_of(run).part("test")[0]
    samples = run.sample(30, seed=0).data
    assert found.report.n == found.report.held_out_n == len(held_out) == 30
    assert found["frechet"].value == pytest.approx(frechet_distance(samples, held_out), rel=1e-9)
    assert found["frechet"].features == "values"
    assert all(isinstance(measure, Measure) for measure in found.values())


def test_more_samples_than_held_out_items(run):
    found = run.evaluate(n=100)
    assert (found.report.n, found.report.held_out_n) == (100, 30)
    assert (found["frechet"].n, found["near_copies"].n) == (30, 100)


def test_copies_are_sought_among_all_training_items_however_few_samples_there_are(run):
    train = dataset_of(run).part("train")[0]
    run.sample_blocks = lambda n, seed: iter([(np.resize(train[-7:], (n, *train.shape[1:])), None)])
    found = run.evaluate(n=14)
    assert len(train) > 28
    assert found["near_copies"].value == 1
    assert found["near_copies"].interval == pytest.approx((0.785, 1.0), abs=1e-3)


def test_two_evaluations_agree(run):
    assert run.evaluate().to_json() == run.evaluate().to_json()


def test_judge_reads_the_part_it_is_told(run):
    dataset = dataset_of(run)
    part = dataset.part("validation")[0]
    measures = judge(run, dataset, "validation", n=30, seed=3)
    expected = frechet_distance(run.sample(30, seed=3).data, part)
    assert measures["frechet"].value == pytest.approx(expected, rel=1e-9)


def test_the_report_is_in_the_run(run):
    found = run.evaluate(n=20)
    written = json.loads((run.path / "report.json").read_text())
    assert written == json.loads(json.dumps(found.to_json()))
    assert written["measures"]["frechet"]["n"] == 20
    assert (run.path / "report.html").stat().st_size
    assert run.path.name in (run.path / "README.md").read_text()
    files = [file for exhibit in found.report.exhibits for file in exhibit.files]
    assert all(file.is_relative_to(run.path) and file.stat().st_size for file in files)


def test_how_far_it_is_is_told(run):
    told = Notes()
    ectype.evaluate(run, n=20, reporter=told)
    assert "drawing 20 samples …" in told.notes
    assert "features of 20 held-out items …" in told.notes


# --- which data ---------------------------------------------------------------------------


def test_a_run_knows_where_its_data_are(original):
    path, points = original
    assert load(path).source == str(points)
    assert json.loads((path / "config.json").read_text())["source"] == str(points)


def test_data_in_memory_are_known_to_the_run_that_fit_returns(tmp_path):
    points = ring(150)[0]
    asked = {"domain": Points(), "out": tmp_path / "run", "settings": TINY, "device": "cpu"}
    run = ectype.fit(points, model="vae", steps=2, **asked)
    assert run.evaluate().report.n == 15
    later = load(run.path, domain=Points())
    with pytest.raises(UsageError, match="does not say where its data are") as error:
        later.evaluate()
    assert f"ectype evaluate {run.path} DATA" in str(error.value.hint)
    assert later.evaluate(points).to_json() == run.evaluate().to_json()


def test_data_that_moved(original, run, tmp_path):
    moved = shutil.copy(original[1], tmp_path / "moved.npy")
    run.source = str(tmp_path / "nothing.npy")
    with pytest.raises(UsageError, match="not there any more") as error:
        run.evaluate()
    assert error.value.where == run.source
    assert "DATA" in str(error.value.hint)
    found = run.evaluate(moved)
    assert found.measures == load(original[0]).evaluate().measures


def test_data_that_changed(run, tmp_path):
    run.source = str(tmp_path / "changed.npy")
    np.save(run.source, ring(300, seed=9)[0])
    for named in (None, run.source):  # named, too: the training items may be among them
        with pytest.raises(UsageError, match="not those that the run was made with") as error:
            run.evaluate(named)
        assert error.value.where == run.source


def test_further_data_are_held_out_but_what_was_trained_on(run):
    dataset = dataset_of(run)
    unseen = ring(40, seed=5)[0]
    mixed = np.concatenate([dataset.part("train")[0][:7], unseen])
    told = Notes()
    found = ectype.evaluate(run, mixed, reporter=told)
    assert "7 of 47 items are left out: the model was trained on them" in told.notes
    samples = run.sample(40, seed=0).data
    assert found["frechet"].value == pytest.approx(frechet_distance(samples, unseen), rel=1e-9)
    assert found["nearer_to_train"].n == 40
    with pytest.raises(DataError, match="0 items that the model has not seen"):
        run.evaluate(dataset.part("train")[0])


def test_labels_of_further_data_count(tmp_path):
    run = ectype.fit(
        ring(300, modes=2),
        model="vae",
        steps=20,
        out=tmp_path / "run",
        domain=PointFiles(),
        settings=TINY,
        device="cpu",
    )
    points, labels = ring(60, modes=2, seed=5)
    told = Notes()
    found = ectype.evaluate(run, (points, labels), reporter=told)
    own = run.evaluate()
    assert {"label_fidelity", "reconstruction_frechet"} <= set(found) == set(own)
    assert found["label_fidelity"].floor == 1, "real items have the labels they came with"
    without = ectype.evaluate(run, points, reporter=told)
    assert not {"label_fidelity", "reconstruction_frechet"} & set(without)
    [note] = [note for note in told.notes if note.endswith("figures of labels are left out")]
    assert note.startswith("not all items have labels that the model knows")


def test_without_training_data_there_are_no_floors_and_nothing_about_copies(run):
    run.source = None
    told = Notes()
    found = ectype.evaluate(run, ring(40, seed=5)[0], reporter=told)
    assert any("the training data are not at hand" in note for note in told.notes)
    assert not {"nearer_to_train", "near_copies"} & set(found)
    assert found["frechet"].floor is None
    assert not {"near_copies", "neighbours"} & {e.key for e in found.report.exhibits}


def test_too_little_to_measure(run):
    with pytest.raises(UsageError, match="11 items measure nothing"):
        run.evaluate(n=11)
    with pytest.raises(DataError, match="11 items that the model has not seen are too few"):
        run.evaluate(ring(11, seed=5)[0])
    dataset = dataset_of(run)
    dataset.parts["test"] = dataset.parts["test"][:5]
    with pytest.raises(DataError, match="5 items in the test part") as error:
        judge(run, dataset, "test", n=100)
    assert "data.test" in str(error.value.hint)


# --- feature spaces -----------------------------------------------------------------------


@pytest.fixture
def doubled(monkeypatch):
    """A feature space of fixed length; gives the sizes of what it was asked for."""
    asked = []

    def extract(items, /, *, device="cpu"):
        asked.append(len(items))
        return np.float32(2) * items

    monkeypatch.setattr(spaces, "_spaces", dict(spaces._spaces))
    register(FeatureSpace(name="doubled", dim=2, extract=extract))
    monkeypatch.setattr(PointFiles, "feature_spaces", ("values", "doubled"))
    return asked


def test_a_space_is_chosen_by_call_or_setting(run, doubled):
    plain = run.evaluate()
    by_call = run.evaluate(features="doubled")
    by_setting = load(run.path, settings=["evaluation.features=doubled"]).evaluate()
    assert by_call.measures == by_setting.measures
    assert by_call.report.features == by_call["frechet"].features == "doubled"
    assert by_call["frechet"].value == pytest.approx(4 * plain["frechet"].value, rel=1e-5)
    with pytest.raises(UsageError, match="no feature space “pixels”") as error:
        run.evaluate(features="pixels")
    assert error.value.hint == "known: values, doubled"


def test_features_of_real_items_are_kept(run, doubled):
    first = run.evaluate(features="doubled")
    assert sum(doubled) == 240 + 4 * 30 - 30, "training and held-out items, samples, copies"
    doubled.clear()
    second = run.evaluate(features="doubled")
    assert sum(doubled) == 30 + 30, "samples and copies"
    assert second.measures == first.measures


def test_copies_are_sought_in_further_spaces_too(run, doubled, monkeypatch):
    """One that forgets all but the first coordinate finds copies where there are none."""
    register(FeatureSpace(name="flat@1", dim=None, extract=lambda x, device="cpu": x[:, :1]))
    plain = run.evaluate()
    monkeypatch.setattr(PointFiles, "copy_spaces", ("values", "flat@1"))
    both = run.evaluate()
    assert set(both) - set(plain) == {"near_copies_flat"}
    samples, train = run.sample(30).data, dataset_of(run).part("train")[0]
    distance = np.sort(np.abs(samples[:, :1] - train[:, 0]), axis=1)
    expected = (distance[:, 0] < 0.5 * distance[:, 1:11].mean(1)).mean()
    assert both["near_copies_flat"].value == pytest.approx(expected)
    assert both["near_copies_flat"].features == "flat@1"
    caption = next(e for e in both.report.exhibits if e.key == "near_copies").caption
    assert "in flat@1" in caption


def test_enough_samples_are_drawn_to_see_copies(run, monkeypatch):
    monkeypatch.setattr(evaluating, "FEWEST_SAMPLES", 70)
    found = run.evaluate()
    assert (found.report.n, found.report.held_out_n) == (70, 30)
    assert found["near_copies"].n == 70
    assert found["frechet"].n == 30


def test_a_domain_adds_its_own_measures(run):
    given = []

    class Own(PointFiles):
        def own_measures(self, generated, reference, train, spec):
            given.extend([generated, np.asarray(reference), train, spec])
            return {"radius": Measure(value=1.5, better="lower", n=len(generated))}

    own = load(run.path, domain=Own())
    assert own.evaluate()["radius"].value == 1.5
    generated, reference, train, spec = given
    dataset = dataset_of(run)
    np.testing.assert_array_equal(generated, run.sample(30).data)
    assert {*map(tuple, reference)} == {*map(tuple, dataset.part("test")[0])}
    assert len(train) == len(dataset.parts["train"])
    assert spec == run.spec


# --- exhibits -----------------------------------------------------------------------------


def test_near_copies_are_shown_above_what_they_copy(run):
    drawn = {}

    class Watching(PointFiles):
        def preview(self, samples, spec, path, columns=None):
            drawn[path.name] = (np.asarray(samples), columns)
            return super().preview(samples, spec, path, columns)

    dataset = dataset_of(run)
    train, test = (Chosen(dataset.items, dataset.parts[part]) for part in ("train", "test"))
    generated = run.sample(30).data + 10  # far from everything, but for two
    generated[[4, 17]] = train[[50, 3]]
    sets = FeatureSets(space="values", generated=generated, reference=test[:], train=train[:])
    shown = exhibits(
        load(run.path, domain=Watching()),
        [sets],
        generated=generated,
        reference=test,
        train=train,
        copies=generated[::-1],
    )
    assert [exhibit.key for exhibit in shown] == [
        *("samples", "real", "near_copies", "neighbours"),
        *("interpolation", "reconstruction", "previews"),
    ]
    items, columns = drawn["near-copies"]
    assert columns == 2
    np.testing.assert_array_equal(items[:2], generated[[4, 17]])
    np.testing.assert_array_equal(items[2:], items[:2])
    assert "2 of 30" in shown[2].caption
    nearest = [np.linalg.norm(train[:] - g, axis=1).argmin() for g in generated[:8]]
    np.testing.assert_array_equal(drawn["neighbours"][0][:8], generated[:8])
    np.testing.assert_array_equal(drawn["neighbours"][0][8:16], train[nearest])
    np.testing.assert_array_equal(drawn["reconstruction"][0][8:16], generated[::-1][:8])
    assert len(drawn["samples"][0]) == len(drawn["real"][0]) == 30


def test_chosen_items_are_read_in_their_order():
    items, labels = np.arange(10) * 10, np.arange(10) % 3
    chosen = Chosen(items, np.array([7, 2, 5]), labels)
    assert [*chosen[:2]] == [70, 20]
    assert [*chosen[[2, 0]]] == [50, 70]
    assert [*np.asarray(chosen)] == [70, 20, 50]
    assert chosen.labels is not None
    assert [*chosen.labels] == [1, 2, 2]
    assert [*chosen.first(1)[:]] == [70]
    assert len(chosen.first(9)) == 3
    assert Chosen(items, np.array([1])).labels is None
