"""Others' environments out of a checkout: a small one of ours that keeps AutoEnv's contracts and has its faults.

The real environments are not here and were not run by these tests.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.conformance import check_task
from finchmark.suite.errors import UnknownName, UsageError
from finchmark.suite.evaluation import evaluate
from finchmark.suite.registry import TASKS, Entry, Family, Registry
from finchmark.suite.task import Tier
from finchmark.tasks.autoenv.defects import DEFECTS, WRONG_MAXIMUM, defects_of
from finchmark.tasks.autoenv.folder import find_environments
from finchmark.tasks.autoenv.lookup import NAME, expand, make_task
from finchmark.tasks.autoenv.session import Session, WorldDied
from finchmark.tasks.autoenv.task import AutoenvLevels

_BASE = """
from abc import ABC, abstractmethod

class SkinEnv(ABC):
    def __init__(self, env_id):
        self._t = 0
        self.configs = None
        self._dsl_config()

    @abstractmethod
    def _dsl_config(self): ...

    def done(self, state=None):
        return self._t >= self.configs["termination"]["max_steps"]

    def step(self, action):
        self._last_action_result = None
        state = self.transition(action)
        reward, events, info = self.reward(action)
        self._t += 1
        skinned = self.render_skin(self.observe_semantic())
        return state, reward, self.done(state), {"skinned": skinned, "last_action_result": self._last_action_result}
"""

_MAIN = """
import os, random, time, yaml
import numpy as np
from base.env.base_env import SkinEnv
from env_obs import look

class FakeEnv(SkinEnv):
    kept = []

    def _dsl_config(self):
        with open("./config.yaml") as file:
            self.configs = yaml.safe_load(file)
        print("a line that must not stand among the answers")

    def reset(self, mode="load", world_id=None, seed=None):
        with open(f"./levels/{world_id}.yaml") as file:
            self._state = yaml.safe_load(file)
        self._state["noise"] = [random.random(), float(np.random.random())]
        FakeEnv.kept.append(world_id)

    def transition(self, action):
        name = action["action"]
        if name == "RAISE":
            self._state["at"] += action["params"]["by"]
        elif name == "HANG":
            time.sleep(60)
        elif name == "DIE":
            os._exit(3)
        self._last_action_result = name.lower()
        return self._state

    def reward(self, action):
        if action["action"] == "NOTHING_KNOWN":
            return 5.0, [], {}
        if action["action"] == "ODD":
            return float("nan"), [], {}
        return float(self._state["at"] == self._state["secret"]), [], {}

    def observe_semantic(self):
        return look(self._state)

    def render_skin(self, omega):
        return f"at {omega['at']}, noise {omega['noise']}, resets {len(FakeEnv.kept)}"
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    root = tmp_path / "checkout"
    (root / "base" / "env").mkdir(parents=True)
    (root / "base" / "env" / "base_env.py").write_text(_BASE)
    for folder, obs in (("2_fake", "at"), ("40_other", "at")):
        home = root / "benchmarks" / folder
        (home / "levels").mkdir(parents=True)
        (home / "env_main.py").write_text(_MAIN)
        # Two modules of one name: within one process the second environment would get the first one's.
        (home / "env_obs.py").write_text(
            f"def look(state):\n    return {{'at': '{folder} %d' % state['{obs}'], 'noise': state['noise']}}\n"
        )
        (home / "config.yaml").write_text("termination: {max_steps: 4}\n")
        for number in (1, 2):
            (home / "levels" / f"level_0{number}.yaml").write_text(f"at: 0\nsecret: {number}\n")
        (home / "agent_instruction.txt").write_text("Find the number.")
        (home / "action_space.txt").write_text(
            json.dumps([{"name": "RAISE", "description": "", "parameters": {"by": "int"}}, {"name": "WAIT"}])
            + "\nUse JSON."
        )
        (home / "level_max_rewards.json").write_text(
            json.dumps({"levels": {"level_01.yaml": {"max_reward": 4}, "level_02.yaml": {"max_reward": 2}}})
        )
    return root


@pytest.fixture
def task():
    TASKS.add(Entry("autoenv/levels", "finchmark.tasks.autoenv.task:AutoenvLevels", ""), AutoenvLevels)
    yield "autoenv/levels"
    TASKS.forget("autoenv/levels")


def acting(*actions: object) -> ScriptedBackend:
    texts = [a if isinstance(a, str) else json.dumps(a) for a in actions]
    return ScriptedBackend("canned", replies=[f"<action>{text}</action>" for text in texts])


def play(checkout: Path, actions: list[dict], *, level: str = "level_01", seed: int = 1, time_limit: float = 60.0):
    async def go():
        folder = find_environments(checkout)[0]
        async with Session(folder, time_limit) as session:
            return await session.reset(level, seed), [await session.step(action) for action in actions]

    return asyncio.run(go())


def raise_by(number: int) -> dict:
    return {"action": "RAISE", "params": {"by": number}}


def test_environments_are_found_with_levels_maxima_and_limits(checkout):
    first, second = find_environments(checkout)
    assert (first.number, second.number) == (2, 40)
    assert first.levels == ("level_01", "level_02")
    assert first.maxima == {"level_01": 4.0, "level_02": 2.0}
    assert first.steps == 4
    assert first.names == ("RAISE", "WAIT")


def test_a_folder_without_environments_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no environment of AutoEnv"):
        find_environments(tmp_path)


def test_both_global_generators_are_seeded(checkout):
    texts = [play(checkout, [], seed=seed)[0] for seed in (7, 7, 8)]
    assert texts[0] == texts[1] != texts[2]


def test_two_environments_with_modules_of_one_name_each_have_their_own(checkout, task, tmp_path):
    done = evaluate([task], acting(raise_by(1)), data=checkout, tier="full", samples=1, out=tmp_path / "run")
    turns = {s.item: s.turns[0].observation for s in done.samples()}
    assert "2_fake 0" in turns["002-2_fake-level_01"]
    assert "40_other 0" in turns["040-40_other-level_01"]


def test_what_an_environment_prints_is_no_answer(checkout):
    text, (step,) = play(checkout, [raise_by(1)])
    assert text.startswith("at 2_fake 0")
    assert step.reward == 1.0


def test_an_action_that_makes_it_raise_is_a_fault_and_not_the_end(checkout):
    _, (fault, after) = play(checkout, [{"action": "RAISE", "params": {}}, raise_by(1)])
    assert "KeyError" in fault.fault
    assert after.reward == 1.0


def test_a_reward_that_is_no_number_is_not_counted(checkout):
    _, (step,) = play(checkout, [{"action": "ODD", "params": {}}])
    assert step.reward is None


def test_a_process_that_dies_is_an_error_that_says_so(checkout):
    with pytest.raises(WorldDied, match="2_fake ended"):
        play(checkout, [{"action": "DIE", "params": {}}])


def test_a_process_that_hangs_is_ended(checkout):
    with pytest.raises(WorldDied, match="did not answer"):
        play(checkout, [{"action": "HANG", "params": {}}], time_limit=3.0)


def test_an_environment_that_cannot_be_imported_says_why(checkout):
    (checkout / "benchmarks" / "2_fake" / "env_obs.py").unlink()
    with pytest.raises(WorldDied, match="env_obs"):
        play(checkout, [])


def test_the_working_directory_of_the_harness_stays(checkout):
    before = Path.cwd()
    play(checkout, [raise_by(1)])
    assert Path.cwd() == before


def test_nothing_is_written_into_the_checkout(checkout):
    before = sorted(checkout.rglob("*"))
    play(checkout, [raise_by(1)])
    assert sorted(checkout.rglob("*")) == before


def test_rewards_are_added_up_here_and_divided_by_the_listed_maximum(checkout, task, tmp_path):
    wait = {"action": "WAIT", "params": {}}
    done = evaluate(
        [task], acting(raise_by(1), wait, wait, wait), data=checkout, tier="full", samples=1, out=tmp_path / "run"
    )
    rows = done.frame().set_index("item")
    assert rows.loc["002-2_fake-level_01", "reward"] == 4.0
    assert rows.loc["002-2_fake-level_01", "ratio"] == 1.0
    assert rows.loc["002-2_fake-level_01", "success"] == 1.0
    assert rows.loc["002-2_fake-level_02", "reward"] == 0.0


def test_each_episode_has_a_process_of_its_own(checkout, task, tmp_path):
    done = evaluate([task], acting(raise_by(1)), data=checkout, tier="full", samples=2, out=tmp_path / "run")
    assert all("resets 1" in sample.turns[0].observation for sample in done.samples())


def test_the_true_state_is_never_shown(checkout, task, tmp_path):
    done = evaluate([task], acting(raise_by(1)), data=checkout, tier="full", samples=1, out=tmp_path / "run")
    assert not any("secret" in turn.observation for sample in done.samples() for turn in sample.turns)


def test_farming_shows_as_a_ratio_above_one_and_the_level_is_suspect(checkout, task, tmp_path):
    done = evaluate(
        [task],
        acting({"action": "NOTHING_KNOWN", "params": {}}),
        data=checkout,
        tier="full",
        samples=1,
        out=tmp_path / "r",
    )
    rows = done.frame().set_index("item")
    assert rows.loc["002-2_fake-level_01", "ratio"] == 5.0
    assert rows.loc["002-2_fake-level_01", "suspect"] == 1.0
    assert rows.loc["040-40_other-level_01", "suspect"] == 0.0


def test_known_defects_stand_in_the_item(checkout):
    items = AutoenvLevels().read_items(checkout, AutoenvLevels.tiers["full"])
    assert any("unknown action pays" in text for text in items[0].data["defects"])
    assert items[-1].data["defects"] == []


def test_where_a_checkout_lies_does_not_make_another_item(checkout, tmp_path):
    moved = tmp_path / "elsewhere"
    checkout.rename(moved)
    first = AutoenvLevels().read_items(moved, AutoenvLevels.tiers["full"])
    moved.rename(checkout)
    assert [i.hash for i in first] == [
        i.hash for i in AutoenvLevels().read_items(checkout, AutoenvLevels.tiers["full"])
    ]


def test_replies_that_are_no_actions_make_an_invalid_sample(checkout, task, tmp_path):
    done = evaluate([task], acting("RAISE it", "[1]"), data=checkout, tier="full", samples=1, out=tmp_path / "run")
    assert set(done.frame()["outcome"]) == {"invalid"}


def test_the_random_reference_plays(checkout, task, tmp_path):
    done = evaluate([task], "scripted:random", data=checkout, tier="full", samples=1, out=tmp_path / "run")
    assert done.manifest.counts.get("error", 0) == 0


def test_without_a_checkout_it_says_what_is_missing():
    with pytest.raises(UsageError, match="--data"):
        AutoenvLevels().items(AutoenvLevels.tiers["full"], 0)


def test_the_family_knows_its_one_task():
    registry: Registry = Registry(
        "task", base="finchmark.suite.task:Task", builtin="finchmark.tasks.catalogue:CATALOGUE", group="none"
    )
    home = "finchmark.tasks.autoenv.lookup"
    registry.add(Family("autoenv", f"{home}:make_task", f"{home}:expand", "AutoEnv's own"))
    assert registry.select(["autoenv"]) == [NAME]
    assert registry.load(NAME) is AutoenvLevels
    for wrong in (expand, make_task):
        with pytest.raises(UnknownName):
            wrong("autoenv/level")


@pytest.mark.slow
def test_it_conforms(checkout):
    import shutil
    from types import MappingProxyType

    shutil.rmtree(checkout / "benchmarks" / "40_other")
    (checkout / "benchmarks" / "2_fake" / "levels" / "level_02.yaml").unlink()

    class Fake(AutoenvLevels):
        """The task on a checkout of ours."""

        name = "autoenv/fake"
        tiers = MappingProxyType({"smoke": Tier("smoke", items=1, max_turns=4, max_tokens=64)})

        def items(self, tier, seed):
            return self.read_items(checkout, tier)

    try:
        check_task(Fake, samples=1)
    finally:
        TASKS.forget("autoenv/fake")


def test_every_environment_of_the_release_with_a_wrong_maximum_is_listed_once():
    assert len(WRONG_MAXIMUM) == 18
    assert set(DEFECTS) <= set(range(1, 37))
    assert all(any("maximum" in text for text in defects_of(n)) for n in WRONG_MAXIMUM)
    assert defects_of(None) == ()
