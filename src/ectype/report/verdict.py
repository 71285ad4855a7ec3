"""What the figures mean, in words that need no training.

No figure is judged alone. Each is read against its floor, the same figure of real data against
held-out real data, because what is high or low depends on the data, on the feature space and on
how many items were measured. Copying comes first: a model that copies looks perfect otherwise.

The thresholds are conventions, set by the models of docs/benchmarks.md and by the cases in
tests/report/test_verdict.py. The figures stand beside the words: anyone can judge otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from ectype.measures.measure import Measure
from ectype.report.words import in_100, interval, number, term


class Grade(IntEnum):
    """How near a figure comes to what real data reach."""

    POOR = 0
    WEAK = 1
    FAIR = 2
    GOOD = 3


#: A figure that is better higher, as a share of its floor: what each grade asks.
SHARES = {Grade.GOOD: 0.85, Grade.FAIR: 0.6, Grade.WEAK: 0.3}
#: A Fréchet distance as a multiple of its floor: what each grade allows. In docs/benchmarks.md,
#: after five minutes on Fashion-MNIST, our own models stand at 4 and the peers at 8 to 9.
MULTIPLES = {Grade.GOOD: 2.0, Grade.FAIR: 5.0, Grade.WEAK: 10.0}
#: Perplexities of texts, as multiples of their floors. In docs/benchmarks.md, after five minutes on
#: names, the textbook's model stands at 2 and 1.3.
PERPLEXITIES = {Grade.GOOD: 1.15, Grade.FAIR: 1.4, Grade.WEAK: 1.8}
#: Near copies beyond those among held-out real data, as a share of the samples: a few, many.
COPIES = (0.01, 0.1)
#: Samples nearer to training than to held-out data, as a share: a lean, a strong lean. Chance
#: gives 0.5, the models of docs/benchmarks.md 0.41 to 0.48, a copy of the training data 1.
LEAN = (0.6, 0.75)
#: Fewer measured items than this make rough figures.
FEW = 1000
#: An interval wider than this (of a share; of a Fréchet distance as a share of it) is wide.
WIDE = 0.1
WIDE_FRECHET = 0.3
#: A floor below this means that the yardstick fails on real data already.
LOW_FLOOR = 0.5

#: What a verdict needs, and what it cannot say without.
_NEEDED = {
    "how good the samples are": ("frechet", "precision", "density"),
    "how varied the samples are": ("recall", "coverage"),
    "whether the samples are copies": ("nearer_to_train", "near_copies"),
}


@dataclass(frozen=True)
class Verdict:
    """A headline, the sentences that bear it out, and the reasons to doubt it.

    `copying` is whether the model copies its training data, all of it or now and then.
    """

    headline: str
    sentences: tuple[str, ...]
    doubts: tuple[str, ...]
    copying: bool = False


def verdict(measures: Mapping[str, Measure]) -> Verdict:
    """Judge a model by its measures; those that are missing or unknown are passed over.

    Args:
        measures: figures by name, as `evaluate` gives them.
    """
    known = {name: m for name, m in measures.items() if math.isfinite(m.value)}
    quality, variety = _quality(known), _variety(known)
    judgement = _judgement(quality, variety)
    copying = _copying(known)
    found = [*_closeness_said(known), *_quality_said(known), *_variety_said(known)]
    others = [*_pairs_said(known), *_labels_said(known), *_wording_said(known)]
    doubts = tuple(_doubts(known))
    if copying is not None:
        aside = "Copies look convincing by nature, so the rest says little: "
        rest = aside + judgement[0].lower() + judgement[1:]
        sentences = (*_copying_said(known), rest, *found, *others)
        return Verdict(copying, sentences, doubts, copying=True)
    return Verdict(judgement, (*found, *_copying_said(known), *others), doubts)


# --- grades -------------------------------------------------------------------------------


def _of_floor(measure: Measure | None) -> float | None:
    """A figure as a share or a multiple of its floor; None where it has none."""
    if measure is None or measure.floor is None or not measure.floor > 0:
        return None
    return measure.value / measure.floor


def _share_grade(share: float) -> Grade:
    return next((grade for grade, least in SHARES.items() if share >= least), Grade.POOR)


def _closeness(known: Mapping[str, Measure]) -> Grade | None:
    """How near the samples as a whole are to real data."""
    multiple = _of_floor(known.get("frechet"))
    if multiple is None:
        return None
    return next((grade for grade, most in MULTIPLES.items() if multiple <= most), Grade.POOR)


def _worst_share(known: Mapping[str, Measure], *names: str) -> Grade | None:
    shares = [share for name in names if (share := _of_floor(known.get(name))) is not None]
    return _share_grade(min(shares)) if shares else None


def _quality(known: Mapping[str, Measure]) -> Grade | None:
    """How believable single samples are.

    The worse of precision and density, at most a grade better than the whole: noise can lie
    inside the wide neighbourhoods of a few outliers and still be far from the data.
    """
    single, whole = _worst_share(known, "precision", "density"), _closeness(known)
    worded = _wording(known, "forward_perplexity")
    if single is None or whole is None:
        return whole if single is None else single
    found = min(single, Grade(min(whole + 1, Grade.GOOD)))
    return found if worded is None else min(found, worded)


def _variety(known: Mapping[str, Measure]) -> Grade | None:
    """How much of the real variety there is: the worst of recall, coverage and diversity."""
    found = _worst_share(known, "recall", "coverage", "diversity")
    worded = _wording(known, "reverse_perplexity")
    return found if found is None or worded is None else min(found, worded)


def _wording(known: Mapping[str, Measure], name: str) -> Grade | None:
    """How near one of the perplexities of texts comes to that of real texts."""
    multiple = _of_floor(known.get(name))
    if multiple is None:
        return None
    return next((grade for grade, most in PERPLEXITIES.items() if multiple <= most), Grade.POOR)


def _judgement(quality: Grade | None, variety: Grade | None) -> str:
    """Quality and variety in one sentence."""
    if quality is None:
        return "There are too few figures for a verdict."
    if quality is Grade.POOR:
        return "The samples do not look like the data yet."
    said = {
        Grade.GOOD: "The samples are convincing",
        Grade.FAIR: "Most samples are convincing",
        Grade.WEAK: "Some samples are convincing, many are not",
    }[quality]
    if variety is None:
        return f"{said}."
    range_said = {
        Grade.GOOD: "as varied as the data",
        Grade.FAIR: "nearly as varied as the data",
        Grade.WEAK: "show only part of the variety of the data",
        Grade.POOR: "repeat a small part of the data over and over",
    }[variety]
    if quality is Grade.WEAK:
        joint = ". They are " if variety >= Grade.FAIR else ", and they "
        return f"{said}{joint}{range_said}."
    return f"{said}{' and ' if variety >= Grade.FAIR else ', but they '}{range_said}."


# --- sentences ----------------------------------------------------------------------------


def _closeness_said(known: Mapping[str, Measure]) -> list[str]:
    multiple, grade = _of_floor(known.get("frechet")), _closeness(known)
    if multiple is None or grade is None:
        return []
    said = {
        Grade.GOOD: "Taken together, the samples are close to real data",
        Grade.FAIR: "Taken together, the samples differ visibly from real data",
        Grade.WEAK: "Taken together, the samples differ clearly from real data",
        Grade.POOR: "Taken together, the samples are far from real data",
    }[grade]
    frechet = known["frechet"]
    space = f" in {frechet.features} features" if frechet.features else ""
    return [
        f"{said}: the Fréchet distance{space} is {number(frechet.value)}, {multiple:.1f} times "
        f"the {number(frechet.floor)} that other real data have."
    ]


def _quality_said(known: Mapping[str, Measure]) -> list[str]:
    precision = known.get("precision")
    if precision is None:
        return []
    beside = _beside(precision, "of real data")
    return [f"Of the samples, {in_100(precision.value)} lie among real data (precision){beside}."]


def _variety_said(known: Mapping[str, Measure]) -> list[str]:
    coverage = known.get("coverage")
    if coverage is None:
        return []
    beside = _beside(coverage, "with real data for samples")
    return [
        f"Of the real data, {in_100(coverage.value)} have a sample close by (coverage){beside}."
    ]


def _pairs_said(known: Mapping[str, Measure]) -> list[str]:
    test = known.get("two_sample_auc")
    if test is None:
        return []
    return [
        f"Of pairs of a sample and a real item, a classifier sorts {in_100(test.value)} rightly; "
        "guessing sorts 50."
    ]


def _wording_said(known: Mapping[str, Measure]) -> list[str]:
    forward, reverse = known.get("forward_perplexity"), known.get("reverse_perplexity")
    if forward is None or reverse is None or forward.floor is None or reverse.floor is None:
        return []
    return [
        "To someone who has read real texts the samples are as surprising as a choice among "
        f"{number(forward.value)} characters at each place, real texts as one among "
        f"{number(forward.floor)}. To someone who has read the samples real texts are as one among "
        f"{number(reverse.value)}; after as many real texts, {number(reverse.floor)}."
    ]


def _labels_said(known: Mapping[str, Measure]) -> list[str]:
    labels = known.get("label_fidelity")
    if labels is None:
        return []
    beside = _beside(labels, "of real data")
    return [
        f"Asked for a label, the model makes it: {in_100(labels.value)} are recognised{beside}."
    ]


def _beside(measure: Measure, whose: str) -> str:
    """The floor, behind a share."""
    return "" if measure.floor is None else f"; {whose}, {in_100(measure.floor)}"


# --- copying ------------------------------------------------------------------------------


def _low_end(measure: Measure) -> float:
    """The least that a share may be: its interval's end, or two standard errors below it."""
    if measure.interval is not None:
        return measure.interval[0]
    share = min(max(measure.value, 0.0), 1.0)
    return share - 2 * math.sqrt(share * (1 - share) / max(measure.n, 1))


def _copies_beyond_floor(known: Mapping[str, Measure]) -> float:
    """Share of samples that are near copies, beyond what chance and the data explain."""
    copies = _worst_copies(known)
    return 0.0 if copies is None else max(0.0, _low_end(copies) - (copies.floor or 0.0))


def _worst_copies(known: Mapping[str, Measure]) -> Measure | None:
    """The share of near copies in the feature space that finds most beyond its floor."""
    found = [measure for name, measure in known.items() if name.startswith("near_copies")]
    return max(found, key=lambda measure: measure.value - (measure.floor or 0.0), default=None)


def _lean(known: Mapping[str, Measure]) -> float:
    """The least share of samples that are nearer to training than to held-out data."""
    return _low_end(known["nearer_to_train"]) if "nearer_to_train" in known else 0.5


def _copying(known: Mapping[str, Measure]) -> str | None:
    """The headline of a model that copies; None for one that does not."""
    beyond, lean = _copies_beyond_floor(known), _lean(known)
    if beyond > COPIES[1] or lean > LEAN[1]:
        return "This model copies its training data."
    if beyond > COPIES[0]:
        return "Some samples are near copies of training data."
    if lean > LEAN[0]:
        return "The samples keep too close to the training data."
    return None


def _copying_said(known: Mapping[str, Measure]) -> list[str]:
    said = []
    if copies := _worst_copies(known):
        beside = _beside(copies, "of unseen real data")
        said.append(
            f"Of the samples, {in_100(copies.value)} are near copies of training data{beside}."
        )
    if nearer := known.get("nearer_to_train"):
        said.append(
            f"Of the samples, {in_100(nearer.value)} lie nearer to training data than to data that "
            "the model never saw, if there were as much of both; 50 is ideal."
        )
    if said and _copying(known) is None:
        few = _copies_beyond_floor(known) > 0
        found = "Copies are rare, but there are some." if few else "There is no sign of copying."
        said[0] = f"{found} {said[0]}"
    return said


# --- doubts -------------------------------------------------------------------------------


def _doubts(known: Mapping[str, Measure]) -> list[str]:
    return [
        *_missing(known),
        *_few(known),
        *_wide(known),
        *_weak_yardsticks(known),
        *_feature_spaces(known),
    ]


def _missing(known: Mapping[str, Measure]) -> list[str]:
    said = []
    for question, names in _NEEDED.items():
        lacking = [term(name).term for name in names if name not in known]
        if len(lacking) == len(names):
            said.append(f"It was not measured {question}.")
        elif lacking:
            said.append(f"Not measured: {' and '.join(lacking)}.")
    floorless = [
        term(name).term
        for names in list(_NEEDED.values())[:2]
        for name in names
        if name in known and known[name].floor is None
    ]
    if floorless:
        said.append(f"Without a figure of real data beside it: {', '.join(floorless)}.")
    return said


def _few(known: Mapping[str, Measure]) -> list[str]:
    needed = [name for names in _NEEDED.values() for name in names]
    fewest = min((known[name].n for name in needed if name in known), default=FEW)
    if fewest >= FEW:
        return []
    return [f"Only {fewest:,} items were measured on a side, so the figures are rough."]


def _wide(known: Mapping[str, Measure]) -> list[str]:
    wide = []
    for name in dict.fromkeys(name for names in _NEEDED.values() for name in names):
        measure = known.get(name)
        if measure is None or measure.interval is None:
            continue
        width = measure.interval[1] - measure.interval[0]
        if width > (WIDE_FRECHET * measure.value if name == "frechet" else WIDE):
            wide.append(f"{term(name).term} ({interval(measure.interval)})")
    return [f"Some figures are uncertain: {', '.join(wide)}."] if wide else []


def _weak_yardsticks(known: Mapping[str, Measure]) -> list[str]:
    said = []
    for name in ("precision", "recall", "coverage"):
        floor = known[name].floor if name in known else None
        if floor is not None and floor < LOW_FLOOR:
            said.append(
                f"Real data reach a {term(name).term} of only {number(floor)}: the yardstick is "
                "weak on these data."
            )
    test = known.get("two_sample_auc")
    if test is not None and test.floor is not None and abs(test.floor - 0.5) > WIDE:
        said.append(
            f"Training and held-out data can be told apart (AUC {number(test.floor)}): they are "
            "not of one kind, and no model could match both."
        )
    copies = _worst_copies(known)
    if copies is not None and copies.floor is not None and copies.floor > COPIES[0]:
        said.append(
            f"The data repeat themselves: {in_100(copies.floor)} held-out items are near copies "
            "of training items, so copying is harder to see."
        )
    return said


def _feature_spaces(known: Mapping[str, Measure]) -> list[str]:
    spaces = {measure.features for measure in known.values() if measure.features}
    said = []
    for space in sorted(spaces):
        if space.startswith(("efficientnet", "inception")):
            said.append(
                f"The figures see pictures as {space} does, a network trained on photographs: on "
                "drawings, symbols or scans it is a rough judge, and smaller flaws escape it."
            )
        elif space in ("pixels", "values"):
            said.append(
                f"The figures compare {space} one by one: they are blind to what is shown, and "
                "take a small shift for a large difference."
            )
    return said
