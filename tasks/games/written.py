"""A mutator that asks a model: it is shown a rule or program with what that came to, and writes a better one."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...suite.agents.expressions import ExpressionError
from ...suite.backends.base import ContextOverflow, GenerateRequest, Message
from ...suite.canonical import content_hash
from .candidate import Candidate, Genome, Proposal
from .programs import FUNCTIONS, Kind, Program, UnusableProgram
from .regret import RULES, Rule

if TYPE_CHECKING:
    import numpy as np

    from ...suite.broker import Broker

__all__ = ["ModelEdits", "question", "read_reply"]

_LINE = re.compile(r"^\W*(regret|weight|average)\W*[:=]\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
_FENCE = re.compile(r"```[A-Za-z]*[ \t]*\n(.*?)(?:\n?```|\Z)", re.DOTALL)


class ModelEdits:
    """Any backend as a mutator.

    Args:
        broker: The backend's; whoever made it starts and closes it.
        temperature: Of its replies.
        max_tokens: Cap on a reply.
    """

    def __init__(self, broker: Broker, *, temperature: float = 0.8, max_tokens: int = 1_500) -> None:
        self.broker, self.temperature, self.max_tokens = broker, temperature, max_tokens

    def identity(self) -> dict[str, Any]:
        """The model's, how it is asked, and a hash of what it is asked."""
        asked = [question(Candidate(genome, 0.0, 0.0, (0, 0))) for genome in _EXAMPLES]
        return {
            "name": "model-edits",
            "backend": self.broker.backend.identity(),
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "guide": content_hash(asked, digits=16),
        }

    async def propose(self, parent: Candidate, rng: np.random.Generator) -> Proposal:
        """What the reply holds, or why it holds nothing.

        Raises:
            BackendError: The backend failed: nothing of this attempt is decided.
        """
        seed = int(rng.integers(2**62))
        session = f"evolve/{seed}"
        request = GenerateRequest(
            (Message("user", question(parent)),),
            session=session,
            seed=seed,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
        )
        try:
            reply = await self.broker.generate(request)
        except ContextOverflow as error:
            return Proposal(None, str(error))
        finally:
            self.broker.backend.release(session)
        spent = {
            "reply": reply.text,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "cost": reply.cost,
        }
        try:
            return Proposal(read_reply(reply.text, parent.genome), **spent)
        except (ExpressionError, UnusableProgram) as error:
            return Proposal(None, str(error), **spent)


def question(parent: Candidate) -> str:
    """What is asked: what is wanted, the parent and what it came to, and how to answer."""
    genome = parent.genome
    ends = "; ".join(f"{name} {value:.2f}" for name, value in parent.games)
    came = (
        f"Measured: log10 of exploitability over that of uniform play after the last iteration: {ends}. On average "
        f"over a run (less is better): {parent.fitness:.3f}.\n\n"
        if ends
        else ""
    )
    if isinstance(genome, Rule):
        return f"{_RULES_ARE}{_shown(genome)}\n\n{came}{_RULES_END}"
    return (
        f"{_PROGRAMS_ARE[genome.kind]}{_shown(genome)}\n\n{came}{_PROGRAMS_END.format(name=FUNCTIONS[genome.kind][0])}"
    )


def read_reply(reply: str, parent: Genome) -> Genome:
    """Find a rule or program in a reply.

    A formula that is not there stays the parent's; of several the last counts. Of several code blocks the last one that
    is a program does; a reply without any is taken as code itself.

    Raises:
        ExpressionError: A rule was wanted, and no formula is there, or one is none.
        UnusableProgram: A program was wanted, and there is none.
    """
    if isinstance(parent, Rule):
        found = {name.lower(): text.strip("`* ") for name, text in _LINE.findall(reply)}
        if not found:
            raise ExpressionError("no line begins with regret:, weight: or average:")
        return replace(parent, **found)
    fault: UnusableProgram | None = None
    for source in reversed(_FENCE.findall(reply) or [reply]):
        try:
            return Program(parent.kind, source.strip() + "\n")
        except UnusableProgram as error:
            fault = fault or error
    raise fault or UnusableProgram("The reply holds no program.")


def _shown(genome: Genome) -> str:
    if isinstance(genome, Rule):
        return f"regret: {genome.regret}\nweight: {genome.weight}\naverage: {genome.average}"
    return f"```python\n{genome.source.strip()}\n```"


_RULES_ARE = (
    "A game of two players and zero sum is solved by counterfactual regret minimisation. In iteration t = 1, 2, … "
    "and at every information state the regrets r of the actions under the policy in play are computed. Then R, "
    "what has been accumulated so far (0 at first), is replaced by the formula regret, of R, r and t. The next "
    "policy is in proportion to the positive part of the formula weight, of the new R, r and t. The policy that "
    "was in play enters the average policy with the weight of the formula average, of t alone. The average policy "
    "should have low exploitability after few iterations.\n\nThis is the rule now:\n"
)
_RULES_END = (
    "Formulas have numbers, names, + - * / **, < <= > >=, a if b else c, max, min and abs, each for one action at "
    "a time. Write a rule that may be better, in three lines as above and nothing else."
)
_PROGRAMS_ARE: dict[Kind, str] = {
    "regret": (
        "A game of two players and zero sum is solved by counterfactual regret minimisation. In iteration t = 1, 2, … "
        "the function `update` is called for each player with `regret`, the counterfactual regrets of the policy in "
        "play, that `policy`, and `legal`, which actions there are: arrays of shape (information states, actions), 0 "
        "or False where there is no action. It returns what the next policy is in proportion to (negative numbers "
        "count as 0), and a number of at least 0: the weight of the policy in play in the average. `memory` is a dict, "
        "empty at first, that the same player gets again in the next iteration. The average policy should have low "
        "exploitability after few iterations.\n\nThis is the program now:\n"
    ),
    "meta": (
        "A game of two players and zero sum is solved by policy-space response oracles. Both players have a population "
        "of policies, which starts with the uniform one. The function `meta` says how each population is mixed; then a "
        "best response to the other's mixture is added to each. `payoffs` is what player 0 wins, of shape (policies of "
        "0, policies of 1); `t` counts additions from 1. It returns two arrays: what the mixture of player 0's and of "
        "player 1's policies is in proportion to. When the mixture is measured it is called with `final` true. "
        "`memory` is a dict, empty at first, that is kept from one addition to the next. The measured mixture should "
        "have low exploitability after few additions.\n\nThis is the program now:\n"
    ),
}
_PROGRAMS_END = (
    "Write a program that may be better. It may import numpy and math, and has the function `{name}` with the same "
    "parameters. Answer with the whole program in one ```python block."
)

_EXAMPLES: tuple[Genome, ...] = (
    RULES["cfr"],
    *(Program(kind, f"def {name}({', '.join(names)}): pass") for kind, (name, names) in FUNCTIONS.items()),
)
