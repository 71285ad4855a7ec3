"""`compare` from its call to its folder; training and measuring are played by `Stage`."""

import dataclasses
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

import ectype
from ectype.choose import comparing, contest
from ectype.config import format_seconds, setting
from ectype.domains.base import Spec
from ectype.errors import DataError, DivergedError, InterruptedRun, StorageError, UsageError
from ectype.folder import RunFolder
from ectype.training import clock as training_clock
from tests.choose.figures import measures
from tests.contract.points import Points, ring
from tests.training.game import Notes

POINTS = ring(300)[0]


@dataclass
class Stage:
    """Stands in for fit, judge and evaluate; `now` is the time, which only they spend.

    Attributes:
        curves: name of a candidate → its Fréchet distance after so many seconds.
        trouble: name of a candidate → the errors that its trainings raise, in turn.
        overhead: seconds that a fit takes beside training, as a share of it.
        overheads: the same by the name of a candidate that is not like the others.
        measuring: seconds that measuring takes.
        fits: name and budget of every training that was begun.
    """

    curves: dict = field(default_factory=dict)
    trouble: dict = field(default_factory=dict)
    overhead: float = 0.05
    overheads: dict = field(default_factory=dict)
    measuring: float = 3.0
    now: float = 0.0
    fits: list = field(default_factory=list)

    def fit(self, source, *, out, budget, **asked):
        name = out.parent.name
        self.fits.append((name, budget))
        troubles = self.trouble.get(name, [])
        if troubles and (trouble := troubles.pop(0)):
            self.now += budget / 2
            raise trouble
        self.now += (1 + self.overheads.get(name, self.overhead)) * budget
        out.mkdir(parents=True, exist_ok=True)
        (out / "model.safetensors").write_bytes(b"w" * 1000)
        (out / "facts.json").write_text(json.dumps({"name": name, "seconds": budget}))
        return self.load(out)

    def load(self, path, **_):
        facts = json.loads((path / "facts.json").read_text())
        return SimpleNamespace(
            path=path,
            folder=RunFolder(path),
            spec=Spec(domain="points", shape=(2,)),
            sample=lambda n: SimpleNamespace(data=["presented"] * n, items=np.zeros((n, 2))),
            **facts,
        )

    def judge(self, run, dataset, part, *, n):
        assert part == "validation"
        self.now += self.measuring
        curve = self.curves.get(run.name, lambda seconds: 500.0)
        return measures(curve(run.seconds), n=n)

    def evaluate(self, run, source, *, n):
        self.now += 2 * self.measuring
        return measures(70.0, n=n)


@pytest.fixture
def stage(monkeypatch):
    stage = Stage()
    for name in ("fit", "load", "judge", "evaluate"):
        monkeypatch.setattr(contest, name, getattr(stage, name))
    monkeypatch.setattr(comparing, "load", stage.load)
    for module in (contest, comparing):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: stage.now))
    return stage


@pytest.fixture
def compare(tmp_path):
    def call(source=POINTS, *, told=None, **asked):
        return ectype.compare(
            source,
            **{"domain": Points(), "out": tmp_path / "out", "device": "cpu", **asked},
            reporter=told or Notes(),
        )

    return call


def power(start, exponent):
    """A Fréchet distance that falls with a power of time."""
    return lambda seconds: start * seconds**-exponent


def test_all_then_half_then_one(stage, compare, tmp_path):
    stage.curves = {
        "gan": power(900, 0.1),
        "gan-strict": power(600, 0.1),
        "vae": power(500, 0.1),
        "vae-narrow": power(600, 0.1),
    }
    found = compare(budget="20m")
    first, second, last = found.state.rungs
    assert first.names == ["gan", "vae", "gan-strict", "vae-narrow"]
    assert second.names == ["vae", "gan-strict"]
    assert last.names == ["vae"]
    assert [name for name, _ in stage.fits] == [*first.names, *second.names, *last.names]
    assert last.seconds >= 0.75 * 1200
    assert found.winner.path == tmp_path / "out" / "winner"
    assert found.winner.seconds == last.seconds
    assert not (tmp_path / "out/candidates/vae/rung-3").exists()
    assert found.table[1][0][0] == found.to_json()["winner"] == "vae"
    assert found.state.favoured == "vae", "what auto takes where data are not pictures"
    assert (tmp_path / "out" / "compare.html").exists()
    json.dumps(found.to_json())


@pytest.mark.parametrize("overhead", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("measuring", [0.1, 10.0])
def test_the_budget_holds_everything(overhead, measuring, stage, compare):
    stage.overhead, stage.measuring = overhead, measuring
    found = compare(budget="20m")
    assert 0.95 * 1200 <= stage.now <= 1.02 * 1200
    assert found.state.seconds == pytest.approx(stage.now, abs=0.01)
    page = (found.folder / "compare.html").read_text()
    assert f"{format_seconds(stage.now)} of 20m" in page


def test_what_others_take_beside_training_costs_the_winner_nothing(stage, compare):
    stage.curves = {"gan": power(900, 0.5)}
    stage.overhead, stage.overheads = 0.0, {"vae": 0.4}
    found = compare(budget="20m")
    assert found.state.winner == "gan"
    assert found.state.rungs[1].names == ["gan", "vae"]
    assert 0.95 * 1200 <= stage.now <= 1.02 * 1200


def test_who_learns_faster_may_win_from_behind(stage, compare):
    stage.curves = {"gan": power(60_000, 1.2), "vae": power(800, 0.2)}
    stage.curves |= dict.fromkeys(("gan-strict", "vae-narrow"), power(5000, 0.1))
    found = compare(budget="20m")
    _, second, last = found.state.rungs
    assert stage.curves["gan"](second.seconds) > stage.curves["vae"](second.seconds)
    assert last.names == ["gan"]


def test_what_fails_is_told_and_the_others_go_on(stage, compare):
    stage.trouble = {
        "gan": [DivergedError("lost at step 3")],
        "gan-strict": [DataError("too odd")],
    }
    told = Notes()
    found = compare(budget="20m", told=told)
    assert found.state.rungs[1].names == ["vae", "vae-narrow"]
    remarks = {row[0]: row[-1] for row in found.table[1]}
    assert remarks["gan"] == "lost at step 3"
    assert remarks["gan-strict"] == "too odd"
    assert any("gan failed: lost at step 3" in note for note in told.notes)


def test_samples_that_are_no_numbers_are_a_failure(stage, compare):
    stage.curves = {"gan": lambda seconds: float("nan")}
    found = compare(budget="20m")
    assert found.state.failure("gan") == "its samples hold what is no number"


def test_where_the_last_training_fails_the_next_one_has_its_place(stage, compare):
    stage.curves = {"gan": power(400, 0.3)}
    stage.trouble = {"gan": [None, None, DivergedError("lost")]}
    found = compare(budget="20m")
    assert [name for name, _ in stage.fits[-2:]] == ["gan", "vae"]
    assert found.state.winner == "vae"
    assert stage.now <= 1.02 * 1200


def test_without_time_for_a_longer_training_the_last_run_has_to_do(stage, compare):
    stage.measuring = 150.0
    found = compare(budget="20m")
    assert [len(rung.names) for rung in found.state.rungs] == [4, 2]
    assert found.winner.seconds == found.state.rungs[1].seconds


def test_if_all_fail_it_is_an_error_and_stays_one(stage, compare):
    names = ("gan", "gan-strict", "vae", "vae-narrow")
    stage.trouble = {name: [DivergedError(f"{name} is lost")] for name in names}
    for _ in range(2):
        with pytest.raises(DivergedError, match="no candidate could be trained") as error:
            compare(budget="20m")
        assert all(f"{name} is lost" in str(error.value) for name in names)
    assert len(stage.fits) == 4


@pytest.mark.parametrize(
    "error", [InterruptedRun("saved", signal_number=2), StorageError("full"), KeyboardInterrupt()]
)
@pytest.mark.parametrize("at", range(1, 8))
def test_killed_anywhere_it_goes_on(error, at, stage, compare, monkeypatch):
    """At every one of the seven trainings: what was finished is not repeated."""
    begun = itertools.count(1)
    fit = stage.fit

    def killed(source, **asked):
        if next(begun) == at:
            stage.now += 1.0
            raise error
        return fit(source, **asked)

    monkeypatch.setattr(contest, "fit", killed)
    with pytest.raises(type(error)):
        compare(budget="20m")
    found = compare()
    assert len(stage.fits) == 7
    assert found.state.done
    assert stage.now <= 1.02 * 1200


@pytest.mark.parametrize("step", ["judge", "evaluate"])
def test_killed_while_measuring_it_goes_on(step, stage, compare, monkeypatch):
    measure = getattr(stage, step)

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(contest, step, killed)
    with pytest.raises(KeyboardInterrupt):
        compare(budget="20m")
    monkeypatch.setattr(contest, step, measure)
    assert compare(budget="20m").state.done


def test_time_that_an_earlier_session_trained_is_counted(stage, compare, monkeypatch, tmp_path):
    """A session was killed in the first training, 30 s of which are in its checkpoint."""
    monkeypatch.setattr(contest, "fit", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        compare(budget="20m")
    manifest = tmp_path / "out/candidates/gan/rung-1/checkpoints/manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps([{"step": 9, "seconds": 30.0, "progress": 0.7}]))
    monkeypatch.setattr(contest, "fit", stage.fit)
    found = compare()
    assert found.state.seconds == pytest.approx(stage.now + 30.0, abs=0.01)


def test_a_finished_comparison_is_left_as_it_is(stage, compare):
    first = compare(budget="20m")
    told = Notes()
    again = compare(told=told)
    assert len(stage.fits) == 7
    assert again.state == first.state
    assert any("is finished" in note for note in told.notes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "seed 0 → 1"),
        ({"budget": "10m"}, "budget.seconds 1200.0 → 600.0"),
        ({"settings": {"gan.loss": "hinge"}}, "gan.loss relativistic → hinge"),
        ({"source": POINTS[:250]}, "the data are not those"),
    ],
)
def test_what_was_changed_is_refused(changes, message, stage, compare, monkeypatch):
    monkeypatch.setattr(
        contest, "evaluate", lambda *_, **__: (_ for _ in ()).throw(StorageError("full"))
    )
    with pytest.raises(StorageError):
        compare(budget="20m")
    with pytest.raises(UsageError, match=message) as error:
        compare(**{"budget": "20m", **changes})
    assert "--new" in str(error.value.hint)


def test_new_puts_the_old_comparison_aside(stage, compare, tmp_path):
    compare(budget="20m")
    compare(budget="10m", new=True)
    assert (tmp_path / "out-old-1" / "compare.json").exists()
    assert len(stage.fits) == 14


def test_it_has_one_writer(stage, compare, tmp_path):
    with RunFolder(tmp_path / "out").lock(), pytest.raises(UsageError, match="another process"):
        compare(budget="20m")


def test_it_does_not_write_into_a_run(stage, compare, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="is a run, not a comparison"):
        compare(budget="20m")


@pytest.mark.parametrize(
    ("source", "budget", "message"),
    [
        (POINTS, "+20m", "cannot be extended"),
        (POINTS, "soon", "is no duration"),
        (POINTS[:50], "20m", "the validation part has 5 items"),
    ],
)
def test_what_cannot_be_compared(source, budget, message, stage, compare, tmp_path):
    with pytest.raises(UsageError, match=message):
        compare(source, budget=budget)
    assert not stage.fits
    assert not (tmp_path / "out" / "compare.json").exists()


class Resized(Points):
    """Points whose form depends on the budget unless it is pinned."""

    def prepare(self, source, settings, options):
        self.prepared_for = options.budget.seconds
        return super().prepare(source, settings, options)

    def pinned(self, spec):
        return {"size": "3"}


def test_all_candidates_get_the_data_of_the_last_training(stage, compare, monkeypatch):
    seen = []
    fit = stage.fit

    def noting(source, *, settings, **asked):
        seen.append(settings)
        return fit(source, settings=settings, **asked)

    monkeypatch.setattr(contest, "fit", noting)
    domain = Resized()
    compare(budget="20m", domain=domain, settings=["training.batch=4"])
    assert domain.prepared_for == pytest.approx(comparing.LAST_SHARE * 1200)
    assert all(settings[:2] == ["training.batch=4", "data.size=3"] for settings in seen)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How points are parted."""

    validation: float = setting(0.05, "share of the points that choices look at", least=0)


class Parted(Points):
    """Points of which as many are held out for choices as is asked for."""

    Settings: ClassVar[type] = Shares

    def prepare(self, source, settings, options):
        data = super().prepare(source, settings, options)
        rest = np.concatenate([data.parts["validation"], data.parts["train"]])
        held_out = round(settings.validation * len(source))
        parts = {**data.parts, "validation": rest[:held_out], "train": rest[held_out:]}
        return dataclasses.replace(data, parts=parts)


@pytest.mark.parametrize(
    ("points", "settings", "before", "after"),
    [
        (600, [], 150, 30),  # a quarter at the most
        (4_000, [], 300, 200),
        (8_000, [], 400, 400),  # there are enough
        (600, ["data.validation=0.1"], 60, 60),  # as it was asked for
    ],
)
def test_where_few_are_held_out_more_are_until_the_choice_is_made(
    points, settings, before, after, stage, compare, monkeypatch
):
    fitted, judged = [], []
    fit, judge = stage.fit, stage.judge

    def fitting(source, *, settings, **asked):
        shares = [text for text in settings if text.startswith("data.validation")]
        fitted.append(round(float(shares[-1].partition("=")[2]) * points) if shares else None)
        return fit(source, settings=settings, **asked)

    def judging(run, dataset, part, *, n):
        judged.append(len(dataset.parts[part]))
        if len(judged) == 3:
            raise InterruptedRun("stop", signal_number=2)
        return judge(run, dataset, part, n=n)

    monkeypatch.setattr(contest, "fit", fitting)
    monkeypatch.setattr(contest, "judge", judging)
    asked = {"budget": "20m", "domain": Parted(), "settings": settings}
    source = ring(points)[0]
    with pytest.raises(InterruptedRun):
        compare(source, **asked)
    found = compare(source, **asked)  # goes on, with the same
    assert judged == [before] * 7 + [after]
    set_to = {None if before == after and not settings else before}
    assert set(fitted[:-1]) == set_to
    assert fitted[-1] == (after if settings else None)
    assert not any("validation" in text for text in found.state.settings if not settings)


def test_what_auto_takes_is_asked_for_the_last_training(stage, compare, monkeypatch):
    def choosing(asked, facts):
        assert (asked, facts.budget.seconds) == ("auto", pytest.approx(comparing.LAST_SHARE * 1200))
        return "gan", "for a test"

    monkeypatch.setattr(comparing, "choose_family", choosing)
    found = compare(budget="20m")
    assert found.state.favoured == "gan"
    assert (found.state.winner or "").startswith("gan"), "nothing else tells them apart"


def test_the_default_folder(stage, compare, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert compare(out=None).folder == Path("runs/data-compare")


# --- and with real training ---------------------------------------------------------------


def test_speed_is_that_of_samples_that_are_really_drawn(stage):
    """They are drawn when they are asked for, not before."""

    class Samples:
        def __init__(self, n):
            self.n = n

        @property
        def items(self):
            stage.now += self.n / 200

    run: Any = SimpleNamespace(sample=Samples)
    assert contest.items_per_second(run) == pytest.approx(200)


def test_the_winner_is_a_run_like_any_other(tmp_path, monkeypatch):
    now = itertools.count()
    for module in (training_clock, contest, comparing):
        ticking = SimpleNamespace(
            perf_counter=lambda: 0.2 * next(now), monotonic=lambda: 0.2 * next(now)
        )
        monkeypatch.setattr(module, "time", ticking)
    tiny = {"training.capacity": 1, "training.batch": 4, "gan.latent": 3, "vae.latent": 3}
    found = ectype.compare(
        POINTS, domain=Points(), out=tmp_path / "out", budget=30, device="cpu", settings=tiny
    )
    run = ectype.load(tmp_path / "out" / "winner", domain=Points(), device="cpu")
    assert run.finished
    assert run.sample(5).data.shape == (5, 2)
    assert run.config.family == (found.state.winner or "")[:3]
    assert (run.path / "report.html").exists()
    assert set(found.state.test) >= {"frechet", "coverage", "near_copies"}
    assert len(found.state.candidates) == 3, "vae.latent was given, so it is not varied"
    assert 0.8 * 30 <= found.state.seconds <= 1.1 * 30
