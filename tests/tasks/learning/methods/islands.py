"""Made-up worlds whose scores are a known function of the prompt: no model, no episode, thousands a second.

The prompt is a number in words, such as ``skill 0.3``. An episode scores that skill plus the level's own difficulty
plus luck, both known by hash; it costs as many tokens as the prompt says (``cost 7``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from finchmark.environments.worlds.level import Split
from finchmark.suite.seeds import derive, generator
from finchmark.tasks.learning.methods.arena import PlayedEpisode
from finchmark.tasks.learning.methods.candidate import Candidate
from finchmark.tasks.learning.methods.cost import Cost
from finchmark.tasks.learning.methods.evaluation import Move, Trajectory
from finchmark.tasks.learning.methods.optimiser import Case, Edit


def skill(text: str) -> float:
    found = re.search(r"skill (-?[0-9.]+)", text)
    return float(found[1]) if found else 0.0


def price(text: str) -> int:
    found = re.search(r"cost ([0-9]+)", text)
    return int(found[1]) if found else 10


class Island:
    """One made-up world.

    Args:
        name: Its name.
        core: Its core.
        luck: Standard deviation of one episode.
        overlap: If true, splits share their levels, which an experiment must refuse.
    """

    averaged = True

    def __init__(self, name: str, core: str = "", luck: float = 0.2, *, overlap: bool = False) -> None:
        self.name, self.core, self.luck, self.overlap = name, core or name, luck, overlap
        self.features: Mapping[str, str] = {"reward": "binary"}
        self.played: list[tuple[str, str, int]] = []

    def identity(self) -> dict[str, Any]:
        return {"island": self.name, "luck": self.luck}

    def told(self) -> str:
        return "An island."

    def levels(self, split: Split, count: int, seed: int) -> Sequence[str]:
        home = "any" if self.overlap else split
        seed = 0 if self.overlap else seed
        return [f"{home}-{derive('island', self.name, home, seed, n):016x}" for n in range(count)]

    async def play(self, candidate: Candidate, level: str, sample: int, *, seed: int) -> PlayedEpisode:
        text = candidate.value("agent") or candidate.value("prompt")
        self.played.append((candidate.id, level, sample))
        hardness = generator("island", self.name, level).normal(0, 0.1)
        # Luck is the candidate's own here: the worst case for whoever compares candidates.
        luck = generator("luck", self.name, candidate.id, level, sample).normal(0, self.luck)
        score = skill(text) + hardness + luck
        cost = Cost(1, 0, price(text))
        moves = (Move("a beach", "walk", True, score),)
        row = ["none", seed, "walk", "", "stop", 0, price(text), 0.0]
        return PlayedEpisode(Trajectory(level, sample, score, score, cost=cost, moves=moves), [row])

    async def refusal(self, code: str, training: Any) -> str:
        return "it is forbidden here" if "forbidden" in code else ""


def climber(chance: float, step: float = 0.2, cost: int = 10):
    """An optimiser's function that raises the skill by a step with a known chance, and lowers it otherwise."""

    def propose(case: Case, rng) -> Edit:
        up = rng.random() < chance
        new = skill(case.current) + (step if up else -step)
        return Edit(f"skill {new:.3f} cost {cost} try {rng.integers(10**9)}", "up" if up else "down", "none")

    return propose


def wordsmith(case: Case, rng) -> Edit:
    """Rewrites without any effect."""
    return Edit(f"other words {rng.integers(10**9)}", "words")
