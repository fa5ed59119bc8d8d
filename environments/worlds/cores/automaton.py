"""Automaton: a machine of hidden states that prints a symbol for each key; a wanted word must come out. Batched.

A Mealy machine: what a key prints and where it leads depends on a state that nobody sees. The tape's last symbols are
compared with the wanted word; a mismatch keeps what can still be the word's beginning, a finished word starts anew, and
a reset tears the tape and brings the machine back to its first state. Hidden: the state and which key is which column
of the diagram, or the whole diagram. It asks for building a model of something from its answers, and for using it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Choice
from ..core import Core, by_name, skins
from ..dynamics import BatchStep, Dynamics, Event, Transition
from ..keys import Key
from ..level import Generator, Preset
from ..observation import Observation
from ..reward import Pays, Reward
from ..skin import Skin, Vocabulary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..world import World

__all__ = ["CORE"]

_KEYS = ("left", "middle", "right")
_SYMBOLS = ("dot", "dash", "ring")
_NUMBER = {key: number for number, key in enumerate(_KEYS)}
_MOST_STATES = 6

_Entry = tuple[int, int]
"""What a key prints in a state, and the state after it."""
_Table = tuple[tuple[_Entry, ...], ...]
"""Entries by state and key."""


@dataclass(frozen=True, eq=False, slots=True)
class AutomatonLevel:
    """A level: the machine, the state it starts in, the word, and how far each symbol brings it from each beginning."""

    table: _Table
    start: int
    word: tuple[int, ...]
    further: tuple[tuple[int, ...], ...]


class AutomatonState(NamedTuple):
    """The machine's state, how much of the word stands at the tape's end, and the last symbol (-1: none)."""

    at: int
    done: int
    last: int


class AutomatonView(NamedTuple):
    """What is seen. ``diagram`` has a row for each state; its columns are the keys in order where ``named``."""

    last: int
    done: int
    word: tuple[int, ...]
    at: int | None
    diagram: _Table | None
    named: bool


def _further(word: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """How long a beginning of the word stands at the tape's end, after one of each length and each symbol.

    Knuth, Morris and Pratt 1977, SIAM J. Comput. 6, 323-350, as a table.
    """
    rows = []
    for done in range(len(word)):
        row = []
        for symbol in range(len(_SYMBOLS)):
            tape = (*word[:done], symbol)
            row.append(next(n for n in range(len(tape), -1, -1) if tape[len(tape) - n :] == tuple(word[:n])))
        rows.append(tuple(row))
    return tuple(rows)


class AutomatonDynamics(Dynamics[AutomatonLevel, AutomatonState]):
    """Press a key, or reset."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind("press", "the {machine} prints a symbol", (Choice("key", _KEYS),)),
            ActionKind("reset", "bring the {machine} back to where it began, and tear off the tape"),
        )
    )
    events: Mapping[str, str] = {"worded": "the wanted word stands at the tape's end; the next one starts anew"}

    def load(self, data: Mapping[str, Any]) -> AutomatonLevel:
        """A level of ``table`` (by state and key: what it prints, where it leads), ``start`` and ``word``."""
        try:
            table = tuple(tuple((e[0], e[1]) for e in row) for row in data["table"])
            level = AutomatonLevel(table, data["start"], tuple(data["word"]), _further(data["word"]))
        except (KeyError, IndexError) as error:
            raise UsageError(f"An automaton level needs table, start and word: {error}.") from None
        states = range(len(table))
        if level.start not in states or not level.word or any(to not in states for row in table for _, to in row):
            raise UsageError(f"An automaton level has a word, and states from 0 to {len(table) - 1}, not {dict(data)}.")
        return level

    def init(self, params: AutomatonLevel, key: Key) -> AutomatonState:
        """At the first state, no tape."""
        return AutomatonState(params.start, 0, -1)

    def step(
        self, params: AutomatonLevel, state: AutomatonState, action: Action, key: Key
    ) -> Transition[AutomatonState]:
        """Print and move."""
        if not action.values:
            return Transition(AutomatonState(params.start, 0, -1), (), False)
        symbol, at = params.table[state.at][_NUMBER[action.values[0]]]  # type: ignore[index]  # the schema has checked it
        done = params.further[state.done][symbol]
        if done == len(params.word):
            return Transition(AutomatonState(at, 0, symbol), _WORDED, False)
        return Transition(AutomatonState(at, done, symbol), (), False)

    def limits(self, params: AutomatonLevel, horizon: int) -> Mapping[str, float]:
        """Words do not overlap."""
        return {"worded": horizon // len(params.word)}

    # Batched: all machines in one array, a row's own at its offset.

    def init_batch(self, params: Sequence[AutomatonLevel], keys: NDArray[np.uint64]) -> _Rows:
        """Stack machines and words."""
        import numpy as np

        entries, words, shift, reach = [], [], [], []
        cells = letters = 0
        own: dict[int, tuple[int, int]] = {}
        for p in params:
            if id(p) not in own:
                own[id(p)] = (cells, letters)
                # The last entry of a state is the reset, which prints nothing.
                rows = [[*row, (len(_SYMBOLS), p.start)] for row in p.table]
                entries += [entry for row in rows for entry in row]
                words += [n for row in p.further for n in (*row, 0)]
                cells, letters = len(entries), len(words)
            shift.append(own[id(p)])
            reach.append(len(p.word))
        offsets = np.array(shift)
        stack = _Stack(
            np.array([symbol for symbol, _ in entries]),
            np.array([to for _, to in entries]),
            np.array(words),
            offsets[:, 0],
            offsets[:, 1],
            np.array(reach),
        )
        nothing = np.zeros(len(params), dtype=np.int64)
        return _Rows(np.array([p.start for p in params]), nothing, nothing - 1, stack)

    def step_batch(self, states: _Rows, actions: NDArray[np.int64], keys: NDArray[np.uint64]) -> BatchStep[_Rows]:
        """Print and move in every row; -1 changes nothing."""
        import numpy as np

        at, done, last, level = states
        cell = level.cells + (len(_KEYS) + 1) * at + np.maximum(actions, 0)
        symbol = level.prints[cell]
        new = level.further[level.letters + (len(_SYMBOLS) + 1) * done + symbol]
        worded = (new == level.reach) & (actions >= 0)
        idle = actions < 0
        rows = _Rows(
            np.where(idle, at, level.leads[cell]),
            np.where(idle, done, np.where(worded, 0, new)),
            np.where(idle, last, np.where(symbol == len(_SYMBOLS), -1, symbol)),
            level,
        )
        return BatchStep(rows, worded[:, None].astype(np.float64), np.zeros(len(at), dtype=bool))

    def row(self, states: _Rows, index: int) -> AutomatonState:
        """One row as a scalar state."""
        return AutomatonState(int(states.at[index]), int(states.done[index]), int(states.last[index]))

    def select(self, use: NDArray[np.bool_], new: _Rows, old: _Rows) -> _Rows:
        """Rows of ``new`` where ``use`` is true, else of ``old``."""
        import numpy as np

        pairs = zip(new[:3], old[:3], strict=True)
        return _Rows(*(np.where(use, a, b) for a, b in pairs), new.level)  # type: ignore[arg-type]  # three arrays


_WORDED = (Event("worded"),)


class _Stack(NamedTuple):
    """Machines and words of a batch, one after another."""

    prints: NDArray[np.int64]
    leads: NDArray[np.int64]
    further: NDArray[np.int64]
    cells: NDArray[np.int64]
    letters: NDArray[np.int64]
    reach: NDArray[np.int64]


class _Rows(NamedTuple):
    """States of a batch."""

    at: NDArray[np.int64]
    done: NDArray[np.int64]
    last: NDArray[np.int64]
    level: _Stack


def _steps(table: Sequence[Sequence[Sequence[int]]], start: int, further: Sequence[Sequence[int]]) -> int | None:
    """The fewest steps from the start to the whole word; breadth first."""
    queue, seen = deque([(start, 0, 0)]), {(start, 0)}
    while queue:
        at, done, steps = queue.popleft()
        for symbol, to in table[at]:
            new = further[done][symbol]
            if new == len(further):
                return steps + 1
            if (to, new) not in seen:
                seen.add((to, new))
                queue.append((to, new, steps + 1))
    return None


class AutomatonGenerator(Generator):
    """Machines whose states are all reached and differ, and words that have to be looked for."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "loom": Preset("loom", "4 states, words of 5", {"states": 4, "word": 5, "least": 7, "most": 12}),
        "mill": Preset("mill", "4 states, words of 4", {"states": 4, "word": 4, "least": 5, "most": 10}),
        "engine": Preset("engine", "6 states, words of 6", {"states": 6, "word": 6, "least": 8, "most": 14}),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """A machine, a start, a word; None if it is of no use."""
        states = settings["states"]
        drawn = rng.integers(0, (len(_SYMBOLS), states), size=(states, len(_KEYS), 2))
        data = {
            "table": [[[int(symbol), int(to)] for symbol, to in row] for row in drawn],
            "start": int(rng.integers(states)),
            "word": [int(symbol) for symbol in rng.integers(len(_SYMBOLS), size=settings["word"])],
        }
        return data if _connected(data["table"]) and _fits(settings, data) else None

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """Crossed: every order of the keys and every start, where the word is as hard. Blind: too many to list."""
        if observation == "full":
            return ((1.0, params),)
        if observation == "tape":
            return None
        starts = [n for n in range(settings["states"]) if _fits(settings, {**params, "start": n})]
        found = [
            {**params, "table": [[row[n] for n in order] for row in params["table"]], "start": start}
            for order in permutations(range(len(_KEYS)))
            for start in starts
        ]
        return tuple((1 / len(found), other) for other in found)


def _fits(settings: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    steps = _steps(data["table"], data["start"], _further(data["word"]))
    return steps is not None and settings["least"] <= steps <= settings["most"]


def _connected(table: Sequence[Sequence[Sequence[int]]]) -> bool:
    """Whether every state leads to every other, keys differ, and states differ in what they print some time."""
    states = range(len(table))
    for start in states:
        seen, queue = {start}, [start]
        while queue:
            for _, to in table[queue.pop()]:
                if to not in seen:
                    seen.add(to)
                    queue.append(to)
        if len(seen) < len(table):
            return False
    if len({tuple(map(tuple, column)) for column in zip(*table, strict=True)}) < len(_KEYS):
        return False
    # Moore's partition refinement (Moore 1956, Gedanken-experiments on sequential machines).
    block = [0] * len(table)
    for _ in states:
        marks = [tuple((symbol, block[to]) for symbol, to in row) for row in table]
        names = {mark: n for n, mark in enumerate(dict.fromkeys(marks))}
        block = [names[mark] for mark in marks]
    return len(set(block)) == len(table)


class _Sight(Observation[AutomatonLevel, AutomatonState, AutomatonView]):
    """The tape's end, the word, and the diagram with or without the keys' names and the state."""

    def __init__(self, name: str, *, diagram: bool, state: bool) -> None:
        self.name = name
        self.kind = "full" if state else "partial"
        self._diagram, self._state = diagram, state

    def observe(self, params: AutomatonLevel, state: AutomatonState, events: Sequence[Event]) -> AutomatonView:
        """The view."""
        at, done, last = state
        if self._state:
            return AutomatonView(last, done, params.word, at, params.table, True)
        if self._diagram:
            # Columns in an order that does not depend on the keys.
            columns = sorted(zip(*params.table, strict=True))
            return AutomatonView(last, done, params.word, None, tuple(zip(*columns, strict=True)), False)
        return AutomatonView(last, done, params.word, None, None, False)


class AutomatonSkin(Skin[AutomatonView]):
    """A tape and a diagram."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._symbols = [vocabulary[symbol] for symbol in _SYMBOLS]
        self._keys = [vocabulary[key] for key in _KEYS]

    def setting(self) -> str:
        """The machine."""
        symbols = ", ".join(self._symbols)
        return self.vocabulary.fill(
            f"A {{machine}} with three keys prints on a tape: {symbols}. What it prints depends on its inner state, "
            "which keys change. You see the symbol printed last, the {wanted} word, and how many symbols at the tape's "
            "end already are its beginning. There may be a diagram of the inner states, by letters."
        )

    def text(self, view: AutomatonView) -> str:
        """Tape, word, diagram."""
        symbols = self._symbols
        word = " ".join([symbols[n] for n in view.word])
        last = symbols[view.last] if view.last >= 0 else "nothing"
        text = f"Printed last: {last}. The {self.vocabulary['wanted']} word: {word}; {view.done} of it done."
        if view.diagram is not None:
            keys = self._keys if view.named else ["one", "another", "the other"]
            rows = [
                f"\n{'ABCDEF'[at]}: "
                + ", ".join([f"{key} {symbols[n]} to {'ABCDEF'[to]}" for key, (n, to) in zip(keys, row, strict=True)])
                for at, row in enumerate(view.diagram)
            ]
            text += f"\nDiagram, keys {'named' if view.named else 'not named'}:{''.join(rows)}"
        return text if view.at is None else f"{text}\nThe state is {'ABCDEF'[view.at]}."

    def picture(self, view: AutomatonView) -> str:
        """The word with what is done of it above it, and the machine's state."""
        letters = [symbol[0] for symbol in self._symbols]
        done = "".join(letters[n] for n in view.word[: view.done])
        word = "".join(letters[n] for n in view.word)
        last = letters[view.last] if view.last >= 0 else " "
        return f"[{'?' if view.at is None else 'ABCDEF'[view.at]}]>{last}\n{done}\n{word}"

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """The machine is dark."""
        return {"[": (120, 120, 135), "]": (120, 120, 135)}


def _potential(params: AutomatonLevel, state: AutomatonState, reward: Reward) -> float:
    """How much of the word is done."""
    return 0.1 + 0.8 * state.done / len(params.word)


class AutomatonPlayer:
    """Keeps one machine that fits all it has seen, goes where it knows least, then prints the word as it knows how.

    The machine is found by depth-first search over where each key may lead, in an order drawn anew each time, the
    fewest states first: what it believes without having seen is taken back where the tape contradicts it.
    """

    _EXPLORES = 15
    _EFFORT = 20_000

    def __init__(self, world: World) -> None:
        self._horizon = world.horizon
        self._most: int = world.core.generator.preset(world.preset).settings["states"]
        self._history = _History()
        self._last: int | None = None
        self._machine = _Guess(self._history, 2, Key(0))
        self._least = 2
        self._books: list[tuple[_Table, int, int]] | None = None

    def act(self, view: AutomatonView, reward: float, key: Key) -> Action:
        """The first step to the word, or to what is not known."""
        if view.diagram is not None:
            return self._by_diagram(view)
        if self._last is not None:
            self._history.add(self._last, view.last)
            if not self._machine.follow():
                self._machine = self._fitting(key)
        explores = len(self._history.seen) < min(self._EXPLORES, self._horizon // 2)
        further = _further(view.word)
        found = self._first(further, view.done, explores)
        if found is None and explores:
            found = self._first(further, view.done, False)
        if found is None:
            # The machine cannot print the word: it is too small, or believed wrongly.
            self._least = min(self._least + 1, self._most)
            self._machine = self._fitting(key)
            found = self._first(further, view.done, False)
        self._last = key.integer(len(_KEYS) + 1) if found is None else found
        return _ACTIONS[self._last]

    def _fitting(self, key: Key) -> _Guess:
        for states in range(self._least, self._most + 1):
            effort = self._EFFORT
            guess = _Guess(self._history, states, key)
            while effort > 0:
                done = guess.run(effort)
                if done is None:
                    return guess
                effort -= done
                if not guess.back():
                    break
        # Nothing was found in time: what came before is forgotten, and the machine put where that is no loss.
        self._history = _History()
        self._history.add(len(_KEYS), -1)
        guess = _Guess(self._history, self._most, key)
        guess.follow()
        return guess

    def _first(self, further: Sequence[Sequence[int]], done: int, explores: bool) -> int | None:
        """The first key on the shortest way to what is unknown, or to the word and else to what is unknown."""
        machine = self._machine
        queue: deque[tuple[int, int, int]] = deque([(machine.at, done, -1)])
        seen = {(machine.at, done)}
        unknown: int | None = None
        while queue:
            state, had, first = queue.popleft()
            for n in range(len(_KEYS) + 1):
                here = n if first < 0 else first
                entry = machine.known.get((state, n)) if n < len(_KEYS) else (-1, machine.start)
                if entry is None:
                    if explores:
                        return here
                    unknown = here if unknown is None else unknown
                    continue
                new = further[had][entry[0]] if entry[0] >= 0 else 0
                if new == len(further):
                    if not explores:
                        return here
                    new = 0
                if (entry[1], new) not in seen:
                    seen.add((entry[1], new))
                    queue.append((entry[1], new, here))
        return unknown

    def _by_diagram(self, view: AutomatonView) -> Action:
        assert view.diagram is not None
        if self._books is None:
            orders = permutations(range(len(_KEYS))) if not view.named else [(0, 1, 2)]
            tables = [tuple(tuple(row[n] for n in order) for row in view.diagram) for order in orders]
            starts = range(len(view.diagram)) if view.at is None else [view.at]
            self._books = [(table, start, start) for table in tables for start in starts]
        if self._last is not None:
            moved = []
            for table, at, start in self._books:
                symbol, to = (-1, start) if self._last == len(_KEYS) else table[at][self._last]
                if symbol == view.last and (view.at is None or view.at == to):
                    moved.append((table, to, start))
            self._books = moved or self._books
        table, at, start = self._books[0]
        guess = _Guess(_History(), len(table), Key(0))
        guess.at, guess.start = at, start
        guess.known = {(s, n): entry for s, row in enumerate(table) for n, entry in enumerate(row)}
        self._machine = guess
        self._last = self._first(_further(view.word), view.done, False) or 0
        return _ACTIONS[self._last]


_ACTIONS = (*(Action("press", (key,)) for key in _KEYS), Action("reset"))


class _History:
    """What was pressed and printed, and which moments cannot have been in one state: the same keys printed otherwise.

    ``clash`` has a number for each moment whose bits are the moments that it cannot share a state with.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []
        self.clash = [0]

    def add(self, key: int, symbol: int) -> None:
        """Take an observation in."""
        seen, clash, now = self.seen, self.clash, len(self.seen)
        seen.append((key, symbol))
        clash.append(0)
        if key == len(_KEYS):
            return
        for other in range(now):
            if seen[other][0] == key and seen[other][1] != symbol:
                # Then the moments before differ too, as far back as the same keys led here.
                late, early = now, other
                while early >= 0:
                    clash[late] |= 1 << early
                    clash[early] |= 1 << late
                    late, early = late - 1, early - 1
                    if early < 0 or seen[late][0] != seen[early][0] or seen[late][0] == len(_KEYS):
                        break


class _Belief(NamedTuple):
    """Where a key was believed to lead somewhere, and what was so before."""

    time: int
    at: int
    key: int
    symbol: int
    used: int
    moments: list[int]
    options: list[int]


class _Guess:
    """A machine of some states that agrees with a history, or as much of it as could be followed.

    Args:
        history: What was seen.
        states: The most states.
        key: For the order in which beliefs are tried.
    """

    def __init__(self, history: _History, states: int, key: Key) -> None:
        self._history, self._states, self._key = history, states, key
        self.known: dict[tuple[int, int], _Entry] = {}
        self.start = self.at = self._time = 0
        self._used = 1
        # Bits of the moments at which the machine was in each state.
        self._moments = [1] + [0] * (states - 1)
        self._trail: list[_Belief] = []

    def follow(self) -> bool:
        """Take one more observation in; False where it contradicts the machine."""
        key, symbol = self._history.seen[self._time]
        at = self.at
        if key == len(_KEYS):
            return self._come(self.start)
        entry = self.known.get((at, key))
        if entry is not None:
            return entry[0] == symbol and self._come(entry[1])
        clash = self._history.clash[self._time + 1]
        # A state that was never used is as good as any other that was not.
        options = [n for n in range(min(self._used + 1, self._states)) if not clash & self._moments[n]]
        if not options:
            return False
        turn = self._key.integer(len(options), 4 * at + key)
        options = options[turn:] + options[:turn]
        self._trail.append(_Belief(self._time, at, key, symbol, self._used, list(self._moments), options))
        self._take()
        return True

    def _come(self, to: int) -> bool:
        self._time += 1
        self.at = to
        if self._history.clash[self._time] & self._moments[to]:
            return False
        self._moments[to] |= 1 << self._time
        return True

    def _take(self) -> None:
        belief = self._trail[-1]
        to = belief.options.pop()
        self.known[belief.at, belief.key] = (belief.symbol, to)
        self._used, self._time = max(belief.used, to + 1), belief.time
        self._moments = list(belief.moments)
        self._come(to)

    def run(self, effort: int) -> int | None:
        """Follow the history from where it is: None if all of it agrees, else how many steps that took."""
        taken = 0
        while self._time < len(self._history.seen):
            taken += 1
            if taken > effort or not self.follow():
                return taken
        return None

    def back(self) -> bool:
        """Take the last belief back for the next: False if there is none left."""
        while self._trail:
            if self._trail[-1].options:
                self._take()
                return True
            belief = self._trail.pop()
            del self.known[belief.at, belief.key]
        return False


def _words(names: Iterable[str], words: str) -> dict[str, str]:
    return dict(zip(names, words.split(), strict=True))


CORE = Core(
    name="automaton",
    summary="A machine with hidden states prints symbols; a wanted word must come out of it.",
    dynamics=AutomatonDynamics(),
    generator=AutomatonGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary", "Make the {machine} print the {wanted} word: that pays 1 and ends it.",
                {"worded": 1.0}, frozenset({"worded"}),
            ),
            Pays(
                "accumulative", "accumulative",
                "Each time the {wanted} word is printed from its beginning to its end, that pays 1.", {"worded": 1.0},
            ),
        ]
    ),
    observations=by_name(
        [
            _Sight("full", diagram=True, state=True),
            _Sight("crossed", diagram=True, state=False),
            _Sight("tape", diagram=False, state=False),
        ]
    ),
    skins=skins(
        AutomatonSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse", "inverse",
            {
                "wanted": "forbidden", "left": "right", "right": "left", "press": "release", "reset": "keep",
                "dot": "dash", "dash": "dot",
            },
        ),
        Vocabulary(
            "symbols", "abstract",
            _words(
                ("press", "key", "reset", "machine", "wanted", *_KEYS, *_SYMBOLS), "G k H M W 1 2 3 # % +",
            ),
        ),
        Vocabulary(
            "birds", "other",
            _words(
                ("press", "key", "reset", "machine", *_KEYS, *_SYMBOLS),
                "whistle tune startle bird low clear high chirp trill hoot",
            ),
        ),
    ),
    potential=_potential,
    player=AutomatonPlayer,
)  # fmt: skip
