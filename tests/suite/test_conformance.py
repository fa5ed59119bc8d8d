from __future__ import annotations

import asyncio
from dataclasses import replace
from types import MappingProxyType

import gymnasium
import pytest

from finchmark import EpisodeResult, Item, Metric, Task, Tier
from finchmark.suite.agents.base import Action
from finchmark.suite.agents.history import HistoryAgent
from finchmark.suite.backends.base import Capabilities, Completion
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.conformance import check_agent, check_backend, check_environment, check_task
from finchmark.suite.registry import AGENTS, ENVIRONMENTS, TASKS


@pytest.mark.parametrize("name", [e.name for e in TASKS.entries() if e.source == "finchmark"])
def test_every_task_conforms(name):
    check_task(TASKS.load(name))


@pytest.mark.parametrize("name", [e.name for e in AGENTS.entries() if e.source == "finchmark"])
def test_every_agent_conforms(name):
    check_agent(AGENTS.load(name))


# Generated worlds keep their true state out of ``info``: tests/environments/worlds/test_shipped.py checks them.
@pytest.mark.parametrize("name", [e.name for e in ENVIRONMENTS.entries() if e.name.startswith("finchmark/")])
def test_every_environment_conforms(name):
    import finchmark.environments.odyssey
    import finchmark.environments.openspiel  # noqa: F401 - their imports register the ids

    check_environment(lambda: gymnasium.make(name), actions=["0", "1", "2"])


def test_the_scripted_backend_conforms():
    check_backend(lambda: ScriptedBackend("nonsense"))
    check_backend(lambda: ScriptedBackend("canned", replies=["a b c", "d"]), greedy_is_stable=True)


class Good(Task):
    """A task that conforms."""

    name = "demo/good"
    tiers = MappingProxyType({"smoke": Tier("smoke", items=2, max_turns=1, max_tokens=8)})

    def items(self, tier, seed):
        return [Item("a", {"x": 1}), Item("b", {"x": 2})]

    async def episode(self, ctx):
        await ctx.ask("x")
        return EpisodeResult({"success": 0.0})


def test_a_plain_task_conforms():
    check_task(Good)


def _bad(name, changes):
    return type("Bad", (Good,), {"__doc__": "A task with a fault.", "name": f"demo/{name}", **changes})


class Draws:
    count = open = 0

    def items(self, tier, seed):
        Draws.count += 1
        return [Item("a", {"x": Draws.count})]


async def crashes(self, ctx):
    return EpisodeResult({"success": float(int(await ctx.ask("x")) > 0)})


async def leaks(self, ctx):
    Draws.open += 1
    await ctx.ask("x")
    await asyncio.sleep(0)
    alone = Draws.open == 1
    Draws.open -= 1
    return EpisodeResult({"success": float(alone)})


@pytest.mark.parametrize(
    ("name", "changes", "match"),
    [
        ("Bad Name", {"name": "Bad Name!"}, "letters"),
        ("v0", {"version": 0}, "versions start at 1"),
        ("twice", {"items": lambda self, tier, seed: [Item("a", {}), Item("a", {})]}, "ids repeat"),
        ("unsorted", {"items": lambda self, tier, seed: [Item("b", {}), Item("a", {})]}, "sorted"),
        ("unseeded", {"items": Draws.items}, "differ from call to call"),
        ("empty", {"items": lambda self, tier, seed: []}, "no items"),
        ("noprimary", {"metrics": (Metric(name="success", summary="s"),)}, "primary"),
        ("nofailure", {"metrics": (Metric(name="success", summary="s", primary=True),)}, "failed sample"),
        ("crashes", {"episode": crashes}, "error of ours"),
        ("leaks", {"episode": leaks}, "episodes are open"),
    ],
)
def test_a_planted_fault_of_a_task_is_named(name, changes, match):
    with pytest.raises(AssertionError, match=match):
        check_task(_bad(name, changes))


class Forgetful(ScriptedBackend):
    def __init__(self, fault):
        super().__init__("nonsense")
        self.fault, self.count = fault, 0

    async def generate(self, request):
        self.count += 1
        if self.fault == "seed":
            return Completion(str(self.count), "stop", completion_tokens=1)
        if self.fault == "cap":
            return Completion("x", "stop", completion_tokens=99)
        return Completion("x", "stop", prompt_tokens=1, cached_tokens=2)


@pytest.mark.parametrize(
    ("fault", "match"), [("seed", "batch or order"), ("cap", "cap of 12"), ("cache", "more cached")]
)
def test_a_planted_fault_of_a_backend_is_named(fault, match):
    with pytest.raises(AssertionError, match=match):
        check_backend(lambda: Forgetful(fault))


def test_a_backend_that_lies_about_log_probabilities_is_named():
    class Liar(ScriptedBackend):
        capabilities = Capabilities(scheduling="own", concurrency=1, logprobs="none")

        async def score(self, request):
            return None

    with pytest.raises(AssertionError, match="must say so"):
        check_backend(lambda: Liar("nonsense"))


def test_an_agent_that_never_forgets_is_named():
    class Elephant(HistoryAgent):
        name = "elephant"

        def begin(self):
            pass

    with pytest.raises(AssertionError, match="does not forget"):
        check_agent(Elephant)


def test_an_agent_whose_fork_is_itself_is_found_out():
    class Siamese(HistoryAgent):
        name = "siamese"

        def fork(self):
            return self

    with pytest.raises(AssertionError, match="fork"):
        check_agent(Siamese)


class Diary(HistoryAgent):
    """Keeps how its last episodes ended and shows it: an agent that conforms."""

    name = "diary"
    kept = 3

    def __init__(self):
        super().__init__()
        self.state = {"endings": []}

    async def act(self, observation, model):
        return await super().act(replace(observation, text=f"{self.state['endings']} {observation.text}"), model)

    async def learn(self, experience, model):
        self.state = {
            "endings": [*self.state["endings"], f"{experience.after[:40]} {experience.position}"][-self.kept :]
        }
        return "wrote down the ending"

    def snapshot(self):
        return self.state

    def restore(self, state):
        self.state = state


def test_a_plain_agent_that_learns_conforms():
    check_agent(Diary)


def _agent(**changes):
    return type("Changed", (Diary,), {"name": "changed", **changes})


async def answers_alone(self, observation, model):
    return Action("1")


async def learns_while_acting(self, observation, model):
    self.state = {"endings": [*self.state["endings"], observation.text][-3:]}
    return await HistoryAgent.act(self, observation, model)


async def acts_on_what_it_hides(self, observation, model):
    return await HistoryAgent.act(self, replace(observation, text=f"{vars(self).get('hidden')}"), model)


async def hides(self, experience, model):
    self.hidden = experience.position
    return await Diary.learn(self, experience, model)


async def says_nothing(self, experience, model):
    await Diary.learn(self, experience, model)
    return ""


async def only_talks(self, experience, model):
    return "learnt much"


async def returns_none(self, experience, model):
    pass


async def keeps_an_object(self, experience, model):
    self.state = {"endings": [experience]}
    return "kept it"


async def keeps_half_a_letter(self, experience, model):
    self.state = {"endings": ["\ud800"]}
    return "kept it"


async def counts_calls(self, experience, model):
    Diary.calls = vars(Diary).get("calls", 0) + 1
    self.state = {"endings": [Diary.calls]}
    return "counted"


async def hoards(self, experience, model):
    self.state = {"endings": [*self.state["endings"], experience.after]}
    return "kept it all"


def half_restores(self, state):
    self.state = {"endings": state["endings"][1:]}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"act": answers_alone}, "without asking"),
        ({"act": learns_while_acting}, "acting changed|does not forget"),
        ({"act": acts_on_what_it_hides, "learn": hides}, r"not in snapshot\(\)"),
        ({"learn": says_nothing}, "does not say what"),
        ({"learn": only_talks}, "is what it was"),
        ({"learn": returns_none}, "NoneType"),
        ({"learn": keeps_an_object}, "canonical JSON"),
        ({"learn": keeps_half_a_letter}, "canonical JSON"),
        ({"learn": counts_calls}, "two states"),
        ({"learn": hoards}, "give it a bound"),
        ({"restore": half_restores}, "another state"),
        ({"placebo": lambda self, state, rng: {"endings": []}}, "placebo"),
        ({"placebo": lambda self, state, rng: state["endings"].clear() or state}, "changed the state"),
    ],
)
def test_a_planted_fault_of_an_agent_is_named(changes, match):
    with pytest.raises(AssertionError, match=match):
        check_agent(_agent(**changes))


def test_an_agent_without_language_need_not_ask():
    check_agent(_agent(act=answers_alone, asks_model=False))
