"""The component ``agent``: an agent that is a Python function, run in the sandbox at every turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ....suite.agents.actions import in_tags, plain
from ....suite.agents.base import Action, Agent, Observation
from ....suite.agents.clipping import clip
from ....suite.backends.base import Message
from ....suite.model import Model
from ....suite.sandbox.functions import Call, call_function, function_faults
from ....suite.sandbox.shared import shared_sandbox
from ....suite.seeds import derive
from .evaluation import Trajectory

__all__ = ["MOST_ASKS", "NAME", "PARAMETERS", "STOCK", "CodeAgent", "failure", "refusal"]

NAME = "act"
PARAMETERS = ("observation", "instructions", "reply", "memory")

MOST_ASKS = 3
"""How often a turn's code may ask the model."""

MOST_PROMPT = 60_000
"""Characters of a prompt that code asks with; a model's context ends sooner or later."""

STOCK = """\
def act(observation, instructions, reply, memory):
    said = memory.setdefault("said", [])
    if reply is None:
        said.append(observation)
        return {"ask": "\\n\\n".join([instructions, *said])}
    said.append("> " + reply)
    return {"action": reply}
"""
"""What the unchanged agent does, as code: it shows the model everything so far, and says what the model says."""

_TRIED_TURNS = 12
_TRIED_EPISODES = 4

Ask = Callable[[str], Awaitable[str]]


class Failed(Exception):
    """The code did not come to an action; its own failure."""


class Turns:
    """The turns of one episode, as code plays them.

    Args:
        source: Python that :func:`refusal` took.
        seed: Of ``random`` in it; each call has its own.
    """

    def __init__(self, source: str, seed: int) -> None:
        self.source, self.seed = source, seed
        self._memory: dict[Any, Any] = {}
        self._turn = 0

    async def act(self, observation: str, instructions: str, ask: Ask) -> str:
        """One turn.

        Args:
            observation: What is shown.
            instructions: What holds for the whole episode.
            ask: Puts a prompt of the code's to the model.

        Returns:
            The action, as the code wrote it.

        Raises:
            Failed: An exception, a limit, no action, or too many questions.
            SandboxFailure: The sandbox failed, which says nothing about the code.
        """
        sandbox = await shared_sandbox()
        self._turn += 1
        reply: str | None = None
        for number in range(MOST_ASKS + 1):
            seed = derive("code", self.seed, self._turn, number)
            call = Call((observation, instructions, reply, self._memory), seed)
            (answer,) = await call_function(sandbox, self.source, NAME, [call])
            if answer.fault:
                raise Failed(answer.fault)
            # What the code left in its memory counts only if it came to an end.
            kept = answer.arguments[3] if len(answer.arguments) == 4 else None
            if not isinstance(kept, dict):
                raise Failed("its memory is no dict any more")
            self._memory = kept
            prompt, action = _read(answer.value)
            if action is not None:
                return action
            if number < MOST_ASKS:
                reply = await ask(prompt)
        raise Failed(f"it asked the model more than {MOST_ASKS} times at a turn")


def _read(value: Any) -> tuple[str, str | None]:
    """What the code wants: a prompt to send, or an action."""
    if isinstance(value, str):
        return "", value
    if isinstance(value, dict) and len(value) == 1:
        action, prompt = value.get("action"), value.get("ask")
        if isinstance(action, str):
            return "", action
        if isinstance(prompt, str) and len(prompt) > MOST_PROMPT:
            raise Failed(f"its prompt has {len(prompt)} characters, over {MOST_PROMPT}")
        if isinstance(prompt, str):
            return prompt, None
    raise Failed(f'it returned {clip(repr(value), 80)}, not {{"action": text}} or {{"ask": text}}')


def failure(why: str) -> str:
    """A code's failure as the action that it is: one that no world can use, and that says what happened."""
    return f"[the agent's code failed: {clip(' '.join(why.replace('<', '‹').replace('>', '›').split()), 200)}]"


class CodeAgent(Agent):
    """Plays by a function ``act(observation, instructions, reply, memory)`` that runs in the sandbox.

    It is called with what the turn shows, what holds for the episode, None, and a dict of plain data that lasts through
    the episode. It returns ``{"action": text}``, or ``{"ask": text}``: then the model is asked, and it is called again
    with the reply, at most :data:`MOST_ASKS` times a turn. An exception, a limit or no action is an action that cannot
    be used: the agent's own failure. A failure of the sandbox is an error.

    Args:
        source: Python.
    """

    name = "code"

    def __init__(self, source: str) -> None:
        self.source = source
        self._turns: Turns | None = None

    @property
    def calls_a_turn(self) -> int:
        """As often as it may ask."""
        return MOST_ASKS

    def begin(self) -> None:
        """Forget the last episode's memory."""
        self._turns = None

    async def act(self, observation: Observation, model: Model) -> Action:
        """Run the code until there is an action."""
        if self._turns is None:
            self._turns = Turns(self.source, model.seed)
        cut: str | None = None  # the last reply, if it was cut off

        async def ask(prompt: str) -> str:
            nonlocal cut
            completion = await model.generate(
                [Message("user", prompt)], stop=observation.stop, max_tokens=observation.max_tokens
            )
            cut = completion.text if completion.finish_reason == "length" else None
            return completion.text

        try:
            action = await self._turns.act(observation.text, observation.preamble, ask)
        except Failed as failed:
            return Action(failure(str(failed)))
        # What a cut reply ends with may be the half of an action, or none at all: tags would make it look whole.
        bare = not in_tags(action, "action") and not (cut is not None and plain(cut).endswith(plain(action)))
        return Action(f"<action>{action}</action>" if bare else action, cut_off=cut is not None)


async def refusal(source: str, told: str, trajectories: Sequence[Trajectory]) -> str:
    """Why code is not taken up as an agent.

    It is read in the sandbox, and then plays recorded turns there, twice: the first 12 of one episode and the first of
    three others. It must come to an action at each, and to the same one both times. Where it asks, the recorded action
    stands for the model's reply.

    Args:
        source: As an optimiser wrote it.
        told: What holds for an episode.
        trajectories: Recorded; where there are none it plays one turn that shows nothing.

    Returns:
        A sentence, empty where it is taken.

    Raises:
        SandboxFailure: The sandbox failed.
    """
    fault = await function_faults(await shared_sandbox(), source, NAME, len(PARAMETERS))
    if fault:
        return fault
    found: list[list[str]] = []
    for _ in range(2):
        try:
            found.append(await _rehearsed(source, told, trajectories))
        except Failed as failed:
            return str(failed)
    return "" if found[0] == found[1] else "it does something else when it is run again"


async def _rehearsed(source: str, told: str, trajectories: Sequence[Trajectory]) -> list[str]:
    actions: list[str] = []
    recorded = [[(move.observation, move.action or "") for move in one.moves] for one in trajectories if one.moves]
    for number, moves in enumerate(recorded[:_TRIED_EPISODES] or [[("", "")]]):
        turns = Turns(source, number)
        for shown, action in moves[: 1 if number else _TRIED_TURNS]:

            async def ask(prompt: str, action: str = action) -> str:
                return f"<action>{action}</action>"

            try:
                actions.append(await turns.act(shown, told, ask))
            except Failed as failed:
                raise Failed(f"turn {len(actions) + 1} of the recorded ones: {failed}") from None
            if not actions[-1].strip():
                raise Failed(f"turn {len(actions)} of the recorded ones: its action is empty")
    return actions
