"""Experience replay: the past episodes most like the present one."""

from __future__ import annotations

from typing import ClassVar

from ..model import Model
from ..records import Record
from .base import Observation
from .clipping import clip
from .experience import Experience
from .remembering import RememberingAgent, at_least
from .similarity import load_embedder, similarities
from .verdict import failed, verdict

__all__ = ["Kept", "ReplayAgent", "Replays"]

_KEY = 400
_ENDED = "An episode that ended as: "


class Kept(Record):
    """A past episode.

    Args:
        key: What it began with: its first observation and the task, cut.
        text: Its transcript, cut in its middle.
        verdict: How it was judged, in words.
        good: Whether it did not fail.
    """

    key: str
    text: str
    verdict: str
    good: bool


class Replays(Record):
    """Past episodes, oldest first."""

    kept: tuple[Kept, ...] = ()


class ReplayAgent(RememberingAgent[Replays]):
    """Shows the past episodes whose beginning is most like the present one's, successes before failures.

    Sarukkai et al., "Self-Generated In-Context Examples Improve LLM Agents for Sequential Decision-Making Tasks" (2025,
    arXiv:2505.00234): an agent's own successful episodes, found by similarity, as examples. Changed: looked for once an
    episode, not at every step; failures fill up where there are too few successes, and say that they failed; TF-IDF
    instead of learnt vectors unless ``embedder`` names some. The word is Lin's (1992, "Self-improving reactive agents
    based on reinforcement learning, planning and teaching"), who replays episodes to train on.

    The most alike of the successes are shown, then of the failures, ``examples`` in all, the best last, next to the
    present episode; however unlike they are, because a memory whose size depends on its content has no fair placebo. Of
    equally alike ones the newer is taken. Of more than ``most`` kept episodes the oldest failure goes, then the oldest
    success.

    Args:
        examples: How many are shown, from 1 on.
        most: How many are kept, from 1 on.
        embedder: ``module:function`` that turns texts into vectors (:data:`.similarity.Embedder`); empty: TF-IDF.
        cap: Characters of memory at most, at least 200; each example has an equal share.
        window: How many past turns of the present episode are shown; None shows all.
    """

    name: ClassVar[str] = "replay"
    heading: ClassVar[str] = "Earlier episodes like this one:"

    def __init__(
        self,
        examples: int = 2,
        most: int = 24,
        embedder: str = "",
        cap: int = 3000,
        window: int | None = None,
    ) -> None:
        super().__init__(Replays(), cap=cap, window=window)
        self.examples = at_least(self.name, "examples", examples, 1)
        self.most = at_least(self.name, "most", most, 1)
        self.share = at_least(self.name, "cap for each of its examples", self.cap // self.examples, 120)
        self._embed = load_embedder(embedder)

    def memory(self, observation: Observation) -> str:
        """The episodes most like the one that begins."""
        kept = self.state.kept
        if not kept:
            return ""
        keys = [_key(observation.text, observation.instructions), *(episode.key for episode in kept)]
        near = similarities(keys, self._embed, shared=False)[0]
        best = sorted(range(len(kept)), key=lambda i: (kept[i].good, near[i + 1], i))[-self.examples :]
        return "\n\n".join(f"{_ENDED}{kept[i].verdict}\n{kept[i].text}" for i in best)

    async def learn(self, experience: Experience, model: Model) -> str:
        """Keep the episode. The model is not asked."""
        judged = clip(verdict(experience), self.share // 3)
        room = self.share - len(_ENDED) - len(judged) - len("\n\n\n")
        first = experience.steps[0].observation if experience.steps else ""
        episode = Kept(
            key=_key(first, experience.instructions),
            text=clip(experience.transcript(most=room), room),
            verdict=judged,
            good=not failed(experience),
        )
        kept = [*self.state.kept, episode]
        gone = 0
        while len(kept) > self.most:
            kept.pop(next((i for i, k in enumerate(kept) if not k.good), 0))
            gone += 1
        change = f"kept the episode ({judged})" + (", dropped an older one" if gone else "")
        return self.become(Replays(kept=tuple(kept)), change)


def _key(text: str, instructions: str) -> str:
    """What is compared: what was seen first, then as much of the task as has room."""
    seen = clip(text, _KEY // 2)
    return f"{seen}\n{clip(instructions, _KEY - 1 - len(seen))}"
