"""Circuit: switches, gates and lamps, and a lock that wants codes of lamps one after another. Batched.

Each lamp shows its own gate: "and", "or", "xor", or a latch, which its first input sets and its second clears. Inputs
are switches, earlier lamps, and a register that holds what one lamp showed a step ago. When all lamps show the code,
the next code is wanted; after the last the lock opens, and the first is wanted again. Hidden: what two of the gates
are, or all wiring. It asks for finding causes by changing one thing at a time, with memory and delay in the way.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Integer
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

_SWITCHES, _LAMPS = 5, 5
_REGISTER = _SWITCHES  # inputs are numbered: switches, the register, lamps
_KINDS = ("and", "or", "xor", "latch")
# What a gate shows, a bit for each of: 4 x what it showed + 2 x first input + second input.
_SHOWS = (0b10001000, 0b11101110, 0b01100110, 0b01010100)
_LATCH = _KINDS.index("latch")
# Switches to change, the fewest first: what a look at a circuit tries.
_CHANGES = sorted(range(1 << _SWITCHES), key=lambda mask: (mask.bit_count(), mask))

_Gate = tuple[int, int, int]
"""Kind, first input, second input."""


@dataclass(frozen=True, eq=False, slots=True)
class CircuitLevel:
    """A level: a gate for each lamp, the lamp that the register follows, which two gates may be covered, and codes."""

    gates: tuple[_Gate, ...]
    fed: int
    covered: tuple[int, ...]
    codes: tuple[int, ...]


class CircuitState(NamedTuple):
    """Bits of the switches and of the lamps, and how many codes the lock has got."""

    switches: int
    lamps: int
    done: int


class CircuitView(NamedTuple):
    """What is seen. ``gates`` has (kind or None, input, input) for each lamp; it and ``fed`` are None where hidden."""

    switches: int
    lamps: int
    done: int
    codes: tuple[int, ...]
    gates: tuple[tuple[int | None, int, int], ...] | None
    fed: int | None


def _shown(gates: Sequence[_Gate], fed: int, switches: int, before: int) -> int:
    """The lamps after the switches are set; ``before`` is what they showed."""
    word = switches | (before >> fed & 1) << _REGISTER
    place = _REGISTER + 1
    for number, (kind, one, other) in enumerate(gates):
        at = (before >> number & 1) << 2 | (word >> one & 1) << 1 | (word >> other & 1)
        word |= (_SHOWS[kind] >> at & 1) << place
        place += 1
    return word >> (_REGISTER + 1)


class CircuitDynamics(Dynamics[CircuitLevel, CircuitState]):
    """Flip a switch, or wait for the register."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind("flip", "turn a {switch} on or off", (Integer("switch", 1, _SWITCHES),)),
            ActionKind("wait", "leave everything as it is for a step"),
        )
    )
    events: Mapping[str, str] = {
        "entered": "the lamps show the code that is wanted",
        "opened": "the lock has got all its codes; the first is wanted again",
    }

    def load(self, data: Mapping[str, Any]) -> CircuitLevel:
        """A level of ``gates`` (kind, input, input; numbers), ``fed``, ``covered`` and ``codes``."""
        try:
            gates = tuple((g[0], g[1], g[2]) for g in data["gates"])
            level = CircuitLevel(gates, data["fed"], tuple(data["covered"]), tuple(data["codes"]))
        except (KeyError, IndexError) as error:
            raise UsageError(f"A circuit level needs gates of three numbers, fed, covered, codes: {error}.") from None
        late = [n for n, (_, a, b) in enumerate(gates) if max(a, b) > _REGISTER + n]
        if len(gates) != _LAMPS or late or not level.codes:
            raise UsageError(f"A circuit has {_LAMPS} gates that read only what comes before them, not {dict(data)}.")
        return level

    def init(self, params: CircuitLevel, key: Key) -> CircuitState:
        """All off."""
        return CircuitState(0, 0, 0)

    def step(self, params: CircuitLevel, state: CircuitState, action: Action, key: Key) -> Transition[CircuitState]:
        """Flip, then let every gate show."""
        switches, before, done = state
        if action.values:
            switches ^= 1 << (action.values[0] - 1)  # type: ignore[operator]  # the schema has checked it
        lamps = _shown(params.gates, params.fed, switches, before)
        if lamps != params.codes[done]:
            return Transition(CircuitState(switches, lamps, done), (), False)
        done += 1
        if done == len(params.codes):
            return Transition(CircuitState(switches, lamps, 0), _OPENED, False)
        return Transition(CircuitState(switches, lamps, done), _ENTERED, False)

    def limits(self, params: CircuitLevel, horizon: int) -> Mapping[str, float]:
        """At most a code a step."""
        return {"entered": horizon, "opened": horizon // len(params.codes)}

    # Batched: gates in turn, all rows at once.

    def init_batch(self, params: Sequence[CircuitLevel], keys: NDArray[np.uint64]) -> _Rows:
        """Stack circuits."""
        import numpy as np

        gates = np.array([p.gates for p in params])
        most = max(len(p.codes) for p in params)
        codes = np.array([[*p.codes, *[-1] * (most - len(p.codes))] for p in params])
        stack = _Stack(
            np.array(_SHOWS)[gates[:, :, 0]].T.copy(),
            gates[:, :, 1].T.copy(),
            gates[:, :, 2].T.copy(),
            np.array([p.fed for p in params]),
            codes.ravel(),
            np.arange(len(params)) * most,
            np.array([len(p.codes) for p in params]),
        )
        nothing = np.zeros(len(params), dtype=np.int64)
        return _Rows(nothing, nothing, nothing, stack)

    def step_batch(self, states: _Rows, actions: NDArray[np.int64], keys: NDArray[np.uint64]) -> BatchStep[_Rows]:
        """Flip and show in every row; -1 changes nothing."""
        import numpy as np

        switches, before, done, level = states
        flips = np.where((actions >= 0) & (actions < _SWITCHES), 1 << np.clip(actions, 0, _SWITCHES - 1), 0)
        switches = switches ^ flips
        word = switches | (before >> level.fed & 1) << _REGISTER
        for number in range(_LAMPS):
            one, other = word >> level.one[number] & 1, word >> level.other[number] & 1
            at = (before >> number & 1) << 2 | one << 1 | other
            word = word | (level.shows[number] >> at & 1) << (_REGISTER + 1 + number)
        idle = actions < 0
        lamps = np.where(idle, before, word >> (_REGISTER + 1))
        entered = ~idle & (lamps == level.codes[level.offset + done])
        done = done + entered
        opened = done == level.length
        amounts = np.stack([entered, opened], axis=1).astype(np.float64)
        return BatchStep(_Rows(switches, lamps, np.where(opened, 0, done), level), amounts, np.zeros_like(idle))

    def row(self, states: _Rows, index: int) -> CircuitState:
        """One row as a scalar state."""
        return CircuitState(int(states.switches[index]), int(states.lamps[index]), int(states.done[index]))

    def select(self, use: NDArray[np.bool_], new: _Rows, old: _Rows) -> _Rows:
        """Rows of ``new`` where ``use`` is true, else of ``old``."""
        import numpy as np

        pairs = zip(new[:3], old[:3], strict=True)
        return _Rows(*(np.where(use, a, b) for a, b in pairs), new.level)  # type: ignore[arg-type]  # three arrays


_ENTERED = (Event("entered"),)
_OPENED = (Event("entered"), Event("opened"))


class _Stack(NamedTuple):
    """Circuits of a batch; gates along the first axis."""

    shows: NDArray[np.int64]
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    fed: NDArray[np.int64]
    codes: NDArray[np.int64]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]


class _Rows(NamedTuple):
    """States of a batch."""

    switches: NDArray[np.int64]
    lamps: NDArray[np.int64]
    done: NDArray[np.int64]
    level: _Stack


class CircuitGenerator(Generator):
    """Circuits with a latch and the register in use, and codes that few settings show."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "panel": Preset("panel", "three codes", {"codes": 3, "least": 2, "share": 0.06}),
        "vestibule": Preset("vestibule", "four rare codes", {"codes": 4, "least": 2, "share": 0.04}),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """A circuit and codes; None if it is of no use."""
        gates = []
        for lamp in range(_LAMPS):
            one, other = (int(n) for n in rng.permutation(_REGISTER + 1 + lamp)[:2])
            gates.append([int(rng.integers(len(_KINDS))), one, other])
        data: dict[str, Any] = {
            "gates": gates,
            "fed": int(rng.integers(_LAMPS)),
            "covered": sorted(int(n) for n in rng.permutation(_LAMPS)[:2]),
            "codes": [],
        }
        if not _varied(data["gates"]):
            return None
        for _ in range(settings["codes"]):
            choices = _choices(settings, data)
            if not choices:
                return None
            data["codes"].append(choices[int(rng.integers(len(choices)))])
        return data

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """Covered: all that the two gates may be, weighted by how likely these codes are. Lamps: too many to list."""
        if observation == "full":
            return ((1.0, params),)
        if observation == "lamps":
            return None
        found = []
        for kinds in product(range(len(_KINDS)), repeat=len(params["covered"])):
            gates = [list(gate) for gate in params["gates"]]
            for lamp, kind in zip(params["covered"], kinds, strict=True):
                gates[lamp][0] = kind
            chance = _chance(settings, {**params, "gates": gates})
            if chance > 0:
                found.append((chance, {**params, "gates": gates}))
        total = sum(chance for chance, _ in found)
        return tuple((chance / total, other) for chance, other in found)


def _varied(gates: Sequence[Sequence[int]]) -> bool:
    """Whether there are one or two latches, and something reads the register."""
    latches = sum(kind == _LATCH for kind, _, _ in gates)
    return 1 <= latches <= 2 and any(_REGISTER in (one, other) for _, one, other in gates)


def _chance(settings: Mapping[str, Any], data: Mapping[str, Any]) -> float:
    """How likely these codes are to be drawn for a circuit; 0 where they or it would not be."""
    if not _varied(data["gates"]):
        return 0.0
    chance = 1.0
    for count, code in enumerate(data["codes"]):
        choices = _choices(settings, {**data, "codes": data["codes"][:count]})
        if code not in choices:
            return 0.0
        chance /= len(choices)
    return chance


def _choices(settings: Mapping[str, Any], data: Mapping[str, Any]) -> list[int]:
    """The codes that may come after those that a circuit has: rare, not lit before, and some steps from the last."""
    import numpy as np

    reached = _reached(data, np.zeros(1, dtype=np.int64))
    lamps = np.bincount(reached[0] >> _SWITCHES, minlength=1 << _LAMPS)
    from_there = reached
    for code in data["codes"]:
        states, when = from_there
        here = states >> _SWITCHES == code
        from_there = _reached(data, states[here & (when == when[here].min())])
    states, when = from_there
    found = []
    for code in range(1 << _LAMPS):
        here = states >> _SWITCHES == code
        rare = 0 < lamps[code] <= settings["share"] * len(reached[0])
        if rare and code not in data["codes"] and here.any() and when[here].min() >= settings["least"]:
            found.append(code)
    return found


def _reached(data: Mapping[str, Any], starts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of lamps and switches that can be reached, as numbers, and the steps to each; breadth first."""
    import numpy as np

    when = np.full(1 << (_SWITCHES + _LAMPS), -1)
    when[starts] = 0
    edge, steps = starts, 0
    flips = np.array([0, *(1 << n for n in range(_SWITCHES))])
    while len(edge):
        steps += 1
        before = np.repeat(edge >> _SWITCHES, len(flips))
        switches = ((edge & ((1 << _SWITCHES) - 1))[:, None] ^ flips).ravel()
        word = switches | (before >> data["fed"] & 1) << _REGISTER
        for number, (kind, one, other) in enumerate(data["gates"]):
            at = (before >> number & 1) << 2 | (word >> one & 1) << 1 | (word >> other & 1)
            word = word | (_SHOWS[kind] >> at & 1) << (_REGISTER + 1 + number)
        new = (word >> (_REGISTER + 1)) << _SWITCHES | switches
        edge = np.unique(new[when[new] < 0])
        when[edge] = steps
    states = np.flatnonzero(when >= 0)
    return states, when[states]


class _Panel(Observation[CircuitLevel, CircuitState, CircuitView]):
    """Switches, lamps, codes, and as much of the wiring as is open."""

    def __init__(self, name: str, *, wires: bool, gates: bool) -> None:
        self.name = name
        self.kind = "full" if wires and gates else "partial"
        self._wires, self._gates = wires, gates

    def observe(self, params: CircuitLevel, state: CircuitState, events: Sequence[Event]) -> CircuitView:
        """The panel."""
        if not self._wires:
            return CircuitView(*state, params.codes, None, None)
        gates: tuple[tuple[int | None, int, int], ...] = params.gates
        if not self._gates:
            gates = tuple([(None if n in params.covered else g[0], g[1], g[2]) for n, g in enumerate(params.gates)])
        return CircuitView(*state, params.codes, gates, params.fed)


_DIGITS = [" ".join(str(bits >> n & 1) for n in range(max(_SWITCHES, _LAMPS))) for bits in range(1 << 5)]


class CircuitSkin(Skin[CircuitView]):
    """A panel in a few lines."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        w = vocabulary
        self._rows = [
            " ".join(w["on"] if bits >> n & 1 else w["off"] for n in range(_LAMPS)) for bits in range(1 << _LAMPS)
        ]
        self._inputs = [
            *(f"{w['switch']} {n + 1}" for n in range(_SWITCHES)),
            w["register"],
            *(f"{w['lamp']} {n + 1}" for n in range(_LAMPS)),
        ]

    def setting(self) -> str:
        """The panel."""
        return self.vocabulary.fill(
            f"A panel has {_SWITCHES} {{switch}}es, {_LAMPS} {{lamp}}s and a {{lock}}, each row from number 1 on. What "
            "the {lamp}s show depends on the {switch}es, and some of them on what was before. The {lock} wants its "
            "{code}s one after another. There may be a drawing of what is behind the panel."
        )

    def text(self, view: CircuitView) -> str:
        """The panel."""
        w, rows = self.vocabulary, self._rows
        codes = "".join(
            [
                f"\n{w['code']} {n + 1}: {rows[code]}{' (wanted now)' if n == view.done else ''}"
                for n, code in enumerate(view.codes)
            ]
        )
        text = f"{w['switch']}es: {rows[view.switches]}\n{w['lamp']}s: {rows[view.lamps]}{codes}"
        if view.gates is not None and view.fed is not None:
            inputs = self._inputs
            wires = "".join(
                [
                    f"\n{w['lamp']} {n + 1} = {'?' if kind is None else w[_KINDS[kind]]}({inputs[a]}; {inputs[b]})"
                    for n, (kind, a, b) in enumerate(view.gates)
                ]
            )
            text += f"{wires}\n{w['register']} = {w['lamp']} {view.fed + 1}, a step ago"
        return text

    def picture(self, view: CircuitView) -> str:
        """Lamps, the code that is wanted, switches: a star is on."""
        return "\n".join(
            _DIGITS[bits].replace("1", "*").replace("0", ".").replace(" ", "")
            for bits in (view.lamps, view.codes[view.done], view.switches)
        )

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """What is on shines."""
        return {"*": (250, 220, 90), ".": (90, 90, 100)}


def _potential(params: CircuitLevel, state: CircuitState, reward: Reward) -> float:
    """How few switches stand between what is shown and the code, if all were flipped at once."""
    code, away = params.codes[state.done], _SWITCHES + 1
    for change in _CHANGES:
        if _shown(params.gates, params.fed, state.switches ^ change, state.lamps) == code:
            away = change.bit_count()
            break
    near = 0.8 * (1 - away / (_SWITCHES + 2))
    return 0.1 + near if reward.kind == "accumulative" else (state.done + near + 0.1) / (len(params.codes) + 1)


class CircuitPlayer:
    """Keeps for every lamp the gates that fit all it has shown, draws a circuit of these, and plans with it.

    A circuit is believed until a step refutes it or no way in it leads to the code (Thompson 1933, Biometrika 25, 285:
    what is done is best for one draw of what may be true).
    """

    _TRIES = 12

    def __init__(self, world: World) -> None:
        # By what the register may follow.
        self._fits: dict[int, list[list[_Gate]]] = {}
        self._believed: tuple[list[_Gate], int] | None = None
        self._last: CircuitView | None = None
        self._plan: deque[int] = deque()

    def act(self, view: CircuitView, reward: float, key: Key) -> Action:
        """The plan's next step; a new plan when a belief is refuted or a code entered."""
        if not self._fits:
            self._fits = {fed: _gates(view) for fed in (range(_LAMPS) if view.fed is None else [view.fed])}
        if self._last is not None:
            step = (self._last.lamps, view.switches, view.lamps)
            self._learn(step)
            if self._believed and _shown(*self._believed, step[1], step[0]) != step[2]:
                self._believed = None
                self._plan.clear()
        if not self._plan:
            self._plan = deque(self._way(view, key))
        self._last = view
        flip = self._plan.popleft()
        return Action("flip", (flip,)) if flip else Action("wait")

    def _learn(self, step: tuple[int, int, int]) -> None:
        kept = {}
        for fed, lamps in self._fits.items():
            fits = [[g for g in gates if _agrees(g, lamp, fed, step)] for lamp, gates in enumerate(lamps)]
            if all(fits):
                kept[fed] = fits
        self._fits = kept or self._fits

    def _draw(self, key: Key) -> tuple[list[_Gate], int]:
        weights = [(fed, math.prod(map(len, lamps))) for fed, lamps in self._fits.items()]
        total = sum(weight for _, weight in weights)
        fed = key.pick([(weight / total, fed) for fed, weight in weights])
        return [gates[key.integer(len(gates), lamp + 1)] for lamp, gates in enumerate(self._fits[fed])], fed

    def _way(self, view: CircuitView, key: Key) -> list[int]:
        for number in range(self._TRIES):
            if self._believed is None:
                self._believed = self._draw(key.at(number))
            path = _path(*self._believed, view)
            if path is not None:
                return path
            self._believed = None
        return [1 + key.integer(_SWITCHES)]


def _path(gates: list[_Gate], fed: int, view: CircuitView) -> list[int] | None:
    """The shortest way to the code in a circuit, as switches (0: wait); breadth first."""
    start = (view.switches, view.lamps)
    queue: deque[tuple[tuple[int, int], tuple[int, ...]]] = deque([(start, ())])
    seen, code = {start}, view.codes[view.done]
    while queue:
        (switches, before), path = queue.popleft()
        for flip in range(_SWITCHES + 1):
            after = switches ^ (1 << flip >> 1)
            lamps = _shown(gates, fed, after, before)
            if lamps == code:
                return [*path, flip]
            if (after, lamps) not in seen:
                seen.add((after, lamps))
                queue.append(((after, lamps), (*path, flip)))
    return None


def _agrees(gate: _Gate, lamp: int, fed: int, step: tuple[int, int, int]) -> bool:
    before, switches, lamps = step
    word = switches | (before >> fed & 1) << _REGISTER | lamps << (_REGISTER + 1)
    kind, one, other = gate
    at = (before >> lamp & 1) << 2 | (word >> one & 1) << 1 | (word >> other & 1)
    return _SHOWS[kind] >> at & 1 == lamps >> lamp & 1


def _gates(view: CircuitView) -> list[list[_Gate]]:
    """What each lamp's gate may be, before anything is seen."""
    found: list[list[_Gate]] = []
    for lamp in range(_LAMPS):
        if view.gates is not None:
            kind, one, other = view.gates[lamp]
            found.append([(k, one, other) for k in range(len(_KINDS)) if kind in (None, k)])
            continue
        inputs = range(_REGISTER + 1 + lamp)
        found.append([(k, *pair) for k in range(_LATCH) for pair in combinations(inputs, 2)])
        found[-1] += [(_LATCH, *pair) for pair in permutations(inputs, 2)]
    return found


CORE = Core(
    name="circuit",
    summary="Switches, gates with memory and delay, and a lock that wants codes of lamps.",
    dynamics=CircuitDynamics(),
    generator=CircuitGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary", "When the {lamp}s have shown all {code}s in turn, the {lock} opens: that pays 1.",
                {"opened": 1.0}, frozenset({"opened"}),
            ),
            Pays(
                "accumulative", "accumulative",
                "Each time that the {lamp}s show the {code} that is wanted, that pays 1; after the last {code} the "
                "first is wanted again.",
                {"entered": 1.0},
            ),
        ]
    ),
    observations=by_name(
        [
            _Panel("full", wires=True, gates=True),
            _Panel("covered", wires=True, gates=False),
            _Panel("lamps", wires=False, gates=False),
        ]
    ),
    skins=skins(
        CircuitSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse", "inverse",
            {"and": "or", "or": "and", "xor": "latch", "latch": "xor", "lock": "alarm", "flip": "hold", "wait": "flip"},
        ),
        Vocabulary(
            "symbols", "abstract",
            {
                "flip": "u", "wait": "v", "switch": "S", "lamp": "L", "lock": "K", "code": "C", "register": "R",
                "on": "+", "off": "-", "and": "a", "or": "b", "xor": "c", "latch": "d",
            },
        ),
        Vocabulary(
            "garden", "other",
            {
                "flip": "turn", "wait": "rest", "switch": "tap", "lamp": "fountain", "lock": "gate", "code": "figure",
                "register": "basin", "on": "high", "off": "low",
            },
        ),
    ),
    potential=_potential,
    player=CircuitPlayer,
)  # fmt: skip
