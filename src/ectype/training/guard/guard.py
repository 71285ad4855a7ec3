"""The guard's policy: when it looks, what it does about what it sees, and when it gives up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from ectype.errors import DataError, DivergedError
from ectype.training.guard import symptoms
from ectype.training.guard.symptoms import Figures, Typical
from ectype.training.guard.trends import Trends
from ectype.training.learned import is_finite

if TYPE_CHECKING:
    from torch import Tensor

    from ectype.models.base import Batch, Player
    from ectype.training.trainer import Played, Trainer

#: Rounds between checks of the losses, the gradients and the weights.
CHECK = 64
#: Rounds between looks at items, which cost about a round each. After a look at which all is well,
#: what was learned is remembered as healthy.
LOOK = 256
#: Looks in a row that must show the same before it is believed.
LOOKS = 4
#: Items that a look is taken at, and real ones whose kinds are told apart.
ITEMS, SORTED = 64, 256
#: Factor on learning rates at the first, the second and the third answer to one kind of trouble;
#: after these the guard gives up. The first is mild: it may have been an accident. All together
#: they take back a rate that was a hundred times too high.
SLOWER = (1 / 2, 1 / 8, 1 / 8)
#: The same for an explosion, which is no accident.
SLOWER_STILL = (1 / 10, 1 / 10, 1 / 10)
#: ...and those of the players who took part in it.
SLOWER_BESIDE = 1 / 3
#: The same for a discriminator that overshoots; the generator did nothing.
SLOWER_ALONE = (1 / 4, 1 / 4, 1 / 4)
#: Factor on the gradient penalty or on free bits at every answer.
RAISE = 4.0
#: The first free bits, nats a latent, where there were none.
FREE_BITS = 0.1


@dataclass(frozen=True)
class Trouble:
    """What is wrong.

    Attributes:
        kind: its name in `events.jsonl`.
        what: a plain sentence without a full stop.
        advice: what a user can try where the guard's answers did not help.
        facts: what else the event tells.
        deadly: whether training must not go on when all answers were tried.
    """

    kind: str
    what: str
    advice: str
    facts: dict[str, Any]
    deadly: bool = True


class Guard:
    """Watches every player, answers trouble a bounded number of times, then stops training.

    All it decides follows from steps and figures, never from time: a run under a budget of steps
    repeats to the bit, also if it was interrupted.
    """

    name: ClassVar[str] = "guard"

    def __init__(self) -> None:
        self._waiting: list[Played] = []
        self._turns: list[Figures] = []  # those of `_waiting` that were fetched before their time
        self._typical = Typical()
        self._trends = Trends()
        self._tries: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._alike = False
        self._items: Batch | None = None
        self._kinds: Tensor | None = None

    def after_round(self, trainer: Trainer) -> None:
        """Note the round; every so many of them, check what came of them."""
        self._waiting += trainer.played
        ended = trainer.clock.progress(trainer.step) >= 1
        if trainer.step % CHECK == 0 or ended:
            self._check(trainer)

    def state(self) -> dict[str, Any]:
        """Plain values, as every controller's."""
        self._fetch()
        return {
            "turns": [turn.to_json() for turn in self._turns],
            "levels": dict(self._typical.levels),
            "trends": self._trends.state(),
            "tries": dict(self._tries),
            "seen": dict(self._seen),
            "alike": self._alike,
        }

    def load_state(self, values: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self._waiting = []
        self._turns = [Figures(*turn) for turn in values["turns"]]
        self._typical.levels = dict(values["levels"])
        self._trends.load_state(values["trends"])
        self._tries, self._seen = dict(values["tries"]), dict(values["seen"])
        self._alike = values["alike"]

    def _fetch(self) -> None:
        self._turns += symptoms.fetch(self._waiting)
        self._waiting = []

    # --- what it sees -----------------------------------------------------------------------

    def _check(self, trainer: Trainer) -> None:
        self._fetch()
        turns, self._turns = self._turns, []
        if trouble := self._not_finite(trainer, turns):
            self._answer(trainer, trouble, turns)
            return
        excess = self._typical.excess(turns)
        if trouble := self._exploded(excess) or self._overshot(turns):
            self._answer(trainer, trouble, turns)
            return
        progress = trainer.clock.progress(trainer.step)
        weights = {player.name: _norm(player) for player in trainer.players}
        self._trends.add(turns, progress, weights)
        for kind, what in self._trends.events(progress).items():
            trainer.event(kind, what=what)
        if trainer.step % LOOK == 0:
            self._look(trainer, turns)
            calm = all(orders < symptoms.CALM for _, orders in excess.values())
            if calm and not any(self._seen.values()):
                trainer.keep_healthy()

    def _not_finite(self, trainer: Trainer, turns: list[Figures]) -> Trouble | None:
        """A loss, a gradient or a weight that is infinite or not a number."""
        learned = trainer.learned()
        if found := symptoms.not_finite(turns):
            turn, name = found
            _check_items(trainer, turn)
            what = f"the {turn.player}'s {name}"
            facts = {"player": turn.player, "figure": name, "since": turn.step + 1}
            said = f"{what} became infinite or not a number at step {turn.step + 1:,}"
        elif is_finite(learned.values()):
            return None
        else:
            name = symptoms.first_not_finite(learned)
            what = "the sum of the weights" if name is None else symptoms.place_of(name)
            facts = {"weight": name, "since": trainer.step}
            said = f"{what} was infinite or not a number at step {trainer.step:,}"
        advice = "try a lower learning rate (--set gan.learning_rate=… or vae.learning_rate=…)"
        return Trouble("not_finite", said, advice, facts)

    def _exploded(self, excess: dict[str, tuple[float, float]]) -> Trouble | None:
        """A figure that is finite, but far outside of where it used to be."""
        name = max(excess, key=lambda name: excess[name][1], default=None)
        if name is None or excess[name][1] < symptoms.EXPLODED:
            return None
        player, figure = name.split("/")
        value, orders = excess[name]
        return Trouble(
            "explosion",
            f"the {player}'s {figure} exploded to {value:.2g}, {10**orders:,.0f} times what it was",
            "try a lower learning rate (--set gan.learning_rate=… or vae.learning_rate=…)",
            {"player": player, "figure": figure, "value": value},
        )

    def _overshot(self, turns: list[Figures]) -> Trouble | None:
        """A discriminator whose steps are too long, as long as there is an answer to it."""
        found = symptoms.overshot(turns)
        if found is None or self._tries.get("overshoot", 0) == len(SLOWER_ALONE):
            return None
        longest, typical = found
        return Trouble(
            "overshoot",
            f"the discriminator overshoots: its gradient was as long as {longest:,.0f} in single "
            f"steps, where its median was {typical:.2g}",
            "try a lower learning rate (--set gan.learning_rate=…)",
            {"player": "discriminator", "value": longest},
            deadly=False,  # where it harms, figures explode or variety is lost
        )

    def _look(self, trainer: Trainer, turns: list[Figures]) -> None:
        """Look at items, real and generated, and at what the discriminator makes of them."""
        model = trainer.model
        if self._items is None:
            self._items = next(iter(trainer.batches.in_order(ITEMS, ITEMS)))
        if not self._alike and symptoms.are_alike(self._items.x):
            self._alike = True
            trainer.event(
                "alike",
                what="the training items are nearly identical: there is little to learn from "
                "them, and what is generated will be much the same",
            )
        with trainer.precision.autocast():
            if not model.has_encoder:
                if model.ready(trainer.clock.progress(trainer.step)):
                    self._look_for_variety(trainer, self._items.x, turns)
            elif not self._alike:
                units = symptoms.active_units(model, self._items)
                if self._persists("posterior_collapse", units == 0):
                    self._answer(trainer, _COLLAPSE, turns, "free_bits")
        if self._persists("saturation", symptoms.is_saturated(turns)):
            self._answer(trainer, _SATURATION, turns, "penalty")

    def _look_for_variety(self, trainer: Trainer, real: Tensor, turns: list[Figures]) -> None:
        """Whether the generator makes one item only, or few of the kinds that there are."""
        if self._kinds is None:
            self._kinds = symptoms.kinds(next(iter(trainer.batches.in_order(SORTED, SORTED))).x)
        generated = symptoms.generated(trainer.model, len(real))
        ratio = symptoms.spread(generated) / max(symptoms.spread(real), 1e-12)
        share = symptoms.share_of_kinds(generated, self._kinds)
        share /= symptoms.share_of_kinds(real, self._kinds)
        same, few = ratio < symptoms.LOST, share <= symptoms.FEW and not self._alike
        if self._persists("lost_diversity", same or few):
            trouble = _lost_diversity(ratio) if same else _lost_kinds(share)
            self._answer(trainer, trouble, turns, "penalty")

    def _persists(self, kind: str, there: bool) -> bool:
        """Whether a symptom was there at as many looks in a row as it takes to be believed."""
        self._seen[kind] = self._seen.get(kind, 0) + 1 if there else 0
        if self._seen[kind] < LOOKS:
            return False
        self._seen[kind] = 0
        return True

    # --- what it does -----------------------------------------------------------------------

    def _answer(
        self, trainer: Trainer, trouble: Trouble, turns: list[Figures], dial: str | None = None
    ) -> None:
        """Go back, let all who played in these turns learn more slowly, and turn a dial up.

        All who played: when one of them loses its footing, it shows in the others' figures. Only
        where one overshoots it is clear which.

        Raises:
            DivergedError: all answers to this kind of deadly trouble were tried.
        """
        tried = self._tries.get(trouble.kind, 0)
        if tried == len(SLOWER) and not trouble.deadly:
            return
        if tried == len(SLOWER):
            trainer.event("given_up", what=f"{trouble.what}; gave up after {tried} tries")
            raise DivergedError(
                f"training diverged at step {trainer.step:,}: {trouble.what}, and {tried} answers "
                "of the guard did not help",
                where=str(trainer.folder),
                hint=f"the last good checkpoint is kept; {trouble.advice} with --new",
            )
        self._tries[trouble.kind] = tried + 1
        trainer.roll_back()
        self._trends.restart()
        for player in {turn.player for turn in turns}:
            trainer.rates[player] *= _slower(trouble, player, tried)
        rates = ", ".join(f"{player} ×{rate:.2g}" for player, rate in trainer.rates.items())
        answer = f"went back to the last healthy weights and lowered learning rates ({rates})"
        if dial in trainer.model.dials:
            answer += f" and {_turn_up(trainer, dial)}"
        facts = {**trouble.facts, "try": tried + 1}
        trainer.event(trouble.kind, what=f"{trouble.what}; {answer}", **facts)


def _slower(trouble: Trouble, player: str, tried: int) -> float:
    """The factor on a player's learning rate, for the answer after so many tries."""
    at_fault = player == trouble.facts.get("player")
    if trouble.kind == "overshoot":
        return SLOWER_ALONE[tried] if at_fault else 1.0
    if trouble.kind == "explosion":
        return SLOWER_STILL[tried] if at_fault else SLOWER_BESIDE
    return SLOWER[tried]


def _norm(player: Player) -> float:
    """The Euclidean norm of what a player learns."""
    return torch.nn.utils.get_total_norm([*player.module.parameters()]).item()


def _turn_up(trainer: Trainer, dial: str) -> str:
    """Raise one of the model's dials; says so."""
    dials = trainer.model.dials
    if dial == "penalty":
        dials[dial] *= RAISE
        return f"raised the gradient penalty (×{dials[dial]:g})"
    dials[dial] = max(FREE_BITS, RAISE * dials[dial])
    return f"raised free bits to {dials[dial]:g} nats a latent"


def _lost_diversity(ratio: float) -> Trouble:
    return Trouble(
        "lost_diversity",
        "the generator makes nearly the same item from every noise: the mean distance between "
        f"two is {ratio:.1%} of that between real ones",
        "try more data, the default game, or a stronger penalty (--set gan.gamma=…)",
        {"relative_spread": ratio},
    )


def _lost_kinds(share: float) -> Trouble:
    return Trouble(
        "lost_diversity",
        f"the generator has lost most kinds of items: it makes {share:.0%} of those that as many "
        "real ones show",
        "try more data, the default game, or a stronger penalty (--set gan.gamma=…)",
        {"kinds": share},
    )


_SATURATION = Trouble(
    "saturation",
    "the discriminator tells generated items from real ones without fail, so that the generator "
    "learns little",
    "try a stronger penalty (--set gan.gamma=…)",
    {"player": "discriminator"},
    deadly=False,  # the generator may still catch up, and what it has learned is worth keeping
)
_COLLAPSE = Trouble(
    "posterior_collapse",
    "the encoder tells the decoder nothing: no latent differs between items",
    "try a lower weight of the KL (--set vae.beta=…)",
    {"player": "autoencoder"},
)


def _check_items(trainer: Trainer, turn: Figures) -> None:
    """Check the items of a turn whose figures are not finite.

    Raises:
        DataError: they are at fault.
    """
    chosen = trainer.batches.order(turn.drawn)
    items = trainer.batches.at(chosen).x.flatten(1)
    bad = chosen[~torch.isfinite(items).all(1).cpu()].unique().tolist()
    if bad:
        named = ", ".join(map(str, bad[:10])) + (" and others" if len(bad) > 10 else "")
        raise DataError(
            f"training items hold values that are infinite or no numbers: items {named}, "
            "counted from 0",
            hint="repair them or leave them out",
        )
