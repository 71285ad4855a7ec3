import json

import pytest

from ectype.choose.state import read_state
from ectype.errors import UsageError
from tests.choose.figures import failed, state, trial


def names(standings):
    return [standing.name for standing in standings]


def test_what_is_written_is_read_again(tmp_path):
    found = state(
        {"gan": trial(90.0, spread=0.1), "vae": failed()}, {"gan": trial(seconds=30)}, winner="gan"
    )
    found.test = trial().measures
    found.save(tmp_path)
    assert read_state(tmp_path) == found
    json.loads((tmp_path / "compare.json").read_text(), parse_constant=pytest.fail)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "n": 3}'])
def test_a_damaged_file_says_so(content, tmp_path):
    (tmp_path / "compare.json").write_text(content)
    with pytest.raises(UsageError, match="damaged") as error:
        read_state(tmp_path)
    assert "--new" in str(error.value.hint)


def test_another_version_says_so(tmp_path):
    (tmp_path / "compare.json").write_text('{"format": 99}')
    with pytest.raises(UsageError, match="another version"):
        read_state(tmp_path)


def test_who_came_far_stands_before_who_did_not():
    found = state(
        {"gan": trial(200.0), "vae": trial(300.0), "gan-free": trial(100.0), "vae-wide": failed()},
        {"gan": trial(160.0, seconds=30), "vae": trial(150.0, seconds=30)},
    )
    assert names(found.ranking()) == ["vae", "gan", "gan-free"]


def test_a_rung_behind_may_be_carried_on_to_the_front():
    """The VAE is ahead at 30 s, the GAN gets better faster."""
    found = state(
        {"gan": trial(600.0), "vae": trial(300.0)},
        {"gan": trial(320.0, seconds=30), "vae": trial(290.0, seconds=30)},
    )
    assert names(found.ranking()) == ["vae", "gan"]
    assert names(found.ranking(seconds=300)) == ["gan", "vae"]


def test_who_failed_later_stands_behind_its_rung():
    found = state(
        {"gan": trial(100.0), "vae": trial(200.0), "vae-wide": trial(300.0)},
        {"gan": failed(seconds=30), "vae": trial(200.0, seconds=30)},
    )
    assert names(found.ranking()) == ["vae", "gan", "vae-wide"]


def test_copying_is_the_verdict_of_the_report():
    found = state({"gan": trial(60.0, copied=0.3), "vae": trial(300.0)})
    assert [(s.name, s.copies) for s in found.ranking()] == [("vae", False), ("gan", True)]
