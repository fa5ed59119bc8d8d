"""From a specification to a core: its parts are of the same classes as those of cores in Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from ....suite.errors import UsageError
from ..actions import Action
from ..core import Core, by_name
from ..dynamics import Dynamics, Event, Outcomes, Transition
from ..keys import STILL, Key
from ..level import Generator, Preset
from ..observation import Observation
from ..reward import Pays, Reward
from ..skin import Skin, Vocabulary
from ..world import World
from .expressions import Frame, Scope
from .machine import Machine, SpecState, drawn
from .model import Sight, SpecError, SpecObservation, SpecSkin, WorldSpec, parse_spec

if TYPE_CHECKING:
    import numpy as np

__all__ = ["compile_file", "compile_spec", "compile_text", "worlds_of"]


class SpecDynamics(Dynamics[Mapping[str, Any], SpecState]):
    """A specification's states and transitions."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.actions = machine.schema
        self.events = dict(machine.spec.events)
        self.stochastic = bool(machine.chance)
        scope = Scope(params={**machine.params, "horizon": "number"}, words=machine.words, clock=False)
        self._limits = {
            name: machine.expression(text, scope, f"limits.{name}", "number").run
            for name, text in machine.spec.limits.items()
        }

    def load(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The level's parameters; all that the specification names, and no other."""
        if set(data) != set(self.machine.params):
            raise UsageError(
                f"A level of {self.machine.spec.name} has {', '.join(self.machine.params)}; not {dict(data)}."
            )
        return dict(data)

    def init(self, params: Mapping[str, Any], key: Key) -> SpecState:
        """Every variable at its start."""
        return self.machine.start(params)

    def starts(self, params: Mapping[str, Any]) -> Sequence[tuple[float, SpecState]]:
        """One: what differs at the start differs by level."""
        return ((1.0, self.machine.start(params)),)

    def limits(self, params: Mapping[str, Any], horizon: int) -> Mapping[str, float]:
        """As the specification says."""
        frame = Frame((), {**params, "horizon": horizon})
        return {name: float(run(frame)) for name, run in self._limits.items()}

    def step(self, params: Mapping[str, Any], state: SpecState, action: Action, key: Key) -> Transition[SpecState]:
        """Draw chance, then run."""
        chance = {}
        if self.machine.chance:
            for slot, (name, weighted) in enumerate(self.machine.weights(params, state)):
                chance[name] = key.pick(weighted, slot)
        return self._run(params, state, action, chance)

    def outcomes(self, params: Mapping[str, Any], state: SpecState, action: Action) -> Outcomes[SpecState]:
        """One for each combination of draws; those that lead to the same are one."""
        if not self.machine.chance:
            return ((1.0, self._run(params, state, action, {})),)
        weighted = self.machine.weights(params, state)
        merged: dict[Transition[SpecState], float] = {}
        for row in itertools.product(*(values for _, values in weighted)):
            chance = {name: value for (name, _), (_, value) in zip(weighted, row, strict=True)}
            after = self._run(params, state, action, chance)
            merged[after] = merged.get(after, 0.0) + math.prod(p for p, _ in row)
        return tuple((probability, after) for after, probability in merged.items())

    def _run(
        self, params: Mapping[str, Any], state: SpecState, action: Action, chance: Mapping[str, Any]
    ) -> Transition[SpecState]:
        after, events, over = self.machine.advance(params, state, action.name, action.values, chance)
        return Transition(after, tuple(Event(name, amount) for name, amount in events), over)


class SpecView(NamedTuple):
    """What is seen: (thing, value) pairs, the value None where it is unknown; a tuple for entities."""

    shown: tuple[tuple[str, Any], ...]


class SpecObservationPolicy(Observation[Mapping[str, Any], SpecState, SpecView]):
    """A specification's observation."""

    def __init__(self, name: str, form: SpecObservation, machine: Machine) -> None:
        self.name, self.kind = name, form.kind
        self._sights = []
        for number, item in enumerate(form.shows):
            path = f"observations.{name}.shows[{number}]"
            try:
                sight = item if isinstance(item, Sight) else Sight(show=item)
            except ValidationError:
                machine.problem(path, f"{item!r} is no name: write a variable, a parameter or entity.variable")
                continue
            base, dot, inner = sight.show.partition(".")
            if dot:
                entity = machine.entities.get(base)
                if entity is None or inner not in entity[1]:
                    machine.problem(
                        path, f"there is no {sight.show!r}: entity.variable, of {', '.join(machine.entities)}"
                    )
                    continue
                first, last = entity[1][inner][0], entity[1][inner][0] + entity[0]
                get: Any = lambda f, a=first, b=last: tuple(f.values[a:b])  # noqa: E731  # one of three ways to look
            else:
                if base in machine.entities:
                    machine.problem(path, f"{base!r} is an entity: show {base}.variable")
                    continue
                get = machine.expression(base, machine.scope, path).run
            when = machine.expression(sight.when, machine.scope, f"{path}.when", "flag").run
            self._sights.append((sight.show, get, when, sight.step))

    def observe(self, params: Mapping[str, Any], state: SpecState, events: Sequence[Event]) -> SpecView:
        """The sights, in order."""
        frame = Frame(state.values, params, state.clock)
        return SpecView(
            tuple((name, _coarse(get(frame), step) if when(frame) else None) for name, get, when, step in self._sights)
        )


def _coarse(value: Any, step: float | None) -> Any:
    if step is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, tuple):
        return tuple(_coarse(item, step) for item in value)
    return round(value // step * step, 6)


class SpecSkinText(Skin[SpecView]):
    """A line for each thing that is seen."""

    def __init__(self, name: str, form: SpecSkin) -> None:
        super().__init__(Vocabulary(name, form.kind, form.words))
        self.glyphs = "".join(sorted({c for t in (form.setting, *form.lines.values()) for c in t if not c.isascii()}))
        self._setting, self._lines = form.setting, form.lines

    def setting(self) -> str:
        """As the specification says."""
        return self.vocabulary.fill(self._setting)

    def text(self, view: SpecView) -> str:
        """Each thing by its sentence, or by name and value."""
        return "\n".join(self._line(name, value) for name, value in view.shown)

    def _line(self, name: str, value: Any) -> str:
        shown = self._value(value)
        if name in self._lines:
            return self.vocabulary.fill(self._lines[name].replace("{value}", shown))
        words = " ".join(self.vocabulary[part] for part in name.split("."))
        return f"{words}: {shown}"

    def _value(self, value: Any) -> str:
        if value is None:
            return self.vocabulary["unknown"]
        if isinstance(value, tuple):
            return ", ".join(f"{number} {self._value(item)}" for number, item in enumerate(value))
        if isinstance(value, bool):
            return self.vocabulary["yes" if value else "no"]
        return self.vocabulary[value] if isinstance(value, str) else f"{value:.6g}"


class SpecGenerator(Generator):
    """A specification's levels."""

    attempts = 2_000

    def __init__(self, dynamics: SpecDynamics, rewards: Mapping[str, Reward]) -> None:
        spec = dynamics.machine.spec
        self._dynamics, self._rewards, self._levels = dynamics, rewards, spec.levels
        self.version = spec.version
        machine = dynamics.machine
        scope = Scope(params=machine.params, words=machine.words, clock=False)
        # Whether parameters, in a Frame, meet the specification's ``keep``.
        self.fits = machine.expression(spec.levels.keep, scope, "levels.keep", "flag").run
        if spec.levels.solvable is not None and spec.levels.solvable not in rewards:
            machine.problem(
                "levels.solvable", f"there is no reward {spec.levels.solvable!r}; there are: {', '.join(rewards)}"
            )
        self.presets = {name: Preset(name, p.summary, {"preset": name}) for name, p in spec.levels.presets.items()}

    def values_of(self, settings: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Of each parameter the values that a preset may draw."""
        draws = {**self._levels.parameters, **self._levels.presets[settings["preset"]].draw}
        return {name: drawn(draw) or [] for name, draw in draws.items()}

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        """Each parameter uniformly; None where the specification's ``keep`` says no."""
        params = {name: values[int(rng.integers(len(values)))] for name, values in self.values_of(settings).items()}
        return params if self.fits(Frame((), params)) else None

    def keep(self, settings: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
        """Whether a level can be won in as many steps as the specification wants."""
        if self._levels.solvable is None:
            return True
        from ..audit.graph import fewest_steps

        least, most = self._levels.steps
        # Cheap first: a level that is won too early needs no long search.
        steps = fewest_steps(self._dynamics, params, self._rewards[self._levels.solvable], most, limit=200_000)
        return steps is not None and least <= steps <= most

    def alternatives(
        self, settings: Mapping[str, Any], params: Mapping[str, Any], observation: str
    ) -> Sequence[tuple[float, Mapping[str, Any]]] | None:
        """All values of the hidden parameters with which the level would have been drawn; None for over 500."""
        values = self.values_of(settings)
        hidden = list(self._levels.hidden)
        if math.prod(len(values[name]) for name in hidden) > 500:
            return None
        others = [
            {**params, **dict(zip(hidden, row, strict=True))} for row in itertools.product(*(values[n] for n in hidden))
        ]
        fitting = [other for other in others if self.fits(Frame((), other)) and self.keep(settings, other)]
        return tuple((1 / len(fitting), other) for other in fitting)


def compile_spec(spec: WorldSpec, source: str = "specification") -> Core:
    """Make a core of a specification.

    Raises:
        SpecError: Names, kinds or ranges do not fit; all problems at once, each with path, value and way out.
    """
    machine = Machine(spec, source)
    dynamics = SpecDynamics(machine)
    rewards = by_name([Pays(name, r.kind, r.goal, r.pays, frozenset(r.last)) for name, r in spec.rewards.items()])
    promise = {
        name: machine.expression(r.potential, machine.scope, f"rewards.{name}.potential", "number").run
        for name, r in spec.rewards.items()
    }
    observations = by_name([SpecObservationPolicy(name, o, machine) for name, o in spec.observations.items()])
    generator = SpecGenerator(dynamics, rewards)
    skins: dict[str, Skin[Any]] = {}
    for name, skin in spec.skins.items():
        try:
            skins[name] = SpecSkinText(name, skin)
        except UsageError as error:
            machine.problem(f"skins.{name}.words", str(error))
    for name, world in spec.worlds.items():
        for kind, known in (
            ("reward", spec.rewards), ("observation", spec.observations), ("skin", spec.skins),
            ("preset", spec.levels.presets),
        ):  # fmt: skip
            if getattr(world, kind) not in known:
                given = getattr(world, kind)
                machine.problem(f"worlds.{name}.{kind}", f"there is no {kind} {given!r}; there are: {', '.join(known)}")
    if machine.problems:
        raise SpecError(source, machine.problems)
    try:
        return Core(
            name=spec.name,
            summary=spec.summary,
            dynamics=dynamics,
            generator=generator,
            rewards=rewards,
            observations=observations,
            skins=skins,
            potential=lambda params, state, reward: float(
                promise[reward.name](Frame(state.values, params, state.clock))
            ),
        )
    except SpecError:
        raise
    except UsageError as error:
        raise SpecError(source, [str(error)]) from None


def compile_text(text: str, source: str = "specification") -> Core:
    """Make a core of YAML.

    Raises:
        SpecError: As :func:`.model.parse_spec` and :func:`compile_spec`.
    """
    return compile_spec(parse_spec(text, source), source)


def compile_file(path: Path) -> Core:
    """Make a core of a YAML file.

    Raises:
        UsageError: The file cannot be read, or is no specification.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The specification {path} cannot be read: {error}.") from None
    return compile_text(text, path.name)


def worlds_of(core: Core, spec: WorldSpec) -> list[World]:
    """The worlds that a specification names, on its compiled core."""
    return [
        World.combine(
            core, reward=w.reward, observation=w.observation, skin=w.skin, horizon=w.horizon, preset=w.preset, name=name
        )
        for name, w in spec.worlds.items()
    ]


def start_of(core: Core, params: Mapping[str, Any]) -> SpecState:
    """The first state of a level of a compiled core."""
    return core.dynamics.init(core.dynamics.load(params), STILL)
