"""Best of n: several replies a turn, of which the model takes the best."""

from __future__ import annotations

import re
from typing import ClassVar

from ..backends.base import Completion, Message
from ..errors import UsageError
from ..model import Model, ModelStopped
from .actions import in_tags, spoken_action
from .base import Action, Observation
from .clipping import clip
from .draws import draw, most_given, with_actions
from .history import HistoryAgent
from .remembering import at_least

__all__ = ["BestOfAgent"]

_SHOWN = 300
_NUMBER = re.compile(r"\d+")
_ASKED = (
    "Before you act, choose. These actions were proposed:\n{listed}\n"
    "Which of them leads to the goal best? Answer with its number only, in tags: <action>number</action>"
)


class BestOfAgent(HistoryAgent):
    """Draws several replies to the same prompt and lets the model take the best of their different actions.

    ``by="asking"``: the actions are listed, and the model is asked, greedily, which is best; if it cannot say or names
    none of them, the action that most replies gave is taken. ``by="likelihood"``: the reply with the highest mean
    log-probability a token is taken, for backends that give log-probabilities. Where all replies give one action,
    nothing is asked. History keeps the reply that was taken, and nothing of the others.

    Sources: to ask the model itself which of its samples to take follows universal self-consistency (Chen et al. 2023,
    arXiv:2311.17311), which asks for the most consistent one where we ask for the best; by likelihood is
    sample-and-rank (Adiwardana et al. 2020, arXiv:2001.09977). Neither has a trained verifier, as best-of-n has in
    Cobbe et al. 2021 (arXiv:2110.14168).

    Args:
        n: Replies a turn, at least 1.
        by: ``asking`` or ``likelihood``.
        window: How many past turns are shown; None shows all.
    """

    name: ClassVar[str] = "best-of-n"

    def __init__(self, n: int = 4, by: str = "asking", window: int | None = None) -> None:
        super().__init__(window)
        if by not in ("asking", "likelihood"):
            raise UsageError(f"agent best-of-n: by must be 'asking' or 'likelihood', not {by!r}.")
        self.n, self.by = at_least(self.name, "n", n, 1), by

    @property
    def calls_a_turn(self) -> int:
        """The replies, and what chooses among them: one question, or none by likelihood."""
        return self.n + (self.by == "asking")

    async def answer(self, observation: Observation, model: Model) -> Action:
        """Draw replies, and answer with the best.

        Raises:
            UsageError: By likelihood, with a backend that has none.
        """
        if self.by == "likelihood" and model.capabilities.logprobs == "none":
            raise UsageError(
                "The agent best-of-n by likelihood needs log-probabilities, and this backend gives none. "
                "Use --agent-args by=asking, or a backend such as hf:."
            )
        prompt = self.prompt(observation)
        drawn = await draw(model, [prompt] * self.n, stop=observation.stop, max_tokens=observation.max_tokens)
        replies = [reply for reply in drawn if reply is not None]
        first: dict[str, Completion] = {}  # the first reply of each action stands for it
        for reply in with_actions(replies):
            first.setdefault(spoken_action(reply.text), reply)
        distinct = list(first.values())
        if len(distinct) == 1:
            best = distinct[0]
        elif self.by == "likelihood":
            best = await _likeliest(distinct, prompt, model)
        else:
            best = await _asked(distinct, prompt, observation, model) or most_given(replies)
        return self.keep(observation.text, best, model)


async def _likeliest(replies: list[Completion], prompt: list[Message], model: Model) -> Completion:
    scores = await model.score_all([(prompt, reply.text) for reply in replies])
    means = [scored.total / len(scored.logprobs) if scored.logprobs else float("-inf") for scored in scores]
    return replies[means.index(max(means))]


async def _asked(
    replies: list[Completion], prompt: list[Message], observation: Observation, model: Model
) -> Completion | None:
    """The reply whose number the model names; None if it names none."""
    shown = [clip((in_tags(reply.text, "action") or [reply.text])[-1].strip(), _SHOWN) for reply in replies]
    listed = "\n".join(f"{number}. {text}" for number, text in enumerate(shown, 1))
    question = f"{prompt[-1].content}\n\n{_ASKED.format(listed=listed)}"
    try:
        completion = await model.generate(
            [*prompt[:-1], Message("user", question)],
            stop=observation.stop,
            max_tokens=observation.max_tokens,
            temperature=0.0,
        )
    except ModelStopped:  # the longer question did not fit, where the turn itself did
        return None
    named = _NUMBER.search((in_tags(completion.text, "action") or [completion.text])[-1])
    # Longer numbers than that name nothing, and Python refuses to read very long ones.
    index = int(named[0]) if named and len(named[0]) < 9 else 0
    return replies[index - 1] if 1 <= index <= len(replies) else None
