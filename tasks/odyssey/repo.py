"""Odyssey's Repo as a task."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from ...environments.odyssey.repo import RepoEnv
from ...environments.odyssey.repo_describe import describe_index, describe_rules
from ...environments.odyssey.repo_project import check_script
from ...environments.odyssey.repo_rules import RepoRules
from ...environments.odyssey.repo_solver import plan
from ...environments.odyssey.repo_worlds import generate
from ...suite.agents.percept import MOST_OPTIONS, Option, Percept
from ...suite.backends.scripted import Policy
from ...suite.errors import UnknownName
from ...suite.records import Level, Metric
from ...suite.seeds import derive
from ...suite.task import Arm, Estimate, Item, Tier
from .family import OdysseyTask
from .prediction import PREDICTION_METRICS, Question, Step, balanced
from .repo_learner import Learner
from .repo_policies import Oracle, Repairer, Uniform, read_commands
from .repo_questions import questions, shown

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Repo"]

# Measured: how often uniform draws from `repo_solver.commands` succeed on the public items, with the 99.9 % interval.
# `python tests/benchmarks/bench_repo.py --chance` prints them.
_CHANCE: Mapping[str, float] = MappingProxyType(
    {
        "smoke": 0.00094,  # 375 of 400,000: 0.00079 to 0.0011
        "gate": 0.00047,  # 285 of 600,000: 0.00039 to 0.00057
        "lite": 0.0,  # 0 of 30,000: up to 0.00025
        "challenge": 0.0,  # 0 of 3,000: up to 0.0025
    }
)


class Repo(OdysseyTask):
    """Install packages until a project runs. Which versions go together is to be found out from errors.

    Chance is measured: the random policy draws commands uniformly from a finite list (``repo_solver.commands``), and
    its states are too many to go through. The oracle installs the versions that the world was drawn around,
    dependencies first, then again what installing the others has changed. The learner has the agent's information only:
    it rules out what errors speak against, and shows how far that leads.
    """

    name: ClassVar[str] = "odyssey/repo"
    version: ClassVar[int] = 1
    summary: ClassVar[str] = "Install packages until a project runs; which versions go together is to be found out."
    references: ClassVar[tuple[str, ...]] = ("random", "heuristic", "learner", "oracle")
    tiers: ClassVar[Mapping[str, Tier]] = MappingProxyType(
        {
            "smoke": Tier("smoke", items=1, max_turns=8, max_tokens=64, summary="2 or 3 packages"),
            "gate": Tier("gate", items=300, max_turns=24, max_tokens=96, summary="4 or 5 packages, short"),
            "lite": Tier("lite", items=30, max_turns=120, max_tokens=2048, summary="9 to 12 packages"),
            "challenge": Tier("challenge", items=10, max_turns=400, max_tokens=4096, summary="24 to 28 packages"),
        }
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            name="success",
            summary="share of episodes in which the project runs to its end (its mean is Avg@n)",
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
        Metric(
            name="scripts_working",
            summary="share of the project's scripts that would run with what is installed at the end",
            failure=0.0,
            ceiling=1.0,
        ),
        *OdysseyTask.shared_metrics,
        *PREDICTION_METRICS,
    )

    reference_files: ClassVar[str] = "repo/test_repo_lite_*.json"

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """Generate the tier's worlds; every one is solvable within the cap, by proof."""
        made = []
        for index in range(tier.items):
            world = generate(tier.name, self.name, self.version, tier.name, seed, index)
            levels = {"success": Level(chance=_CHANCE[tier.name], ceiling=1.0)}
            name = f"{tier.name}-{index:03d}"
            data = {"config": world.config, "max_turns": tier.max_turns}
            made.append(Item(name, data, proof={"plan": list(world.plan), "solution": world.solution}, levels=levels))
        return made

    def make_env(self, item: Item, tier: Tier) -> RepoEnv:
        """Make the item's world."""
        return RepoEnv(config=item.data["config"], max_steps=tier.max_turns)

    def instructions(self, item: Item, arm: Arm, tier: Tier) -> str:
        """The goal, the index and the commands; in ``with-rules`` also what goes with what."""
        config = item.data["config"]
        rules = (
            f"\n\nThese are the rules in full.\n{describe_rules(config)}"
            if arm.options["rules"]
            else "\n\nWhat a version offers and needs, and which versions go together, is not told. Find it out from "
            "what commands answer."
        )
        return (
            "You set up a computer so that a project runs on it. The packages are made up, but versions work as you "
            "know them: 1.10 is newer than 1.9. Nothing is installed yet. You succeed when `python run.py` runs to its "
            f"end, within {tier.max_turns} turns.\n"
            f"This is all there is:\n{describe_index(config)}\n\n"
            "Each turn you give one command, and see what it answers:\n"
            "- pip install python==VERSION sets the Python; you need one.\n"
            "- pip install NAME installs a package in its newest version, pip install NAME==VERSION in that version; "
            "bounds such as NAME>=1.0,<2.0 work too. One package a command. It may bring or change other packages.\n"
            "- pip uninstall NAME removes a package.\n"
            "- pip list shows what is installed.\n"
            "- python SCRIPT runs one script, python run.py all of them in turn."
            f"{rules}\n\n"
            "Answer each turn with one command between tags: <action>COMMAND</action>"
        )

    def practice(self, item: Item) -> tuple[tuple[str, str], ...]:
        """Two commands in words and tags, about versions drawn blindly: to copy them is neither right nor wrong."""
        packages = item.data["config"]["packages"]
        name = list(packages)[derive("practice", item.hash) % len(packages)]
        versions = packages[name]["versions"]
        version = versions[derive("practice", item.hash, "version") % len(versions)]
        return (
            ("First show that you know how to answer: how do you see what is installed?", "<action>pip list</action>"),
            (
                f"And how do you install version {version} of {name}?",
                f"<action>pip install {name}=={version}</action>",
            ),
        )

    def reader(self, instructions: str) -> Callable[[str], Percept]:
        """What the last command answered; and the commands that the instructions list, where they are few.

        What is installed is seen only by those who ask for it, so a view is no state.
        """
        commands = read_commands(instructions)
        few = commands if len(commands) <= MOST_OPTIONS else ()
        options = tuple([Option(f"<action>{command}</action>", command) for command in few])
        return lambda text: Percept(text, options)

    def state_key(self, info: Mapping[str, Any]) -> Hashable:
        """The Python and all that is installed."""
        state = info["state"]
        installed = sorted((name, *version) for name, version in state["installed"].items())
        return (tuple(state["python_version"] or ()), tuple(installed))

    def questions(self, item: Item, rng: np.random.Generator, steps: Sequence[Step], count: int) -> list[Question]:
        """Whether a script would run, or a version install, with these and those versions installed."""
        rules = RepoRules.from_config(item.data["config"])
        solution = item.proof["solution"] if item.proof else None
        return balanced(questions(rules, rng, steps, solution), count, rng)

    def shown(self, item: Item, steps: Sequence[Step]) -> list[tuple[str, bool]]:
        """For every installation and run, whether it succeeded."""
        return shown(RepoRules.from_config(item.data["config"]), steps)

    def score(self, *, solved: bool, turns: int, info: Mapping[str, Any], item: Item) -> dict[str, float | None]:
        """Success, how many turns it took, and how much of the project would run."""
        rules = RepoRules.from_config(item.data["config"])
        state = info["state"]
        working = 0
        if state["python_version"] is not None:
            python = (state["python_version"][0], state["python_version"][1])
            installed = {name: (major, minor) for name, (major, minor) in state["installed"].items()}
            working = sum(
                check_script(rules, path, python, installed, run_checks=rules.run_checks) is None
                for path in rules.entrypoints
            )
        return {
            "success": float(solved),
            "steps_to_success": float(turns) if solved else None,
            "scripts_working": working / len(rules.entrypoints),
        }

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """As for every task, with the prompt's own length (two characters a token at worst) and room for lists."""
        packages = len(item.data["config"]["packages"])
        opening = 200 + len(self.instructions(item, arm, tier)) // 2
        turn = tier.max_tokens + 120 + 12 * packages
        return self.bound(tier, opening=opening, turn=turn)

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """``random`` gives any command, ``heuristic`` repairs, ``learner`` rules out, ``oracle`` follows the plan."""
        config = item.data["config"]
        packages = {name: package["versions"] for name, package in config["packages"].items()}
        if name == "random":
            return Uniform(config)
        if name == "heuristic":
            return Repairer(config["python_versions"], packages)
        if name == "learner":
            return Learner(config["python_versions"], packages)
        if name == "oracle":
            # Worlds that are not ours come without a proof.
            return Oracle(item.proof["plan"] if item.proof else plan(config) or (), config)
        raise UnknownName("reference", name, self.references)
