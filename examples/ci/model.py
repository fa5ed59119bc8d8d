"""A model that needs no weights: it plays as well as its skill says, so that the gate can be seen at work.

In your project this file is not needed: `backend = "hf:…"` or `backend = "openai:…"` in run.toml names your model.
"""

from __future__ import annotations

from finchmark import Backend, Completion
from finchmark.suite.backends.base import Capabilities
from finchmark.suite.seeds import uniform


class Toy(Backend):
    """Plays an episode perfectly with the probability `skill`, else gives up.

    Args:
        model: Its release. Two releases of the same skill are as two draws of one model: equal on average, not item by
            item.
        skill: Share of episodes that it solves, from 0 to 1.
    """

    name = "toy"
    capabilities = Capabilities(scheduling="own", concurrency=64, deterministic=True)

    def __init__(self, model: str = "v1", *, skill: float = 0.9) -> None:
        self.model, self.skill = model, skill
        self._players = {}
        self._gives_up = {}

    @property
    def reference(self) -> str:
        """The task's perfect player, which this model asks when it is not about to give up."""
        return "oracle"

    def bind(self, session, policy):
        """Take the perfect player of one episode."""
        self._players[session] = policy

    def identity(self):
        """What makes it this model and no other."""
        return {"name": f"toy:{self.model}", "skill": self.skill}

    async def generate(self, request):
        """Answer as the perfect player would, or not at all."""
        if request.session not in self._gives_up:
            # All chance comes from the request's seed: the same run again gives the same replies.
            self._gives_up[request.session] = uniform("toy", self.model, request.seed) >= self.skill
        if self._gives_up[request.session]:
            return Completion("I give up.", "stop", completion_tokens=3)
        return Completion(self._players[request.session].reply(request), "stop", completion_tokens=1)

    def release(self, session):
        """Forget an episode that has ended."""
        self._players.pop(session, None)
        self._gives_up.pop(session, None)
