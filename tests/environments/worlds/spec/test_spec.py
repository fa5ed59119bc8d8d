import contextlib
import copy
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import finchmark.environments.worlds.cores
from finchmark.environments.worlds.actions import Action
from finchmark.environments.worlds.audit.run import audit
from finchmark.environments.worlds.keys import Key
from finchmark.environments.worlds.spec.compile import compile_file, compile_text, worlds_of
from finchmark.environments.worlds.spec.model import SpecError, WorldSpec, json_schema, parse_spec
from finchmark.environments.worlds.world import World
from finchmark.suite.errors import UsageError

SMALL = """
format: finchmark-world/1
name: pot
summary: a pot on a fire
levels:
  parameters:
    goal: {whole: [3, 40]}
    law: {one_of: [fast, slow]}
    first: {whole: [0, 60]}
  hidden: [law]
  presets:
    one: {summary: all}
    low: {summary: low goals, draw: {goal: {whole: [3, 5]}}}
variables:
  heat: {kind: whole, low: 0, high: 60, start: 0}
  mood: {kind: word, options: [calm, wild], start: calm}
entities:
  lid:
    count: 2
    variables:
      open: {kind: flag, start: index == 0}
actions:
  stoke:
    parameters: {amount: {kind: whole, low: 1, high: 3}}
    when: heat < 50
    effects:
      - {set: heat, to: "heat + (2 * amount if law == 'fast' else amount)"}
      - {set: heat, to: heat - 1, after: 2}
    otherwise:
      - {emit: hot}
  lift:
    parameters: {which: {kind: entity, of: lid}}
    effects:
      - {set: "lid[which].open", to: "not lid[which].open"}
  wait: {}
rules:
  - every: 3
    offset: 2
    effects: [{set: mood, to: "'wild' if mood == 'calm' else 'calm'"}]
  - each: lid
    when: lid[index].open and heat > 0
    effects: [{set: heat, to: heat - 1}]
  - when: heat >= goal
    effects: [{emit: done}]
chance:
  draught:
    values: [true, false]
    weights: [0.25, 0.75]
events: {hot: too hot, done: hot enough}
limits: {done: 1}
rewards:
  binary: {kind: binary, goal: "Make it hot.", pays: {done: 1}, last: [done], potential: heat / 60}
observations:
  full: {kind: full, shows: [heat, mood, lid.open, goal, law, clock]}
  dim: {kind: partial, shows: [{show: heat, step: 5}, goal, {show: mood, when: "heat > 3"}]}
skins:
  plain: {kind: aligned, setting: "A {pot}.", words: {pot: kettle}, lines: {heat: "It is {value} hot."}}
worlds:
  pot-boil: {reward: binary, observation: full, skin: plain, preset: one, horizon: 30}
"""
HOME = Path(finchmark.environments.worlds.cores.__file__).parent
LEVEL = {"goal": 20, "law": "fast", "first": 0}


def changed(*path, to=None):
    """SMALL with one place changed, or taken away."""
    data = yaml.safe_load(SMALL)
    at = data
    for part in path[:-1]:
        at = at[part]
    if to is None:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return yaml.safe_dump(data, sort_keys=False)


def effect(one):
    """SMALL with one effect of stoking."""
    return changed("actions", "stoke", "effects", to=[one])


def steps(*actions, level=LEVEL):
    dynamics = compile_text(SMALL).dynamics
    params = dynamics.load(level)
    found = [dynamics.init(params, Key(0))]
    events = []
    for name, *values in actions:
        after = dynamics.step(params, found[-1], Action(name, tuple(values)), Key(1))
        found.append(after.state)
        events.append([event.name for event in after.events])
    return found, events


class TestRunning:
    def test_effects_couplings_delays_and_periods_happen_in_order(self):
        states, _ = steps(("stoke", 2), ("wait",), ("wait",), ("wait",))
        # 4 by stoking, 1 less a step by the open lid, and 1 less once, at the end of the second step after.
        assert [state.values[0] for state in states] == [0, 3, 2, 0, 0]
        assert [state.values[1] for state in states] == ["calm", "calm", "calm", "wild", "wild"]
        assert [len(state.waiting) for state in states] == [0, 1, 1, 0, 0]
        assert [state.clock for state in states] == [0, 1, 2, 0, 1]

    def test_hidden_laws_differ_by_level(self):
        fast, _ = steps(("stoke", 3))
        slow, _ = steps(("stoke", 3), level={**LEVEL, "law": "slow"})
        assert (fast[-1].values[0], slow[-1].values[0]) == (5, 2)

    def test_entities_start_by_their_number_and_are_set_by_it(self):
        states, _ = steps(("lift", 1), ("lift", 0))
        assert [state.values[2:] for state in states] == [(True, False), (True, True), (False, True)]

    def test_values_stay_in_their_range(self):
        states, _ = steps(*[("stoke", 3)] * 20)
        assert all(0 <= state.values[0] <= 60 for state in states)

    def test_otherwise_happens_where_the_action_cannot(self):
        _, events = steps(*[("stoke", 3)] * 16)
        assert any("hot" in names for names in events)

    def test_events_pay_and_end(self):
        core = compile_text(SMALL)
        world = worlds_of(core, parse_spec(SMALL))[0]
        level = world.levels("test", 1)[0]
        moment = world.begin(world.load(level), Key(0))
        while not moment.over:
            moment = world.act(moment, "stoke 3")
        assert (moment.total, moment.terminated) == (1.0, True)

    def test_listed_outcomes_sum_to_one_and_merge_what_leads_to_the_same(self):
        dynamics = compile_text(SMALL).dynamics
        params = dynamics.load(LEVEL)
        listed = dynamics.outcomes(params, dynamics.init(params, Key(0)), Action("wait"))
        assert listed is not None
        assert [p for p, _ in listed] == [1.0]

    def test_observations_blur_and_hide(self):
        core = compile_text(SMALL)
        states, _ = steps(("stoke", 3))
        view = core.observations["dim"].observe(LEVEL, states[-1], ())
        assert dict(view.shown) == {"heat": 5, "goal": 20, "mood": "calm"}
        assert dict(core.observations["dim"].observe(LEVEL, states[0], ()).shown)["mood"] is None

    def test_skins_fill_in_words_and_values(self):
        core = compile_text(SMALL)
        states, _ = steps(("wait",))
        text = core.skins["plain"].text(core.observations["full"].observe(LEVEL, states[0], ()))
        assert text.splitlines()[:2] == ["It is 0 hot.", "mood: calm"]
        assert core.skins["plain"].setting() == "A kettle."

    def test_presets_draw_otherwise(self):
        core = compile_text(SMALL)
        assert {level.params["goal"] for level in core.levels("low", "train", 30)} <= {3, 4, 5}

    def test_alternatives_are_all_that_is_hidden(self):
        core = compile_text(SMALL)
        found = core.generator.alternatives({"preset": "one"}, LEVEL, "dim")
        assert found is not None
        assert sorted(params["law"] for _, params in found) == ["fast", "slow"]
        assert sum(weight for weight, _ in found) == 1.0

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 2**64 - 1))
    def test_any_play_is_repeatable_and_hashable(self, seed):
        dynamics = compile_text(SMALL).dynamics
        params = dynamics.load(LEVEL)
        key = Key(seed)
        runs = []
        for _ in range(2):
            state, states = dynamics.init(params, key), []
            for time in range(15):
                state = dynamics.step(params, state, dynamics.actions.sample(key.at(time)), key.at(time)).state
                states.append(state)
            runs.append(states)
        assert runs[0] == runs[1]
        assert len({hash(state) for state in runs[0]}) >= 1


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "path", "message"),
        [
            (changed("summary"), "summary", "Field required"),
            (changed("colour", to="red"), "colour", "not permitted"),
            (changed("format", to="finchmark-world/9"), "format", "finchmark-world/1"),
            (changed("variables", "heat", "kind", to="float"), "variables.heat.kind", "whole"),
            (changed("variables", "heat", "low"), "variables.heat", "low and high"),
            (changed("variables", "heat", "low", to=99), "variables.heat", "above high"),
            (changed("variables", "heat", "start", to="goa"), "variables.heat.start", "Did you mean 'goal'"),
            (changed("variables", "goal", to={"kind": "flag", "start": False}), "variables.goal", "is taken"),
            (changed("actions", "stoke", "when", to="heat + 1"), "actions.stoke.when", "a flag is needed"),
            (effect({"set": "haet", "to": 1}), "actions.stoke.effects[0].set", "heat"),
            (effect({"emit": "bang"}), "actions.stoke.effects[0].emit", "hot, done"),
            (effect({"set": "heat"}), "actions.stoke.effects[0]", "needs to"),
            (effect({"to": 1}), "actions.stoke.effects[0]", "set (with to) or emit"),
            (changed("actions", "lift", "parameters", "which", "of", to="p"), "actions.lift.parameters.which.of", "li"),
            (changed("rules", 0, "offset", to=3), "rules[0].offset", "counts from 0"),
            (changed("rules", 1, "each", to="pan"), "rules[1].each", "there are: lid"),
            (changed("chance", "draught", "weights", to=[1]), "chance.draught", "2 values but 1 weights"),
            (changed("limits", to={}), "limits.done", "how often"),
            (changed("rewards", "binary", "pays", to={"won": 1}), "rewards.binary", "no event 'won'"),
            (changed("levels", "hidden", to=["lore"]), "levels.hidden", "goal, law"),
            (changed("levels", "parameters", "goal", to={}), "levels.parameters.goal", "whole: [low, high]"),
            (changed("observations", "full", "shows", to=["hat"]), "observations.full.shows[0]", "Did you mean 'heat'"),
            (changed("observations", "full", "shows", to=["No Name"]), "observations.full.shows[0]", "is no name"),
            (changed("observations", "full", "shows", to=["lid"]), "observations.full.shows[0]", "lid.variable"),
            (changed("worlds", "pot-boil", "skin", to="fancy"), "worlds.pot-boil.skin", "there are: plain"),
            (changed("ends", to=["heat"]), "ends[0]", "a flag is needed"),
        ],
    )  # fmt: skip
    def test_name_path_and_way_out(self, text, path, message):
        with pytest.raises(SpecError) as caught:
            compile_text(text, "pot.yaml")
        assert any(problem.startswith(path + ":") and message in problem for problem in caught.value.problems), (
            caught.value.problems
        )

    def test_all_problems_come_at_once(self):
        data = yaml.safe_load(SMALL)
        data["actions"]["stoke"]["when"] = "haet > 1"
        data["rules"][2]["when"] = "goal"
        data["ends"] = ["nothing"]
        with pytest.raises(SpecError) as caught:
            compile_text(yaml.safe_dump(data))
        assert len(caught.value.problems) == 3

    @pytest.mark.parametrize(
        "text", ["", "- 1", "{", "a: &x 1\nb: *x", "name: a\nname: b", "x: !!python/object:os.system {}", "[" * 1_000]
    )
    def test_what_is_no_specification_is_said_to_be_none(self, text):
        with pytest.raises(SpecError):
            parse_spec(text)

    def test_a_text_without_end_is_refused(self):
        with pytest.raises(SpecError, match="characters"):
            parse_spec("a" * 200_000)

    def test_a_missing_file_is_a_usage_error(self, tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            compile_file(tmp_path / "none.yaml")

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_a_random_change_never_breaks_more_than_a_spec_error(self, data):
        tree = yaml.safe_load(SMALL)
        at, spot = tree, None
        while isinstance(at, (dict, list)) and at:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            spot = (at, data.draw(st.sampled_from(keys)))
            at = at[spot[1]]
            if data.draw(st.booleans()):
                break
        assert spot is not None
        junk = st.one_of(st.none(), st.booleans(), st.integers(-5, 99), st.text(max_size=8), st.just([]), st.just({}))
        spot[0][spot[1]] = copy.deepcopy(data.draw(junk))
        # Anything but a SpecError would come through.
        with contextlib.suppress(SpecError):
            assert compile_text(yaml.safe_dump(tree, allow_unicode=True)).name


class TestForm:
    def test_the_schema_is_json_and_closed(self):
        schema = json.loads(json.dumps(json_schema()))
        assert schema["additionalProperties"] is False
        assert set(schema["properties"]) == set(WorldSpec.model_fields)

    @pytest.mark.parametrize("name", ["kiln.yaml", "locks.yaml"])
    def test_the_examples_compile_and_round_trip(self, name):
        spec = parse_spec((HOME / name).read_text(encoding="utf-8"), name)
        assert WorldSpec.model_validate(spec.model_dump()) == spec
        assert worlds_of(compile_file(HOME / name), spec)

    @pytest.mark.slow
    def test_an_example_passes_the_audit(self):
        core = compile_file(HOME / "kiln.yaml")
        world = World.combine(
            core, reward="accumulative", observation="full", skin="plain", horizon=40, preset="workshop"
        )
        assert [f.detail for f in audit(world).findings if not f.passed] == []
