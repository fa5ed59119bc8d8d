"""Pushing: crates, one of them heavy, are pushed into a chute over floor on one kind of which they slide.

Each step the player walks one cell; a crate in the way is pushed if the cell behind it is free. A crate that comes onto
the slick kind of tile slides on until something stops it or the floor is rough again. The heavy crate yields only to a
run-up: the step before must have been one in the same direction. A crate in the chute is gone; nothing can be pulled.
Hidden may be which crate is heavy, which kind of tile is slick, and all that is more than two cells away. It asks for
cheap experiments before steps that cannot be taken back, and for planning ahead. Deterministic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Choice
from ..core import Core, by_name, skins
from ..dynamics import Dynamics, Event, Transition
from ..keys import Key
from ..level import Generator, Preset
from ..observation import Observation
from ..reward import Pays, Reward
from ..skin import Skin, Vocabulary

if TYPE_CHECKING:
    import numpy as np

    from ..world import World

__all__ = ["CORE"]

_MOVES = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}
_KINDS = ("slate", "glaze")
_MARKS = {"slate": ":", "glaze": "~"}
_GONE = -1


@dataclass(frozen=True, eq=False, slots=True)
class PushingLevel:
    """A level. Cells are numbered ``width * y + x``, y grows to the south; the border is wall.

    Attributes:
        width: Of the map, walls included.
        height: The same.
        start: The player's cell.
        chute: Where crates go.
        light: The cells of the light crates, sorted.
        heavy: The cell of the heavy one.
        solid: For each cell, whether it is wall.
        slick: For each cell, whether crates slide on it.
        kind: Which kind of tile is slick.
        base: What stands in each cell, one character each, without crates and player.
        deltas: What each direction adds to a cell.
    """

    width: int
    height: int
    start: int
    chute: int
    light: tuple[int, ...]
    heavy: int
    solid: tuple[bool, ...]
    slick: tuple[bool, ...]
    kind: str
    base: str
    deltas: Mapping[str, int]


class PushingState(NamedTuple):
    """Cells of player and crates (-1: gone), and the direction in which the heavy crate would yield now (0: none)."""

    player: int
    light: tuple[int, ...]
    heavy: int
    run: int


class PushingView(NamedTuple):
    """What is seen. ``rows`` is the map; ``slick`` and ``run`` are None where they are not told.

    ``run`` is the direction of a run-up to the heavy crate, ``none`` without one.
    """

    x: int
    y: int
    rows: tuple[str, ...]
    chute: tuple[int, int]
    left: int
    slick: str | None
    run: str | None


class PushingDynamics(Dynamics[PushingLevel, PushingState]):
    """Walk, push, slide."""

    actions: ActionSchema = ActionSchema(
        (
            ActionKind("walk", "one cell", (Choice("direction", ("north", "east", "south", "west")),)),
            ActionKind("wait", "stay where you are"),
        )
    )
    events: Mapping[str, str] = {
        "delivered": "light crates that have got into the chute",
        "hauled": "the heavy crate has got into the chute",
        "cleared": "the last crate has got into the chute",
    }

    def load(self, data: Mapping[str, Any]) -> PushingLevel:
        """A level: ``width``, ``height``, ``start``, ``chute``, ``crates``, ``heavy``, ``slick`` and cells by kind."""
        try:
            width, height = data["width"], data["height"]
            crates, heavy, kind = tuple(data["crates"]), data["heavy"], data["slick"]
            walls, tiles = frozenset(data["walls"]), {name: frozenset(data[name]) for name in _KINDS}
            start, chute = data["start"], data["chute"]
        except KeyError as error:
            raise UsageError(f"A pushing level needs {error}.") from None
        if kind not in _KINDS or not 0 <= heavy < len(crates):
            raise UsageError(f"A pushing level has a heavy crate of its own and slick tiles of a kind, not {data}.")
        base = ["."] * (width * height)
        for cell in range(width * height):
            if cell % width in (0, width - 1) or cell // width in (0, height - 1) or cell in walls:
                base[cell] = "#"
            for name in _KINDS:
                if cell in tiles[name]:
                    base[cell] = _MARKS[name]
        base[chute] = "U"
        return PushingLevel(
            width,
            height,
            start,
            chute,
            tuple(sorted(cell for n, cell in enumerate(crates) if n != heavy)),
            crates[heavy],
            tuple(mark == "#" for mark in base),
            tuple(mark == _MARKS[kind] for mark in base),
            kind,
            "".join(base),
            {name: width * dy + dx for name, (dx, dy) in _MOVES.items()},
        )

    def init(self, params: PushingLevel, key: Key) -> PushingState:
        """At the start, all crates there."""
        return PushingState(params.start, params.light, params.heavy, 0)

    def step(self, params: PushingLevel, state: PushingState, action: Action, key: Key) -> Transition[PushingState]:
        """Walk, and push what stands there."""
        player, light, heavy, run = state
        if not action.values:
            return Transition(state if run == 0 else PushingState(player, light, heavy, 0))
        delta = params.deltas[action.values[0]]  # type: ignore[index]  # the schema has checked it
        solid = params.solid
        ahead = player + delta
        pushed = ahead == heavy or ahead in light
        if solid[ahead] or (ahead == heavy and run != delta):
            return Transition(state if run == 0 else PushingState(player, light, heavy, 0))
        if not pushed:
            return Transition(PushingState(ahead, light, heavy, delta if ahead + delta == heavy else 0))
        to = ahead + delta
        if solid[to] or to == heavy or to in light:
            return Transition(state if run == 0 else PushingState(player, light, heavy, 0))
        while params.slick[to]:
            after = to + delta
            if solid[after] or after == heavy or after in light:
                break
            to = after
        events: tuple[Event, ...] = ()
        if to == params.chute:
            to = _GONE
            events = (Event("hauled" if ahead == heavy else "delivered"),)
        if ahead == heavy:
            heavy = to
        else:
            light = tuple(sorted([to, *(cell for cell in light if cell != ahead)]))
        if to == _GONE and heavy == _GONE and (not light or light[-1] == _GONE):
            return Transition(PushingState(ahead, light, heavy, 0), (*events, Event("cleared")), True)
        return Transition(PushingState(ahead, light, heavy, delta if ahead + delta == heavy else 0), events)

    def limits(self, params: PushingLevel, horizon: int) -> Mapping[str, float]:
        """Each crate once."""
        return {"delivered": len(params.light), "hauled": 1, "cleared": 1}


def _distances(
    level: PushingLevel, player: int, crate: int, *, heavy: bool, others: frozenset[int]
) -> tuple[list[int], int] | None:
    """The fewest walks, as deltas, that get one crate into the chute while others stand still, and where they end.

    Breadth first over (player, crate, run-up).
    """
    solid, slick, chute = level.solid, level.slick, level.chute
    deltas = tuple(level.deltas.values())
    start = (player, crate, 0)
    came: dict[tuple[int, int, int], tuple[tuple[int, int, int], int]] = {}
    queue: deque[tuple[int, int, int]] = deque([start])
    seen: set[tuple[int, int, int]] = {start}
    while queue:
        now = queue.popleft()
        at, box, run = now
        for delta in deltas:
            ahead = at + delta
            if solid[ahead] or ahead in others:
                continue
            if ahead == box:
                to = ahead + delta
                if (heavy and run != delta) or solid[to] or to in others:
                    continue
                while slick[to] and not solid[to + delta] and to + delta not in others:
                    to += delta
                if to == chute:
                    path = [delta]
                    while now != start:
                        now, back = came[now]
                        path.append(back)
                    return path[::-1], ahead
                after = (ahead, to, delta if heavy and to == ahead + delta else 0)
            else:
                after = (ahead, box, delta if heavy and ahead + delta == box else 0)
            if after not in seen:
                seen.add(after)
                came[after] = (now, delta)
                queue.append(after)
    return None


def _plan(level: PushingLevel, state: PushingState) -> list[int] | None:
    """Walks, as deltas, that deliver one crate after another, each while the others stand still; None if no order does.

    A plan of this kind is no shortest solution, but it is quickly found and it is one.
    """
    crates = [(cell, False) for cell in state.light if cell != _GONE]
    if state.heavy != _GONE:
        crates.append((state.heavy, True))
    best: list[int] | None = None
    for order in permutations(crates):
        player, walks = state.player, []
        for number, (crate, heavy) in enumerate(order):
            others = frozenset(cell for cell, _ in order[number + 1 :])
            found = _distances(level, player, crate, heavy=heavy, others=others)
            if found is None:
                break
            walks += found[0]
            player = found[1]
            if best is not None and len(walks) >= len(best):
                break
        else:
            best = walks
    return best


class PushingGenerator(Generator):
    """Random yards in which the crates can be delivered one after another."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "yard": Preset(
            "yard",
            "6 x 5 cells, 2 crates",
            {"width": 8, "height": 7, "walls": 5, "tiles": 4, "crates": 2, "least": 14, "most": 34},
        ),
        "hall": Preset(
            "hall",
            "7 x 6 cells, 2 crates, more tiles",
            {"width": 9, "height": 8, "walls": 8, "tiles": 6, "crates": 2, "least": 20, "most": 44},
        ),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """A yard; None if no plan is of a length that fits."""
        width, height = settings["width"], settings["height"]
        inner = [width * y + x for y in range(1, height - 1) for x in range(1, width - 1)]
        cells = iter([inner[int(n)] for n in rng.permutation(len(inner))])

        def some(count: int) -> list[int]:
            return sorted(next(cells) for _ in range(count))

        data = {
            "width": width,
            "height": height,
            "start": next(cells),
            "chute": next(cells),
            "walls": some(settings["walls"]),
            "slate": some(settings["tiles"]),
            "glaze": some(settings["tiles"]),
            "crates": some(settings["crates"]),
            "slick": _KINDS[int(rng.integers(2))],
            "heavy": int(rng.integers(settings["crates"])),
        }
        return data if _fits(settings, data) else None

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """The same map with each crate as the heavy one and each kind of tile as the slick one, as far as they fit."""
        if observation == "near":
            return None
        if observation == "full":
            return ((1.0, params),)
        fitting = [
            other
            for kind in _KINDS
            for heavy in range(len(params["crates"]))
            if _fits(settings, other := {**params, "slick": kind, "heavy": heavy})
        ]
        return tuple((1 / len(fitting), other) for other in fitting)


def _fits(settings: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    steps = _length(
        data["width"],
        data["height"],
        data["start"],
        data["chute"],
        *(tuple(data[name]) for name in ("walls", "slate", "glaze", "crates")),
        data["slick"],
        data["heavy"],
    )
    return steps is not None and settings["least"] <= steps <= settings["most"]


@lru_cache(maxsize=8192)
def _length(
    width: int,
    height: int,
    start: int,
    chute: int,
    walls: tuple[int, ...],
    slate: tuple[int, ...],
    glaze: tuple[int, ...],
    crates: tuple[int, ...],
    slick: str,
    heavy: int,
) -> int | None:
    """How long the plan of a level is; remembered, because splits are drawn again and again."""
    level = PushingDynamics().load(
        {
            "width": width, "height": height, "start": start, "chute": chute, "walls": walls, "slate": slate,
            "glaze": glaze, "crates": crates, "slick": slick, "heavy": heavy,
        }
    )  # fmt: skip
    # A crate that cannot be moved along either axis makes a search futile; most draws of no use are found here.
    for crate in crates:
        blocked = [level.solid[crate + delta] for delta in level.deltas.values()]
        if (blocked[0] or blocked[2]) and (blocked[1] or blocked[3]):
            return None
    plan = _plan(level, PushingDynamics().init(level, Key(0)))
    return None if plan is None else len(plan)


class _Sight(Observation[PushingLevel, PushingState, PushingView]):
    """Sees the map up to a distance, and what is heavy and slick or not."""

    def __init__(self, name: str, *, reach: int | None, marks: bool) -> None:
        self.name = name
        self.kind = "full" if reach is None and marks else "partial"
        self._reach, self._marks = reach, marks

    def observe(self, params: PushingLevel, state: PushingState, events: Sequence[Event]) -> PushingView:
        """The cells within reach, and marks if they are told."""
        width, player, heavy = params.width, state.player, state.heavy
        cells = list(params.base)
        left = 0
        for cell in state.light:
            if cell != _GONE:
                cells[cell] = "o"
                left += 1
        if heavy != _GONE:
            cells[heavy] = "O" if self._marks else "o"
            left += 1
        cells[player] = "@"
        drawn = "".join(cells)
        x, y = player % width, player // width
        rows = [drawn[at : at + width] for at in range(0, len(drawn), width)]
        reach = self._reach
        if reach is not None:
            low, high = max(0, x - reach), min(width, x + reach + 1)
            rows = [
                "?" * low + row[low:high] + "?" * (width - high) if abs(r - y) <= reach else "?" * width
                for r, row in enumerate(rows)
            ]
        run = _way(params, state.run) if self._marks else None
        kind = params.kind if self._marks else None
        return PushingView(x, y, tuple(rows), (params.chute % width, params.chute // width), left, kind, run)


def _way(params: PushingLevel, delta: int) -> str:
    return next((name for name, value in params.deltas.items() if value == delta), "none")


_CONCEPTS = {".": "floor", "#": "wall", "U": "chute", ":": "slate", "~": "glaze", "o": "crate", "O": "anvil"}
_GLYPHS = {concept: mark for mark, concept in _CONCEPTS.items()}
_PAINT = {
    "floor": (225, 215, 190), "wall": (70, 70, 80), "chute": (120, 200, 120), "slate": (150, 160, 175),
    "glaze": (150, 210, 235), "crate": (200, 150, 90), "anvil": (140, 90, 50),
}  # fmt: skip


class PushingSkin(Skin[PushingView]):
    """A map with a legend."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        words = {mark: vocabulary[concept] for mark, concept in _CONCEPTS.items()}
        # A word that is another concept's own takes its glyph too: an inverse map misleads as its words do.
        glyphs = {mark: _GLYPHS.get(word, mark if word == _CONCEPTS[mark] else word[0]) for mark, word in words.items()}
        self._table = str.maketrans(glyphs)
        legend = ", ".join(f"{glyphs[mark]} {word}" for mark, word in words.items())
        self._legend = f"@ you, {legend}, ? not seen"
        self._colours = {"@": (235, 120, 90)} | {
            glyphs[mark]: _PAINT.get(word, (238, 238, 238)) for mark, word in words.items()
        }

    def setting(self) -> str:
        """The map and its legend."""
        return self.vocabulary.fill(
            "You stand in a walled yard. Rows run from top to bottom and columns from left to right, both from 0. "
            f"On the map: {self._legend}. Where it does not tell them apart, an {{anvil}} looks like a {{crate}}."
        )

    def text(self, view: PushingView) -> str:
        """Place, chute, marks if told, and the map."""
        words = self.vocabulary
        told = ""
        if view.slick is not None and view.run is not None:
            told = f"The smooth floor is {words[view.slick]}; {words['run-up']}: {words[view.run]}.\n"
        return (
            f"You are in column {view.x}, row {view.y}; the {words['chute']} is in column {view.chute[0]}, "
            f"row {view.chute[1]}. Left: {view.left}.\n{told}{self.picture(view)}"
        )

    def picture(self, view: PushingView) -> str:
        """The map."""
        return "\n".join(view.rows).translate(self._table)

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """By what a glyph is called."""
        return self._colours


@lru_cache(maxsize=256)
def _alone(level: PushingLevel, *, heavy: bool) -> tuple[Mapping[tuple[int, int, int], int], Mapping[int, int]]:
    """How far a crate is from the chute where no other stands about.

    Returns:
        By player, crate and run-up: the fewest steps that deliver it; and by crate, for the best place of the player.
        Breadth first backwards from the chute; what is missing cannot be delivered.
    """
    solid, slick, chute = level.solid, level.slick, level.chute
    cells = [cell for cell, wall in enumerate(solid) if not wall]
    before: dict[tuple[int, int, int], list[tuple[int, int, int]]] = {}
    for box in cells:
        for at in cells:
            if at == box:
                continue
            runs = [0]
            if heavy and at - box in level.deltas.values() and not solid[2 * at - box]:
                runs.append(box - at)
            for run in runs:
                for delta in level.deltas.values():
                    ahead = at + delta
                    if solid[ahead]:
                        continue
                    to = box
                    if ahead == box:
                        to = box + delta
                        if (heavy and run != delta) or solid[to]:
                            continue
                        while slick[to] and not solid[to + delta]:
                            to += delta
                    after = (ahead, to, delta if heavy and ahead + delta == to else 0)
                    before.setdefault(after if to != chute else (0, chute, 0), []).append((at, box, run))
    found = {(0, chute, 0): 0}
    best = {chute: 0}
    queue = deque(found)
    while queue:
        now = queue.popleft()
        for earlier in before.get(now, ()):
            if earlier not in found:
                found[earlier] = found[now] + 1
                best.setdefault(earlier[1], found[earlier])
                queue.append(earlier)
    return found, best


def _potential(params: PushingLevel, state: PushingState, reward: Reward) -> float:
    """Fewer steps to go are better, counted for one crate after another as if it stood alone; lost crates are bad."""
    # A crate that is left costs the walk to it besides its own steps: else the last push of another would look bad.
    lost, each = 30.0, 15.0
    togo, least, crates = 0.0, lost, 0
    for cell, heavy in (*((cell, False) for cell in state.light), (state.heavy, True)):
        if cell == _GONE:
            continue
        by_place, by_crate = _alone(params, heavy=heavy)
        best = by_crate.get(cell, lost)
        togo += best + each
        crates += 1
        least = min(least, by_place.get((state.player, cell, state.run if heavy else 0), lost) - best)
    share = 1 - (togo + least) / (lost + (lost + each) * (len(params.light) + 1))
    return share * (0.9 if reward.kind == "binary" else 0.9 * (crates + (state.heavy != _GONE)))


class PushingPlayer:
    """Remembers the map, keeps every rule that fits what it saw, and plans with what holds under most of them."""

    def __init__(self, world: World) -> None:
        self._dynamics = PushingDynamics()
        self._map: dict[int, str] = {}
        self._crates: set[int] = set()
        self._size = (0, 0)
        # Kinds that may be slick, crates that must be light, and where the heavy one is if that is known.
        self._kinds = set(_KINDS)
        self._light: set[int] = set()
        self._heavy: int | None = None
        self._maybe_gone = False
        self._moving: list[int] = []
        self._last: tuple[int, int] | None = None
        self._run = 0
        self._visits: dict[int, int] = {}

    def act(self, view: PushingView, reward: float, key: Key) -> Action:
        """Look, learn, then plan or explore."""
        width, height = len(view.rows[0]), len(view.rows)
        self._size = (width, height)
        here = width * view.y + view.x
        before, old = set(self._crates), self._last
        self._see(view, width)
        if old is not None:
            self._learn(before, old, here, reward)
        if view.slick is not None:
            self._kinds = {view.slick}
            heavy = [width * y + x for y, row in enumerate(view.rows) for x, mark in enumerate(row) if mark == "O"]
            self._heavy = heavy[0] if heavy else _GONE
        deltas = {name: width * dy + dx for name, (dx, dy) in _MOVES.items()}
        moved = old is not None and here != old[0]
        self._run = old[1] if moved and old is not None else 0
        self._visits[here] = self._visits.get(here, 0) + 1
        if not self._moving or old is None or not moved:
            self._moving = self._think(view, here, deltas, width, height)
        delta = self._moving.pop(0) if self._moving else 0
        if delta and self._surprise(here, delta):
            # What comes next depends on what is not known: think again after it.
            self._moving = []
        if not delta:
            free = [d for d in deltas.values() if self._map.get(here + d, "#") != "#" and here + d not in self._crates]
            if not free:
                return Action("wait")
            delta = min(free, key=lambda d: (self._visits.get(here + d, 0), key.uniform(abs(d) + (d > 0))))
        self._last = (here, delta)
        return Action("walk", (next(name for name, value in deltas.items() if value == delta),))

    def _see(self, view: PushingView, width: int) -> None:
        for y, row in enumerate(view.rows):
            for x, mark in enumerate(row):
                cell = width * y + x
                if mark == "?":
                    continue
                if mark in "oO":
                    self._crates.add(cell)
                    self._map.setdefault(cell, ".")
                    continue
                self._crates.discard(cell)
                if mark == "@":
                    self._map.setdefault(cell, ".")
                else:
                    self._map[cell] = mark
        self._map[width * view.chute[1] + view.chute[0]] = "U"

    def _learn(self, before: set[int], old: tuple[int, int], here: int, reward: float) -> None:
        """What the last step tells of weights and tiles."""
        at, delta = old
        pushed = at + delta
        if pushed not in before:
            return
        to = pushed + delta
        if here == at:
            # It did not yield: heavy without a run-up, unless something stood behind it.
            if self._run != delta and self._map.get(to, "#") != "#" and to not in before:
                self._heavy = pushed
            return
        new = self._crates - before
        landed = next(iter(new)) if new else _GONE
        kind = next((name for name in _KINDS if _MARKS[name] == self._map.get(to)), None)
        if kind is not None and landed != _GONE:
            if landed != to:
                self._kinds = {kind}
            elif self._map.get(to + delta, "#") != "#" and to + delta not in before:
                self._kinds -= {kind}
        self._kinds = self._kinds or set(_KINDS)
        ran = self._run == delta
        if self._heavy == pushed:
            self._heavy = landed
        elif not ran or pushed in self._light:
            self._light = (self._light - {pushed}) | {landed}
        elif landed == _GONE:
            # Delivered with a run-up: what it paid may tell which it was.
            if reward > 1:
                self._heavy = _GONE
            elif reward != 1:
                self._maybe_gone = True

    def _candidates(self) -> list[int]:
        """Where the heavy crate may be; -1: gone, or not yet seen."""
        if self._heavy is not None:
            return [self._heavy]
        found = sorted(self._crates - self._light)
        return [*found, _GONE] if self._maybe_gone or not found else found

    def _surprise(self, here: int, delta: int) -> bool:
        return here + delta in self._crates and (len(self._kinds) > 1 or len(self._candidates()) > 1)

    def _levels(self, here: int, chute: int, width: int, height: int) -> Iterator[tuple[PushingLevel, PushingState]]:
        known = {cell: mark for cell, mark in self._map.items() if mark != "#"}
        crates = sorted(self._crates)
        base = {
            "width": width, "height": height, "start": here, "chute": chute, "crates": crates,
            "walls": [cell for cell in range(width * height) if cell not in known],
            "slate": [cell for cell, mark in known.items() if mark == _MARKS["slate"]],
            "glaze": [cell for cell, mark in known.items() if mark == _MARKS["glaze"]],
        }  # fmt: skip
        for kind in sorted(self._kinds):
            for heavy in self._candidates():
                if heavy in self._crates:
                    level = self._dynamics.load({**base, "slick": kind, "heavy": crates.index(heavy)})
                else:
                    level = self._dynamics.load({**base, "slick": kind, "heavy": 0})
                    level = replace(level, light=tuple(crates), heavy=_GONE)
                run = self._run if level.heavy == here + self._run else 0
                yield level, self._dynamics.init(level, Key(0))._replace(run=run)

    def _think(self, view: PushingView, here: int, deltas: Mapping[str, int], width: int, height: int) -> list[int]:
        chute = width * view.chute[1] + view.chute[0]
        plans: list[list[int]] = []
        cases: list[tuple[PushingLevel, PushingState]] = []
        if self._crates:
            cases = list(self._levels(here, chute, width, height))
        if len(self._crates) >= view.left:
            for level, state in cases:
                plan = _plan(level, state)
                if plan is not None:
                    plans.append(plan)
        if not plans:
            look = self._explore(here, deltas.values())
            if look:
                return look
            for level, state in cases:
                for cell in (*state.light, state.heavy):
                    if cell == _GONE:
                        continue
                    others = frozenset(self._crates - {cell})
                    found = _distances(level, here, cell, heavy=cell == state.heavy, others=others)
                    if found is not None:
                        plans.append(found[0])
        if not plans:
            return []
        return list(max(plans, key=lambda plan: (sum(self._works(plan, *case) for case in cases), -len(plan))))

    def _works(self, plan: list[int], level: PushingLevel, state: PushingState) -> bool:
        names = {delta: name for name, delta in level.deltas.items()}
        moves = {delta: Action("walk", (names[delta],)) for delta in names}
        for delta in plan:
            after = self._dynamics.step(level, state, moves[delta], Key(0))
            if after.over:
                return True
            state = after.state
        return False

    def _explore(self, here: int, deltas: Any) -> list[int]:
        """The shortest walk to a cell from which something new will be seen."""
        width, height = self._size
        queue: deque[tuple[int, tuple[int, ...]]] = deque([(here, ())])
        seen = {here}
        while queue:
            cell, path = queue.popleft()
            x, y = cell % width, cell // width
            window = [
                width * v + u
                for v in range(max(0, y - 2), min(height, y + 3))
                for u in range(max(0, x - 2), min(width, x + 3))
            ]
            if path and any(c not in self._map for c in window):
                return list(path)
            for delta in deltas:
                after = cell + delta
                if after not in seen and self._map.get(after, "#") != "#" and after not in self._crates:
                    seen.add(after)
                    queue.append((after, (*path, delta)))
        return []


CORE = Core(
    name="pushing",
    summary="Pushing crates, one of them heavy, over floor of which one kind is slick, into a chute.",
    dynamics=PushingDynamics(),
    generator=PushingGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary", "When the last {crate} or {anvil} has gone down the {chute}, that pays 1.",
                {"cleared": 1.0}, frozenset({"cleared"}),
            ),
            Pays(
                "accumulative", "accumulative",
                "A {crate} that goes down the {chute} pays 1, an {anvil} pays 2.", {"delivered": 1.0, "hauled": 2.0},
            ),
        ]
    ),
    observations=by_name(
        [
            _Sight("full", reach=None, marks=True),
            _Sight("unmarked", reach=None, marks=False),
            _Sight("near", reach=2, marks=False),
        ]
    ),
    skins=skins(
        PushingSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse",
            "inverse",
            {
                "north": "south", "south": "north", "east": "west", "west": "east", "slate": "glaze", "glaze": "slate",
                "chute": "crate", "crate": "chute",
            },
        ),
        Vocabulary(
            "symbols",
            "abstract",
            {
                "walk": "A", "wait": "B", "direction": "X", "north": "k", "east": "m", "south": "q", "west": "v",
                "floor": "-", "wall": "%", "chute": "+", "slate": "i", "glaze": "j", "crate": "c", "anvil": "d",
                "run-up": "R", "none": "0",
            },
        ),
        Vocabulary(
            "harbour",
            "other",
            {
                "walk": "steer", "wait": "drift", "floor": "water", "wall": "quay", "chute": "lock", "slate": "swell",
                "glaze": "calm", "crate": "barge", "anvil": "hulk",
            },
        ),
    ),
    potential=_potential,
    player=PushingPlayer,
)  # fmt: skip
