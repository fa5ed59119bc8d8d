from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

import finchmark
from finchmark.environments.worlds.agents import act_ahead, act_randomly
from finchmark.environments.worlds.audit.certificate import read_certificate
from finchmark.environments.worlds.keys import Key
from finchmark.environments.worlds.level import SPLITS
from finchmark.environments.worlds.lookup import find_world
from finchmark.environments.worlds.scale import LEAST_HEADROOM, Scale, find_scale
from finchmark.environments.worlds.world import episode_key
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.conformance import check_task
from finchmark.suite.errors import UnknownName
from finchmark.suite.records import Outcome
from finchmark.suite.registry import TASKS
from finchmark.tasks.actions import UNUSABLE_IN_A_ROW, find_action
from finchmark.tasks.worlds.lookup import registered
from finchmark.tasks.worlds.numbers import collect, known_levels, normalise, normalised_failure, raw_failure
from finchmark.tasks.worlds.play import Played
from finchmark.tasks.worlds.players import rehearse
from finchmark.tasks.worlds.prompt import instructions, practice
from finchmark.tasks.worlds.task import WorldTask, declared, make_task

WORLDS = registered()
SAMPLE = ["wind-gather", "kiln-open", "bargain-market", "outbreak-contain"]
"""Worlds for what does not differ from world to world."""


def evaluate(world, backend, tmp_path, **options):
    options = {"tier": "smoke", "samples": 1, **options}
    return finchmark.evaluate(f"worlds/{world}", backend, out=tmp_path / "run", **options)


def canned(*replies):
    return ScriptedBackend("canned", replies=list(replies))


def scale_of(**changes):
    base = {
        "world": "w",
        "version": 1,
        "levels": 10,
        "levels_hash": "",
        "random": 1.0,
        "reference": 5.0,
        "reference_name": "optimum",
        "exact": True,
        "hindsight": 5.0,
        "low": 0.0,
        "high": 10.0,
        "shortest": None,
    }
    return Scale(**{**base, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_every_world_passes_the_conformance_suite(world):
    check_task(make_task(f"worlds/{world}"), samples=1)


@pytest.mark.parametrize("world", WORLDS)
def test_the_full_tier_has_chance_0_and_ceiling_1(world):
    task = make_task(f"worlds/{world}")()
    tier = task.tiers["full"]
    level = task.levels(task.items(tier, 0), task.arms[0], tier, 1)["score"]
    assert level.chance == pytest.approx(0, abs=1e-5)
    assert level.ceiling == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("world", WORLDS)
def test_the_numbers_of_levels_are_those_of_the_certificate(world):
    assert {name: list(known) for name, known in known_levels(world).items()} == collect(read_certificate(world))


@pytest.mark.parametrize("world", WORLDS)
def test_items_are_the_levels_that_the_scale_was_made_on(world):
    task = make_task(f"worlds/{world}")()
    items = task.items(task.tiers["full"], 0)
    assert [item.data["level"]["hash"] for item in items] == list(known_levels(world))
    smaller = [task.items(task.tiers[tier], 0) for tier in ("smoke", "lite")]
    assert [[i.hash for i in some] for some in smaller] == [[i.hash for i in items[: len(some)]] for some in smaller]


@pytest.mark.parametrize("world", SAMPLE)
def test_no_item_of_a_test_tier_is_for_learning(world):
    task, found = make_task(f"worlds/{world}")(), find_world(world)
    learning = {
        level.hash for split in ("train", "validation") for level in found.levels(split, min(20, SPLITS[split]))
    }
    for seed in (0, 5):
        assert not learning & {item.data["level"]["hash"] for item in task.items(task.tiers["full"], seed)}


def test_another_items_seed_draws_other_levels_with_the_worlds_own_chance_and_ceiling():
    task = make_task("worlds/wind-reach")()
    tier = task.tiers["lite"]
    other = task.items(tier, 3)
    assert not {i.hash for i in other} & {i.hash for i in task.items(tier, 0)}
    level = task.levels(other, task.arms[0], tier, 1)["score"]
    assert (level.chance, level.ceiling, level.exact) == (0.0, 1.0, False)


# What the scores are


@pytest.mark.parametrize("world", ["wind-gather", "colony-trade", "kiln-open"])
def test_the_oracle_reaches_the_certified_maximum_of_each_level(world, tmp_path):
    run = evaluate(world, "scripted:oracle", tmp_path, tier="lite", samples=8)
    known = known_levels(world)
    task = make_task(f"worlds/{world}")()
    hashes = {item.id: item.data["level"]["hash"] for item in task.items(task.tiers["lite"], 0)}
    for item, rewards in run.frame().groupby("item")["reward"]:
        maximum = known[hashes[item]].maximum
        if find_world(world).dynamics.stochastic:
            # Eight episodes: a mean within five of its standard errors.
            assert abs(rewards.mean() - maximum) < 5 * rewards.std() / math.sqrt(8) + 1e-6
        else:
            assert rewards.tolist() == pytest.approx([maximum] * 8)


@pytest.mark.parametrize("world", ["wind-gather", "bargain-market", "foraging-open"])
def test_the_random_player_is_at_chance(world, tmp_path):
    """Its 99.9 % interval over the episodes of all ten levels holds 0, the chance that the metric states."""
    scores = evaluate(world, "scripted:random", tmp_path, tier="full", samples=40).frame()["score"]
    assert abs(scores.mean()) < 3.29 * scores.std() / math.sqrt(len(scores))


def test_references_come_in_order(tmp_path):
    means = [
        finchmark.evaluate("worlds/wind-gather", f"scripted:{name}", tier="lite", samples=4, out=tmp_path / name)
        .frame()["score"]
        .mean()
        for name in ("random", "greedy", "oracle")
    ]
    assert means == sorted(means)
    assert means[0] < means[1] - 0.1 < means[2] - 0.2


def test_a_player_that_sees_views_plays_no_better_than_hindsight(tmp_path):
    player = evaluate("wind-gather", "scripted:player", tmp_path, tier="lite").frame()
    oracle = finchmark.evaluate(
        "worlds/wind-gather", "scripted:oracle", tier="lite", samples=1, out=tmp_path / "o"
    ).frame()
    assert (player["score"].to_numpy() <= oracle["score"].to_numpy() + 1e-9).all()
    assert player["score"].mean() > 0.3


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30), st.floats(-10, 10), st.floats(0.1, 50))
def test_the_mean_of_scores_is_the_normalised_mean(rewards, random, way):
    scale = scale_of(random=random, reference=random + way)
    mean_of_scores = statistics.fmean(normalise(scale, r) for r in rewards)
    assert mean_of_scores == pytest.approx((statistics.fmean(rewards) - random) / way, abs=1e-6)
    assert mean_of_scores == pytest.approx(scale.normalise(statistics.fmean(rewards)), abs=1e-6)


@given(st.floats(-10, 10), st.floats(0.1, 50))
def test_a_failure_is_never_above_chance_nor_above_doing_nothing(random, way):
    scale = scale_of(random=random, reference=random + way)
    assert raw_failure(scale) <= min(0.0, random)
    assert normalised_failure(scale) <= 1e-12


def test_a_world_without_headroom_is_shown_raw_and_gives_nothing_to_average():
    scale = scale_of(random=3.0, reference=5.0)
    assert scale.headroom < LEAST_HEADROOM
    names = {metric.name: metric for metric in declared(find_world("wind-gather"), scale)}
    assert "score" not in names
    assert names["reward"].primary
    assert names["reward"].scale(names["reward"].chance, names["reward"].ceiling) is None
    assert "shown raw" in names["reward"].summary


def test_a_raw_world_has_no_ceiling_of_levels_either(monkeypatch):
    task = make_task("worlds/wind-gather")()
    low = scale_of(random=3.0, reference=5.0)
    monkeypatch.setattr(type(task), "scale", low)
    for item in task.items(task.tiers["smoke"], 0):
        assert "score" not in item.levels
        assert item.levels["reward"].ceiling is None


def test_only_binary_worlds_count_successes():
    for world in WORLDS:
        names = {metric.name for metric in make_task(f"worlds/{world}").metrics}
        assert ("success" in names) == (find_world(world).reward.kind == "binary")


@pytest.mark.parametrize("world", WORLDS)
def test_the_reference_is_named_and_the_cluster_path_goes_up_to_the_core(world):
    scale = find_scale(world)
    for metric in make_task(f"worlds/{world}").metrics:
        assert metric.clusters == ("sample", "item", "world", "core")
        if metric.primary:
            assert scale.reference_name in metric.summary
            assert scale.exact or "not tight" in metric.summary


# What an agent sees, and what becomes of what it says


def test_an_agent_reads_its_past_observations_and_rewards(tmp_path):
    seen = []

    def act(request):
        seen.append([message.content for message in request.messages])
        return "<action>move north</action>"

    evaluate("wind-reach", ScriptedBackend(function=act), tmp_path)
    last = "\n".join(seen[-1])
    assert "Reward: " in last
    for step in range(len(seen) - 1):
        assert f"Step {step} of" in last


@pytest.mark.parametrize("world", WORLDS)
def test_what_an_agent_reads_is_what_the_world_shows_and_the_instructions(world, tmp_path):
    """Nothing of the true state, of the level or of the reference's plan: each prompt is made of public texts."""
    prompts = []

    def act(request):
        prompts.append(request)
        return f"<action>{texts[len(prompts) - 1]}</action>"

    found = find_world(world)
    level = found.levels("test", 1)[0]
    moments = [found.begin(found.load(level), episode_key(level))]
    texts = []
    while not moments[-1].over and len(texts) < 5:
        texts.append(found.reader.show(act_randomly(found, moments[-1], episode_key(level).at(len(texts)))))
        moments.append(found.act(moments[-1], texts[-1]))
    shown = [found.show(moment) for moment in moments]
    texts += texts[:1] * 200
    evaluate(world, ScriptedBackend(function=act), tmp_path)
    public = {*shown, *(text for pair in practice(found, level.hash) for text in pair)}
    for request in prompts[:5]:
        for message in request.messages:
            if message.role == "assistant":
                continue
            rest = message.content.replace(instructions(found), "")
            assert rest.strip() in {text.strip() for text in public} | {""}
    assert level.hash not in str(prompts[:5])


@pytest.mark.parametrize("world", WORLDS)
def test_the_instructions_say_all_that_the_worlds_own_say_but_for_the_format(world):
    found = find_world(world)
    own, ours = found.instructions(), instructions(found)
    for part in (found.skin.setting(), found.skin.vocabulary.fill(found.reward.goal), found.reader.describe()):
        assert part in own
        assert part in ours
    assert f"{found.horizon} steps" in ours
    assert "and nothing else. An action" in own
    assert "and nothing else. An action" not in ours


@pytest.mark.parametrize("world", WORLDS)
def test_practice_shows_two_usable_actions(world):
    found = find_world(world)
    answers = [find_action(answer) for _, answer in practice(found, "some level")]
    assert all(tagged and not isinstance(found.reader.read(text), str) for text, tagged in answers)
    assert answers[0] != answers[1]


def test_a_reply_without_a_tag_is_told_so(tmp_path):
    run = evaluate("wind-reach", canned("Let me think.", "<action>move north</action>"), tmp_path)
    sample = next(iter(run.samples()))
    assert not sample.turns[0].usable
    assert sample.turns[1].observation.startswith("Your reply had no <action>…</action> in it. Nothing changed")
    assert sample.turns[1].usable


def test_thinking_before_the_action_is_fine(tmp_path):
    run = evaluate("wind-reach", canned("North is the way. <action>move north</action>"), tmp_path)
    assert run.frame()["unusable_rate"].tolist() == [0.0]


def test_an_episode_without_a_usable_action_is_invalid_and_counts_as_a_failure(tmp_path):
    run = evaluate("kiln-open", canned("<action>dance</action>"), tmp_path)
    sample = next(iter(run.samples()))
    assert (sample.outcome, sample.reason) == (Outcome.INVALID, "unusable_in_a_row")
    assert len(sample.turns) == UNUSABLE_IN_A_ROW
    assert sample.metrics["reward"] == raw_failure(find_scale("kiln-open"))
    assert sample.metrics["score"] == pytest.approx(0.0)  # doing nothing earns 0, which is more than chance there
    assert sample.metrics["unusable_rate"] == 1.0


@pytest.mark.parametrize(("earned", "counted"), [(-3.0, -3.0), (2.0, raw_failure(find_scale("kiln-open")))])
def test_giving_up_keeps_a_loss_and_undoes_a_gain(earned, counted):
    task = make_task("worlds/kiln-open")()
    assert isinstance(task, WorldTask)
    level = task.world.levels("test", 1)[0]
    moment = task.world.begin(task.world.load(level), episode_key(level))._replace(total=earned, time=25)
    metrics = task.metrics_of(Played(moment, 20, Outcome.INVALID, "unusable_in_a_row"))
    assert metrics["reward"] == counted
    assert metrics["score"] == normalise(task.scale, counted)


def test_single_unusable_actions_cost_their_step_and_are_counted(tmp_path):
    run = evaluate("wind-reach", canned("<action>fly</action>", "<action>move south</action>"), tmp_path)
    sample = next(iter(run.samples()))
    assert sample.outcome is Outcome.OK
    assert 0.4 <= sample.metrics["unusable_rate"] <= 0.6


def test_nineteen_unusable_actions_after_a_usable_one_are_no_reason_to_give_up(tmp_path):
    replies = ["<action>rest</action>", *["rubbish"] * (UNUSABLE_IN_A_ROW - 1)]
    sample = next(iter(evaluate("foraging-open", canned(*replies), tmp_path).samples()))
    assert sample.turns[0].usable
    assert sample.outcome is Outcome.OK


# Luck


def test_sample_k_meets_the_same_luck_in_every_run(tmp_path):
    runs = [
        finchmark.evaluate(
            "worlds/outbreak-blind",
            "scripted:oracle",
            tier="smoke",
            samples=3,
            seed=seed,
            out=tmp_path / str(seed),
        )
        for seed in (0, 1)
    ]
    rewards = [run.frame().sort_values("sample")["reward"].tolist() for run in runs]
    assert rewards[0] == rewards[1]
    assert len(set(rewards[0])) > 1


def test_sample_k_is_played_with_luck_k(tmp_path):
    world = find_world("outbreak-blind")
    level = world.levels("test", 1)[0]
    action = world.dynamics.actions.all[0]
    run = evaluate("outbreak-blind", canned(f"<action>{world.reader.show(action)}</action>"), tmp_path, samples=6)
    rewards = run.frame().sort_values("sample")["reward"].tolist()
    assert rewards == [world.play(level, [action] * world.horizon, sample).total for sample in range(6)]
    assert len(set(rewards)) > 1


@pytest.mark.parametrize("sample", [0, 2])
def test_a_reference_rehearses_the_very_episode_that_is_scored(sample):
    """What it says at each step is what it would choose in the state that the scored episode is in by then."""
    world = find_world("outbreak-blind")
    level, key = world.levels("test", 1)[0], Key.of("tests", sample)
    moment = world.begin(world.load(level), episode_key(level, sample))
    for text in rehearse(world, level, "greedy", sample, key):
        assert text == world.reader.show(act_ahead(world, moment, key.at(moment.time)))
        moment = world.act(moment, text)
    assert moment.over


def test_variants_of_a_core_meet_the_same_luck_on_the_same_level():
    plain, hidden = find_world("wind-reach"), find_world("wind-unseen")
    levels = [world.levels("test", 1)[0] for world in (plain, hidden)]
    assert levels[0].hash == levels[1].hash
    assert episode_key(levels[0], 3) == episode_key(levels[1], 3) != episode_key(levels[0], 2)


# Names


def test_an_unknown_reference_is_refused():
    task = make_task("worlds/wind-reach")()
    item = task.items(task.tiers["smoke"], 0)[0]
    with pytest.raises(UnknownName, match="oracle"):
        task.reference("orakle", item, task.arms[0])


def test_an_unknown_world_is_refused():
    with pytest.raises(UnknownName, match="worlds/wind-reach"):
        make_task("worlds/wind-reech")


def test_the_registry_loads_worlds():
    assert issubclass(TASKS.load("worlds/wind-reach"), WorldTask)
    assert TASKS.load("worlds/wind-reach") is TASKS.load("worlds/wind-reach")
