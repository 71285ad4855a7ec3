"""What every domain in every family must do: fit, resume, sample, evaluate, save, load."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import ectype
from ectype.config import Family
from ectype.domains.audio.domain import AudioDomain
from ectype.domains.base import Domain
from ectype.domains.image.domain import ImageDomain
from ectype.domains.table.domain import TableDomain
from ectype.domains.text.domain import TextDomain
from ectype.errors import InterruptedRun, UsageError
from ectype.training.progress import Silent, Tick
from tests.contract.points import Points, ring


@dataclass(frozen=True)
class Case:
    """One kind of data, small."""

    domain: Domain
    source: Any
    label: str | None
    prior: str = "local"


def pictures(n: int, height: int, width: int, channels: int) -> np.ndarray:
    """Bright rectangles on dark ground, uint8 (n, height, width, channels)."""
    random = np.random.default_rng(0)
    items = np.full((n, height, width, channels), 20, np.uint8)
    for item in items:
        top, left = random.integers(0, height // 2), random.integers(0, width // 2)
        item[top : top + height // 2, left : left + width // 2] = random.integers(
            100, 256, channels
        )
    return items


def sounds(n: int, length: int, channels: int) -> np.ndarray:
    """Decaying tones with noise, float32 (n, length, channels)."""
    random = np.random.default_rng(0)
    time = np.arange(length)[None, :, None]
    pitch = random.uniform(0.02, 0.4, (n, 1, channels))
    noise = random.standard_normal((n, length, channels))
    decay = np.exp(-time / random.uniform(50, 300, (n, 1, 1)))
    return ((0.5 * np.sin(pitch * time + 1) + 0.1 * noise) * decay).astype(np.float32)


def names(n: int) -> list[str]:
    """Made-up names, all different, each the one before with a syllable more or less."""
    syllables = [a + b for a in "bdfgklmnr" for b in "aeiou"]
    return [syllables[i % 45] + syllables[i * 7 % 43] + syllables[i // 45] for i in range(n)]


def rows(n: int) -> pd.DataFrame:
    """Sizes, a price that follows from them, a day, a kind, a number of each row."""
    random = np.random.default_rng(0)
    size = random.gamma(3, 2, n).round(2)
    kind = random.choice(["round", "square", "odd"], n, p=[0.5, 0.4, 0.1])
    price = (size * np.where(kind == "round", 3, 5)).astype(int)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 90, n), unit="D")
    columns = {"id": np.arange(n), "size": size, "price": price, "day": day, "kind": kind}
    return pd.DataFrame({**columns, "unit": "cm"})


CASES = {
    "points": Case(Points(), ring(400)[0], None),
    "labelled points": Case(Points(), ring(400), "mode 3", prior="flow"),
    "grey pictures": Case(ImageDomain(), pictures(60, 12, 12, 1), None, prior="flow"),
    "labelled pictures": Case(ImageDomain(), (pictures(60, 8, 12, 3), np.arange(60) % 2), "1"),
    "sounds": Case(AudioDomain(), sounds(60, 700, 1), None),
    "texts": Case(TextDomain(), names(80), None),
    "labelled texts": Case(TextDomain(), (names(80), np.arange(80) % 2), "1", prior="flow"),
    "rows": Case(TableDomain(), rows(90), None, prior="mixture"),
    "labelled rows": Case(TableDomain(), (rows(90), "kind"), "odd"),
    "labelled stereo sounds": Case(AudioDomain(), (sounds(60, 512, 2), np.arange(60) % 2), "1"),
}
TINY = {
    "training.capacity": 4,
    "training.batch": 8,
    "gan.latent": 6,
    "vae.latent": 6,
    "vae.flow_steps": 2,
}
STEPS = 12

cells = pytest.mark.parametrize(
    ("case", "family"),
    [pytest.param(c, f, id=f"{n} {f}") for n, c in CASES.items() for f in ("gan", "vae")],
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ECTYPE_CACHE", str(tmp_path / "cache"))
    # in a run of a dozen steps every step would have a preview, and most of the time
    monkeypatch.setattr("ectype.training.telling.PREVIEWS", (0.5, 1.0))


def fit(case: Case, family: Family, out, steps: int = STEPS, **more):
    settings = {**TINY, "vae.prior": case.prior, **more.pop("settings", {})}
    return ectype.fit(
        case.source,
        model=family,
        steps=steps,
        out=out,
        domain=case.domain,
        settings=settings,
        device="cpu",
        **more,
    )


def weights(run) -> dict[str, torch.Tensor]:
    return load_file(run.path / "model.safetensors")


def assert_same_weights(a, b) -> None:
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different


class StopAt(Silent):
    """Sends a signal to this process, once, when training reaches a step."""

    def __init__(self, step: int, number: int):
        self.step, self.number, self.sent = step, number, False

    def tick(self, tick: Tick) -> None:
        if tick.step == self.step and not self.sent:
            self.sent = True
            signal.raise_signal(self.number)


@cells
def test_a_run_can_be_used(case, family, tmp_path):
    run = fit(case, family, tmp_path / "run")
    assert run.finished
    assert run.summary()["step"] == STEPS
    samples = run.sample(5, seed=1)
    assert len(samples.data) == 5
    assert np.isfinite(samples.items).all()
    assert tuple(samples.items.shape[1:]) == run.spec.shape
    paths = samples.save(tmp_path / "out")
    assert paths
    assert all(path.stat().st_size for path in paths)
    walks = run.interpolate(rows=2, steps=3)
    assert len(walks.data) == 6
    again = ectype.load(tmp_path / "run", domain=case.domain, device="cpu")
    assert np.array_equal(again.sample(5, seed=1).items, samples.items)


@cells
def test_a_run_can_be_evaluated(case, family, tmp_path):
    more = {"data.test": 0.3} if case.domain.name in ("image", "audio", "text", "table") else {}
    run = fit(case, family, tmp_path / "run", steps=2, settings=more)
    found = run.evaluate(features=case.domain.feature_spaces[-1])
    assert {"frechet", "precision", "coverage", "nearer_to_train", "near_copies"} <= set(found)
    assert ("label_fidelity" in found) == (case.label is not None)
    assert ("elbo" in found) == (family == "vae")
    assert all(np.isfinite(measure.value) for measure in found.values())
    assert (run.path / "report.html").exists()


@pytest.mark.parametrize("kind", ["points", "grey pictures", "sounds", "texts", "rows"])
def test_both_families_can_be_compared(kind, tmp_path, monkeypatch):
    """The trainings count steps here; all else is as it is."""
    case = CASES[kind]

    def few_steps(*args, budget, **more):
        del budget
        return ectype.fit(*args, steps=2, **more)

    monkeypatch.setattr("ectype.choose.contest.fit", few_steps)
    monkeypatch.setattr("ectype.choose.comparing.LEAST_PART", 12)
    parts = {} if kind == "points" else {"data.validation": 0.25, "data.test": 0.25}
    found = ectype.compare(
        case.source,
        budget=600,
        out=tmp_path / "out",
        domain=case.domain,
        settings={**TINY, "gan.gamma": 1, **parts},
        device="cpu",
    )
    assert [len(rung.names) for rung in found.state.rungs] == [2, 1]
    assert not any(found.state.failure(name) for name in ("gan", "vae"))
    sheet = found.folder / found.state.results("vae")[0].samples
    run = ectype.load(found.folder / found.state.results("gan")[0].run, domain=case.domain)
    drawn = ectype.load(tmp_path / "out/candidates/vae/rung-1", domain=case.domain)
    expected = case.domain.preview(drawn.sample(36).items, run.spec, tmp_path / "expected")
    assert sheet.read_bytes() == expected.read_bytes()


@cells
def test_sample_i_of_a_seed_is_always_the_same(case, family, tmp_path):
    run = fit(case, family, tmp_path / "run", steps=4)
    many = run.sample(130, seed=7).items
    for n in (1, 64, 65):
        assert np.array_equal(run.sample(n, seed=7).items, many[:n])
    blocks = [block for block, _ in run.sample_blocks(130, seed=7)]
    assert np.array_equal(np.concatenate(blocks), many)
    middle = run.model.sample(10, seed=7, start=60)
    assert torch.equal(middle, run.model.sample(130, seed=7)[60:70])
    assert not np.array_equal(run.sample(130, seed=8).items, many)


@cells
def test_a_label_can_be_asked_for(case, family, tmp_path):
    run = fit(case, family, tmp_path / "run", steps=2)
    if case.label is None:
        with pytest.raises(UsageError, match="no labels"):
            run.sample(2, label="anything")
        return
    assert len(run.sample(2, label=case.label).data) == 2
    with pytest.raises(UsageError, match="there is no label"):
        run.sample(2, label="nonsense")


@cells
def test_only_a_vae_reconstructs(case, family, tmp_path):
    run = fit(case, family, tmp_path / "run", steps=2)
    source = case.source[0] if isinstance(case.source, tuple) else case.source
    if family == "gan":
        with pytest.raises(UsageError, match="no encoder"):
            run.reconstruct(source[:3])
        return
    result = run.reconstruct(source[:3])
    assert np.asarray(result.items).shape == np.asarray(result.originals).shape
    assert result.save(tmp_path / "out")


@cells
@pytest.mark.parametrize("stop", [1, 6, 11])
def test_a_resumed_run_ends_with_the_same_bits(case, family, stop, tmp_path, monkeypatch):
    # a tick after every step, so that the signal comes at an exact one
    monkeypatch.setattr("ectype.training.telling.TICK_SECONDS", 0.0)
    straight = fit(case, family, tmp_path / "straight")
    number = signal.SIGTERM if stop == 6 else signal.SIGINT
    with pytest.raises(InterruptedRun) as stopped:
        fit(case, family, tmp_path / "resumed", reporter=StopAt(stop, number))
    assert stopped.value.exit_code == 128 + number
    assert not ectype.load(tmp_path / "resumed", domain=case.domain).finished
    resumed = fit(case, family, tmp_path / "resumed")
    assert resumed.finished
    assert_same_weights(weights(straight), weights(resumed))


@cells
def test_equal_seeds_give_equal_runs(case, family, tmp_path):
    first, second = (fit(case, family, tmp_path / name, steps=3) for name in "ab")
    other = fit(case, family, tmp_path / "c", steps=3, seed=1)
    assert_same_weights(weights(first), weights(second))
    assert any(not torch.equal(v, weights(other)[k]) for k, v in weights(first).items())


@cells
def test_a_run_can_be_sampled_while_it_trains(case, family, tmp_path):
    sampled = []

    class Sampler(Silent):
        def tick(self, tick: Tick) -> None:
            if (tmp_path / "run" / "model.safetensors").exists() and not sampled:
                run = ectype.load(tmp_path / "run", domain=case.domain, device="cpu")
                sampled.append((run.sample(2).data, run.sample(65).data))

    def train() -> None:
        saving = {"training.checkpoint_seconds": 0.0}
        fit(case, family, tmp_path / "run", steps=10, reporter=Sampler(), settings=saving)

    thread = threading.Thread(target=train)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ectype.training.telling.TICK_SECONDS", 0.0)
        thread.start()
        thread.join()
    few, many = sampled[0]
    assert np.array_equal(few, many[:2])


@cells
def test_changed_settings_are_refused(case, family, tmp_path):
    fit(case, family, tmp_path / "run", steps=2)
    with pytest.raises(UsageError, match=r"training\.batch 8 → 4"):
        fit(case, family, tmp_path / "run", steps=2, settings={"training.batch": 4})
    with pytest.raises(UsageError, match="2 steps → 3 steps"):
        fit(case, family, tmp_path / "run", steps=3)
    before = weights(ectype.load(tmp_path / "run", domain=case.domain))
    again = fit(case, family, tmp_path / "run", steps=2)
    assert_same_weights(before, weights(again))
    fresh = fit(case, family, tmp_path / "run", steps=3, new=True)
    assert fresh.finished
    assert (tmp_path / "run-old-1" / "model.safetensors").exists()


@cells
def test_a_trained_run_keeps_what_it_was_trained_with(case, family, tmp_path):
    path = fit(case, family, tmp_path / "run", steps=2).path
    with pytest.raises(UsageError, match="keeps the settings"):
        ectype.load(path, domain=case.domain, settings=["gan.loss=hinge"])
    run = ectype.load(path, domain=case.domain, settings=["vae.flow_steps=7"])
    assert run.config.vae.flow_steps == 7
