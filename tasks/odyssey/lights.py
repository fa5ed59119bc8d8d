"""Odyssey's Lights as a task."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ...environments.odyssey.lights import LightsEnv
from ...environments.odyssey.lights_rules import LightsRules, describe_rules
from ...environments.odyssey.lights_solver import random_success, solve
from ...environments.odyssey.lights_worlds import generate
from ...suite.agents.percept import Option, Percept
from ...suite.backends.scripted import Policy
from ...suite.errors import UnknownName
from ...suite.records import Level, Metric
from ...suite.seeds import derive
from ...suite.task import Arm, Item, Tier
from .family import OdysseyTask
from .lights_policies import Explorer, Oracle, Uniform, draw_bulbs, find_row
from .prediction import PREDICTION_METRICS, Question, Step, balanced

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Lights"]

# Of a world with more bulbs questions are about states drawn at random: going through all takes too long.
_MOST_BULBS = 10
_DRAWN = 1 << _MOST_BULBS


class _Press(NamedTuple):
    """What becomes a question: a press in a state. Its answer is whether the bulb changes."""

    action: str
    answer: bool
    visited: bool
    state: int
    bulb: int


class Lights(OdysseyTask):
    """Switch on all bulbs of a row. Whether a bulb can be switched depends on which others are on.

    Chance is exact: the probability that uniformly random presses reach the goal within the cap, by the Markov chain
    over all states. The oracle presses a shortest solution, found breadth first.
    """

    name: ClassVar[str] = "odyssey/lights"
    version: ClassVar[int] = 1
    summary: ClassVar[str] = "Switch on all bulbs; each obeys a hidden condition on the others, to be found by trying."
    tiers: ClassVar[Mapping[str, Tier]] = MappingProxyType(
        {
            "smoke": Tier("smoke", items=1, max_turns=8, max_tokens=32, summary="4 bulbs"),
            "gate": Tier("gate", items=300, max_turns=20, max_tokens=64, summary="5 bulbs, short"),
            "lite": Tier("lite", items=30, max_turns=200, max_tokens=2048, summary="6 to 10 bulbs"),
            "challenge": Tier("challenge", items=10, max_turns=500, max_tokens=4096, summary="11 to 12 bulbs"),
        }
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            name="success",
            summary="share of episodes that end with all bulbs on (its mean is Avg@n)",
            kind="binary",
            failure=0.0,
            primary=True,
        ),
        Metric(
            name="steps_to_success",
            summary="turns used by the episodes that succeed",
            direction="lower",
            high=None,
            unit="turns",
        ),
        *OdysseyTask.shared_metrics,
        *PREDICTION_METRICS,
    )

    reference_files: ClassVar[str] = "turnonlights/test_turnonlights_lite_251030.json"

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """Generate the tier's worlds; every one is solvable within the cap, by proof."""
        made = []
        for index in range(tier.items):
            world = generate(tier.name, self.name, self.version, tier.name, seed, index)
            made.append(self.foreign_item(f"{tier.name}-{index:03d}", dict(world.config), tier))
        return made

    def foreign_item(self, name: str, config: dict[str, Any], tier: Tier) -> Item:
        """Make an item of a configuration: its shortest solution is its proof, its levels are exact."""
        plan = solve(config)
        levels = {
            "success": Level(
                chance=random_success(config, tier.max_turns),
                ceiling=float(plan is not None and len(plan) <= tier.max_turns),
                exact=True,
            )
        }
        return Item(name, {"config": config, "max_turns": tier.max_turns}, proof={"plan": plan}, levels=levels)

    def make_env(self, item: Item, tier: Tier) -> LightsEnv:
        """Make the item's world."""
        return LightsEnv(config=item.data["config"], max_steps=tier.max_turns)

    def instructions(self, item: Item, arm: Arm, tier: Tier) -> str:
        """The goal, the picture and the way to act; in ``with-rules`` also every bulb's condition."""
        count = item.data["config"]["level"]
        rules = (
            f"\n\nThese are the conditions:\n{describe_rules(item.data['config'])}"
            if arm.options["rules"]
            else "\n\nThe conditions are not told. Find them out by trying."
        )
        return (
            f"You stand before a row of {count} light bulbs, numbered 0 to {count - 1} from left to right. "
            "💡 is a bulb that is on, ○ one that is off. Your goal is to have all of them on at the same time.\n"
            "Each turn you press the switch of one bulb. A press turns the bulb on if it is off, and off if it is on, "
            "but only while the bulb's own condition on the other bulbs holds; otherwise nothing happens."
            f"{rules}\n\n"
            "Answer each turn with only the number of the bulb to press, in tags: <action>number</action>"
        )

    def practice(self, item: Item) -> tuple[tuple[str, str], ...]:
        """Two presses in words and tags. Which, differs from item to item, so that copying them is no policy."""
        count = item.data["config"]["level"]
        first = derive("practice", item.hash) % count
        second = (first + 1 + derive("practice", item.hash, "second") % max(1, count - 1)) % count
        return (
            (f"First show that you know how to answer: how do you press bulb {first}?", f"<action>{first}</action>"),
            (f"And bulb {second}?", f"<action>{second}</action>"),
        )

    def reader(self, instructions: str) -> Callable[[str], Percept]:
        """The row of bulbs, and a press of each. The text tells no reward."""

        def read(text: str) -> Percept:
            row = find_row(text)
            bulbs = range(len(row))
            return Percept(
                " ".join(row), tuple([Option(f"<action>{bulb}</action>", f"press {bulb}") for bulb in bulbs])
            )

        return read

    def state_key(self, info: Mapping[str, Any]) -> Hashable:
        """Which bulbs are on."""
        return tuple(info["state"]["bulbs"].values())

    def questions(self, item: Item, rng: np.random.Generator, steps: Sequence[Step], count: int) -> list[Question]:
        """Whether a bulb changes when its switch is pressed in a state in which the agent has not pressed it."""
        rules = LightsRules.from_config(item.data["config"])
        done = {(_mask(step.before), _bulb(step)) for step in steps}
        visited = {_mask(state) for step in steps for state in (step.before, step.after)}
        if rules.level <= _MOST_BULBS:
            states = list(range(1 << rules.level))
        else:
            drawn = rng.integers(2, size=(_DRAWN, rules.level))
            states = sorted(visited | {sum(1 << i for i in range(rules.level) if row[i]) for row in drawn.tolist()})
        presses = [
            _Press(f"press {bulb}", rules.press(bulb, state) != state, state in visited, state, bulb)
            for state in states
            for bulb in range(rules.level)
            if (state, bulb) not in done
        ]
        return [
            Question(
                "Suppose these bulbs are on and off, in the order of their numbers:\n"
                f"{draw_bulbs(press.state, rules.level)}\n"
                f"Now the switch of bulb {press.bulb} is pressed. Does that bulb change?",
                press.answer,
                press.action,
                press.visited,
            )
            for press in balanced(presses, count, rng)
        ]

    def shown(self, item: Item, steps: Sequence[Step]) -> list[tuple[str, bool]]:
        """For every press its bulb, and whether it changed."""
        return [(f"press {_bulb(step)}", step.before["bulbs"] != step.after["bulbs"]) for step in steps]

    def score(self, *, solved: bool, turns: int, info: Mapping[str, Any], item: Item) -> dict[str, float | None]:
        """Success, and how many turns it took."""
        return {"success": float(solved), "steps_to_success": float(turns) if solved else None}

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """``random`` presses uniformly, ``heuristic`` explores untried presses, ``oracle`` takes shortest ways."""
        config = item.data["config"]
        if name == "random":
            return Uniform(config["level"])
        if name == "heuristic":
            return Explorer(config["level"])
        if name == "oracle":
            return Oracle(config)
        raise UnknownName("reference", name, self.references)


def _mask(state: Mapping[str, Any]) -> int:
    return sum(1 << index for index, on in enumerate(state["bulbs"].values()) if on)


def _bulb(step: Step) -> int:
    """The bulb that a usable action pressed: `3` or `B3`."""
    return int(step.action.strip().lstrip("Bb"))
