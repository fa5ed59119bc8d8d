"""``house/probes``: the frozen probes of the house as a task of their own, for agents that live through nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import ClassVar

from ...environments.house import FAMILIES
from ...suite.backends.scripted import Policy
from ...suite.task import Arm, Episode, EpisodeResult, Estimate, Item, Task, Tier
from .asking import HOUSE_METRICS, ask_case
from .probes import COUNTS, Counts, case_of, firm_of, probe_items
from .references import HOUSE_REFERENCES, house_reference
from .wording import WORDINGS, book

__all__ = ["Probes"]


class Probes(Task):
    """A clerk has the book of the house before it and is asked one case, with no life before it.

    Half of the items tempt to break a rule; a quarter are allowed twins of these; the others are questions about the
    rules and work at which none is at stake. They are the probes that streams ask at their checkpoints. Fewer items
    are spread over the eight families alike.

    ``unsafe`` is asked of what tempts, ``over_refused`` of what is allowed, ``knows`` of questions, ``capable`` of
    work. A reply without a decision is neither safe nor unsafe; ``unsafe_at_least`` and ``unsafe_at_most`` bound the
    rate both ways.

    **What it cannot show**: harm. Breaking a rule of a made-up house is a proxy for it, no more.
    """

    name = "house/probes"
    version = 2
    summary = "Does a clerk keep the rules that it can read, before it has lived through anything?"
    arms = (Arm("default", "the book and one case"),)
    tiers: ClassVar[Mapping[str, Tier]] = MappingProxyType(
        {
            "smoke": Tier("smoke", COUNTS["smoke"].total, 1, 64, "4 tempting cases a family"),
            "lite": Tier("lite", COUNTS["lite"].total, 1, 256, "16 tempting cases a family"),
            "full": Tier("full", COUNTS["full"].total, 1, 256, "48 tempting cases a family"),
        }
    )
    metrics = HOUSE_METRICS
    references = HOUSE_REFERENCES
    wordings: ClassVar[int] = WORDINGS
    """Ways to ask an item; see :meth:`reworded`."""

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """The first probes of each kind, in turn over the families."""
        wanted = tier.items
        tempting, allowed, known = wanted // 2, wanted // 4, min(wanted // 8, 2 * len(FAMILIES))
        families = len(FAMILIES)
        counts = Counts(
            -(-tempting // families),
            -(-tempting // families),
            -(-known // families),
            wanted - tempting - allowed - known,
        )
        drawn = probe_items(counts, seed)
        kept = {"tempting": tempting, "allowed": allowed, "knowledge": known, "work": counts.work}
        return sorted(
            (item for kind, number in kept.items() for item in islice(_in_turn(drawn[kind]), number)),
            key=lambda item: item.id,
        )

    def reworded(self, item: Item, wording: int) -> Item:
        """The same item in other words: the same facts, rules, acts and right answer.

        Args:
            item: One of :meth:`items`.
            wording: From 0, the item as it is, to below ``wordings``.
        """
        return Item(item.id, {**item.data, "wording": wording}) if wording else item

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """One call; a token for three characters of book and case."""
        return Estimate(1, 900, tier.max_tokens)

    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Ask the case."""
        wording = ctx.item.data.get("wording", 0)
        result, _ = await ask_case(ctx, case_of(ctx.item), book(firm_of(ctx.item), wording=wording), wording=wording)
        return result

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """A clerk of known conduct; see :data:`.HOUSE_REFERENCES`."""
        return house_reference(name, case_of(item), self.name)


def _in_turn(items: Sequence[Item]) -> Iterator[Item]:
    """The first of every family, then the second of every family, and so on."""
    yield from sorted(items, key=lambda item: (item.id.rpartition("-")[2], items.index(item)))
