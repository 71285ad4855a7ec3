"""Whole runs on texts: any script, the commands' files, a collapse that is provoked."""

import json
import unicodedata

import numpy as np
import pytest

import ectype
from tests.contract.test_contract import names
from tests.domains.test_text import SCRIPTS

TINY = {"training.capacity": 4, "training.batch": 8, "vae.latent": 6, "gan.latent": 6}


@pytest.mark.parametrize("family", ["vae", "gan"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_any_script_is_learned_and_written(script, family, tmp_path):
    texts = [unicodedata.normalize("NFC", text) for text in SCRIPTS[script]]
    run = ectype.fit(texts, model=family, steps=6, out=tmp_path / "run", settings=TINY)
    samples = run.sample(40)
    assert isinstance(samples.data, list)
    assert all(isinstance(text, str) for text in samples.data)
    assert "�" not in "".join(samples.data)
    assert set("".join(samples.data)) <= set("".join(texts))
    paths = samples.save(tmp_path / "out")
    assert [path.name for path in paths] == ["samples.txt", "grid.txt"]
    assert paths[0].read_text(encoding="utf-8").count("\n") == 40


def test_a_run_of_texts_can_be_asked(tmp_path):
    texts = names(80)
    run = ectype.fit(texts, model="vae", steps=20, out=tmp_path / "run", settings=TINY)
    copies = run.reconstruct(texts[:3])
    assert len(copies.data) == 3
    assert (tmp_path / "copies" / "grid.txt") in copies.save(tmp_path / "copies")
    assert len(run.between(texts[:2], steps=4).data) == 4
    assert run.nearest(texts[:5], texts).tolist() == [[0], [1], [2], [3], [4]]
    one = ectype.load(run.path, settings=["vae.nucleus=0.000001"])
    assert one.sample(30, temperature=1.0).data != run.sample(30, temperature=1.0).data


def test_the_report_has_the_figures_of_texts(tmp_path):
    texts = names(200)
    settings = {**TINY, "data.test": 0.3}
    run = ectype.fit(texts, model="vae", steps=20, out=tmp_path / "run", settings=settings)
    found = run.evaluate()
    own = {"forward_perplexity", "reverse_perplexity", "self_bleu", "distinct_2", "unique"}
    own |= {"verbatim_copies", "longest_copied", "reconstruction_accuracy", "n_gram_nats"}
    own |= {"kl", "mutual_information", "active_units", "iwae"}
    assert own <= set(found)
    assert "reconstruction" not in found, "an error of token numbers means nothing"
    assert (run.path / "report" / "temperature.png").exists()
    page = (run.path / "report.html").read_text()
    assert "Quality against variety" in page
    assert "Unusual wording" in page


@pytest.mark.slow
def test_a_collapse_that_is_provoked_is_reported(tmp_path):
    random = np.random.default_rng(0)
    texts = ["".join(random.choice([*"abcd"], 6)) for _ in range(600)]
    settings = {"training.capacity": 8, "training.batch": 32, "vae.beta": 20.0}
    run = ectype.fit(texts, model="vae", steps=1200, out=tmp_path / "run", settings=settings)
    lines = (run.path / "events.jsonl").read_text().splitlines()
    assert "posterior_collapse" in {json.loads(line)["event"] for line in lines}
