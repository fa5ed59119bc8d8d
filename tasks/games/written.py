"""Update rules that are written by whoever answers a question: a mutator for language models."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...suite.agents.expressions import ExpressionError
from .regret import Rule

if TYPE_CHECKING:
    import numpy as np

__all__ = ["WrittenEdits", "question", "read_rule"]

_LINE = re.compile(r"^\W*(regret|weight|average)\W*[:=]\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


class WrittenEdits:
    """A mutator that asks for a better rule.

    Args:
        ask: Takes a question and a seed and gives the reply, thinking removed. Any backend can stand behind it.
    """

    def __init__(self, ask: Callable[[str, int], str]) -> None:
        self.ask = ask

    def propose(self, parent: Rule, rng: np.random.Generator) -> Rule:
        """The rule of the reply.

        Raises:
            ExpressionError: There is none in it.
        """
        return read_rule(self.ask(question(parent), int(rng.integers(2**31))), parent)


def question(parent: Rule) -> str:
    """What is asked: what a rule does, the parent, and how to answer."""
    return (
        "A game of two players and zero sum is solved by counterfactual regret minimisation. In iteration t = 1, 2, … "
        "and at every information state the regrets r of the actions under the policy in play are computed. Then R, "
        "what has been accumulated so far (0 at first), is replaced by the formula regret, of R, r and t. The next "
        "policy is in proportion to the positive part of the formula weight, of the new R, r and t. The policy that "
        "was in play enters the average policy with the weight of the formula average, of t alone. The average policy "
        "should have low exploitability after few iterations.\n\n"
        f"This is the rule now:\nregret: {parent.regret}\nweight: {parent.weight}\naverage: {parent.average}\n\n"
        "Formulas have numbers, names, + - * / **, < <= > >=, a if b else c, max, min and abs, each for one action at "
        "a time. Write a rule that may be better, in three lines as above and nothing else."
    )


def read_rule(reply: str, parent: Rule) -> Rule:
    """Find a rule in a reply. A formula that is not there stays the parent's; of several the last counts.

    Raises:
        ExpressionError: No formula is there, or one is none.
    """
    found = {name.lower(): text.strip("`* ") for name, text in _LINE.findall(reply)}
    if not found:
        raise ExpressionError("no line begins with regret:, weight: or average:")
    return replace(parent, **found)
