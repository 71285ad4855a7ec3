"""Tables from end to end: what comes in comes out in kind, form and order."""

import dataclasses
import datetime
import sys

import numpy as np
import pandas as pd
import pytest

import ectype
from ectype.domains import recognise
from ectype.domains.base import PrepareOptions
from ectype.domains.table.domain import TableDomain, TableSettings
from ectype.errors import DataError, UsageError
from ectype.samples import MOST_TRIED, Tally, meeting
from tests.domains.tables import prepared, table_spec

TINY = {"training.capacity": 8, "training.batch": 32, "vae.latent": 3, "gan.latent": 4}
CSV = "id;Größe;Preis;tag;farbe;leer;zip;notiz\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ECTYPE_CACHE", str(tmp_path / "cache"))


def write_csv(path, n=240):
    """A German file: semicolons, decimal commas, dates by day, a mark at its beginning."""
    random = np.random.default_rng(0)
    lines = []
    for i in range(n):
        size = f"{random.gamma(3, 2):.2f}".replace(".", ",")
        price = f"{random.lognormal(8, 1):,.2f}".translate(str.maketrans(".,", ",."))
        day = f"{random.integers(1, 29):02d}.{random.integers(1, 13):02d}.2020"
        colour = random.choice(["rot", "grün", "", "blau; dunkel"])
        note = " ".join(random.choice(["das", "ist", "ein", "freier", "Text", "ohne"], 9))
        code = f"{random.integers(1000, 1020):05d}"
        quoted = f'"{colour}"' if ";" in colour else colour
        lines.append(f"K-{i:04d};{size};{price} €;{day};{quoted};;{code};{note} {i}")
    path.write_text(CSV + "\n".join(lines) + "\n", encoding="utf-8-sig")
    return path


def fit(source, out, **more):
    settings = {**TINY, **more.pop("settings", {})}
    return ectype.fit(source, out=out, steps=4, settings=settings, device="cpu", **more)


def test_a_file_comes_back_as_it_was_written(tmp_path):
    path = write_csv(tmp_path / "data.csv")
    assert recognise(path).name == "table"
    run = fit(path, tmp_path / "run", model="vae")
    kinds = {column.name: column.kind for column in table_spec(run.spec).table}
    assert kinds == {
        "id": "identifier",
        "Größe": "number",
        "Preis": "number",
        "tag": "date",
        "farbe": "category",
        "leer": "constant",
        "zip": "category",
        "notiz": "text",
    }
    written, view = run.sample(50).save(tmp_path / "out")
    assert (written.name, view.name) == ("samples.csv", "grid.txt")
    content = written.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfid;")
    real, made = (
        pd.read_csv(p, sep=";", dtype=str, keep_default_na=False) for p in (path, written)
    )
    assert list(made.columns) == [c for c in real.columns if c != "notiz"]
    patterns = {
        "Größe": r"\d+,\d\d",
        "Preis": r"(\d{1,3}\.)*\d{1,3},\d\d €",
        "tag": r"\d\d\.\d\d\.2020",
        "zip": r"0\d{4}",
        "leer": "",
    }
    for name, pattern in patterns.items():
        assert made[name].str.fullmatch(pattern).all(), name
    assert set(made["farbe"]) <= {"rot", "grün", "", "blau; dunkel"}
    assert not set(made["id"]) & set(real["id"])
    assert made["id"].is_unique
    again, _ = run.sample(50).save(tmp_path / "again")
    assert again.read_bytes() == content


def test_what_is_written_block_by_block_is_what_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(TableDomain, "sample_block", 64)
    run = fit(write_csv(tmp_path / "data.csv"), tmp_path / "run", model="vae")
    samples = run.sample(150)
    streamed, _ = samples.save(tmp_path / "streamed")
    assert "items" not in samples.__dict__
    held = run.sample(150)
    assert len(held.data) == 150
    whole, _ = held.save(tmp_path / "whole")
    assert streamed.read_bytes() == whole.read_bytes()
    assert len(streamed.read_text(encoding="utf-8-sig").splitlines()) == 151


def typed(n=240):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "i8": random.integers(-5, 5, n).astype(np.int8),
            "f32": random.normal(size=n).astype(np.float32),
            "gappy": pd.array(random.integers(0, 9, n), dtype="Int64"),
            "flag": random.random(n) < 0.3,
            "maybe": pd.array(random.random(n) < 0.3, dtype="boolean"),
            "kind": pd.Categorical(random.choice(["x", "y", "z"], n), categories=["z", "y", "x"]),
            "word": random.choice(["up", "down"], n),
            "when": pd.date_range("2020-03-01", periods=n, freq="17min", tz="Europe/Berlin"),
        }
    ).assign(gappy=lambda f: f["gappy"].mask(f["i8"] > 2))


@pytest.mark.parametrize("form", ["frame", "parquet"])
def test_dtypes_come_back(form, tmp_path):
    source = frame = typed()
    if form == "parquet":
        source = tmp_path / "data.parquet"
        frame.to_parquet(source)
    run = fit(source, tmp_path / "run", model="gan")
    made = run.sample(40).data
    assert made.dtypes.map(str).to_dict() == frame.dtypes.map(str).to_dict()
    assert list(made.columns) == list(frame.columns)
    assert made["when"].between(frame["when"].min(), frame["when"].max()).all()
    written, _ = run.sample(40).save(tmp_path / "out")
    assert written.suffix == (".parquet" if form == "parquet" else ".csv")
    if form == "parquet":
        again = pd.read_parquet(written)
        assert again.dtypes.map(str).to_dict() == frame.dtypes.map(str).to_dict()
        assert len(again) == 40


@pytest.mark.parametrize("family", ["vae", "gan"])
def test_a_label_column_is_kept_exactly(family, tmp_path):
    run = fit(typed(), tmp_path / "run", model=family, labels="kind")
    assert set(run.spec.labels) == {"x", "y", "z"}
    further = run.domain.read(typed(), run.spec)
    assert further.labels is not None
    assert [run.spec.labels[i] for i in further.labels] == typed()["kind"].tolist()
    assert (run.sample(100, label="y").data["kind"] == "y").all()
    assert set(run.sample(200).data["kind"]) == {"x", "y", "z"}
    where = run.sample(30, where="kind=z,i8>=0,flag=False")
    assert len(where.data) == 30
    assert (where.data["kind"] == "z").all()
    assert (where.data["i8"] >= 0).all()
    assert not where.data["flag"].any()
    assert where.tally is not None
    assert 30 <= where.tally.met <= where.tally.drawn
    few, many = (run.sample(n, where="i8>0").items for n in (10, 30))
    assert np.array_equal(few, many[:10], equal_nan=True)
    with pytest.raises(UsageError, match="another label"):
        run.sample(3, label="x", where="kind=y")


@pytest.mark.parametrize("family", ["vae", "gan"])
def test_every_value_of_a_label_has_a_code_of_its_own(family, tmp_path):
    cities = [f"city {i}" for i in range(30)] * 8 + ["rare", "rarer", "rarer"]
    frame = typed(len(cities)).assign(city=cities)
    run = fit(frame, tmp_path / "run", model=family, labels="city")
    assert set(run.spec.labels) == set(cities)
    for label in ("rare", "rarer", "city 3"):
        assert (run.sample(20, label=label).data["city"] == label).all()


def test_places_that_lie_apart_stay_apart(tmp_path):
    """Eight tight clusters on a circle: without what a GAN of few numbers has, 62% are in one."""
    random, angle = np.random.default_rng(0), np.pi / 4 * np.arange(8)
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    points = centres[random.integers(8, size=2_000)] + 0.05 * random.standard_normal((2_000, 2))
    run = ectype.fit(
        pd.DataFrame(points, columns=["x", "y"]),
        model="gan",
        steps=800,
        out=tmp_path / "run",
        settings={"training.capacity": 32, "training.batch": 128},
        device="cpu",
    )
    distance = np.linalg.norm(run.sample(1_000).data.to_numpy()[:, None] - centres, axis=2)
    near = distance.min(1) < 0.15
    assert near.mean() > 0.8
    assert np.bincount(distance.argmin(1)[near], minlength=8).min() > 50


def test_rare_values_of_a_label_are_learned_from():
    for seed in range(5):
        cities = [f"city {i}" for i in range(30)] * 8 + ["rare"]
        frame = typed(len(cities)).assign(city=cities)
        settings, options = TableSettings(), PrepareOptions(seed=seed, labels="city")
        dataset = TableDomain().prepare(frame, settings, options)
        assert dataset.labels is not None
        learned = {dataset.spec.labels[i] for i in dataset.labels[dataset.parts["train"]]}
        assert learned == set(cities)


def test_conditions_that_are_never_met_end():
    tally = Tally()

    def blocks():
        while True:
            yield np.zeros((10_000, 1))

    with pytest.raises(DataError, match="met too rarely: 0 of"):
        list(meeting(blocks(), 5, lambda items: items[:, 0] > 0, tally))
    assert tally.drawn <= MOST_TRIED + 10_000
    some = meeting(blocks(), 25_000, lambda items: np.arange(len(items)) % 2 == 0, tally)
    assert sum(map(len, some)) == 25_000
    assert (tally.met, tally.drawn) == (25_000, 50_000)


def test_further_rows_are_read_in_the_form_of_the_run(tmp_path):
    path = write_csv(tmp_path / "data.csv")
    domain = TableDomain()
    spec = table_spec(prepared(path).spec)
    more = tmp_path / "more.csv"
    more.write_text(
        "farbe;Größe;Preis;tag;zip\n"
        "rot;1,50;1.000,00 €;03.04.2020;01003\n"
        "lila;1,50;1.000,00 €;03.04.2020;01003\n"
        "rot;;1.000,00 €;03.04.2020;01003\n"
    )
    further = domain.read(more, spec)
    out = domain.present(further.items, spec)
    assert out["Größe"].tolist() == [1.5]
    assert out["tag"].dt.strftime("%Y-%m-%d").tolist() == ["2020-04-03"]
    assert [(r.item, r.reason) for r in further.rejects] == [
        ("line 3", "column “farbe”: “lila” is not known"),
        ("line 4", "column “Größe” lacks a value, which none did"),
    ]
    more.write_text("farbe;Größe\nrot;1,5\n")
    with pytest.raises(DataError, match="lacks 3 of the run's columns, “Preis” among them"):
        domain.read(more, spec)


def test_days_and_numbers_are_read_as_the_run_writes_them(tmp_path):
    path = tmp_path / "data.csv"
    lines = [f'{i % 12 + 1:02d}/{i % 28 + 1:02d}/2013,"{i % 9},{i % 7}50",x' for i in range(80)]
    path.write_text("day,size,kind\n" + "\n".join(lines) + "\n")
    spec, domain = table_spec(prepared(path).spec), TableDomain()
    assert spec.table[0].form["format"] == "%m/%d/%Y"
    more = tmp_path / "more.csv"
    more.write_text('day,size,kind\n03/04/2013,"1,250",x\n')
    items = domain.read(more, spec).items
    out = domain.present(items, spec)
    assert out["day"].tolist() == [pd.Timestamp("2013-03-04")]
    assert out["size"].tolist() == [1.25]
    for text in ("day=03/04/2013", "day=2013-03-04", "size=1,250", "size=1.25"):
        assert domain.conditions(text, spec).meets(items).all(), text


def test_a_named_encoding_is_remembered(tmp_path):
    path = tmp_path / "data.csv"
    content = "色,大きさ\n" + "".join(f"{'赤青'[i % 2]},{i % 5}.5\n" for i in range(60))
    path.write_bytes(content.encode("shift_jis"))
    spec = table_spec(prepared(path, encoding="shift_jis").spec)
    assert len(TableDomain().read(path, spec).items) == 60
    path.write_bytes(content.encode())
    assert len(TableDomain().read(path, spec).items) == 60


def test_further_rows_may_lack_all_values_of_a_column():
    frame = pd.DataFrame({"a": [1.5, 2.5, None] * 20, "b": ["x", "y", "y"] * 20})
    spec = table_spec(prepared(frame).spec)
    items = TableDomain().read(frame.assign(a=np.nan), spec).items
    assert np.isnan(items[:, 0]).all()


def test_days_and_times_of_parquet_come_back(tmp_path):
    days = [datetime.date(2020, 1, i % 28 + 1) for i in range(60)]
    frame = pd.DataFrame({"day": days, "at": [datetime.time(9, i) for i in range(60)]})
    frame["seq"] = range(60)
    frame.to_parquet(tmp_path / "data.parquet")
    dataset = prepared(tmp_path / "data.parquet", columns={"seq": "integer"})
    spec, domain = table_spec(dataset.spec), TableDomain()
    [written] = domain.write(dataset.items, spec, tmp_path / "out", None)
    pd.testing.assert_frame_equal(pd.read_parquet(written), frame)
    assert len(domain.read(written, spec).items) == 60
    plain = dataclasses.replace(spec, form={"type": "frame", "label": None})
    [written] = domain.write(dataset.items, plain, tmp_path / "out", None)
    assert written.read_text().splitlines()[1] == "2020-01-01,09:00:00,0"


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ({"labels": "kindd"}, UsageError, "there is no column “kindd”"),
        ({"labels": "f32"}, UsageError, "“f32” is a number: a label is a category"),
        ({"settings": {"data.columns.knd": "category"}}, UsageError, "there is no column “knd”"),
        ({"settings": {"data.columns.kind": "number"}}, DataError, "“z” is no number"),
        ({"settings": {"vae.likelihood": "bernoulli"}}, UsageError, "no likelihood “bernoulli”"),
        ({"settings": {"data.test": "0.95"}}, UsageError, "leave some for training"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, said, tmp_path):
    with pytest.raises(error, match=said):
        fit(typed().sort_values("kind"), tmp_path / "run", model="vae", **call)


def test_a_table_of_nothing_to_learn_is_refused(tmp_path):
    frame = pd.DataFrame({"id": np.arange(50), "unit": "cm"})
    with pytest.raises(DataError, match="no column is left to learn"):
        fit(frame, tmp_path / "run")


def test_equal_rows_share_a_part():
    frame = pd.concat([typed(60)] * 4)
    dataset = prepared(frame, test=0.3)
    parts = {
        name: {dataset.items[i].tobytes() for i in index} for name, index in dataset.parts.items()
    }
    assert len(parts["test"]) >= 5
    assert not parts["train"] & parts["test"]
    assert not parts["train"] & parts["validation"]


def test_kinds_can_be_set_by_name():
    found = ectype.inspect(typed(), settings=["data.columns.i8=category", "data.target=flag"])
    spec = table_spec(found.dataset.spec)
    column = spec.table[0]
    assert (column.kind, column.evidence) == ("category", "as asked")
    assert spec.target == "flag"


def test_a_missing_package_is_said(monkeypatch, tmp_path):
    from ectype.domains.table.sources import need

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="pyarrow, which is not installed") as refused:
        need("pyarrow")
    assert refused.value.hint == "pip install 'ectype[table]'"


def test_a_report_shows_columns_worst_first(tmp_path):
    source = write_csv(tmp_path / "data.csv")
    run = fit(source, tmp_path / "run", model="vae", settings={"data.test": 0.3,
              "data.rules": "positive: Preis", "data.target": "farbe"})  # fmt: skip
    found = run.evaluate()
    expected = {"column_shapes", "pair_trends", "two_sample_auc", "missing_error", "rule_validity"}
    expected |= {"alpha_precision", "beta_recall", "train_on_synthetic", "exact_copies"}
    assert expected | {"closest_record", "membership_auc", "coverage"} <= set(found)
    assert found["rule_validity"].value == 1
    assert "not a guarantee of privacy" in str(found["membership_auc"].note)
    folder = run.path / "report"
    assert all((folder / name).stat().st_size for name in ("columns.png", "pairs.png"))
    worst = (folder / "worst.txt").read_text().splitlines()
    scores = [float(line.split()[0]) for line in worst[1:6]]
    assert scores == sorted(scores)
    page = (run.path / "report.html").read_text()
    assert "Columns spread as in real rows" in page
