"""The whole instrument on agents whose learning is known: engine, store and statistics, no model."""

from types import MappingProxyType

import pytest

from finchmark import EpisodeResult, Item, Metric, Tier, evaluate
from finchmark.suite.agents.base import Action, Agent
from finchmark.suite.learning import run_learning
from finchmark.suite.registry import AGENTS, TASKS, Entry
from finchmark.suite.streams import ProbeSet, Stream, StreamTask

EPISODES, CHECKPOINTS = 12, (0, 4, 8, 12)


class Chances(StreamTask):
    """An episode succeeds with the chance that the agent names; the draw is the world's, the same for all arms."""

    name = "known/chances"
    summary = "Succeeds with the chance that is named."
    tiers = MappingProxyType({"smoke": Tier("smoke", items=EPISODES, max_turns=1, max_tokens=16)})
    metrics = (Metric(name="success", summary="share won", kind="binary", failure=0.0, primary=True),)

    def streams(self, tier, seed, count):
        levels = ProbeSet("levels", "levels", tuple(Item(f"probe-{n}", {"probe": n}) for n in range(6)))
        # The first half of a stream is of the world `old`, which is probed until the end.
        old = ProbeSet("old", "levels", tuple(Item(f"old-{n}", {"old": n}) for n in range(6)), EPISODES // 2)
        far = ProbeSet("far", "worlds", tuple(Item(f"far-{n}", {"far": n}) for n in range(6)))
        return [
            Stream(
                f"s{s:03d}",
                tuple(Item(f"e{s}-{n:02d}", {"s": s, "n": n}) for n in range(tier.items)),
                CHECKPOINTS,
                (levels, old, far),
            )
            for s in range(count)
        ]

    async def episode(self, ctx):
        action = await ctx.act(f"{ctx.item.id}")
        ctx.judge(action.text)
        return EpisodeResult({"success": float(ctx.rng.random() < float(action.text))})


class Known(Agent):
    """Base: a state of counts, and a chance that follows from it and from what is seen."""

    asks_model = False

    def __init__(self):
        self.lived = []

    def chance(self, seen):
        return 0.3

    async def act(self, observation, model):
        return Action(f"{self.chance(observation.text):.4f}")

    async def learn(self, experience, model):
        self.lived.append(experience.steps[0].observation)
        return "one more"

    def snapshot(self):
        return list(self.lived)

    def restore(self, state):
        self.lived = list(state)


class Idle(Known):
    """Keeps a diary that changes nothing."""

    name = "known-idle"


class Learner(Known):
    """Gains .05 an episode everywhere."""

    name = "known-learner"

    def chance(self, seen):
        return 0.2 + 0.05 * len(self.lived)


class Forgetful(Known):
    """Knows the old world best at half time, and nothing of it in the end."""

    name = "known-forgetful"

    def chance(self, seen):
        half = EPISODES // 2
        n = len(self.lived)
        return min(1.0, 0.1 + 0.15 * min(n, half)) if n <= half + 2 and "old" in seen else 0.1


class Memoriser(Known):
    """Knows what it lives through by heart, and nothing else."""

    name = "known-memoriser"

    def chance(self, seen):
        return min(1.0, 0.1 + 0.09 * len(self.lived)) if seen.startswith("e") else 0.3


class EasyFirst(Known):
    """Learns only if its first episode is the first of the stream: from the easiest on."""

    name = "known-easy-first"

    def chance(self, seen):
        orderly = [int(name.split("-")[1]) for name in self.lived]
        return 0.2 + 0.06 * len(orderly) if orderly == sorted(orderly) else 0.2


class Sure(Known):
    """Wins after its first episode, draws nothing, and keeps nothing of what it was: all its lives are one."""

    name = "known-sure"

    def chance(self, seen):
        return float(bool(self.lived))

    def snapshot(self):
        return len(self.lived)

    def restore(self, state):
        self.lived = ["x"] * state


AGENTS_HERE = (Sure, Idle, Learner, Forgetful, Memoriser, EasyFirst)


@pytest.fixture(autouse=True)
def registered():
    TASKS.add(Entry(Chances.name, f"{__name__}:Chances", Chances.summary, ("smoke",)), Chances)
    for agent in AGENTS_HERE:
        AGENTS.add(Entry(agent.name, f"{__name__}:{agent.__name__}", "test"), agent)
    yield
    TASKS.forget(Chances.name)
    for agent in AGENTS_HERE:
        AGENTS.forget(agent.name)


def learning(agent, path, *, seed=0, streams=24):
    run = evaluate(Chances.name, "scripted:nonsense", agent=agent, streams=streams, seed=seed, out=path)
    assert run.manifest.complete
    (found,) = run_learning(run)
    return found


def one(found, **where):
    (contrast,) = [c for c in found.contrasts if all(getattr(c, name) == value for name, value in where.items())]
    return contrast


def test_a_learner_is_found_and_its_gain_and_slope_lie_in_their_intervals(tmp_path):
    found = learning("known-learner", tmp_path / "r")
    gain = found.primary
    assert gain.verdict == "better"
    assert gain.low <= 0.6 <= gain.high
    slope = one(found, probes="levels", measure="slope", arm="evolving", other="frozen")
    assert slope.low <= 0.05 <= slope.high
    assert one(found, probes="far", measure="end", arm="evolving", other="frozen").verdict == "better"
    assert gain.low > 0


def test_one_that_learns_nothing_gains_exactly_nothing(tmp_path):
    found = learning("known-idle", tmp_path / "r")
    assert all(c.verdict in ("cannot tell", "no claim") for c in found.contrasts)
    gain = found.primary
    assert (gain.estimate, gain.up, gain.down) == (0, 0, 0)


def test_one_that_forgets_is_found_out(tmp_path):
    found = learning("known-forgetful", tmp_path / "r")
    lost = one(found, measure="forgetting", arm="evolving", other="frozen")
    assert lost.probes == "old"
    assert lost.verdict == "worse"
    assert lost.low > 0.3


def test_one_that_memorises_levels_is_granted_no_transfer(tmp_path):
    found = learning("known-memoriser", tmp_path / "r")
    assert one(found, kind="lived", measure="end", arm="evolving", other="frozen").verdict == "better"
    assert found.primary.verdict == "cannot tell"
    assert all(c.verdict == "cannot tell" for c in found.transfer)
    assert any("is not shown" in words for words in found.words)


def test_one_that_profits_from_an_easy_first_order_only_is_exposed(tmp_path):
    found = learning("known-easy-first", tmp_path / "r")
    assert found.primary.verdict == "better"
    ends = [c for c in found.contrasts if c.measure == "end" and c.probes == found.primary.probes]
    order = next(c for c in ends if (c.arm, c.other) == ("evolving", "shuffled"))
    assert order.verdict == "better"
    left = next(c for c in ends if (c.arm, c.other) == ("shuffled", "frozen"))
    assert left.verdict != "better"


@pytest.mark.parametrize("streams", [5])
def test_under_6_streams_nothing_is_claimed(tmp_path, streams):
    found = learning("known-learner", tmp_path / "r", streams=streams)
    assert found.primary.verdict == "no claim"


def test_copies_of_one_life_are_one_observation(tmp_path):
    found = learning("known-sure", tmp_path / "r", streams=12)
    assert found.primary.verdict == "no claim"
    assert "of the 12 streams only 1 differ" in found.notes[0]
