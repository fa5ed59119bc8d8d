"""An agent that searches over ways to ask its model: one reply, an ensemble, a debate, a check."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from ..backends.base import Completion, Message
from ..errors import UsageError
from ..model import Model, ModelStopped
from .actions import in_tags
from .bandit import Purse, dealt_anew, upper_bound
from .base import Action, Observation
from .draws import draw, most_given
from .experience import Experience
from .history import HistoryAgent

if TYPE_CHECKING:
    import numpy as np

__all__ = ["WORKFLOWS", "Workflow", "WorkflowsAgent", "debate", "ensemble", "single", "verify"]

Workflow = Callable[[list[Message], Observation, Model], Awaitable[Completion]]
"""Gets a prompt, the observation it ends with and the model, and gives the reply to act on."""

_VOTES = 3
_OTHER = (
    "You were about to answer:\n{own}\nAnother player who sees the same proposes:\n{other}\n"
    "Compare the two, say who is right, and give the action that should be taken."
)
_CHECK = (
    "You were about to answer:\n{own}\nCheck it before it is done: does it fit all that you have seen, and does it "
    "lead to the goal? Then give the action that should be taken, the same or a better one."
)


async def single(prompt: list[Message], observation: Observation, model: Model) -> Completion:
    """One reply."""
    return await model.generate(prompt, stop=observation.stop, max_tokens=observation.max_tokens)


async def ensemble(prompt: list[Message], observation: Observation, model: Model) -> Completion:
    """Three replies, and the action that most of them give."""
    return most_given(await _replies([prompt] * _VOTES, observation, model))


async def debate(prompt: list[Message], observation: Observation, model: Model) -> Completion:
    """Two replies, each of which then answers the other; the action that most of the four give, second thoughts first.

    One round of the multi-agent debate of Du et al. 2023 (arXiv:2305.14325), between two.
    """
    first = await _replies([prompt] * 2, observation, model)
    if len(first) < 2:
        return first[0]
    prompts = [_with(prompt, _OTHER.format(own=own.text, other=other.text)) for own, other in (first, first[::-1])]
    return most_given([*await _second_thoughts(prompts, observation, model), *first])


async def verify(prompt: list[Message], observation: Observation, model: Model) -> Completion:
    """One reply, which the model then checks and may change.

    Feedback and refinement of Self-Refine (Madaan et al. 2023, arXiv:2303.17651) in one reply, once.
    """
    reply = await single(prompt, observation, model)
    asked = _with(prompt, _CHECK.format(own=reply.text))
    return next(iter(await _second_thoughts([asked], observation, model)), reply)


WORKFLOWS: Mapping[str, Workflow] = MappingProxyType(
    {"single": single, "ensemble": ensemble, "debate": debate, "verify": verify}
)


def _with(prompt: list[Message], question: str) -> list[Message]:
    """A prompt whose last message, what there is to see, ends with a question: it begins as the prompt does."""
    return [*prompt[:-1], Message("user", f"{prompt[-1].content}\n\n{question}")]


async def _replies(prompts: list[list[Message]], observation: Observation, model: Model) -> list[Completion]:
    drawn = await draw(model, prompts, stop=observation.stop, max_tokens=observation.max_tokens)
    return [reply for reply in drawn if reply is not None]


async def _second_thoughts(prompts: list[list[Message]], observation: Observation, model: Model) -> list[Completion]:
    """Replies about replies; those that end in no action, or did not fit into the context, count for nothing."""
    try:
        replies = await _replies(prompts, observation, model)
    except ModelStopped:
        return []
    return [reply for reply in replies if in_tags(reply.text, "action")]


class WorkflowsAgent(HistoryAgent):
    """Plays each episode by one of some workflows, and finds out over episodes which of them scores best.

    A workflow is a function from a prompt to a reply (:data:`WORKFLOWS`). At the start of an episode the one with the
    highest upper confidence bound on past episodes' scores is taken; one that was never tried comes first, in the order
    in which they are given. Scores are put on the range that was seen. The state holds how often each was taken and
    what it scored. With nothing learnt the first workflow plays: frozen from the start, that is the agent ``history``.

    Only scores count: a workflow that costs more calls is not held back for it. With four arms, UCB1 still tries all of
    them often after 20 episodes; what it has found is told by its counts, and is not certain.

    Sources: AFlow (Zhang et al. 2024, arXiv:2410.10762) searches over workflows written as code by Monte Carlo tree
    search; Puppeteer (Dang et al. 2025, arXiv:2505.19591) trains an orchestrator that picks the next agent. Ours: the
    workflows are fixed functions, no code is written, and the search is the root of such a tree alone, a bandit (UCB1,
    Auer et al. 2002) on whole episodes.

    Args:
        workflows: Names of those to choose from, separated by spaces or in a list; default all.
        window: How many past turns are shown; None shows all.
    """

    name: ClassVar[str] = "workflows"

    def __init__(self, workflows: str | Sequence[str] = tuple(WORKFLOWS), window: int | None = None) -> None:
        super().__init__(window)
        names = workflows.split() if isinstance(workflows, str) else list(workflows)
        if not names or len(set(names)) < len(names) or not set(names) <= WORKFLOWS.keys():
            raise UsageError(
                f"agent workflows: workflows must be different names of {', '.join(WORKFLOWS)}, not {workflows!r}."
            )
        self.workflows = tuple(names)
        self._purse = Purse()
        self.workflow = self._next()

    @property
    def calls_a_turn(self) -> int:
        """Those of the dearest, the debate: two replies, and an answer to each."""
        return 4

    def _next(self) -> str:
        total = sum(self._purse.tries.get(name, 0) for name in self.workflows)

        def index(name: str) -> float:
            tries = self._purse.tries.get(name, 0)
            return upper_bound(self._purse.mean(name), tries, total) if tries else math.inf

        return max(self.workflows, key=index)

    def begin(self) -> None:
        """Forget the last episode's turns, and choose the workflow of the next."""
        super().begin()
        self.workflow = self._next()

    async def answer(self, observation: Observation, model: Model) -> Action:
        """Answer by the episode's workflow. History keeps the reply that was acted on, and nothing of the others."""
        reply = await WORKFLOWS[self.workflow](self.prompt(observation), observation, model)
        return self.keep(observation.text, reply, model)

    async def learn(self, experience: Experience, model: Model) -> str:
        """Credit the workflow with the episode's score; the model is not asked."""
        score = experience.feedback.score
        if score is None:
            return ""
        purse = self._purse.copy()
        purse.add(self.workflow, score)
        self._purse = purse
        tries = purse.tries[self.workflow]
        return f"{self.workflow} scored {score:.6g}; mean {purse.sums[self.workflow] / tries:.6g} of {tries}"

    def snapshot(self) -> Any:
        """Tries and scores of the workflows."""
        return self._purse.data()

    def restore(self, state: Any) -> None:
        """Take up tries and scores.

        Raises:
            ValueError: They are none.
        """
        self._purse = Purse.of(state)
        self.workflow = self._next()

    def placebo(self, state: Any, rng: np.random.Generator) -> Any:
        """The workflows' records exchanged among them."""
        return dealt_anew(state, rng)
