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
_Table = dict[str, _Row]


class TabularAgent(WordlessAgent):
    """Remembers for each view and option what it saw next and earned, and plans through what it remembers.

    It goes to the nearest option that has paid, if a way to one is known; else to the nearest that it has not tried;
    else to the nearest that ended an episode without success; else it takes any. Nearest is by breadth-first search;
    among equals the option whose name it has not taken for longest comes first, and what is left is drawn. It knows no
    rule: what it learnt in one view says nothing of another.

    Within an episode it learns at once. Over episodes it keeps a table for each world that it met, because a stream has
    several and their views may look alike. Of the old tables those are set aside, for the rest of the episode, that
    foretold wrongly in it; of the others the one that was right most often, of equal ones the newest, is used. In the
    end the episode's outcomes go into that table if it was right at least once, the newest word on each option; else
    they are a new world. Tables that were right about the same episode and agree with each other become one. A view is
    taken for the whole state, so that in a world of which much is hidden, or in which chance rules, every episode looks
    like a new world, and the table misleads.

    Source: exploration by an optimistic table of a deterministic model (Sutton and Barto, Reinforcement Learning, 2nd
    ed. 2018, chapter 8, planning with a learnt table; Brafman and Tennenholtz 2002, R-max, for going where something is
    unknown). Ours: the last outcome in place of counts, breadth-first search in place of value iteration, and the
    tables of several worlds.

    Args:
        most: How many outcomes are kept over episodes. The worlds that were not met for longest are forgotten first; of
            the last one the views that were not.
    """

    name: ClassVar[str] = "tabular"

    def __init__(self, most: int = 1000) -> None:
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise UsageError(f"agent tabular: most must be a whole number of outcomes from 1 on, not {most!r}.")
        self.most = most
        self._worlds: list[_Table] = []
        self._lived = 0
        self.begin()

    def begin(self) -> None:
        """Start with what earlier episodes left."""
        self._new: _Table = {}
        self._last: tuple[str, str] | None = None
        # Which old tables may be of this world, by their places, and how often each was right.
        self._right = dict.fromkeys(range(len(self._worlds)), 0)
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
        for place in list(self._right):
            expected = self._worlds[place].get(view, {}).get(name)
            if expected is None or expected[0] == _END:
                continue
            if expected[0] == after:
                self._right[place] += 1
            else:
                del self._right[place]
        self._new.setdefault(view, {})[name] = (after, reward)

    def _used(self) -> int | None:
        """The place of the old table that is used, None where none is left."""
        return max(self._right, key=lambda place: (self._right[place], place), default=None)

    def _way(self, start: str, names: list[str]) -> str:
        """The first step to the nearest of the best kind of goal. Views elsewhere are taken to have the same options.

        Kinds: 0 has paid, 1 untried, 2 has ended an episode.
        """
        # Without the first key, one option that mostly does nothing is tried everywhere before the next one is: with
        # it, 0.15 of the lights of tier gate are solved in one episode, without it 0.003.
        shift = derive("tabular", self.luck, self._lived, self._turns, start) % len(names)
        order = sorted(names[shift:] + names[:shift], key=lambda name: self._taken.get(name, -1))
        used = self._used()
        old = {} if used is None else self._worlds[used]
        found: dict[int, str] = {}
        queue, first = deque([start]), {start: ""}
        while queue:
            view = queue.popleft()
            row = {**old.get(view, {}), **self._new.get(view, {})}
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
        # The table that was used first, then others that turn out to be of the same world.
        right = sorted((p for p, count in self._right.items() if count), key=lambda p: (-self._right[p], -p))
        table = _merged(self._worlds[right[0]] if right else {}, self._new)
        joined = set(right[:1])
        for place in right[1:]:
            if _agree(self._worlds[place], table):
                table = _merged(self._worlds[place], table)
                joined.add(place)
        others = [old for place, old in enumerate(self._worlds) if place not in joined]
        self._worlds = _within([*others, table], self.most)
        self._lived += 1
        added = sum(map(len, self._new.values()))
        kept = sum(map(_size, self._worlds))
        return (
            f"{added} outcomes of {'a world that is known' if joined else 'a new world'}; "
            f"{kept} kept of {len(self._worlds)} worlds"
        )

    def snapshot(self) -> Any:
        """The tables, worlds and their views in the order in which they were last met, and the number of episodes."""
        worlds = [
            [[view, {name: list(outcome) for name, outcome in row.items()}] for view, row in table.items()]
            for table in self._worlds
        ]
        return {"lived": self._lived, "worlds": worlds}

    def restore(self, state: Any) -> None:
        """Take up tables.

        Raises:
            ValueError: They are none.
        """
        try:
            worlds = [
                {
                    str(view): {str(name): (str(after), float(reward)) for name, (after, reward) in row.items()}
                    for view, row in table
                }
                for table in state["worlds"]
            ]
            self._worlds, self._lived = worlds, int(state["lived"])
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ValueError(f"no tables of the agent tabular: {type(error).__name__}: {error}") from error
        self.begin()

    def placebo(self, state: Any, rng: np.random.Generator) -> Any:
        """The same views and options, their outcomes dealt out anew."""
        outcomes = [outcome for table in state["worlds"] for _, row in table for outcome in row.values()]
        dealt = iter([outcomes[i] for i in rng.permutation(len(outcomes))])
        worlds = [[[view, {name: next(dealt) for name in row}] for view, row in table] for table in state["worlds"]]
        return {**state, "worlds": worlds}


def _merged(old: _Table, new: _Table) -> _Table:
    """Both tables, the newer word on each option, and the views of the newer one last."""
    table = dict(old)
    for view, row in new.items():
        table[view] = {**table.pop(view, {}), **row}
    return table


def _agree(one: _Table, other: _Table) -> bool:
    """Whether two tables foretell the same wherever both do; an episode's end agrees with anything."""
    return all(
        after == other[view][name][0] or _END in (after, other[view][name][0])
        for view, row in one.items()
        if view in other
        for name, (after, _) in row.items()
        if name in other[view]
    )


def _size(table: _Table) -> int:
    return sum(map(len, table.values()))


def _within(worlds: list[_Table], most: int) -> list[_Table]:
    """The newest worlds that have ``most`` outcomes at most, the newest of all cut to that."""
    total = sum(map(_size, worlds))
    while len(worlds) > 1 and total > most:
        total -= _size(worlds[0])
        worlds = worlds[1:]
    (*others, last) = worlds
    views = list(last)
    while total > most and len(views) > 1:
        total -= len(last[views.pop(0)])
    return [*others, {view: last[view] for view in views}]


def _succeeded(feedback: Feedback, high: float | None) -> bool:
    """Whether an episode reached its goal; where the task knows none, whether its score is the highest there is."""
    if feedback.solved is not None:
        return feedback.solved
    return feedback.score is not None and high is not None and feedback.score >= high
