"""The interpreter: a specification's names and effects, checked and compiled to closures that cannot raise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ..actions import ActionKind, ActionSchema, Choice, Integer, Parameter, Real, Several
from .expressions import Compiled, ExpressionError, Frame, Kind, Scope, compile_expression
from .model import ActionParameter, Draw, Effect, SpecError, Variable, WorldSpec

__all__ = ["Machine", "SpecState"]

MOST_SLOTS = 200
MOST_BRANCHES = 64
MOST_WAITING = 16
"""Delayed effects that may wait at one time; further ones are lost, so that a state cannot grow."""

_SPACES = frozenset({"of", "clock", "index", "horizon", "true", "false"})


class SpecState(NamedTuple):
    """A state: a value for each slot, the clock, and effects that wait: (steps left, effect's number, arguments)."""

    values: tuple[Any, ...]
    clock: int
    waiting: tuple[tuple[int, int, tuple[tuple[str, Any], ...]], ...]


class _Slot(NamedTuple):
    """How a slot's values are brought into range."""

    kind: Kind
    fit: Callable[[Any], Any]


class _Effect(NamedTuple):
    """A compiled effect."""

    when: Callable[[Frame], Any]
    after: int
    number: int
    act: Callable[[Frame, list[tuple[str, float]]], None]


class _Rule(NamedTuple):
    every: int
    offset: int
    when: Callable[[Frame], Any]
    each: int | None
    effects: tuple[_Effect, ...]


def _fit(variable: Variable) -> Callable[[Any], Any]:
    low = -math.inf if variable.low is None else variable.low
    high = math.inf if variable.high is None else variable.high
    if variable.kind == "whole":
        return lambda value: int(min(max(math.floor(value + 0.5), low), high))
    if variable.kind == "real":
        digits = variable.digits
        # + 0.0 turns -0.0 into 0.0, which is another state to a hash but not to a reader.
        return lambda value: min(max(round(float(value), digits), low), high) + 0.0
    return lambda value: value


def value_kind(value: Any) -> Kind:
    """The kind of a value that stands in a specification."""
    return "flag" if isinstance(value, bool) else "word" if isinstance(value, str) else "number"


def drawn(draw: Draw) -> list[Any] | None:
    """All values that a draw may give; None where it says none or several ways."""
    given = [draw.whole is not None, draw.real is not None, draw.one_of is not None]
    if sum(given) != 1:
        return None
    if draw.whole is not None:
        return list(range(draw.whole[0], draw.whole[1] + 1))
    if draw.real is not None:
        scale = 10**draw.digits
        low, high = (round(end * scale) for end in draw.real)
        return [round(step / scale, draw.digits) for step in range(low, high + 1)]
    return list(draw.one_of or ())


class Machine:
    """All of a specification that runs.

    Args:
        spec: The specification.
        source: Where it stands, for messages.

    Raises:
        SpecError: Names, kinds or ranges do not fit; all problems at once.
    """

    def __init__(self, spec: WorldSpec, source: str) -> None:
        self.spec = spec
        self.problems: list[str] = []
        self.words = frozenset(self._words())
        self.slots: list[_Slot] = []
        self.names: list[str] = []
        self.variables: dict[str, tuple[int, Kind]] = {}
        self.entities: dict[str, tuple[int, dict[str, tuple[int, Kind]]]] = {}
        self.values: dict[str, list[Any]] = {}
        self.params = self._params()
        self._starts: list[Callable[[Frame], Any]] = []
        self._layout()
        self.scope = self._scope()
        self.chance = self._chances()
        self.schema = self._schema()
        self.effects: list[_Effect] = []
        self.actions = self._actions()
        self.rules = [self._rule(i) for i in range(len(spec.rules))]
        self.ends = [self.expression(text, self.scope, f"ends[{i}]", "flag").run for i, text in enumerate(spec.ends)]
        self.period = math.lcm(1, *(rule.every for rule in spec.rules))
        if self.period > 5_000:
            self.problem("rules", f"periods have the common multiple {self.period}: choose ones with one below 5,000")
        self._check_limits()
        if self.problems:
            raise SpecError(source, self.problems)

    def problem(self, path: str, text: str) -> None:
        """Note what is wrong, to raise all at once."""
        self.problems.append(f"{path}: {text}")

    def expression(self, text: Any, scope: Scope, path: str, wanted: Kind | None = None) -> Compiled:
        """Compile an expression; where it is wrong, note it and go on with something that fits."""
        if isinstance(text, bool):
            text = "true" if text else "false"
        elif not isinstance(text, str):
            text = f"{text:.12f}".rstrip("0").rstrip(".") if isinstance(text, float) else str(text)
        try:
            return compile_expression(text, scope, wanted)
        except ExpressionError as error:
            self.problem(path, f"{text!r} {error}" if not str(error).startswith("there") else f"{text!r}: {error}")
            value: Any = {"number": 0, "flag": False, "word": "", None: 0}[wanted]
            return Compiled(wanted or "number", lambda f: value)

    def _words(self) -> Iterator[str]:
        spec = self.spec
        for variable in spec.variables.values():
            yield from variable.options
        for entity in spec.entities.values():
            for variable in entity.variables.values():
                yield from variable.options
        for action in spec.actions.values():
            for parameter in action.parameters.values():
                yield from parameter.options
        draws = [*spec.levels.parameters.values(), *(d for p in spec.levels.presets.values() for d in p.draw.values())]
        for values in [*(draw.one_of or () for draw in draws), *(c.values for c in spec.chance.values())]:
            yield from (value for value in values if isinstance(value, str))

    def _params(self) -> dict[str, Kind]:
        kinds: dict[str, Kind] = {}
        levels = self.spec.levels
        for name, draw in levels.parameters.items():
            values = drawn(draw)
            path = f"levels.parameters.{name}"
            if not values:
                self.problem(path, "say how it is drawn: whole: [low, high], real: [low, high] or one_of: [values]")
                values = [0]
            if len(values) > 10_000:
                self.problem(path, f"has {len(values)} values: fewer digits or a smaller range, at most 10,000")
            found = {value_kind(value) for value in values}
            if len(found) > 1:
                self.problem(path, f"mixes {' and '.join(sorted(found))}s")
            kinds[name] = value_kind(values[0])
            self.values[name] = values
        for preset, choice in levels.presets.items():
            for name, draw in choice.draw.items():
                path = f"levels.presets.{preset}.draw.{name}"
                if name not in kinds:
                    self.problem(path, f"there is no parameter {name!r}; there are: {', '.join(kinds)}")
                elif not (values := drawn(draw)):
                    self.problem(path, "say how it is drawn by one of whole, real, one_of")
                elif {value_kind(v) for v in values} != {kinds[name]}:
                    self.problem(path, f"draws something else than {kinds[name]}s")
        for name in levels.hidden:
            if name not in kinds:
                self.problem("levels.hidden", f"there is no parameter {name!r}; there are: {', '.join(kinds)}")
        return kinds

    def _slot(self, path: str, variable: Variable) -> Kind:
        kind: Kind = {"whole": "number", "real": "number", "flag": "flag", "word": "word"}[variable.kind]  # type: ignore[assignment]  # all four kinds
        if kind == "number":
            if variable.low is None or variable.high is None:
                self.problem(path, "a number needs low and high, so that states are bounded")
            elif variable.low > variable.high:
                self.problem(path, f"low {variable.low:g} is above high {variable.high:g}")
        if kind == "word" and not variable.options:
            self.problem(path, "a word needs options")
        self.slots.append(_Slot(kind, _fit(variable)))
        return kind

    def _layout(self) -> None:
        spec = self.spec
        todo: list[tuple[str, Variable, int | None]] = []
        for name, variable in spec.variables.items():
            self._taken(f"variables.{name}", name)
            self.variables[name] = (len(self.slots), self._slot(f"variables.{name}", variable))
            self.names.append(name)
            todo.append((f"variables.{name}.start", variable, None))
        for name, entity in spec.entities.items():
            self._taken(f"entities.{name}", name)
            found: dict[str, tuple[int, Kind]] = {}
            for inner, variable in entity.variables.items():
                path = f"entities.{name}.variables.{inner}"
                first = len(self.slots)
                for index in range(entity.count):
                    # Problems are the same for each of them: told once.
                    before = len(self.problems)
                    kind = self._slot(path, variable)
                    if index:
                        del self.problems[before:]
                    found[inner] = (first, kind)
                    self.names.append(f"{name} {index} {inner}")
                    todo.append((f"{path}.start", variable, index))
            self.entities[name] = (entity.count, found)
        if not self.slots:
            self.problem("variables", "there is none: a world needs something that changes")
        if len(self.slots) > MOST_SLOTS:
            self.problem("entities", f"there are {len(self.slots)} values in a state: at most {MOST_SLOTS}")
        for path, variable, index in todo:
            args: dict[str, Kind] = {} if index is None else {"index": "number"}
            kind: Kind = "number" if variable.kind in ("whole", "real") else variable.kind  # type: ignore[assignment]  # the two others
            before = len(self.problems)
            scope = Scope(params=self.params, args=args, words=self.words, clock=False)
            text = variable.start
            if kind == "word" and text in variable.options:
                text = f"'{text}'"
            run = self.expression(text, scope, path, kind).run
            if index:
                del self.problems[before:]
            self._starts.append(run if index is None else lambda f, r=run, i=index: r(_with(f, i)))

    def _taken(self, path: str, name: str) -> None:
        if name in self.params or name in self.variables or name in self.entities or name in _SPACES:
            self.problem(path, f"the name {name!r} is taken: by a parameter, a variable, an entity or the language")

    def _scope(self, args: Mapping[str, Kind] | None = None) -> Scope:
        chance: dict[str, Kind] = {name: value_kind(c.values[0]) for name, c in self.spec.chance.items()}
        return Scope(self.variables, self.entities, self.params, args or {}, chance, self.words)

    def _chances(self) -> list[tuple[str, tuple[Any, ...], list[Callable[[Frame], Any]]]]:
        found, branches = [], 1
        for name, chance in self.spec.chance.items():
            path = f"chance.{name}"
            self._taken(path, name)
            if len({value_kind(value) for value in chance.values}) > 1:
                self.problem(path, "mixes kinds of values")
            if chance.weights and len(chance.weights) != len(chance.values):
                self.problem(path, f"has {len(chance.values)} values but {len(chance.weights)} weights")
            scope = Scope(self.variables, self.entities, self.params, {}, {}, self.words)
            weights = [
                self.expression(text, scope, f"{path}.weights[{i}]", "number").run
                for i, text in enumerate(chance.weights or [1] * len(chance.values))
            ]
            branches *= len(chance.values)
            found.append((name, chance.values, weights))
        if branches > MOST_BRANCHES:
            self.problem("chance", f"all draws together have {branches} outcomes a step: at most {MOST_BRANCHES}")
        return found

    def _schema(self) -> ActionSchema:
        kinds = []
        for name, action in self.spec.actions.items():
            parameters = []
            for inner, parameter in action.parameters.items():
                path = f"actions.{name}.parameters.{inner}"
                self._taken(path, inner)
                made = self._parameter(path, inner, parameter)
                if made is not None:
                    parameters.append(made)
            kinds.append(ActionKind(name, action.summary, tuple(parameters)))
        return ActionSchema(tuple(kinds))

    def _parameter(self, path: str, name: str, p: ActionParameter) -> Parameter | None:
        from ....suite.errors import UsageError

        try:
            if p.kind == "entity":
                if p.of not in self.spec.entities:
                    known = ", ".join(self.spec.entities) or "none"
                    self.problem(f"{path}.of", f"there is no entity {p.of!r}; there are: {known}")
                    return None
                return Integer(name, 0, self.spec.entities[p.of].count - 1)
            if p.kind == "word":
                return Choice(name, p.options)
            if p.kind == "several":
                return Several(name, p.options, p.least, p.most)
            if p.low is None or p.high is None:
                self.problem(path, "a number needs low and high")
                return None
            if p.kind == "whole":
                return Integer(name, math.ceil(p.low), math.floor(p.high))
            return Real(name, p.low, p.high)
        except UsageError as error:
            self.problem(path, str(error))
            return None

    def _effects(self, effects: tuple[Effect, ...], scope: Scope, path: str) -> tuple[_Effect, ...]:
        return tuple(self._effect(effect, scope, f"{path}[{i}]") for i, effect in enumerate(effects))

    def _effect(self, effect: Effect, scope: Scope, path: str) -> _Effect:
        when = self.expression(effect.when, scope, f"{path}.when", "flag").run
        if (effect.set is None) == (effect.emit is None):
            self.problem(path, "needs either set (with to) or emit")
            act: Callable[[Frame, list[tuple[str, float]]], None] = _nothing
        elif effect.emit is not None:
            act = self._emission(effect, scope, path)
        else:
            act = self._setting(effect, scope, path)
        made = _Effect(when, effect.after, len(self.effects), act)
        self.effects.append(made)
        return made

    def _emission(self, effect: Effect, scope: Scope, path: str) -> Callable[[Frame, list[tuple[str, float]]], None]:
        name = effect.emit or ""
        if name not in self.spec.events:
            self.problem(f"{path}.emit", f"there is no event {name!r}; there are: {', '.join(self.spec.events)}")
        if effect.to is not None:
            self.problem(f"{path}.to", "belongs to set; an event has an amount")
        amount = self.expression(effect.amount, scope, f"{path}.amount", "number").run

        def act(frame: Frame, events: list[tuple[str, float]]) -> None:
            much = float(amount(frame))
            if much and math.isfinite(much):
                events.append((name, much))

        return act

    def _setting(self, effect: Effect, scope: Scope, path: str) -> Callable[[Frame, list[tuple[str, float]]], None]:
        target = effect.set or ""
        if effect.to is None:
            self.problem(path, "set needs to")
            return _nothing
        base, bracket, rest = target.partition("[")
        if not bracket:
            if base not in self.variables:
                known = ", ".join(self.variables) or "none"
                self.problem(f"{path}.set", f"there is no variable {target!r}; there are: {known}")
                return _nothing
            slot, kind = self.variables[base]
            fit = self.slots[slot].fit
            value = self.expression(effect.to, scope, f"{path}.to", kind).run

            def act(frame: Frame, events: list[tuple[str, float]]) -> None:
                frame.values[slot] = fit(value(frame))

            return act
        inside, _, inner = rest.rpartition("].")
        if base not in self.entities or inner not in self.entities[base][1]:
            known = ", ".join(f"{e}[…].{v}" for e, (_, vs) in self.entities.items() for v in vs) or "none"
            self.problem(f"{path}.set", f"there is no {base}[…].{inner}; there are: {known}")
            return _nothing
        count, variables = self.entities[base]
        first, kind = variables[inner]
        index = self.expression(inside, scope, f"{path}.set", "number").run
        value = self.expression(effect.to, scope, f"{path}.to", kind).run
        fit = self.slots[first].fit

        def act_on(frame: Frame, events: list[tuple[str, float]]) -> None:
            frame.values[first + min(max(int(index(frame)), 0), count - 1)] = fit(value(frame))

        return act_on

    def _actions(self) -> dict[str, tuple[Any, tuple[_Effect, ...], tuple[_Effect, ...], tuple[str, ...]]]:
        found = {}
        for name, action in self.spec.actions.items():
            args: dict[str, Kind] = {}
            for inner, p in action.parameters.items():
                if p.kind != "several":  # a list has no kind: it is only there to be counted with other actions
                    args[inner] = "word" if p.kind == "word" else "number"
            scope = self._scope(args)
            path = f"actions.{name}"
            when = self.expression(action.when, scope, f"{path}.when", "flag").run
            effects = self._effects(action.effects, scope, f"{path}.effects")
            otherwise = self._effects(action.otherwise, scope, f"{path}.otherwise")
            found[name] = (when, effects, otherwise, tuple(action.parameters))
        return found

    def _rule(self, number: int) -> _Rule:
        rule, path = self.spec.rules[number], f"rules[{number}]"
        each = None
        args: dict[str, Kind] = {}
        if rule.each is not None:
            if rule.each not in self.entities:
                known = ", ".join(self.entities) or "none"
                self.problem(f"{path}.each", f"there is no entity {rule.each!r}; there are: {known}")
            else:
                each = self.entities[rule.each][0]
                args["index"] = "number"
        if rule.offset >= rule.every:
            self.problem(f"{path}.offset", f"is {rule.offset}, but the period is {rule.every}: it counts from 0")
        scope = self._scope(args)
        when = self.expression(rule.when, scope, f"{path}.when", "flag").run
        return _Rule(rule.every, rule.offset, when, each, self._effects(rule.effects, scope, f"{path}.effects"))

    def _check_limits(self) -> None:
        names: dict[str, Kind] = {**self.params, "horizon": "number"}
        scope = Scope(params=names, words=self.words, clock=False)
        for name, text in self.spec.limits.items():
            if name not in self.spec.events:
                self.problem(f"limits.{name}", f"there is no event {name!r}; there are: {', '.join(self.spec.events)}")
            self.expression(text, scope, f"limits.{name}", "number")
        for name, reward in self.spec.rewards.items():
            for event in [*reward.pays, *reward.last]:
                if event not in self.spec.events:
                    known = ", ".join(self.spec.events)
                    self.problem(f"rewards.{name}", f"there is no event {event!r}; there are: {known}")
            for event in reward.pays:
                if event not in self.spec.limits:
                    self.problem(f"limits.{event}", f"rewards.{name} pays for it: say how often it is meant to happen")

    # Running.

    def start(self, params: Mapping[str, Any]) -> SpecState:
        """The state before the first step."""
        frame = Frame((), params)
        values = tuple(slot.fit(run(frame)) for slot, run in zip(self.slots, self._starts, strict=True))
        return SpecState(values, 0, ())

    def advance(
        self, params: Mapping[str, Any], state: SpecState, name: str, values: tuple[Any, ...], chance: Mapping[str, Any]
    ) -> tuple[SpecState, list[tuple[str, float]], bool]:
        """One step under given chances."""
        when, effects, otherwise, names = self.actions[name]
        args = dict(zip(names, values, strict=True))
        frame = Frame(list(state.values), params, state.clock, args, chance)
        events: list[tuple[str, float]] = []
        waiting = [(left - 1, number, kept) for left, number, kept in state.waiting]
        self._happen(effects if when(frame) else otherwise, frame, events, waiting)
        still = []
        for left, number, kept in waiting:
            if left > 0:
                still.append((left, number, kept))
                continue
            frame.args = dict(kept)
            effect = self.effects[number]
            if effect.when(frame):
                effect.act(frame, events)
        for rule in self.rules:
            if state.clock % rule.every != rule.offset:
                continue
            for index in range(rule.each) if rule.each is not None else (None,):
                frame.args = {} if index is None else {"index": index}
                if rule.when(frame):
                    self._happen(rule.effects, frame, events, still)
        frame.args = {}
        over = any(run(frame) for run in self.ends)
        after = SpecState(tuple(frame.values), (state.clock + 1) % self.period, tuple(sorted(still[:MOST_WAITING])))
        return after, events, over

    def _happen(
        self,
        effects: tuple[_Effect, ...],
        frame: Frame,
        events: list[tuple[str, float]],
        waiting: list[tuple[int, int, tuple[tuple[str, Any], ...]]],
    ) -> None:
        for effect in effects:
            if effect.after:
                waiting.append((effect.after, effect.number, tuple(sorted(frame.args.items()))))
            elif effect.when(frame):
                effect.act(frame, events)

    def weights(self, params: Mapping[str, Any], state: SpecState) -> list[tuple[str, list[tuple[float, Any]]]]:
        """For each draw its values with their probabilities; those that cannot come are left out."""
        frame = Frame(state.values, params, state.clock)
        found = []
        for name, values, runs in self.chance:
            raw = [max(0.0, float(run(frame))) for run in runs]
            total = sum(raw)
            if not total or not math.isfinite(total):
                raw, total = [1.0] * len(values), float(len(values))
            found.append((name, [(w / total, value) for w, value in zip(raw, values, strict=True) if w > 0]))
        return found


def _nothing(frame: Frame, events: list[tuple[str, float]]) -> None:
    return None


def _with(frame: Frame, index: int) -> Frame:
    return Frame(frame.values, frame.params, frame.clock, {"index": index})
