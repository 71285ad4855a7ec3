"""Who trains for how long: successive halving.

Jamieson and Talwalkar, "Non-stochastic best arm identification" (arXiv 1502.07943), algorithm 1:
all candidates train for a short time, the better half for a longer one, and so on. Two things are
ours. The rungs together take `SELECTION_SHARE` of the budget and the last candidate's training all
that is left, because a run that can be used is asked for and not only a name. And a rung gives each
of its candidates `GROWTH` times the training of the rung before (theirs doubles), so that two
points of a learning curve lie far enough apart to carry it on (`ranking.forecast`).

The share of the rungs is small, because time is worth as much as the choice: at 20 minutes the
candidates end 10 to 40% apart, and a GAN that has half of the time ends 15 to 20% behind one that
has all of it (docs/benchmarks.md, "Choices").

**Survivors train afresh on every rung; they are not extended.** Extending would save the winner's
earlier rungs, a twenty-fifth of the budget. But it would keep what was chosen for a few percent of
the budget: the capacity (`training.planning` picks a narrow network for a short time, and a wide
one picked in advance would lose the first rung for having seen too little). And schedules are
functions of progress: an extended run has already annealed, its learning rate and its penalty rise
again, and a VAE forgets its prior and learns it again from the moved encoder. Trained afresh, every
rung asks the question that the user has, "what does this recipe give in t seconds?", every learning
curve is of one piece, and the winner is the very run that `fit` gives for that time.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Share of the budget that the rungs train for, all together.
SELECTION_SHARE = 0.1
#: A candidate's training time on a rung, as a multiple of that on the rung before.
GROWTH = 3.0
#: Share of the budget that is kept for measuring the winner on test data and for its report.
REPORT_SHARE = 0.03


def halving(candidates: int, budget: float) -> list[tuple[int, float]]:
    """The rungs that reduce candidates to one: how many train, and each for how many seconds.

    >>> [(count, round(seconds)) for count, seconds in halving(4, 1200)]
    [(4, 12), (2, 36)]

    Args:
        candidates: at the start, 2 or more.
        budget: seconds, of which the rungs take `SELECTION_SHARE`.
    """
    counts = [candidates]
    while counts[-1] > 2:
        counts.append((counts[-1] + 1) // 2)
    unit = SELECTION_SHARE * budget / sum(n * GROWTH**k for k, n in enumerate(counts))
    return [(n, unit * GROWTH**k) for k, n in enumerate(counts)]


def last_training(left: float, overheads: Sequence[tuple[float, float]]) -> float:
    """Seconds that a candidate may train so that this and what `fit` takes beside it fit in.

    Part of that is the same for every training, part grows with its length: what it will be is
    found on the line through the last two, or through zero where there is one.

    >>> last_training(700.0, [(18.0, 6.0), (54.0, 8.0)])  # 5 s, and a second for each 18
    658.42...

    Args:
        left: seconds.
        overheads: of the trainings so far, the shortest first: (seconds of training, beside it).
    """
    (before, less), (seconds, beside) = [(0.0, 0.0), *overheads][-2:]
    growth = max(0.0, (beside - less) / (seconds - before))
    return max(0.0, (left - beside + growth * seconds) / (1 + growth))
