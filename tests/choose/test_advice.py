import pytest

from ectype.choose.advice import FEW_ITEMS, advise, headings, rows
from tests.choose.figures import failed, state, trial


def contest(first, second, winner, *, last=True):
    """A finished comparison: two rungs of name → trial, and the winner's last training."""
    rungs = [first, second]
    if last:
        rungs.append({winner: trial(60.0, seconds=300)})
    return state(*rungs, winner=winner)


CLEAR = (
    {"gan": trial(100.0), "vae": trial(300.0)},
    {"gan": trial(90.0, seconds=30), "vae": trial(290.0, seconds=30)},
)


def said(sentences):
    return " ".join(sentences)


def test_a_clear_winner_is_named_with_its_reason_and_without_doubt():
    found = advise(contest(*CLEAR, "gan"))
    assert found.headline == "Use gan: about gan."
    assert "nearest to validation data" in found.sentences[0]
    assert "carried on to 5m" in found.sentences[0]
    assert found.doubts == ()
    assert not found.copying


def test_overlapping_intervals_are_a_doubt():
    found = advise(
        contest(
            {"gan": trial(100.0, spread=0.1), "vae": trial(105.0, spread=0.1)},
            {
                "gan": trial(95.0, spread=0.1, seconds=30),
                "vae": trial(105.0, spread=0.1, seconds=30),
            },
            "gan",
        )
    )
    assert "gan and vae overlap" in said(found.doubts)
    assert "may be chance" in said(found.doubts)


def test_the_cheaper_of_two_alike_says_so():
    slow = {"seconds": 30, "speed": 10.0}
    found = advise(
        contest(
            {"gan": trial(100.0, spread=0.1), "vae": trial(100.0, spread=0.1)},
            {"gan": trial(99.0, spread=0.1, seconds=30), "vae": trial(98.0, spread=0.1, **slow)},
            "gan",
        )
    )
    assert "cannot be told apart by their samples" in found.sentences[0]
    assert "cheaper" in found.sentences[0]


def test_of_two_alike_the_family_of_auto_is_taken_and_says_so():
    slow = {"seconds": 30, "speed": 10.0}
    level = contest(
        {"gan": trial(100.0, spread=0.1), "vae": trial(100.0, spread=0.1)},
        {"gan": trial(99.0, spread=0.1, **slow), "vae": trial(98.0, spread=0.1, seconds=30)},
        "gan",
    )
    level.favoured = "gan"
    assert level.before_last().ranking(300)[0].name == "gan"
    assert "a GAN has done better on data like these" in advise(level).sentences[0]


def test_a_choice_by_forecast_is_a_doubt():
    found = advise(
        contest(
            {"gan": trial(900.0), "vae": trial(300.0)},
            {"gan": trial(320.0, seconds=30), "vae": trial(290.0, seconds=30)},
            "gan",
        )
    )
    assert "After 30s vae still did better" in said(found.doubts)


def test_copying_is_a_reason():
    found = advise(
        contest(
            {"gan": trial(55.0, copied=0.5), "vae": trial(300.0)},
            {"gan": trial(55.0, copied=0.5, seconds=30), "vae": trial(290.0, seconds=30)},
            "vae",
        )
    )
    assert found.sentences[0].startswith("gan copies its training data, vae does not")


def test_a_copying_winner_is_the_last_resort():
    found = advise(
        contest(
            {"gan": trial(100.0, copied=0.5), "vae": trial(300.0, copied=0.5)},
            {
                "gan": trial(90.0, copied=0.5, seconds=30),
                "vae": trial(290.0, copied=0.5, seconds=30),
            },
            "gan",
        )
    )
    assert found.copying
    assert "and so do all others" in said(found.doubts)


def test_failures_are_told():
    found = advise(
        contest(
            {"gan": trial(100.0), "vae": failed("it diverged at step 7")},
            {"gan": trial(90.0, seconds=30)},
            "gan",
        )
    )
    assert found.sentences == (
        "No other candidate gave a result.",
        "vae failed: it diverged at step 7.",
    )


def test_few_validation_items_are_a_doubt():
    few = advise(
        contest(
            {"gan": trial(100.0), "vae": trial(300.0)},
            {"gan": trial(90.0, n=FEW_ITEMS - 1, seconds=30), "vae": trial(290.0, seconds=30)},
            "gan",
        )
    )
    assert f"only {FEW_ITEMS - 1} validation items" in said(few.doubts)


def test_the_table_shows_who_trained_how_long():
    found = contest(
        {"gan": trial(100.0), "gan-free": trial(90.0), "vae": failed("why"), "vae-wide": trial()},
        {"gan-free": trial(80.0, seconds=30), "vae-wide": trial(200.0, seconds=30)},
        "gan-free",
    )
    names = headings(found)
    assert names[:4] == ("candidate", "after 10s", "after 30s", "after 5m")
    table = [dict(zip(names, row, strict=True)) for row in rows(found)]
    assert [row["candidate"] for row in table] == ["gan-free", "vae-wide", "gan", "vae"]
    assert [bool(row["after 30s"]) for row in table] == [True, True, False, False]
    best, *_, worst = table
    assert best["Fréchet"] == "60.0"
    assert best["after 10s"] == "1.82× (1.82–1.82)"  # √(90/50 · 1/0.5)
    assert worst["remark"] == "why"
    assert worst["after 10s"] == "failed"


def test_a_winner_whose_last_training_failed():
    found = state(
        {"gan": trial(100.0), "vae": trial(300.0)},
        {"gan": trial(90.0, seconds=30), "vae": trial(290.0, seconds=30)},
        {"gan": failed("it diverged", seconds=300)},
        {"vae": trial(200.0, seconds=200)},
        winner="vae",
    )
    assert rows(found)[0][0] == "vae"
    assert advise(found).sentences[-1] == "gan failed: it diverged."


@pytest.mark.parametrize("last", [True, False])
def test_the_last_training_may_be_missing(last):
    assert advise(contest(*CLEAR, "gan", last=last)).headline == "Use gan: about gan."
