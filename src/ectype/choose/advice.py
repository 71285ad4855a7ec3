"""What a comparison says at its end: a table, and a recommendation with its reason and doubt."""

from __future__ import annotations

import math

from ectype.choose.ranking import MUCH_THE_SAME, Score, Standing, score
from ectype.choose.state import State
from ectype.config import format_seconds
from ectype.report.verdict import Verdict
from ectype.report.words import number

#: Fewer validation items than this make a choice a rough one.
FEW_ITEMS = 200


def advise(state: State) -> Verdict:
    """The recommendation of a finished comparison."""
    assert state.winner is not None
    winner = state.candidate(state.winner)
    chosen_for = state.trials(winner.name)[-1].seconds
    before = state.before_last()
    order = before.ranking(chosen_for)
    mine = next(standing for standing in order if standing.name == winner.name)
    rivals = [s for s in order if s is not mine and not state.failure(s.name)]
    return Verdict(
        f"Use {winner.name}: {winner.about}.",
        (_reason(mine, rivals, chosen_for), *_set_back(state, mine, rivals)),
        tuple(_doubts(before, mine, rivals)),
        copying=mine.copies,
    )


def headings(state: State) -> tuple[str, ...]:
    """The columns of the table."""
    times = (f"after {format_seconds(seconds)}" for seconds in _times(state))
    return ("candidate", *times, "Fréchet", "coverage", "samples/s", "weights", "remark")


def rows(state: State) -> list[tuple[str, ...]]:
    """The table: a line a candidate, the best first.

    The columns of time say how many times worse than real data a candidate was after that much
    training; Fréchet distance and coverage are those after its longest.
    """
    ranked = [standing.name for standing in state.ranking()]
    first = [state.winner] if state.winner else []
    everyone = [candidate.name for candidate in state.candidates]
    return [_row(state, name) for name in dict.fromkeys([*first, *ranked, *everyone])]


def times_real(score: Score) -> str:
    """A score as people read it.

    >>> times_real(Score(0.9, 0.05))
    '2.46× (2.34–2.59)'
    """
    low, high = (math.exp(score.value + sign * score.half) for sign in (-1, 1))
    return f"{math.exp(score.value):.2f}× ({low:.2f}–{high:.2f})"


def _times(state: State) -> list[float]:
    return sorted({rung.seconds for rung in state.rungs})


def _row(state: State, name: str) -> tuple[str, ...]:
    at = {
        trial.seconds: "failed" if trial.failure else times_real(score(trial.measures))
        for trial in state.trials(name)
    }
    cells = [at.get(seconds, "") for seconds in _times(state)]
    standing = state.standing(name)
    if standing is None:
        return (name, *cells, "–", "–", "–", "–", state.failure(name) or "")
    trial = state.results(name)[-1]
    frechet, coverage = trial.measures["frechet"], trial.measures["coverage"]
    remark = "copies its training data" if standing.copies else state.failure(name) or ""
    return (
        name,
        *cells,
        number(frechet.value),
        number(coverage.value),
        f"{trial.items_per_second:,.0f}",
        f"{trial.weight_bytes / 1e6:.1f} MB",
        remark,
    )


def _reason(mine: Standing, rivals: list[Standing], seconds: float) -> str:
    """Why this one and not the next best."""
    if not rivals:
        return "No other candidate gave a result."
    other = rivals[0]
    figures = (
        f"its samples are {math.exp(mine.score.value):.2f} times as far from real data as other "
        f"real data are, those of {other.name} {math.exp(other.score.value):.2f} times"
    )
    carried = f"carried on to {format_seconds(seconds)} of training"
    if other.copies and not mine.copies:
        return f"{other.name} copies its training data, {mine.name} does not; {carried}, {figures}."
    if mine.score.equals(other.score):
        better = _why_of_two(mine, other)
        return (
            f"It and {other.name} cannot be told apart by their samples, and {better}; {carried}, "
            f"{figures}."
        )
    return f"It comes nearest to validation data: {carried}, {figures}."


def _why_of_two(mine: Standing, other: Standing) -> str:
    """Why the one and not the other, where their samples do not tell."""
    if mine.favoured and not other.favoured:
        return f"a {mine.family.upper()} has done better on data like these"
    if mine.cost < other.cost - MUCH_THE_SAME:
        return "it is the cheaper one to use"
    if mine.plain and not other.plain:
        return f"it is how `fit` trains a {mine.family.upper()}"
    return "it is not dearer to use"


def _set_back(state: State, mine: Standing, rivals: list[Standing]) -> list[str]:
    """Candidates that looked better and copy, or that failed."""
    said = [
        f"{rival.name} looks better only because it copies its training data."
        for rival in rivals[1:]
        if rival.copies and not mine.copies and rival.score.value < mine.score.value
    ]
    failures = {c.name: state.failure(c.name) for c in state.candidates}
    return said + [f"{name} failed: {failure}." for name, failure in failures.items() if failure]


def _doubts(before: State, mine: Standing, rivals: list[Standing]) -> list[str]:
    """What speaks against relying on the choice.

    Args:
        before: what was known when the winner was chosen.
        mine: the winner's standing, carried on to its last training.
        rivals: those of all others.
    """
    doubts = []
    peers = [rival for rival in rivals if rival.copies == mine.copies]
    level = [rival.name for rival in peers if rival.score.meets(mine.score)]
    if level:
        doubts.append(
            f"The intervals of {_listed([mine.name, *level])} overlap: which is better may be "
            "chance. Another seed or a longer budget would tell."
        )
    measured, seconds = before.curve(mine.name)[-1][1], before.curve(mine.name)[-1][0]
    ahead = [
        rival.name
        for rival in peers
        for time, found in before.curve(rival.name)
        if time == seconds and found.value < measured.value and rival.score.value > mine.score.value
    ]
    if ahead:
        doubts.append(
            f"After {format_seconds(seconds)} {_listed(ahead)} still did better: the choice rests "
            "on how fast each was getting better."
        )
    n = before.results(mine.name)[-1].measures["frechet"].n
    if n < FEW_ITEMS:
        doubts.append(f"There were only {n:,} validation items to compare with.")
    if mine.copies:
        doubts.append(f"{mine.name} copies its training data, and so do all others.")
    return doubts


def _listed(names: list[str]) -> str:
    """Names as a sentence lists them.

    >>> _listed(["gan", "vae", "vae-wide"])
    'gan, vae and vae-wide'
    """
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
