"""Odyssey's Energy as a task."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from ...environments.odyssey.energy import EnergyEnv
from ...environments.odyssey.energy_rules import NAMES, EnergyRules, describe_rules
from ...environments.odyssey.energy_solver import solve
from ...environments.odyssey.energy_worlds import generate, turns_for
from ...suite.agents.percept import Option, Percept
from ...suite.backends.scripted import Policy
from ...suite.errors import UnknownName
from ...suite.records import Level, Metric
from ...suite.seeds import uniform
from ...suite.task import Arm, Item, Tier
from .energy_policies import Oracle, Reactive, Uniform, read_morning, say
from .energy_questions import questions, threshold
from .family import OdysseyTask
from .prediction import PREDICTION_METRICS, Question, Step, balanced

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Energy"]

_CAPACITY = re.compile(r"up to ([\d.]+) units of thermal, ([\d.]+) of wind and ([\d.]+) of solar")
# Lines that say which day it is.
_DAYS = re.compile(r"^Day(s over)?\b.*\n", re.MULTILINE)

# No random game reached its goal: `python tests/benchmarks/bench_energy.py --plays 100` counts them tier by tier.
_CHANCE = 0.0


class Energy(OdysseyTask):
    """Run a power grid for weeks. What wind and sun yield comes again after a period that nobody tells.

    Chance is measured, not computed: no game with uniformly random commands has ever succeeded, since their changes
    alone cost more stability than the targets allow. The oracle follows the plan that proves the world solvable; it
    knows every day in advance, so it is a bound and not what an agent with the rules could be sure to reach.
    """

    name: ClassVar[str] = "odyssey/energy"
    version: ClassVar[int] = 1
    summary: ClassVar[str] = "Run a power grid for weeks; wind and sun follow patterns to be found out."
    tiers: ClassVar[Mapping[str, Tier]] = MappingProxyType(
        {
            "smoke": Tier("smoke", items=1, max_turns=turns_for(3), max_tokens=64, summary="3 days"),
            "gate": Tier("gate", items=300, max_turns=turns_for(18), max_tokens=96, summary="18 days, short periods"),
            "lite": Tier("lite", items=30, max_turns=turns_for(120), max_tokens=2048, summary="120 days"),
            "challenge": Tier("challenge", items=10, max_turns=turns_for(240), max_tokens=4096, summary="240 days"),
        }
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            name="success",
            summary="share of games that end with both targets met (its mean is Avg@n)",
            kind="binary",
            failure=0.0,
            primary=True,
        ),
        Metric(
            name="steps_to_success",
            summary="turns used by the games that succeed: their days, and the turns lost to unusable actions",
            direction="lower",
            high=None,
            unit="turns",
        ),
        Metric(name="survived", summary="share of the days that were played", failure=0.0, ceiling=1.0),
        Metric(name="stability", summary="mean stability of the days that were played"),
        Metric(
            name="thermal_share",
            summary="thermal output over supply on the days that were played (above 1 only where the battery was fed)",
            direction="lower",
            high=None,
        ),
        Metric(
            name="violation_rate",
            summary="share of the days played on which demand was missed or the budget overrun",
            direction="lower",
            ceiling=0.0,
        ),
        *(metric for metric in OdysseyTask.shared_metrics if metric.name == "unusable_rate"),
        *PREDICTION_METRICS,
    )

    reference_files: ClassVar[str] = "energy/test_energy_lite_251207.json"

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """Generate the tier's worlds; every one is solvable within the cap, by proof."""
        made = []
        for index in range(tier.items):
            world = generate(tier.name, self.name, self.version, tier.name, seed, index)
            levels = {"success": Level(chance=_CHANCE, ceiling=1.0)}
            name = f"{tier.name}-{index:03d}"
            data = {"config": dict(world.config), "max_turns": tier.max_turns}
            made.append(Item(name, data, proof={"plan": [list(command) for command in world.plan]}, levels=levels))
        return made

    def foreign_item(self, name: str, config: dict[str, Any], tier: Tier) -> Item:
        """Make an item of a configuration; a plan without a violation is its proof where there is one."""
        plan = solve(config)
        proof = None if plan is None else {"plan": [list(command) for command in plan.commands]}
        return Item(name, {"config": config, "max_turns": tier.max_turns}, proof=proof)

    def make_env(self, item: Item, tier: Tier) -> EnergyEnv:
        """Make the item's world."""
        return EnergyEnv(config=item.data["config"], max_steps=tier.max_turns)

    def instructions(self, item: Item, arm: Arm, tier: Tier) -> str:
        """The goal, the costs and the way to act; in ``with-rules`` also yields, patterns and weights."""
        rules = EnergyRules.from_config(item.data["config"])
        thermal, wind, solar, battery = rules.capacity
        told = (
            f"\n\nThese are the rules in full:\n{describe_rules(item.data['config'])}"
            if arm.options["rules"]
            else "\n\nHow much a unit of wind and of solar yields changes from day to day. Each follows a pattern that "
            "comes again after some number of days, not the same for both. The patterns are not told: find them out, "
            "and use them."
        )
        return (
            f"You run a power grid for {rules.horizon} days. Each turn you say how many units of thermal, wind and "
            "solar power to run that day, and what the battery does.\n"
            f"- You may run up to {thermal:g} units of thermal, {wind:g} of wind and {solar:g} of solar. A unit costs "
            f"{rules.prices[0]:g} (thermal), {rules.prices[1]:g} (wind) or {rules.prices[2]:g} (solar) a day, whatever "
            "it yields; a unit of thermal yields about 1.\n"
            f"- The battery holds up to {battery:g}. A number above 0 takes energy out of it for the day's supply, one "
            "below 0 puts some of the day's supply into it.\n"
            "- On every day supply must reach the demand and the cost must stay within the budget. "
            "Three days in a row on which either fails end the game, lost.\n"
            "- Stability suffers from such days, and from changing the numbers from one day to the next.\n"
            f"- You win if, after the last day, the mean stability is above {rules.target_stability:g} and thermal "
            f"power made up less than {rules.target_carbon:g} of all supply.\n"
            f"You have {tier.max_turns} turns: a turn whose action cannot be used passes no day, and you must get "
            f"through all {rules.horizon} days."
            f"{told}\n\n"
            "Answer each turn with nothing but one JSON object in tags: "
            '<action>{"thermal": number, "wind": number, "solar": number, "battery": number}</action>'
        )

    def practice(self, item: Item) -> tuple[tuple[str, str], ...]:
        """Two commands in words and tags, their numbers drawn blindly, so that to copy them is no policy of ours."""
        most = item.data["config"]["capacity"]

        def pick(turn: int) -> tuple[int, ...]:
            return tuple(round(uniform("practice", item.hash, turn, name) * most[name]) for name in NAMES)

        thermal, wind, solar, battery = pick(0)
        first = thermal, wind, solar, -battery
        second = pick(1)
        return (
            (
                f"First show that you know how to answer: how do you run {thermal} of thermal, {wind} of wind and "
                f"{solar} of solar, and put {battery} into the battery?",
                say(first),
            ),
            (
                f"And how do you run {second[0]} of thermal, {second[1]} of wind and {second[2]} of solar, and take "
                f"{second[3]} out of the battery?",
                say(second),
            ),
        )

    def reader(self, instructions: str) -> Callable[[str], Percept]:
        """The numbers of the morning. Commands are continuous; options are coarse ones, each a step from the last.

        They are: as before, and for each plant a tenth of its capacity more or less, the battery idle.
        """
        told = _CAPACITY.search(instructions)
        most = tuple(map(float, told.groups())) if told else ()

        def options(rated: tuple[float, ...]) -> Iterator[Option]:
            yield Option(say((*rated[:3], 0.0)), "as before")
            for plant, (name, capacity) in enumerate(zip(NAMES[:3], most, strict=True)):
                for word, step in (("more", 0.1), ("less", -0.1)):
                    command = [*rated[:3], 0.0]
                    command[plant] = min(capacity, max(0.0, command[plant] + step * capacity))
                    yield Option(say(command), f"{word} {name}")

        def read(text: str) -> Percept:
            morning = read_morning(text)
            numbers = {"demand": morning.demand, "budget": morning.budget}
            numbers |= dict(zip([f"{name} command" for name in NAMES], morning.rated, strict=True))
            if morning.output is not None and morning.supply is not None:
                numbers |= dict(zip([f"{name} output" for name in NAMES[:3]], morning.output, strict=True))
                numbers["supply"] = morning.supply
            view = _DAYS.sub("", text).strip("\n")
            return Percept(view, tuple(options(morning.rated)) if most else (), numbers)

        return read

    def state_key(self, info: Mapping[str, Any]) -> Hashable:
        """The day: it never comes back, so Energy has no loops and no loop ratio."""
        return info["state"]["t"]

    def questions(self, item: Item, rng: np.random.Generator, steps: Sequence[Step], count: int) -> list[Question]:
        """Whether a later day is a good one for wind, or for solar, which only the patterns tell."""
        rules = EnergyRules.from_config(item.data["config"])
        return balanced(questions(rules, steps[-1].after["t"] if steps else 0), count, rng)

    def shown(self, item: Item, steps: Sequence[Step]) -> list[tuple[str, bool]]:
        """For every day and plant that ran, whether it was a good day for it."""
        rules = EnergyRules.from_config(item.data["config"])
        return [
            (plant, 100 * step.after[f"{plant}_actual"] > limit * step.after[f"{plant}_rated"])
            for plant, limit in ((plant, threshold(rules, plant)) for plant in ("wind", "solar"))
            for step in steps
            if step.after[f"{plant}_rated"] > 0
        ]

    def score(self, *, solved: bool, turns: int, info: Mapping[str, Any], item: Item) -> dict[str, float | None]:
        """Success, how far the game went, and how well the days went that were played."""
        state, days = info["state"], info["state"]["t"]
        return {
            "success": float(solved),
            "steps_to_success": float(turns) if solved else None,
            "survived": days / item.data["config"]["horizon"],
            "stability": state["stability_avg"] if days else None,
            "thermal_share": state["share_thermal"] if days else None,
            "violation_rate": info["report"]["violation_days"] / days if days else None,
        }

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """``random`` commands uniformly, ``heuristic`` trusts yesterday's weather, ``oracle`` follows the proof."""
        rules = EnergyRules.from_config(item.data["config"])
        if name == "random":
            return Uniform(rules.capacity)
        if name == "heuristic":
            return Reactive(rules)
        if name == "oracle":
            return Oracle(item.proof["plan"], rules)
        raise UnknownName("reference", name, self.references)
