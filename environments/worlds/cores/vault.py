"""Vault: rooms with levers, doors that fall shut again, a lock with its key, and passages of one way. Batched.

What happens: a lever opens the one door it is wired to for some steps; then the door shuts. The lock opens to who has
the key. Some passages let through one way only. Key, coins and treasure are taken by being there. What is hidden: which
lever opens which door, and, seen from the own room alone, everything else too. What it asks for: finding causes by
trying, remembering a map, and being quick enough for a door. Deterministic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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

_WAYS = ("north", "east", "south", "west")
_STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0))
_NUMBER = {way: number for number, way in enumerate(_WAYS)}
_DOORS = 3
_SHUT: tuple[int, ...] = (0,) * _DOORS
_DELAYS = (3, 4, 5)
_LOCK = -1
_TREASURE, _KEY = 1, 2  # bits of what is left; coins follow


@dataclass(frozen=True, eq=False, slots=True)
class VaultLevel:
    """A level. Rooms are numbered ``width * y + x``; y grows to the south.

    Attributes:
        width: Rooms in a row.
        height: Rows.
        start: The first room.
        coins: How many there are.
        ways: For each room and direction the room beyond (-1: none) and what is between: 0 nothing, -1 the lock, else a
            door, from 1.
        gains: For each room the bits of what lies there.
        levers: For each room the number of its lever, or -1.
        wiring: For each lever its door, from 0.
        delay: Steps for which a door stays open.
        cells: The picture's characters, row by row, with doors shut and nothing but levers in the rooms.
        doors: Where each door is in ``cells``.
    """

    width: int
    height: int
    start: int
    coins: int
    ways: tuple[tuple[tuple[int, int], ...], ...]
    gains: tuple[int, ...]
    levers: tuple[int, ...]
    wiring: tuple[int, ...]
    delay: int
    cells: str
    doors: tuple[int, ...]


class VaultState(NamedTuple):
    """The room, the steps that each door stays open, and bits of what is left: treasure, key, then each coin."""

    room: int
    timers: tuple[int, ...]
    left: int


class VaultView(NamedTuple):
    """What is seen. ``rows`` is the picture with ``?`` where nothing is seen; None where something is not told."""

    x: int
    y: int
    rows: tuple[str, ...]
    here: str
    key: bool
    timers: tuple[int, ...] | None
    wiring: tuple[int, ...] | None
    delay: int | None


class VaultDynamics(Dynamics[VaultLevel, VaultState]):
    """Moving, pulling, doors."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind("move", "to the next room, if there is a way", (Choice("direction", _WAYS),)),
            ActionKind("pull", "the {lever} of this room, if there is one"),
            ActionKind("wait", "stay where you are"),
        )
    )
    events: Mapping[str, str] = {
        "won": "the treasure is taken",
        "equipped": "the key is taken",
        "looted": "coins taken",
    }

    def load(self, data: Mapping[str, Any]) -> VaultLevel:
        """A level of what :meth:`VaultGenerator.draw` gives."""
        try:
            wide, high = data["width"], data["height"]
            edges: dict[tuple[int, int], int] = {}
            for a, b in data["open"]:
                edges[a, b] = edges[b, a] = 0
            for a, b in data["one_way"]:
                edges[a, b] = 0
            for number, (a, b) in enumerate(data["doors"], 1):
                edges[a, b] = edges[b, a] = number
            a, b = data["lock"]
            edges[a, b] = edges[b, a] = _LOCK
            gains, levers = [0] * (wide * high), [-1] * (wide * high)
            gains[data["treasure"]] |= _TREASURE
            gains[data["key"]] |= _KEY
            for bit, room in enumerate(data["coins"], 2):
                gains[room] |= 1 << bit
            for number, room in enumerate(data["levers"]):
                levers[room] = number
            wiring, delay, start = tuple(data["wiring"]), data["delay"], data["start"]
        except (KeyError, ValueError, TypeError) as error:
            raise UsageError(f"A vault level lacks something: {type(error).__name__} {error}.") from None
        if sorted(wiring) != list(range(_DOORS)) or len(data["doors"]) != _DOORS or len(data["levers"]) != _DOORS:
            raise UsageError(f"A vault has {_DOORS} doors and as many levers, each wired to one of them, not {data}.")
        beyond = [[_beyond(room, way, wide, high) for way in range(4)] for room in range(wide * high)]
        ways = tuple(
            tuple((to, edges[room, to]) if (room, to) in edges else (-1, 0) for to in beyond[room])
            for room in range(wide * high)
        )
        cells, doors = _drawn(wide, high, edges, levers)
        return VaultLevel(
            wide, high, start, len(data["coins"]), ways, tuple(gains), tuple(levers), wiring, delay, cells, doors
        )

    def init(self, params: VaultLevel, key: Key) -> VaultState:
        """At the start, all doors shut, everything there."""
        return VaultState(params.start, _SHUT, (4 << params.coins) - 1)

    def step(self, params: VaultLevel, state: VaultState, action: Action, key: Key) -> Transition[VaultState]:
        """Move or pull; then every open door is a step nearer to shutting."""
        room, timers, left = state
        open_for = timers if timers == _SHUT else tuple(t - 1 if t else 0 for t in timers)
        events: tuple[Event, ...] = ()
        name = action.name
        if name == "move":
            to, gate = params.ways[room][_NUMBER[action.values[0]]]  # type: ignore[index]  # a word of _WAYS
            if to >= 0 and (gate == 0 or (timers[gate - 1] > 0 if gate > 0 else not left & _KEY)):
                room = to
                found = params.gains[room] & left
                if found:
                    left ^= found
                    events = (Event("won" if found & _TREASURE else "equipped" if found & _KEY else "looted"),)
        elif name == "pull":
            lever = params.levers[room]
            if lever >= 0:
                door = params.wiring[lever]
                open_for = (*open_for[:door], params.delay, *open_for[door + 1 :])
        return Transition(VaultState(room, open_for, left), events)

    def limits(self, params: VaultLevel, horizon: int) -> Mapping[str, float]:
        """Each thing once."""
        return {"won": 1, "equipped": 1, "looted": params.coins}

    # Batched: the same in arrays, levels stacked.

    def init_batch(self, params: Sequence[VaultLevel], keys: NDArray[np.uint64]) -> _Rows:
        """Stack levels and put every row at its start."""
        import numpy as np

        rooms = max(len(p.ways) for p in params)
        to = np.full((len(params), rooms, 4), -1)
        gate = np.zeros((len(params), rooms, 4), dtype=np.int64)
        gains = np.zeros((len(params), rooms), dtype=np.int64)
        door = np.full((len(params), rooms), -1)
        for row, p in enumerate(params):
            both = np.array(p.ways)
            to[row, : len(p.ways)], gate[row, : len(p.ways)] = both[:, :, 0], both[:, :, 1]
            gains[row, : len(p.ways)] = p.gains
            door[row, : len(p.ways)] = [p.wiring[lever] if lever >= 0 else -1 for lever in p.levers]
        stack = _Stack(
            np.arange(len(params)) * rooms, to.ravel(), gate.ravel(), gains.ravel(), door.ravel(),
            np.array([p.delay for p in params]),
        )  # fmt: skip
        return _Rows(
            np.array([p.start for p in params]),
            np.zeros((len(params), _DOORS), dtype=np.int64),
            np.array([(4 << p.coins) - 1 for p in params]),
            stack,
        )

    def step_batch(self, states: _Rows, actions: NDArray[np.int64], keys: NDArray[np.uint64]) -> BatchStep[_Rows]:
        """Move, pull, tick, in every row."""
        import numpy as np

        room, timers, left, level = states
        rows = np.arange(len(room))
        direction = _DIRECTIONS[actions]
        here = level.offset + room
        at = here * 4 + np.maximum(direction, 0)
        to, gate = level.to[at], level.gate[at]
        ajar = timers[rows, np.maximum(gate - 1, 0)] > 0
        free = np.where(gate > 0, ajar, (gate == 0) | (left & _KEY == 0))
        room = np.where((direction >= 0) & (to >= 0) & free, to, room)
        found = np.where(room != states.room, level.gains[level.offset + room] & left, 0)
        timers = np.maximum(timers - 1, 0)
        door = level.door[here]
        pulls = (actions == _PULL) & (door >= 0)
        timers[rows[pulls], door[pulls]] = level.delay[pulls]
        amounts = np.empty((len(room), 3))
        amounts[:, 0] = found & _TREASURE
        amounts[:, 1] = found & _KEY != 0
        amounts[:, 2] = found > _KEY
        return BatchStep(_Rows(room, timers, left ^ found, level), amounts, np.zeros(len(room), dtype=bool))

    def row(self, states: _Rows, index: int) -> VaultState:
        """One row as a scalar state."""
        timers = tuple(int(t) for t in states.timers[index])
        return VaultState(int(states.room[index]), timers, int(states.left[index]))

    def select(self, use: NDArray[np.bool_], new: _Rows, old: _Rows) -> _Rows:
        """Rows of ``new`` where ``use`` is true, else of ``old``."""
        import numpy as np

        return _Rows(
            np.where(use, new.room, old.room),
            np.where(use[:, None], new.timers, old.timers),
            np.where(use, new.left, old.left),
            new.level,
        )


def _directions() -> Any:
    import numpy as np

    # In the order of the schema's `all`, and last, at -1, what changes nothing.
    return np.array([*(_NUMBER[a.values[0]] if a.values else -1 for a in VaultDynamics.actions.all), -1])  # type: ignore[index]  # words of _WAYS


_DIRECTIONS = _directions()
_PULL = [action.name for action in VaultDynamics.actions.all].index("pull")


class _Stack(NamedTuple):
    """What is fixed in the levels of a batch, flat: a block of rooms for each row."""

    offset: NDArray[np.int64]
    to: NDArray[np.int64]
    gate: NDArray[np.int64]
    gains: NDArray[np.int64]
    door: NDArray[np.int64]
    delay: NDArray[np.int64]


class _Rows(NamedTuple):
    """States of a batch."""

    room: NDArray[np.int64]
    timers: NDArray[np.int64]
    left: NDArray[np.int64]
    level: _Stack


def _beyond(room: int, way: int, wide: int, high: int) -> int:
    x, y = room % wide + _STEPS[way][0], room // wide + _STEPS[way][1]
    return wide * y + x if 0 <= x < wide and 0 <= y < high else -1


def _drawn(
    wide: int, high: int, edges: Mapping[tuple[int, int], int], levers: Sequence[int]
) -> tuple[str, tuple[int, ...]]:
    """The picture's characters, and where its doors are. Rooms are at odd rows and columns, what is between at even."""
    across = 2 * wide + 1
    cells = ["#"] * (across * (2 * high + 1))
    doors = [0] * _DOORS
    for room in range(wide * high):
        at = across * (2 * (room // wide) + 1) + 2 * (room % wide) + 1
        cells[at] = "." if levers[room] < 0 else "abc"[levers[room]]
        for way, (dx, dy) in enumerate(_STEPS):
            to = _beyond(room, way, wide, high)
            gate = edges.get((room, to))
            if gate is None:
                continue
            between = at + across * dy + dx
            if gate > 0:
                cells[between], doors[gate - 1] = str(gate), between
            elif gate == _LOCK:
                cells[between] = "L"
            else:
                cells[between] = ":" if (to, room) in edges else "^>v<"[way]
    return "".join(cells), tuple(doors)


class VaultGenerator(Generator):
    """Random buildings in which the treasure lies behind something, can be got, and takes a while."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "cellar": Preset(
            "cellar", "3 x 3 rooms, 2 coins", {"width": 3, "height": 3, "coins": 2, "more": 1, "least": 8, "most": 20}
        ),
        "keep": Preset(
            "keep", "4 x 3 rooms, 3 coins", {"width": 4, "height": 3, "coins": 3, "more": 1, "least": 13, "most": 26}
        ),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """A building on a random spanning tree with some passages more; None if too easy or not to be won."""
        wide, high, more = settings["width"], settings["height"], settings["more"]
        pairs = [
            (room, to) for room in range(wide * high) for way in (1, 2) if (to := _beyond(room, way, wide, high)) >= 0
        ]
        tree, rest = _spanning([pairs[n] for n in rng.permutation(len(pairs)).tolist()], wide * high)
        # The first edges of a spanning tree are as random as any: they get the doors and the lock.
        doors, lock, passages = sorted(tree[:_DOORS]), tree[_DOORS], [*tree[_DOORS + 1 :], *rest[:more]]
        part = _parts(passages, wide * high)
        # A passage of one way is a loop, never a trap: nobody could know it from the other side.
        loops = [(a, b) for a, b in rest[more:] if part[a] == part[b]][:1]
        start, treasure, key, *rooms = rng.permutation(wide * high).tolist()
        wiring = rng.permutation(_DOORS).tolist()
        levers, coins = rooms[:_DOORS], rooms[_DOORS : _DOORS + settings["coins"]]
        delay = int(rng.choice(_DELAYS))
        flip = rng.random() < 0.5
        within = {part[start]}
        # Most draws are of no use, and this says so without a search: the treasure is too near, or out of all reach.
        for _ in range(_DOORS + 1):
            gates = [(doors[door], room) for door, room in zip(wiring, levers, strict=True)] + [(lock, key)]
            for (a, b), opener in gates:
                if part[opener] in within and (part[a] in within or part[b] in within):
                    within |= {part[a], part[b]}
        if part[treasure] == part[start] or part[treasure] not in within:
            return None
        data = {
            "width": wide,
            "height": high,
            "start": start,
            "treasure": treasure,
            "key": key,
            "levers": levers,
            "coins": sorted(coins),
            "doors": [list(edge) for edge in doors],
            "lock": list(lock),
            "open": [list(edge) for edge in sorted(passages)],
            "one_way": [[b, a] if flip else [a, b] for a, b in loops],
            "wiring": wiring,
            "delay": delay,
        }
        return data if self._fits(settings, VaultDynamics().load(data)) else None

    def _fits(self, settings: Mapping[str, Any], level: VaultLevel) -> bool:
        steps = _shortest(level, settings["most"])
        return steps is not None and steps >= settings["least"]

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """The same building under every wiring with which it would have been drawn; None where it is not seen."""
        if observation == "room":
            return None
        if observation == "full":
            return ((1.0, params),)
        dynamics = VaultDynamics()
        others = [{**params, "wiring": list(wiring)} for wiring in permutations(range(_DOORS))]
        fitting = [other for other in others if self._fits(settings, dynamics.load(other))]
        return tuple((1 / len(fitting), other) for other in fitting)


def _spanning(pairs: Sequence[tuple[int, int]], count: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The edges of a spanning tree, taken in order, and all others."""
    group = list(range(count))
    tree, rest = [], []
    for a, b in pairs:
        if group[a] == group[b]:
            rest.append((a, b))
            continue
        old, new = group[a], group[b]
        group = [new if g == old else g for g in group]
        tree.append((a, b))
    return tree, rest


def _parts(pairs: Sequence[tuple[int, int]], count: int) -> list[int]:
    """For each room the number of the part that it is in, where pairs of rooms are joined."""
    part = list(range(count))
    for a, b in pairs:
        old, new = part[a], part[b]
        if old != new:
            part = [new if p == old else p for p in part]
    return part


def _shortest(level: VaultLevel, most: int) -> int | None:
    """The fewest steps to the treasure; None for more than ``most``. Breadth first, without coins and waiting."""
    delay, ways, gains = level.delay, level.ways, level.gains
    doors = [level.wiring[lever] if lever >= 0 else -1 for lever in level.levers]
    start = (level.start, _SHUT, False)
    seen: set[tuple[int, tuple[int, ...], bool]] = {start}
    now = [start]
    for steps in range(1, most + 1):
        after = []
        for room, timers, key in now:
            less = timers if timers == _SHUT else tuple(t - 1 if t else 0 for t in timers)
            door = doors[room]
            options = [] if door < 0 else [(room, (*less[:door], delay, *less[door + 1 :]), key)]
            for to, gate in ways[room]:
                if to >= 0 and (gate == 0 or (timers[gate - 1] > 0 if gate > 0 else key)):
                    if gains[to] & _TREASURE:
                        return steps
                    options.append((to, less, key or gains[to] & _KEY > 0))
            for state in options:
                if state not in seen:
                    seen.add(state)
                    after.append(state)
        now = after
    return None


class _Sight(Observation[VaultLevel, VaultState, VaultView]):
    """Sees the building or the own room, with the wiring or without."""

    def __init__(self, name: str, *, far: bool, wiring: bool) -> None:
        self.name = name
        self.kind = "full" if far and wiring else "partial"
        self._far, self._wiring = far, wiring

    def observe(self, params: VaultLevel, state: VaultState, events: Sequence[Event]) -> VaultView:
        """The picture, what is in this room, and what is told of doors and levers."""
        room, timers, left = state
        wide = params.width
        across = 2 * wide + 1
        x, y = room % wide, room // wide
        gains = params.gains
        if self._far:
            cells = list(params.cells)
            for at, timer in zip(params.doors, timers, strict=True):
                if timer:
                    cells[at] = "/"
            for number, found in enumerate(gains):
                if found & left:
                    thing = "G" if found & _TREASURE else "k" if found & _KEY else "*"
                    cells[across * (2 * (number // wide) + 1) + 2 * (number % wide) + 1] = thing
            rows = ["".join(cells[at : at + across]) for at in range(0, len(cells), across)]
        else:
            # Nothing that can be taken is left in the own room: it has just been taken.
            rows = ["?" * across] * (2 * params.height + 1)
            for r in range(2 * y, 2 * y + 3):
                low = across * r + 2 * x
                near = params.cells[low : low + 3]
                for at, timer in zip(params.doors, timers, strict=True):
                    if timer and low <= at < low + 3:
                        near = f"{near[: at - low]}/{near[at - low + 1 :]}"
                rows[r] = f"{'?' * (2 * x)}{near}{'?' * (across - 2 * x - 3)}"
        here = rows[2 * y + 1][2 * x + 1]
        return VaultView(
            x, y, tuple(rows), here, not left & _KEY,
            timers if self._far else None,
            params.wiring if self._wiring else None,
            params.delay if self._far else None,
        )  # fmt: skip


_GLYPHS = {
    ".": "room", "#": "wall", ":": "passage", "/": "gap", "L": "lock", "k": "key", "*": "coin", "G": "treasure",
    "?": "unseen",
}  # fmt: skip
_ARROWS = dict(zip("^>v<", range(4), strict=True))


class VaultSkin(Skin[VaultView]):
    """A plan with a legend, and the four sides of the room in words."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        w = vocabulary
        self._legend = ", ".join(
            [f"{glyph} {w[concept]}" for glyph, concept in _GLYPHS.items()]
            + [f"1 2 3 {w['door']}s", f"a b c {w['lever']}s", "^ > v < one way", "@ you"]
        )
        self._sides = {glyph: w[concept] for glyph, concept in _GLYPHS.items()}
        self._sides |= {str(n): f"{w['door']} {n}, {w['shut']}" for n in range(1, _DOORS + 1)}
        self._lever = {glyph: f"\nHere: {w['lever']} {glyph}." for glyph in "abc"}

    def setting(self) -> str:
        """The plan and its legend."""
        return self.vocabulary.fill(
            "You are in a building of {room}s on a square plan. Rows run from top to bottom and columns from left to "
            "right, both from 0. On the plan, with what is between {room}s in lines of its own: "
        ) + (f"{self._legend}. Where a {self.vocabulary['door']} stands open there is a {self.vocabulary['gap']}.")

    def text(self, view: VaultView) -> str:
        """Place, the four sides, what is here, what is known of doors and levers, and the plan."""
        w = self.vocabulary
        x, y, rows, here, key, timers, wiring, delay = view
        row, column = 2 * y + 1, 2 * x + 1
        sides = []
        for number, glyph in enumerate(
            (rows[row - 1][column], rows[row][column + 1], rows[row + 1][column], rows[row][column - 1])
        ):
            side = self._sides.get(glyph)
            if side is None:
                side = w["passage"] if _ARROWS[glyph] == number else w["wall"]
            sides.append(f"{w[_WAYS[number]]} {side}")
        text = f"Column {x}, row {y}. {'; '.join(sides)}.{self._lever.get(here, '')}"
        if key:
            text += f"\nYou have the {w['key']}."
        if timers is not None:
            states = [
                f"{w['door']} {n} " + (f"{w['open']} for {t} steps more" if t else w["shut"])
                for n, t in enumerate(timers, 1)
            ]
            text += f"\n{'; '.join(states)}."
        if delay is not None:
            text += f" A {w['lever']} acts for {delay} steps."
        if wiring is not None:
            pairs = [f"{w['lever']} {'abc'[n]}: {w['door']} {door + 1}" for n, door in enumerate(wiring)]
            text += f"\n{'; '.join(pairs)}."
        return f"{text}\n{self.picture(view)}"

    def picture(self, view: VaultView) -> str:
        """The plan."""
        rows = list(view.rows)
        here = rows[2 * view.y + 1]
        rows[2 * view.y + 1] = f"{here[: 2 * view.x + 1]}@{here[2 * view.x + 2 :]}"
        return "\n".join(rows)

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """Of the plan's characters."""
        return {
            "#": (70, 70, 80), "@": (235, 120, 90), "G": (120, 200, 120), "*": (245, 210, 90), "k": (120, 200, 235),
            "L": (150, 100, 60), "1": (180, 120, 90), "2": (180, 120, 90), "3": (180, 120, 90), "?": (200, 200, 200),
        }  # fmt: skip


# Players.

_LURE = 2
"""How many steps off a lever or key attracts the greedy player."""


@lru_cache(maxsize=32)
def _distances(level: VaultLevel) -> dict[tuple[int, bool, int], tuple[int, ...]]:
    """By open doors (bits), key and room: the steps to every room through what is open, 99 for none."""
    found = {}
    for doors in range(1 << _DOORS):
        for key in (False, True):
            for start in range(len(level.ways)):
                away = [99] * len(level.ways)
                away[start] = 0
                queue = deque([start])
                while queue:
                    room = queue.popleft()
                    for to, gate in level.ways[room]:
                        free = gate == 0 or (doors >> (gate - 1) & 1 if gate > 0 else key)
                        if to >= 0 and free and away[to] == 99:
                            away[to] = away[room] + 1
                            queue.append(to)
                found[doors, key, start] = tuple(away)
    return found


def _potential(params: VaultLevel, state: VaultState, reward: Reward) -> float:
    """Nearer to what pays is better; if it is shut away, the key and open doors are worth something."""
    room, timers, left = state
    doors = sum(1 << n for n, t in enumerate(timers) if t)
    away = _distances(params)[doors, not left & _KEY, room]
    bits = (_TREASURE if reward.weight("won") > 0 else 0) | (~3 if reward.weight("looted") > 0 else 0)
    targets = [n for n, found in enumerate(params.gains) if found & left & bits]
    if not targets:
        return 1.0
    near = min(away[n] for n in targets)
    if near < 99:
        return 0.9 - 0.02 * near
    keys = [away[n] for n, found in enumerate(params.gains) if found & left & _KEY]
    levers = [away[n] for n, lever in enumerate(params.levers) if lever >= 0 and not timers[params.wiring[lever]]]
    # It is drawn to keys and levers that are near; with none of them it strays.
    return 0.3 + 0.25 * (not left & _KEY) + 0.08 * sum(1 for t in timers if t) - 0.01 * min([_LURE, *keys, *levers])


class VaultPlayer:
    """Draws a plan of what it sees, and keeps every wiring and delay that explains when doors were open and shut.

    It takes a shortest way, levers included, to what pays, else to the key, else to an unknown room; under the first
    explanation, and where that leads nowhere under another. A way is followed until something is not as expected.
    """

    def __init__(self, world: World) -> None:
        self._wants = {g for g, e in (("G", "won"), ("*", "looted")) if world.reward.weight(e) > 0}
        self._known: dict[tuple[int, int], str] = {}
        self._doors: dict[tuple[int, int], int] = {}  # where a door was seen: its number
        self._fits = [(wiring, delay) for delay in _DELAYS for wiring in permutations(range(1, _DOORS + 1))]
        self._pulled: dict[int, int] = {}  # when each lever was pulled
        self._time = 0
        self._path: list[tuple[Action, tuple[int, int]]] = []

    def act(self, view: VaultView, reward: float, key: Key) -> Action:
        """Look, learn, and follow the way or find another."""
        here = (2 * view.x + 1, 2 * view.y + 1)
        believed = self._fits[0]
        self._look(view)
        if not self._path or self._path[0][1] != here or self._fits[0] != believed:
            self._path = self._plan(view, here)
        action = self._path.pop(0)[0] if self._path else VaultDynamics.actions.sample(key)
        if action.name == "pull" and view.here in "abc":
            self._pulled["abc".index(view.here)] = self._time
        self._time += 1
        return action

    def _look(self, view: VaultView) -> None:
        opened, shut = set(), set()
        for y, row in enumerate(view.rows):
            for x, glyph in enumerate(row):
                if glyph == "?":
                    continue
                if glyph in "123":
                    self._doors[x, y] = int(glyph)
                    shut.add(int(glyph))
                elif glyph == "/" and (x, y) in self._doors:
                    opened.add(self._doors[x, y])
                self._known[x, y] = glyph
        fitting = []
        for wiring, delay in self._fits:
            active = {wiring[lever] for lever, when in self._pulled.items() if self._time - when <= delay}
            told = (view.delay in (None, delay)) and (view.wiring in (None, tuple(door - 1 for door in wiring)))
            if told and opened <= active and not shut & active:
                fitting.append((wiring, delay))
        self._fits = fitting or self._fits

    def _plan(self, view: VaultView, here: tuple[int, int]) -> list[tuple[Action, tuple[int, int]]]:
        goals = [self._wants, {"new"}] if view.key else [self._wants, {"k"}, {"new"}]
        for goal in goals:
            for wiring, delay in self._fits:
                path = self._way(view, here, goal, wiring, delay)
                if path:
                    # What is tried is what is believed first, so that it is known when it proves wrong.
                    self._fits.sort(key=lambda fit: fit != (wiring, delay))
                    return path
        return []

    def _way(
        self, view: VaultView, here: tuple[int, int], goal: set[str], wiring: tuple[int, ...], delay: int
    ) -> list[tuple[Action, tuple[int, int]]]:
        timers = [0] * _DOORS
        if view.timers is not None:
            timers = list(view.timers)
        else:
            for lever, when in self._pulled.items():
                timers[wiring[lever] - 1] = max(0, delay - (self._time - when) + 1)
        start = (here, tuple(timers))
        came: dict[Any, Any] = {start: None}
        queue = deque([start])
        while queue:
            at = queue.popleft()
            (x, y), open_for = at
            less = tuple(max(0, t - 1) for t in open_for)
            options = []
            glyph = self._known.get((x, y), "?")
            if glyph in "abc":
                door = wiring["abc".index(glyph)] - 1
                options.append((Action("pull"), ((x, y), (*less[:door], delay, *less[door + 1 :]))))
            for number, way in enumerate(_WAYS):
                dx, dy = _STEPS[number]
                between = self._known.get((x + dx, y + dy), "#")
                door_number = self._doors.get((x + dx, y + dy))
                if between == "/" and at == start:
                    free = True
                elif door_number is not None:
                    free = open_for[door_number - 1] > 0
                elif between == "L":
                    free = view.key
                else:
                    free = between == ":" or between == "^>v<"[number]
                if free:
                    options.append((Action("move", (way,)), ((x + 2 * dx, y + 2 * dy), less)))
            for action, after in options:
                if after in came:
                    continue
                came[after] = (at, action)
                found = self._known.get(after[0], "?")
                if (found == "?" and "new" in goal) or (found in goal and found != "?"):
                    path = []
                    node = after
                    while came[node] is not None:
                        before, step = came[node]
                        path.append((step, before[0]))
                        node = before
                    return path[::-1]
                if found != "?":
                    queue.append(after)
        return []


CORE = Core(
    name="vault",
    summary="Rooms with levers that open unknown doors for a while, a key, and passages of one way.",
    dynamics=VaultDynamics(),
    generator=VaultGenerator(),
    rewards=by_name(
        [
            Pays("binary", "binary", "Get to the {treasure}: that pays 1.", {"won": 1.0}, frozenset({"won"})),
            Pays(
                "accumulative", "accumulative", "Every {coin} that you get to pays 1, and the {treasure} 3.",
                {"looted": 1.0, "won": 3.0},
            ),
        ]
    ),
    observations=by_name(
        [
            _Sight("full", far=True, wiring=True),
            _Sight("plan", far=True, wiring=False),
            _Sight("room", far=False, wiring=False),
        ]
    ),
    skins=skins(
        VaultSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse",
            "inverse",
            {
                "passage": "wall", "wall": "passage", "open": "shut", "shut": "open", "treasure": "trap",
                "coin": "snare", "north": "south", "south": "north", "east": "west", "west": "east",
            },
        ),
        Vocabulary(
            "symbols",
            "abstract",
            {
                "move": "A", "pull": "B", "wait": "C", "direction": "x", "north": "p", "east": "q", "south": "r",
                "west": "s", "room": "i", "wall": "j", "passage": "m", "gap": "n", "lock": "u", "key": "K", "coin": "M",
                "treasure": "T", "unseen": "o", "door": "D", "lever": "V", "shut": "y", "open": "z",
            },
        ),
        Vocabulary(
            "ship",
            "other",
            {
                "move": "swim", "pull": "turn", "wait": "drift", "room": "hold", "wall": "hull", "passage": "hatchway",
                "gap": "opening", "lock": "grating", "key": "chisel", "coin": "pearl", "treasure": "chest",
                "door": "bulkhead", "lever": "valve", "unseen": "murk",
            },
        ),
    ),
    potential=_potential,
    player=VaultPlayer,
)  # fmt: skip
