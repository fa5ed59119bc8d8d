"""Each check catches the fault that it is for: a small core, and one planted fault after another."""

from __future__ import annotations

import random  # noqa: TID251  # the fault that is planted
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from finchmark.environments.worlds.actions import Action, ActionKind, ActionSchema, Choice
from finchmark.environments.worlds.audit.run import CHECKS, audit
from finchmark.environments.worlds.audit.subject import Subject
from finchmark.environments.worlds.core import Core, Solved, by_name, skins
from finchmark.environments.worlds.dynamics import Dynamics, Event, Transition
from finchmark.environments.worlds.keys import Key
from finchmark.environments.worlds.level import Generator, Preset
from finchmark.environments.worlds.observation import Observation
from finchmark.environments.worlds.reward import Pays
from finchmark.environments.worlds.skin import Skin, Vocabulary
from finchmark.environments.worlds.world import World


@dataclass(frozen=True)
class Road:
    """A road of 12 cells with a door at one end and coins on the way; which end is hidden."""

    start: int
    coins: tuple[int, ...]
    east: bool


class Walk(NamedTuple):
    at: int
    left: int
    done: bool


class View(NamedTuple):
    at: int
    left: int
    start: int
    coins: tuple[int, ...]
    east: bool | None


END = 11


class RoadDynamics(Dynamics[Road, Walk]):
    actions = ActionSchema((ActionKind("go", "", (Choice("way", ("west", "east")),)), ActionKind("rest")))
    events: Mapping[str, str] = {"out": "through the door", "coin": "coins taken"}  # as the base declares it

    def load(self, data: Mapping[str, Any]) -> Road:
        return Road(data["start"], tuple(data["coins"]), data["east"])

    def limits(self, params: Road, horizon: int) -> Mapping[str, float]:
        return {"out": 1, "coin": len(params.coins)}

    def init(self, params: Road, key: Key) -> Walk:
        return Walk(params.start, (1 << len(params.coins)) - 1, False)

    def step(self, params: Road, state: Walk, action: Action, key: Key) -> Transition[Walk]:
        move = {"west": -1, "east": 1}[str(action.values[0])] if action.values else 0
        at, left = min(max(state.at + move, 0), END), state.left
        events = []
        for bit, coin in enumerate(params.coins):
            if coin == at and left >> bit & 1:
                left ^= 1 << bit
                events.append(Event("coin"))
        if at == (END if params.east else 0) and not state.done:
            events.append(Event("out"))
            return Transition(Walk(at, left, True), tuple(events), False)
        return Transition(Walk(at, left, state.done), tuple(events), False)


class Roads(Generator):
    presets: Mapping[str, Preset] = {"road": Preset("road", "")}  # as the base declares it

    def draw(self, settings: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
        cells = [int(c) for c in rng.permutation(np.arange(1, END))]
        return {"start": cells[0], "coins": sorted(cells[1:5]), "east": bool(rng.integers(2))}

    def alternatives(self, settings: Any, params: Any, observation: str) -> Any:
        return tuple((0.5, {**params, "east": east}) for east in (False, True))


class Sight(Observation[Road, Walk, View]):
    def __init__(self, name: str, kind: Any, *, told: bool) -> None:
        self.name, self.kind, self._told = name, kind, told

    def observe(self, params: Road, state: Walk, events: Sequence[Event]) -> View:
        return View(
            state.at, 2 * state.left + state.done, params.start, params.coins, params.east if self._told else None
        )


class Sign(Skin[View]):
    def setting(self) -> str:
        return "A road."

    def text(self, view: View) -> str:
        return f"{self.vocabulary['cell']} {view.at}, left {view.left}, coins {view.coins}, {view.start}, {view.east}"


def near(params: Road, state: Walk, reward: Any) -> float:
    targets = [c for bit, c in enumerate(params.coins) if state.left >> bit & 1]
    if reward.name == "binary":
        targets = [END if params.east else 0]
    return 0.5 - min((abs(t - state.at) for t in targets), default=0) / 50


CORE = Core(
    name="road",
    summary="",
    dynamics=RoadDynamics(),
    generator=Roads(),
    rewards=by_name(
        [
            Pays("binary", "binary", "Leave.", {"out": 1.0}, frozenset({"out"})),
            Pays("coins", "accumulative", "Take.", {"coin": 1.0}),
        ]
    ),
    observations=by_name([Sight("full", "full", told=True), Sight("blind", "partial", told=False)]),
    skins=skins(Sign, Vocabulary("plain", "aligned", {})),
    potential=near,
)


def world(core: Core = CORE, reward: str = "coins", observation: str = "full", horizon: int = 12) -> World:
    return World.combine(core, reward=reward, observation=observation, skin="plain", horizon=horizon, preset="road")


def failed(w: World) -> set[str]:
    return {finding.check for finding in audit(w).findings if not finding.passed}


def verdict(w: World, check: str) -> tuple[bool, str]:
    finding = CHECKS[check](Subject(w))
    return finding.passed, finding.detail


def with_dynamics(dynamics: Dynamics[Any, Any], **changes: Any) -> World:
    return world(replace(CORE, dynamics=dynamics), **changes)


class TestSound:
    @pytest.mark.parametrize("reward", ["binary", "coins"])
    @pytest.mark.parametrize("observation", ["full", "blind"])
    def test_a_sound_world_passes_every_check(self, reward, observation):
        report = audit(world(reward=reward, observation=observation, horizon=20))
        assert [f.detail for f in report.findings if not f.passed] == []
        assert [f.check for f in report.findings] == list(CHECKS)
        assert report.scale is not None
        assert report.scale.reference_name == ("optimum" if observation == "full" else "informed")

    def test_the_informed_value_is_what_can_be_worked_out_by_hand(self):
        """Blind to the door's end, five steps from one and six from the other: 11 steps serve only one end for sure."""
        w = world(reward="binary", observation="blind", horizon=6)
        subject = Subject(w)
        level = next(level for level in subject.test_levels if level.params["start"] in (5, 6))
        from finchmark.environments.worlds.audit.beliefs import informed_value

        # Five steps reach the near end; if the door is not there nothing is left for the other: one half.
        assert informed_value(w, level) == pytest.approx(0.5)
        long = world(reward="binary", observation="blind", horizon=16)
        assert informed_value(long, level) == pytest.approx(1.0)


class TestPlanted:
    def test_an_unreachable_goal(self):
        class Walled(RoadDynamics):
            def step(self, params, state, action, key):
                after = super().step(params, state, action, key)
                blocked = after.state.at in (0, END)
                return Transition(state) if blocked else after

        passed, detail = verdict(with_dynamics(Walled(), reward="binary"), "solvable")
        assert not passed
        assert "no play wins" in detail

    def test_a_goal_beyond_the_horizon(self):
        assert not verdict(world(reward="binary", horizon=2), "solvable")[0]

    def test_a_farmable_event(self):
        class Paying(RoadDynamics):
            def step(self, params, state, action, key):
                after = super().step(params, state, action, key)
                again = after.state.at in params.coins
                return after._replace(events=(*after.events, Event("coin")) if again else after.events)

        passed, detail = verdict(with_dynamics(Paying()), "farming")
        assert not passed
        assert "'coin'" in detail

    def test_a_farmable_event_where_states_cannot_be_listed(self):
        class Paying(RoadDynamics):
            stochastic = True

            def step(self, params, state, action, key):
                after = super().step(params, state, action, key)
                return after._replace(events=(*after.events, Event("coin")))

        core = replace(CORE, dynamics=Paying(), solver=lambda w, p: Solved(99.0, lambda s, t: Action("rest"), "guess"))
        assert not verdict(world(core), "farming")[0]

    def test_an_event_without_a_limit(self):
        class Loose(RoadDynamics):
            def limits(self, params, horizon):
                return {"out": 1}

        assert "limits()" in verdict(with_dynamics(Loose()), "farming")[1]

    def test_a_binary_reward_that_does_not_end(self):
        core = replace(CORE, rewards=by_name([Pays("coins", "binary", "", {"out": 1.0})]))
        assert "without ending" in verdict(world(core), "farming")[1]

    def test_stalling_that_pays(self):
        class Taxed(RoadDynamics):
            events = {**RoadDynamics.events, "step": "a step"}  # noqa: RUF012  # as the base declares it

            def limits(self, params, horizon):
                return {**super().limits(params, horizon), "step": horizon}

            def step(self, params, state, action, key):
                after = super().step(params, state, action, key)
                return after._replace(events=(*after.events, Event("step")))

        rewards = by_name([Pays("coins", "accumulative", "", {"coin": 1.0, "step": -0.1})])
        passed, detail = verdict(world(replace(CORE, dynamics=Taxed(), rewards=rewards), horizon=30), "farming")
        assert not passed
        assert "stalling pays" in detail

    def test_a_leaking_reset(self):
        class Leaking(RoadDynamics):
            def __init__(self):
                self.taken = set()

            def step(self, params, state, action, key):
                after = super().step(params, state, action, key)
                if after.events and (params.start, after.state.at) in self.taken:
                    return after._replace(events=())
                if after.events:
                    self.taken.add((params.start, after.state.at))
                return after

        assert not verdict(with_dynamics(Leaking()), "resets")[0]

    def test_a_leak_that_two_runs_in_a_row_show_is_found_as_well(self):
        class Counting(RoadDynamics):
            steps = 0

            def init(self, params, key):
                Counting.steps += 1
                return super().init(params, key)._replace(at=1 + Counting.steps % 2)

        assert {"determinism", "resets"} & failed(with_dynamics(Counting()))

    def test_an_unseeded_draw(self):
        class Unseeded(RoadDynamics):
            def step(self, params, state, action, key):
                after = super().step(params, state, action, key)
                return after if random.random() < 0.9 else Transition(state)

        passed, detail = verdict(with_dynamics(Unseeded()), "determinism")
        assert not passed
        assert "global generator" in detail

    def test_a_draw_from_the_clock(self):
        import time

        class Clocked(RoadDynamics):
            def step(self, params, state, action, key):
                after = super().step(params, state, action, key)
                return after if time.perf_counter_ns() // 100 % 10 else Transition(state)

        assert "from the key" in verdict(with_dynamics(Clocked()), "determinism")[1]

    def test_an_unseeded_numpy_draw(self):
        class Unseeded(RoadDynamics):
            def step(self, params, state, action, key):
                np.random.random()  # noqa: NPY002  # the fault
                return super().step(params, state, action, key)

        assert "global generator" in verdict(with_dynamics(Unseeded()), "determinism")[1]

    def test_duplicated_levels(self):
        class Same(Roads):
            def levels(self, core, preset, split, count=None, seed=0):
                return super().levels(core, preset, "test", 3, seed) * 2

        passed, detail = verdict(world(replace(CORE, generator=Same())), "splits")
        assert not passed
        assert "Generator.levels" in detail

    def test_levels_that_differ_in_data_only(self):
        class Idle(Roads):
            def draw(self, settings, rng):
                return {"start": 5, "coins": [1, 2, 8, 9], "east": True, "serial": int(rng.integers(10**6))}

        assert "does nothing" in verdict(world(replace(CORE, generator=Idle())), "splits")[1]

    def test_a_generator_that_reads_more_than_its_rng(self):
        class Fickle(Roads):
            drawn = 0

            def draw(self, settings, rng):
                Fickle.drawn += 1
                return {**(super().draw(settings, rng) or {}), "start": 1 + Fickle.drawn % 10}

        assert not verdict(world(replace(CORE, generator=Fickle())), "splits")[0]

    def test_a_skin_that_hides_what_is_needed(self):
        class Mute(Sign):
            def text(self, view):
                return f"left {view.left}, coins {view.coins}, {view.start}, {view.east}"

        passed, detail = verdict(world(replace(CORE, skins=skins(Mute, Vocabulary("plain", "aligned", {})))), "skin")
        assert not passed
        assert "one text for two views" in detail

    def test_a_skin_with_characters_that_it_does_not_name(self):
        class Odd(Sign):
            def text(self, view):
                return super().text(view) + " \N{SNOWMAN}"

        core = replace(CORE, skins=skins(Odd, Vocabulary("plain", "aligned", {})))
        assert "glyphs" in verdict(world(core), "skin")[1]

    def test_a_step_that_raises(self):
        class Brittle(RoadDynamics):
            def step(self, params, state, action, key):
                if state.at == params.start + 1:
                    raise KeyError("oops")
                return super().step(params, state, action, key)

        assert failed(with_dynamics(Brittle()))

    def test_outcomes_that_are_not_those_of_steps(self):
        class Lucky(RoadDynamics):
            stochastic = True

            def starts(self, params):
                return ((1.0, self.init(params, Key(0))),)

            def outcomes(self, params, state, action):
                return ((0.5, Transition(state)), (0.5, super().step(params, state, action, Key(0))))

            def step(self, params, state, action, key):
                return key.pick(((0.2, Transition(state)), (0.8, super().step(params, state, action, key))))

        passed, detail = verdict(with_dynamics(Lucky()), "outcomes")
        assert not passed
        assert "listed with 0.500" in detail

    def test_an_undeclared_event(self):
        class Odd(RoadDynamics):
            events = {"out": "", "coin": "", "x": ""}  # noqa: RUF012  # as the base declares it

            def step(self, params, state, action, key):
                return super().step(params, state, action, key)._replace(events=(Event("surprise"),))

        assert "not declared" in verdict(with_dynamics(Odd()), "outcomes")[1]

    def test_a_full_observation_that_hides_a_state(self):
        class Partly(Sight):
            def observe(self, params, state, events):
                return super().observe(params, state, events)._replace(at=0)

        core = replace(CORE, observations=by_name([Partly("full", "full", told=True)]))
        assert "Call it partial" in verdict(world(core), "labels")[1]

    def test_a_partial_observation_that_hides_nothing(self):
        core = replace(CORE, observations=by_name([Sight("full", "partial", told=True)]))
        assert "nothing was found" in verdict(world(core), "labels")[1]

    def test_blind_luck(self):
        """A goal that nothing seen tells of: nobody is known to do better than chance."""

        class Blind(Sight):
            def observe(self, params, state, events):
                return View(0, 0, 0, (), None)

        class Unknown(Roads):
            def alternatives(self, settings, params, observation):
                return None

        core = replace(CORE, observations=by_name([Blind("full", "partial", told=False)]), generator=Unknown())
        assert not verdict(world(core, reward="coins"), "information")[0]

    def test_a_solver_that_understates_its_bound(self):
        class Unlisted(RoadDynamics):
            stochastic = True

        def solver(w, params):
            return Solved(0.5, lambda state, time: Action("go", ("east",)), "wishful")

        core = replace(CORE, dynamics=Unlisted(), solver=solver)
        passed, detail = verdict(world(core), "maximum")
        assert not passed
        assert "bound that is none" in detail

    def test_no_solver_where_states_cannot_be_listed(self):
        class Unlisted(RoadDynamics):
            stochastic = True

        report = audit(with_dynamics(Unlisted()), only=("maximum",))
        assert "no solver" in report.findings[0].detail

    def test_a_potential_that_misleads(self):
        core = replace(CORE, potential=lambda params, state, reward: -near(params, state, reward))
        passed, detail = verdict(world(core, reward="binary"), "ladder")
        assert not passed
        assert "greedy" in detail

    def test_levels_in_which_skill_does_not_matter(self):
        class Gift(RoadDynamics):
            def limits(self, params, horizon):
                return {"out": horizon, "coin": horizon}

            def step(self, params, state, action, key):
                return Transition(state, (Event("coin"),))

        assert {"ladder", "solvable"} & failed(with_dynamics(Gift()))
