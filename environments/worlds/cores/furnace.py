"""Furnace: keeping a noisy plant with delay and inertia inside a band, ware after ware.

A setting acts some steps after it is chosen; the element follows it by one unit a step; the heat gains by the element,
loses a fixed amount, and a draught takes some more now and then. A ware is warmed up, then held; the next one comes in
cold. In the band, while a ware is held, is what pays; leaving it then spoils the ware; too hot, and the furnace cracks.
Hidden: gain, loss, delay, what is under way, how often draughts come. It asks for identifying a system by acting on it,
and for acting early enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from ....suite.errors import UsageError
from ..actions import Action, ActionKind, ActionSchema, Choice
from ..core import Core, by_name, skins
from ..dynamics import Dynamics, Event, Outcomes, Transition
from ..keys import STILL, Key
from ..level import Generator, Preset
from ..observation import Observation
from ..reward import Pays, Reward
from ..skin import Skin, Vocabulary

if TYPE_CHECKING:
    import numpy as np

    from ..world import World

__all__ = ["CORE"]

_POWERS = ("off", "low", "high")
_POWER = {word: number for number, word in enumerate(_POWERS)}
_CRACKS = 15  # the heat at which the furnace cracks
_COLD = 4  # what a new ware takes from the heat
_WIDE = 4  # from the lowest heat of the band to the highest
# Gain of the heat for a unit of the element, and its loss in a step. With each pair some power heats and some cools.
_LAWS = ((1, 1), (2, 1), (2, 2), (2, 3), (3, 2), (3, 4))
_LAGS = (0, 1, 2)


@dataclass(frozen=True, eq=False, slots=True)
class FurnaceLevel:
    """A level: the heat at the start, the band's lowest heat, the law, the delay, draughts, and a ware's two times."""

    heat: int
    low: int
    gain: int
    loss: int
    lag: int
    draught: float
    strength: int
    warm: int
    hold: int


class FurnaceState(NamedTuple):
    """Heat, element, the last two settings as far as they are yet to act, and the step of the ware."""

    heat: int
    element: int
    last: int
    before: int
    clock: int


class FurnaceView(NamedTuple):
    """What is seen. ``element`` is None where hidden; ``law`` is the level's and the settings under way, or None."""

    heat: int
    band: tuple[int, int]
    warm: int
    hold: int
    element: int | None
    law: tuple[int, int, int, float, int, int, int] | None


_CRACKED, _FIRED, _HELD, _SPOILED = Event("cracked"), Event("fired"), Event("held"), Event("spoiled")


class FurnaceDynamics(Dynamics[FurnaceLevel, FurnaceState]):
    """Set, then the element follows, then the heat changes."""

    actions: ActionSchema = ActionSchema((ActionKind("set", "the power", (Choice("power", _POWERS),)),))
    events: Mapping[str, str] = {
        "held": "a step of a ware's holding time with the heat in the band",
        "fired": "a ware's holding time ends with the heat in the band",
        "spoiled": "the heat is outside the band in the holding time",
        "cracked": "the furnace is too hot",
    }
    stochastic: bool = True

    def load(self, data: Mapping[str, Any]) -> FurnaceLevel:
        """A level of ``heat``, ``low``, ``gain``, ``loss``, ``lag``, ``draught``, ``strength``, ``warm``, ``hold``."""
        try:
            level = FurnaceLevel(**{name: data[name] for name in FurnaceLevel.__slots__})
        except KeyError as error:
            raise UsageError(f"A furnace level needs {error}.") from None
        if level.lag not in _LAGS or not 0 < level.draught < 1 or level.low + _WIDE >= _CRACKS:
            raise UsageError(
                f"A furnace level has a lag of 0 to 2, a draught in (0, 1), a band below {_CRACKS}, not {dict(data)}."
            )
        return level

    def init(self, params: FurnaceLevel, key: Key) -> FurnaceState:
        """All off, a new ware."""
        return FurnaceState(params.heat, 0, 0, 0, 0)

    def starts(self, params: FurnaceLevel) -> Sequence[tuple[float, FurnaceState]]:
        """One: chance is in the draughts only."""
        return ((1.0, self.init(params, STILL)),)

    def step(self, params: FurnaceLevel, state: FurnaceState, action: Action, key: Key) -> Transition[FurnaceState]:
        """Set, follow, heat."""
        draught = params.strength if key.uniform() >= 1 - params.draught else 0
        return self.after(params, state, _POWER[action.values[0]], draught)  # type: ignore[index]  # a power's word

    def outcomes(self, params: FurnaceLevel, state: FurnaceState, action: Action) -> Outcomes[FurnaceState]:
        """Two: no draught, or one."""
        power = _POWER[action.values[0]]  # type: ignore[index]  # a power's word
        return (
            (1 - params.draught, self.after(params, state, power, 0)),
            (params.draught, self.after(params, state, power, params.strength)),
        )

    def limits(self, params: FurnaceLevel, horizon: int) -> Mapping[str, float]:
        """Every ware is held for its time and fired once."""
        wares, rest = divmod(horizon, params.warm + params.hold)
        held = wares * params.hold + max(0, rest - params.warm)
        return {"held": held, "fired": wares, "spoiled": held, "cracked": 1}

    def after(self, params: FurnaceLevel, state: FurnaceState, power: int, draught: int) -> Transition[FurnaceState]:
        """A step in which the draught takes so much."""
        heat, element, last, before, clock = state
        lag = params.lag
        acts = power if lag == 0 else last if lag == 1 else before
        element += (acts > element) - (acts < element)
        heat = max(0, heat + params.gain * element - params.loss - draught)
        # A setting that has acted is forgotten: it makes no other state.
        last, before = (power if lag else 0), (last if lag == 2 else 0)
        if heat >= _CRACKS:
            return Transition(FurnaceState(_CRACKS, element, last, before, clock), (_CRACKED,), True)
        events: tuple[Event, ...] = ()
        clock += 1
        if clock > params.warm:
            ending = clock == params.warm + params.hold
            if params.low <= heat <= params.low + _WIDE:
                events = (_HELD, _FIRED) if ending else (_HELD,)
            else:
                events = (_SPOILED,)
            if ending:
                heat, clock = max(0, heat - _COLD), 0
        return Transition(FurnaceState(heat, element, last, before, clock), events)


class FurnaceGenerator(Generator):
    """Furnaces with a law, a delay and draughts."""

    version: int = 1
    presets: Mapping[str, Preset] = {
        "still": Preset("still", "draughts now and then", {"draughts": [0.05, 0.1], "lags": [0, 1, 2]}),
        "windy": Preset("windy", "draughts often, and always some delay", {"draughts": [0.15, 0.2], "lags": [1, 2]}),
    }

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """Law, delay, draughts, band, times; None if the first ware's warming time is too short at full power."""
        gain, loss = _LAWS[int(rng.integers(len(_LAWS)))]
        data = {
            "heat": int(rng.integers(0, 5)),
            "low": int(rng.integers(6, 9)),
            "gain": gain,
            "loss": loss,
            "lag": settings["lags"][int(rng.integers(len(settings["lags"])))],
            "draught": settings["draughts"][int(rng.integers(len(settings["draughts"])))],
            "strength": int(rng.integers(1, 3)),
            "warm": int(rng.integers(9, 12)),
            "hold": int(rng.integers(8, 12)),
        }
        # Draughts come twice as often as they should, to be on the safe side.
        rise = 2 * gain - loss - 2 * data["draught"] * data["strength"]
        needed = (data["low"] + 1 - data["heat"]) / rise + data["lag"] + 2
        return data if needed <= data["warm"] else None

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """The level alone where all is seen; None elsewhere: so many laws have too many beliefs to list."""
        return ((1.0, params),) if observation == "full" else None


class _Sight(Observation[FurnaceLevel, FurnaceState, FurnaceView]):
    """Sees the heat and the ware; the element or not; the law and what is under way, or not."""

    def __init__(self, name: str, *, element: bool, law: bool) -> None:
        self.name = name
        self.kind = "full" if element and law else "partial"
        self._element, self._law = element, law

    def observe(self, params: FurnaceLevel, state: FurnaceState, events: Sequence[Event]) -> FurnaceView:
        """The gauge, the ware, and what else is told."""
        heat, element, last, before, clock = state
        p = params
        return FurnaceView(
            heat,
            (p.low, p.low + _WIDE),
            max(0, p.warm - clock),
            min(p.hold, p.warm + p.hold - clock),
            element if self._element else None,
            (p.gain, p.loss, p.lag, round(p.draught, 3), p.strength, last, before) if self._law else None,
        )


class FurnaceSkin(Skin[FurnaceView]):
    """A gauge in a few lines."""

    def setting(self) -> str:
        """What is to be seen."""
        return self.vocabulary.fill(
            "You tend a {furnace}. A gauge shows its {heat}; a {ware} is first made ready, then held for some steps, "
            f"then the next one comes in. At {_CRACKS} the {self.vocabulary['furnace']} cracks, and all is over."
        )

    def text(self, view: FurnaceView) -> str:
        """Gauge, band, ware."""
        w = self.vocabulary
        (low, high) = view.band
        stage = f"held in {view.warm} steps, for {view.hold}" if view.warm else f"held for {view.hold} steps more"
        text = f"{w['heat']} {view.heat}, wanted {low} to {high}\n{w['ware']}: {stage}"
        if view.element is not None:
            text += f"\n{w['element']} {view.element}"
        if view.law is not None:
            gain, loss, lag, draught, strength, last, before = view.law
            text += (
                f"\na step brings {gain} for each unit of {w['element']}, less {loss}, less {strength} more with "
                f"chance {draught}; a setting acts after {lag} steps"
            )
            under_way = [last, before][:lag]
            text += "".join(f"; under way: {w[_POWERS[power]]}" for power in under_way)
        return text

    def picture(self, view: FurnaceView) -> str:
        """A gauge."""
        low, high = view.band
        scale = "".join("#" if low <= heat <= high else "." for heat in range(_CRACKS)) + "!"
        pointer = " " * view.heat + "^"
        glow = "" if view.element is None else f"\n{self.vocabulary['element']} {'*' * view.element}"
        return f"{scale}\n{pointer}\n{'-' * view.warm}{'=' * view.hold}{glow}"

    def colours(self) -> Mapping[str, tuple[int, int, int]]:
        """Of band, danger and time."""
        return {"#": (150, 205, 140), "!": (220, 80, 70), "=": (150, 205, 140), "*": (240, 160, 70)}


def _nearness(params: FurnaceLevel, state: FurnaceState, power: int) -> float:
    """How near to the middle of the band the next steps will be if one power is set in all of them: 0 to 1."""
    heat, element, last, before = float(state.heat), *state[1:4]
    coming = {0: (), 1: (last,), 2: (before, last)}[params.lag]
    steady = -params.loss - params.draught * params.strength
    middle, total = params.low + _WIDE / 2, 0.0
    for acts in (*coming, power, power, power):
        element += (acts > element) - (acts < element)
        heat = max(0.0, heat + params.gain * element + steady)
        if heat >= _CRACKS:
            break
        total += 1 / (1 + 0.3 * abs(heat - middle))
    return total / (len(coming) + 3)


def _potential(params: FurnaceLevel, state: FurnaceState, reward: Reward) -> float:
    """The sooner and nearer the heat can be at the middle of the band, the better."""
    hope = max(_nearness(params, state, power) for power in range(3))
    return 8 * hope if reward.kind == "accumulative" else hope


class FurnacePlayer:
    """Keeps the laws and delays that fit what the gauge showed, and tries plans of a few steps on the likeliest."""

    def __init__(self, world: World) -> None:
        self._weights = {(law, lag): 1.0 for law in _LAWS for lag in _LAGS}
        self._states: dict[tuple[tuple[int, int], int], FurnaceState] = {}
        self._dynamics = FurnaceDynamics()
        self._last: int | None = None
        self._ending = False

    def _level(self, which: tuple[tuple[int, int], int], view: FurnaceView) -> FurnaceLevel:
        (gain, loss), lag = which
        return FurnaceLevel(0, view.band[0], gain, loss, lag, 0.1, 1, 10_000, 10_000)

    def act(self, view: FurnaceView, reward: float, key: Key) -> Action:
        """The first setting of the plan that stays nearest to the band's middle."""
        self._learn(view)
        best, least = 0, float("inf")
        likely = sorted(self._weights, key=lambda which: -self._weights[which])[:3]
        for plan in product(range(3), repeat=3):
            cost = 0.0
            for which in likely:
                if self._weights[which] > 0.05:
                    cost += self._weights[which] * self._cost(which, view, plan)
            if cost < least - 1e-9:
                best, least = plan[0], cost
        self._last = best
        return Action("set", (_POWERS[best],))

    def _learn(self, view: FurnaceView) -> None:
        if self._last is None:
            self._states = {which: FurnaceState(view.heat, 0, 0, 0, 0) for which in self._weights}
        else:
            # A new ware came in cold.
            heat = view.heat + _COLD if self._ending else view.heat
            for which, before in self._states.items():
                after = self._dynamics.after(self._level(which, view), before, self._last, 0).state
                short = after.heat - heat
                self._weights[which] *= 0.85 if short == 0 else 0.1 if short in (1, 2) else 0.002
                self._states[which] = after._replace(heat=view.heat, clock=0)
            total = sum(self._weights.values())
            self._weights = {which: max(1e-6, weight / total) for which, weight in self._weights.items()}
        self._ending = view.warm == 0 and view.hold == 1

    def _cost(self, which: tuple[tuple[int, int], int], view: FurnaceView, plan: tuple[int, ...]) -> float:
        level = self._level(which, view)
        state, cost = self._states[which], 0.0
        # Draughts only ever cool: it aims a little above the middle.
        middle = view.band[0] + _WIDE / 2 + 0.9
        for time in range(level.lag + 4):
            after = self._dynamics.after(level, state, plan[min(time, len(plan) - 1)], 0)
            state = after.state
            away = abs(state.heat - middle)
            cost += 50 if after.over else away * away if time >= view.warm - 1 else 0.3 * away
            if not view.band[0] <= state.heat <= view.band[1] and time >= view.warm - 1:
                cost += 10
            if time + 1 == view.warm + view.hold:
                break
        return cost


CORE = Core(
    name="furnace",
    summary="A noisy plant with delay and inertia that is to be kept inside a band; its law may be hidden.",
    dynamics=FurnaceDynamics(),
    generator=FurnaceGenerator(),
    rewards=by_name(
        [
            Pays(
                "binary", "binary",
                "When a {ware} has been held for its time, that pays 1; if the {heat} leaves the wanted range while "
                "a {ware} is held, all is over.",
                {"fired": 1.0}, frozenset({"fired", "spoiled"}),
            ),
            Pays(
                "accumulative", "accumulative",
                "Each step in which a {ware} is held and the {heat} is as wanted pays 1.", {"held": 1.0},
            ),
        ]
    ),
    observations=by_name(
        [
            _Sight("full", element=True, law=True),
            _Sight("glow", element=True, law=False),
            _Sight("gauge", element=False, law=False),
        ]
    ),
    skins=skins(
        FurnaceSkin,
        Vocabulary("plain", "aligned", {}),
        Vocabulary(
            "inverse", "inverse",
            {"off": "high", "high": "off", "heat": "cold", "element": "cooler", "furnace": "icehouse"},
        ),
        Vocabulary(
            "symbols", "abstract",
            {
                "set": "V", "power": "p", "off": "r", "low": "s", "high": "t", "heat": "H", "element": "E",
                "furnace": "F", "ware": "W",
            },
        ),
        Vocabulary(
            "tank", "other",
            {
                "set": "turn", "power": "valve", "off": "shut", "low": "half", "high": "open", "heat": "level",
                "element": "inflow", "furnace": "tank", "ware": "batch",
            },
        ),
    ),
    potential=_potential,
    player=FurnacePlayer,
)  # fmt: skip
