"""``creativebench/explore``: programs under constraints, scored by whether they work and how new they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from ...suite.agents.base import Observation
from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import Policy
from ...suite.canonical import content_hash
from ...suite.errors import UsageError
from ...suite.records import Grouping, Level, Metric, Outcome
from ...suite.task import Arm, Episode, EpisodeResult, Estimate, Item, Task, Tier
from .canonical import entries_of
from .constraints import Rule, breaches, parse_rule
from .novelty import Bank
from .official import OfficialRow, read_rows
from .problem import DOMAINS, Problem, load_problems, worded
from .programs import found_program
from .several import told_slice
from .workshop import Workshop, workshop

__all__ = ["Explore"]

_CLUSTERS = ("sample", "item", "problem")
_SHOWN = ("quality", "novelty", "creativity")
_APART = ("level 0", "levels 1 and up")


class Explore(Task):
    """Write one Python program that does what is asked, level by level under more constraints.

    **Items**: a problem at a level. Level 0 has no constraint; each further level forbids more of what the plain
    solutions do, and ships a program that still passes. ``smoke`` and ``lite`` are fixed draws of whole problems, each
    contained in the next.

    **An episode** is one question and one reply. The program runs in the sandbox (``FINCHMARK_SANDBOX`` names its
    tier); where there is no sandbox the task refuses to run.

    **Numbers**: ``quality`` decides: the tests pass and no rule is broken. ``novelty`` is asked only of programs with
    quality: the distance of what the tests need of it from a fixed public bank of solutions, less what rewrites of
    these reach. ``creativity`` is their product, 0 where either is missing; it stands beside the two, never in
    their place. Reports show level 0 and higher levels apart, and domains. With several samples they show pass@k, the
    expected best creativity of k, and how far the programs that passed are from each other.

    **Units** are problems from ten of them on: the levels of one are no independent evidence.

    **Official rows** (``--data FILE.jsonl``): constraints that no rule can say are shown to the model and not checked;
    ``unchecked`` counts them. The bank is the row's own reference.

    **What it cannot show**: that a program is good, or that a person would call it creative. Novelty is distance from
    programs that we thought of; there is no human row yet.
    """

    name = "creativebench/explore"
    version = 1
    summary = "Programs under constraints: do they work, and how far are they from known solutions?"
    tiers: ClassVar[Mapping[str, Tier]] = MappingProxyType(
        {
            "smoke": Tier("smoke", 12, 1, 1024, "whole problems, 12 items at most"),
            "lite": Tier("lite", 48, 1, 2048, "whole problems, 48 items at most"),
            "full": Tier("full", 1_000_000, 1, 4096, "all levels of all problems"),
        }
    )
    metrics = (
        Metric(
            name="quality",
            summary="the tests pass and no rule is broken",
            kind="binary",
            chance=0.0,
            ceiling=1.0,
            failure=0.0,
            clusters=_CLUSTERS,
            primary=True,
        ),
        Metric(
            name="novelty",
            summary="distance from known solutions, less what rewrites reach; of programs with quality",
            clusters=_CLUSTERS,
        ),
        Metric(
            name="creativity",
            summary="quality times novelty, missing counted as 0",
            failure=0.0,
            chance=0.0,
            clusters=_CLUSTERS,
            best_of=True,
        ),
        Metric(name="passed", summary="the tests pass", kind="binary", failure=0.0, clusters=_CLUSTERS),
        Metric(name="compliant", summary="no rule is broken; of levels from 1", kind="binary", clusters=_CLUSTERS),
        Metric(
            name="tampered",
            summary="passed a comparison that nothing can pass",
            kind="binary",
            direction="lower",
            failure=0.0,
            clusters=_CLUSTERS,
        ),
        Metric(
            name="unchecked",
            summary="constraints that no rule can check",
            direction="none",
            high=None,
            clusters=_CLUSTERS,
            unit="constraints",
        ),
    )
    references = ("random", "oracle")

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """Levels of problems: whole problems, the domains in turn, as many as the tier has room for.

        The order within a domain is that of the hashes of the problems' names, so that it does not change when
        problems are added; a tier is the beginning of every larger one.

        Raises:
            UsageError: Other items than the public ones were asked for.
        """
        if seed:
            raise UsageError(f"The task {self.name} has the items that it ships only; there are no others to draw.")
        made: list[Item] = []
        for problem in _in_turn(load_problems().values()):
            levels = range(len(problem.levels) + 1)
            if len(made) + len(levels) > tier.items:
                break
            made.extend(_item(problem, level) for level in levels)
        return sorted(made, key=lambda item: item.id)

    def read_items(self, path: Path, tier: Tier) -> Sequence[Item]:
        """The rows of an official Explore or Combo file, or of the data set on the hub (``hub:OWNER/NAME``).

        Raises:
            UsageError: The file cannot be read, or two rows share an id.
        """
        rows = read_rows(path, "combo" if self.name.endswith("/combo") else "explore")
        if len({row.id for row in rows}) < len(rows):
            raise UsageError(f"--data {path}: two rows have the same id.")
        return [_official(row) for row in rows]

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """One call; a token for two characters of the prompt at most."""
        return Estimate(1, len(item.data["prompt"]) // 2 + 100, tier.max_tokens)

    def ready(self) -> None:
        """See that there is a sandbox."""
        from ...suite.sandbox.shared import need_sandbox

        need_sandbox(f"The task {self.name}")

    def groupings(self, items: Sequence[Item]) -> tuple[Grouping, ...]:
        """Problems, which are the units; and the groups that are shown apart: level 0 and higher ones, and domains."""
        data = {item.id: item.data for item in items}
        made = (
            Grouping(
                name="problem",
                groups={name: str(d["problem"]) for name, d in data.items()},
                summary="The levels of a problem share its statement and its tests: they are one unit.",
            ),
            Grouping(
                name="constraints",
                groups={name: _APART[d["level"] > 0] for name, d in data.items()},
                shown=_SHOWN,
                summary="Level 0 has no constraints, and what is usual there is little novel. Each further level "
                "forbids more of it.",
            ),
            Grouping(
                name="domain",
                groups={name: str(d["domain"]) for name, d in data.items() if d["domain"]},
                shown=_SHOWN,
                summary="What the problems are about.",
            ),
        )
        return tuple(grouping for grouping in made if grouping.groups)

    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Ask for a program, test it, hold it against the rules, and measure how far it is from known ones."""
        data = ctx.item.data
        action = await ctx.act(Observation(data["prompt"]))
        code = found_program(action.text, data["entries"])
        if code is None:
            ctx.judge(None, usable=False)
            reason = "cut_off" if action.cut_off else "no_program"
            return EpisodeResult({**self.failure(), "unchecked": data["unchecked"]}, Outcome.INVALID, reason)
        rules = [parse_rule(line) for line in data["rules"]]
        broken = _broken(code, rules)
        shop = await workshop()
        verdict = await shop.judge(code, data["tests"])
        quality = verdict.passed and not broken
        novelty: float | None = None
        said = [f"tests: {verdict.status}" + (f" ({verdict.reason} {verdict.error})" if verdict.reason else "")]
        said += [f"breaks {text}" for text in broken]
        scores: dict[str, float] = {}
        if quality:
            bank = await self.bank(shop, ctx.item)
            found = await shop.novelty(code, data["tests"], bank)
            novelty = found.novelty
            scores = {"distance": found.distance, "allowance": found.allowance, "among": bank.among}
            said = told_slice(found.part)
        ctx.judge(code, after="\n".join(said), scores=scores)
        metrics: dict[str, float | None] = {
            "quality": float(quality),
            "novelty": novelty,
            "creativity": novelty or 0.0,
            "passed": float(verdict.passed),
            "compliant": None if not rules else float(not broken),
            "tampered": float(verdict.tampered),
            "unchecked": float(data["unchecked"]),
        }
        return EpisodeResult(metrics)

    async def bank(self, shop: Workshop, item: Item) -> Bank:
        """The programs that novelty is the distance from; made in the sandbox where it is not stored."""
        if item.data["source"] == "official":
            return await shop.bank([item.proof["solution"]], item.data["tests"], item.data["entries"])
        return await shop.bank_of(load_problems()[item.data["problem"]])

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """``oracle`` gives the shipped program of the level; ``random`` functions that return nothing.

        Raises:
            UsageError: There is no such reference.
        """
        if name == "oracle":
            return _Says(item.proof["solution"])
        if name == "random":
            return _Says("\n".join(f"def {entry}(*given):\n    return None" for entry in item.data["entries"]))
        raise UsageError(f"The task {self.name} has no reference {name!r}; it has {', '.join(self.references)}.")


class _Says:
    def __init__(self, code: str) -> None:
        self.code = code

    def reply(self, request: GenerateRequest) -> str:
        return f"```python\n{self.code.rstrip()}\n```"


def _broken(code: str, rules: list[Rule]) -> list[str]:
    """What a program breaks, as sentences; one that is nested too deeply to be read breaks all."""
    try:
        return [str(breach) for breach in breaches(code, rules)]
    except (SyntaxError, ValueError, RecursionError):
        return ["all rules: it cannot be read"] if rules else []


_LEVELS = MappingProxyType({"quality": Level(chance=0.0, ceiling=1.0, exact=True)})


def _in_turn(problems: Iterable[Problem]) -> list[Problem]:
    """One problem of each domain, then the second of each, and so on."""
    by_domain: dict[str, list[Problem]] = {domain: [] for domain in DOMAINS}
    for problem in sorted(problems, key=lambda problem: content_hash([Explore.name, problem.name])):
        by_domain.setdefault(problem.domain, []).append(problem)
    return [problem for row in zip_longest(*by_domain.values()) for problem in row if problem is not None]


def _item(problem: Problem, level: int) -> Item:
    data: dict[str, Any] = {
        "source": "finchmark",
        "problem": problem.name,
        "domain": problem.domain,
        "level": level,
        "prompt": problem.prompt(level),
        "entries": list(problem.entries),
        "rules": [str(rule) for rule in problem.rules(level)],
        "tests": problem.tests,
        "unchecked": 0,
    }
    return Item(f"{problem.name}-L{level}", data, proof={"solution": problem.proof(level)}, levels=_LEVELS)


def _official(row: OfficialRow) -> Item:
    data: dict[str, Any] = {
        "source": "official",
        "track": row.track,
        "problem": row.problem,
        "domain": "",
        "level": row.level,
        "prompt": worded(row.question, [reading.text for reading in row.constraints]),
        "entries": list(entries_of(row.reference, row.tests)),
        "rules": [str(rule) for rule in row.rules],
        "tests": row.tests,
        "unchecked": sum(not reading.known for reading in row.constraints),
    }
    return Item(row.id, data, proof={"solution": row.reference})
