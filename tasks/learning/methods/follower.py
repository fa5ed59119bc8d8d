"""The executor without a model: it follows the rules in its advice, and plays at random where they are silent."""

from __future__ import annotations

import re

from ....environments.worlds.keys import Key
from ....environments.worlds.world import World
from ....suite.backends.base import GenerateRequest
from .rules import Rules

__all__ = ["FOLLOWER", "Follower"]

FOLLOWER = "follower"
"""``scripted:follower``: what experiments without a model are executed by."""

_ADVICE = re.compile(r"<advice>\n(.*?)\n</advice>", re.DOTALL)


class Follower:
    """Plays one episode by the rules in its prompt: the opening, then what is read, then weighted draws.

    It knows the words of the actions, as the instructions tell them, and nothing else of the world.

    Args:
        world: Whose actions it knows.
    """

    def __init__(self, world: World) -> None:
        self._actions = [world.reader.show(action) for action in world.dynamics.actions.tried]
        self._rules: Rules | None = None
        self._turn = 0

    def reply(self, request: GenerateRequest) -> str:
        """An action in tags."""
        if self._rules is None:
            found = _ADVICE.search("\n".join(message.content for message in request.messages))
            self._rules = Rules.read(found[1] if found else "")
        action = self._choose(self._rules, request)
        self._turn += 1
        return f"<action>{action}</action>"

    def _choose(self, rules: Rules, request: GenerateRequest) -> str:
        if self._turn < len(rules.opening):
            return rules.opening[self._turn]
        shown = request.messages[-1].content.splitlines()
        for piece, action in rules.when:
            if any(piece in line for line in shown):
                return action
        weights = [max(0.0, rules.weights.get(action, 1.0)) for action in self._actions]
        key = Key.of("methods", "follower", request.seed)
        if not sum(weights):
            return self._actions[key.integer(len(self._actions))]
        share = sum(weights)
        return key.pick([(weight / share, action) for weight, action in zip(weights, self._actions, strict=True)])
