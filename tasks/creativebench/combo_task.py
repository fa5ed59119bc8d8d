"""``creativebench/combo``: programs that join two known problems, scored by whether they work and how new they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from ...suite.canonical import content_hash
from ...suite.errors import UsageError
from ...suite.records import Grouping, Level
from ...suite.task import Episode, EpisodeResult, Item, Tier
from .combo import Combo, load_combos
from .combo_banks import COMBO_BANKS, with_parents
from .novelty import Bank
from .task import Explore
from .workshop import Workshop

__all__ = ["Combine"]

_CLUSTERS = ("sample", "item", "parents")
_SHOWN = ("quality", "novelty", "creativity")


class Combine(Explore):
    """Write one Python program for a problem that joins the ideas of two others.

    **Items**: a combo of two base problems of ``creativebench/explore``. Its solution needs both, and the result of one
    decides what the other works on; neither parent's programs solve it, nor do both when merely glued together. The
    model reads the combo's statement alone, and is not told the parents. ``smoke`` and ``lite`` are fixed draws, each
    contained in the next.

    **An episode** is one question and one reply, judged as in ``creativebench/explore``.

    **Numbers**: ``quality`` decides: the tests pass. ``novelty``, of programs with quality, is the distance of what the
    tests need of a program from the nearest of: the combo's shipped programs, its parents' programs, and every pair of
    one program of either parent side by side; less what rewrites of the combo's programs reach. ``creativity`` is their
    product, 0 where either is missing.

    **Units** are the base problems. Two combos that share a parent are no independent evidence, and no grouping keeps
    all such combos together: from ten pairs on, intervals sum over all pairs of combos that share a parent (dyadic
    dependence).

    **Official rows** (``--data FILE.jsonl``): the bank is the row's own reference, as its parents' programs are not
    published; their clusters are not known either, so that claims are about these rows.

    **What it cannot show**: that joining was hard, or that a person would call the program creative. There is no human
    row yet.
    """

    name = "creativebench/combo"
    version = 1
    summary = "Programs that join two known problems: do they work, and how far are they from known solutions?"
    tiers: ClassVar[Mapping[str, Tier]] = MappingProxyType(
        {
            "smoke": Tier("smoke", 6, 1, 1024, "6 combos"),
            "lite": Tier("lite", 30, 1, 2048, "30 combos"),
            "full": Tier("full", 1_000_000, 1, 4096, "all combos"),
        }
    )
    metrics = tuple(
        metric.model_copy(update={"clusters": _CLUSTERS, **({"summary": "the tests pass"} if metric.primary else {})})
        for metric in Explore.metrics
        if metric.name in ("quality", "novelty", "creativity", "tampered")
    )

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """Combos, in the order of the hashes of their names, which does not change when combos are added.

        Raises:
            UsageError: Other items than the public ones were asked for.
        """
        if seed:
            raise UsageError(f"The task {self.name} has the items that it ships only; there are no others to draw.")
        drawn = sorted(load_combos().values(), key=lambda combo: content_hash([self.name, combo.name]))
        return sorted((_item(combo) for combo in drawn[: tier.items]), key=lambda item: item.id)

    def read_items(self, path: Path, tier: Tier) -> Sequence[Item]:
        """The rows of an official Combo file.

        Raises:
            UsageError: The file cannot be read, two rows share an id, or it is a file of another track.
        """
        items = super().read_items(path, tier)
        other = next((item.id for item in items if item.data["track"] != "combo"), None)
        if other is not None:
            raise UsageError(f"--data {path}: {other} is no Combo row; creativebench/explore reads those of Explore.")
        return items

    def groupings(self, items: Sequence[Item]) -> tuple[Grouping, ...]:
        """Pairs of parents, which are dyads of the units; and domains, which are shown apart."""
        own = [item for item in items if item.data["source"] == "finchmark"]
        if not own:
            return ()
        return (
            Grouping(
                name="parents",
                groups={item.id: "+".join(item.data["parents"]) for item in own},
                dyadic=True,
                summary="Combos that share a parent need one of their ideas in common: they depend on one another.",
            ),
            Grouping(
                name="domain",
                groups={item.id: str(item.data["domain"]) for item in own if "+" not in item.data["domain"]}
                | {item.id: "two domains" for item in own if "+" in item.data["domain"]},
                shown=_SHOWN,
                summary="What the parents are about: one and the same, or two.",
            ),
        )

    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Ask for a program, test it, and measure how far it is from known ones."""
        result = await super().episode(ctx)
        return replace(result, metrics={metric.name: result.metrics[metric.name] for metric in self.metrics})

    async def bank(self, shop: Workshop, item: Item) -> Bank:
        """The combo's own bank with its parents' programs; of an official row its reference."""
        if item.data["source"] == "official":
            return await super().bank(shop, item)
        combo = load_combos()[item.data["problem"]]
        own = await shop.bank_of(combo, COMBO_BANKS)
        return with_parents(own, [await shop.bank_of(parent) for parent in combo.parents])


_LEVELS = MappingProxyType({"quality": Level(chance=0.0, ceiling=1.0, exact=True)})


def _item(combo: Combo) -> Item:
    data: dict[str, Any] = {
        "source": "finchmark",
        "problem": combo.name,
        "parents": list(combo.pair),
        "domain": combo.domain,
        "level": 0,
        "prompt": combo.prompt(),
        "entries": list(combo.entries),
        "rules": [],
        "tests": combo.tests,
        "unchecked": 0,
    }
    return Item(combo.name, data, proof={"solution": combo.solution}, levels=_LEVELS)
