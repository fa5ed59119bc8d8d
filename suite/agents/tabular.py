"""A table of what every option did in every view, and ways through it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import UsageError
from ..model import Model
from ..seeds import derive
from .experience import Experience, Feedback
from .percept import Option, Percept
from .wordless import WordlessAgent, name_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["TabularAgent"]

_END = ""
"""Where an option led that ended its episode."""

_Row = dict[str, tuple[str, float]]


class TabularAgent(WordlessAgent):
    """Remembers for each view and option what it saw next and earned, and plans through what it remembers.

    It goes to the nearest option that has paid, if a way to one is known; else to the nearest that it has not tried;
    else to the nearest that ended an episode without success; else it takes any. Nearest is by breadth-first search;
    among equals the option whose name it has not taken for longest comes first, and what is left is drawn from how much
    it has seen. It knows no rule: what it learnt in one view says nothing of another.

    Within an episode it learns at once. Over episodes it keeps the table, the newest word on each option. The next
    episode may be of another world: the first time that the old table foretells wrongly, it is set aside for the rest
    of that episode. A view is taken for the whole state, so that in a world of which much is hidden, or in which chance
    rules, the table misleads.

    Source: exploration by an optimistic table of a deterministic model (Sutton and Barto, Reinforcement Learning, 2nd
    ed. 2018, chapter 8, planning with a learnt table; Brafman and Tennenholtz 2002, R-max, for going where something is
    unknown). Ours: the last outcome in place of counts, breadth-first search in place of value iteration, and the rule
    for old tables.

    Args:
        most: How many outcomes are kept over episodes; views that were not met for longest are forgotten first.
    """

    name: ClassVar[str] = "tabular"

    def __init__(self, most: int = 1000) -> None:
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise UsageError(f"agent tabular: most must be a whole number of outcomes from 1 on, not {most!r}.")
        self.most = most
        self._old: dict[str, _Row] = {}
        self._lived = 0
        self.begin()

    def begin(self) -> None:
        """Start with what earlier episodes left."""
        self._new: dict[str, _Row] = {}
        self._last: tuple[str, str] | None = None
        self._trusts = True
        self._turns = 0
        self._taken: dict[str, int] = {}

    def choose(self, percept: Percept) -> Option:
        """Learn from what the last option did, then take the next step."""
        view = name_of(percept.view)
        if self._last is not None:
            self._note(*self._last, view, percept.reward or 0.0)
        names = [option.name for option in percept.options]
        name = self._way(view, names)
        self._last = (view, name)
        self._taken[name] = self._turns
        self._turns += 1
        return percept.options[names.index(name)]

    def _note(self, view: str, name: str, after: str, reward: float) -> None:
        expected = self._old.get(view, {}).get(name)
        if expected is not None and expected[0] not in (after, _END):
            self._trusts = False
        self._new.setdefault(view, {})[name] = (after, reward)

    def _row(self, view: str) -> _Row:
        """All that is known of a view."""
        new = self._new.get(view, {})
        return {**self._old.get(view, {}), **new} if self._trusts else new

    def _way(self, start: str, names: list[str]) -> str:
        """The first step to the nearest of the best kind of goal. Views elsewhere are taken to have the same options.

        Kinds: 0 has paid, 1 untried, 2 has ended an episode.
        """
        # Without the first key, one option that mostly does nothing is tried everywhere before the next one is: with
        # it, 0.19 of the lights of tier gate are solved in one episode, without it 0.003.
        shift = derive("tabular", self._lived, self._turns, start) % len(names)
        order = sorted(names[shift:] + names[:shift], key=lambda name: self._taken.get(name, -1))
        found: dict[int, str] = {}
        queue, first = deque([start]), {start: ""}
        while queue:
            view = queue.popleft()
            row = self._row(view)
            for name in order:
                step = first[view] or name
                after, reward = row.get(name, (None, 0.0))
                if after is None:
                    found.setdefault(1, step)
                elif reward > 0:
                    return step
                elif after == _END:
                    found.setdefault(2, step)
                elif after not in first:
                    first[after] = step
                    queue.append(after)
        return found[min(found)] if found else order[0]

    async def learn(self, experience: Experience, model: Model) -> str:
        """Keep the episode's table; its last option paid if the episode succeeded."""
        if self._last is not None:
            view, name = self._last
            self._new.setdefault(view, {})[name] = (_END, float(_succeeded(experience.feedback, experience.high)))
        if not self._new:
            return ""
        for view, row in self._new.items():
            self._old[view] = {**self._old.pop(view, {}), **row}
        count = sum(map(len, self._old.values()))
        for view in list(self._old):
            if count <= self.most or len(self._old) == 1:
                break
            count -= len(self._old.pop(view))
        self._lived += 1
        added = sum(map(len, self._new.values()))
        return f"{added} outcomes seen, {count} known in {len(self._old)} views"

    def snapshot(self) -> Any:
        """The table, views in the order in which they were last met, and the number of episodes."""
        rows = [[view, {name: list(outcome) for name, outcome in row.items()}] for view, row in self._old.items()]
        return {"lived": self._lived, "table": rows}

    def restore(self, state: Any) -> None:
        """Take up a table."""
        try:
            table = {
                str(view): {str(name): (str(after), float(reward)) for name, (after, reward) in row.items()}
                for view, row in state["table"]
            }
            self._old, self._lived = table, int(state["lived"])
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ValueError(f"no table of the agent tabular: {type(error).__name__}: {error}") from error

    def placebo(self, state: Any, rng: np.random.Generator) -> Any:
        """The same views and options, their outcomes dealt out anew."""
        outcomes = [outcome for _, row in state["table"] for outcome in row.values()]
        dealt = iter([outcomes[i] for i in rng.permutation(len(outcomes))])
        return {**state, "table": [[view, {name: next(dealt) for name in row}] for view, row in state["table"]]}


def _succeeded(feedback: Feedback, high: float | None) -> bool:
    """Whether an episode reached its goal; where the task knows none, whether its score is the highest there is."""
    if feedback.solved is not None:
        return feedback.solved
    return feedback.score is not None and high is not None and feedback.score >= high
