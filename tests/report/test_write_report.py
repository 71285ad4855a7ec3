"""The files of a report: JSON that any program reads, and a model card."""

import json
import re

import pytest

from ectype.report import write_report
from tests.report.examples import NASTY, SPACE, change, measures, report


def strict(text):
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def folder(tmp_path):
    written = write_report(report(tmp_path), tmp_path)
    assert written == [tmp_path / n for n in ("report.html", "report.json", "README.md")]
    return tmp_path


def test_json_has_the_shape_that_programs_rely_on(folder):
    content = strict((folder / "report.json").read_text())
    assert {k: content[k] for k in ("domain", "family", "n", "held_out_n", "features", "name")} == {
        "domain": "image",
        "family": "gan",
        "n": 5000,
        "held_out_n": 5000,
        "features": SPACE,
        "name": NASTY,
    }
    assert content["measures"]["recall"] == {
        "value": 0.901,
        "floor": 0.901,
        "interval": [0.891, 0.911],
        "n": 5000,
        "features": SPACE,
        "better": "higher",
    }
    assert list(content["measures"]) == [*measures(), "stripe_trends", "lost"]
    assert content["verdict"]["headline"].startswith("The samples are convincing")
    assert content["settings"]["gan"]["gamma"] is None
    assert content["facts"]["Data"] == {"source": NASTY}


def test_numbers_that_json_does_not_know_are_null(folder):
    lost = strict((folder / "report.json").read_text())["measures"]["lost"]
    assert lost["value"] is None
    assert lost["interval"] == [0.0, None]


def test_the_card_says_what_the_report_says(folder):
    card = (folder / "README.md").read_text()
    assert "**The samples are convincing and as varied as the data.**" in card
    row = f"(recall) | 0.901 | 0.901 | 0.891 to 0.911 | higher | 5,000 | {SPACE} |"
    assert f"| Real variety within reach {row}" in card
    assert "| Stripe trends | 0.800 | – | – | higher | 5,000 | – |" in card
    assert "| Lost | – |" in card
    for heading in ("Verdict", "Measures", "Data", "Load and sample", "Limits"):
        assert f"\n## {heading}\n" in card


def test_nothing_in_a_card_reads_as_markup(folder):
    card = (folder / "README.md").read_text()
    assert card.startswith("# \\<script\\>alert('x')\\</script\\> \\& \"q\" \\| \\*b\\* \\`c\\`\n")
    outside_code = re.sub(r"```.*?```", "", card, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<script", outside_code)
    rows = [line for line in card.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {8}


def test_the_card_shows_samples_that_lie_beside_it(tmp_path):
    run = tmp_path / "run"
    write_report(report(run / "sam (ples)"), run)
    assert "![Title of samples](<sam (ples)/small.png>)" in (run / "README.md").read_text()
    write_report(report(tmp_path / "elsewhere"), run)
    assert "![" not in (run / "README.md").read_text()


def test_the_card_loads_the_run_by_its_name(tmp_path):
    write_report(report(tmp_path, name='it\'s "mine"'), tmp_path)
    card = (tmp_path / "README.md").read_text()
    (line,) = re.findall(r"run = ectype\.load\((.*)\)", card)
    assert json.loads(line) == 'it\'s "mine"'
    assert "ectype sample 'it'\"'\"'s \"mine\"' -n 16" in card


def test_a_copying_model_is_named_in_the_cards_limits(tmp_path):
    copying = change(measures(), "near_copies", value=0.5, interval=(0.45, 0.55))
    write_report(report(tmp_path, measures=copying), tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "**This model copies its training data.**" in card
    assert "It copies training data" in card.split("## Limits")[1]
