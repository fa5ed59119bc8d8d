from __future__ import annotations

import pytest

import finchmark
from finchmark.environments.worlds.catalogue import CORES, WORLDS
from finchmark.environments.worlds.lookup import find_core
from finchmark.environments.worlds.scale import find_scale, has_scale
from finchmark.environments.worlds.world import episode_key
from finchmark.reports.factors import factor_effects
from finchmark.reports.terminal import results_text
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.conformance import check_task
from finchmark.suite.registry import TASKS
from finchmark.suite.results import from_run
from finchmark.tasks.worlds.factors import WorldFactors
from finchmark.tasks.worlds.names import BASE, CHANGES, core_of
from finchmark.tasks.worlds.variants import make_variants, variants

VARIANTS = variants()


def play(backend, tmp_path, **options):
    options = {"tier": "smoke", "samples": 1, **options}
    return finchmark.evaluate("worlds/factors", backend, out=tmp_path / "run", **options)


@pytest.mark.slow
def test_it_passes_the_conformance_suite():
    check_task(WorldFactors, samples=1)


def test_the_registry_knows_it():
    assert TASKS.load("worlds/factors") is WorldFactors


def test_every_core_with_an_audited_world_that_accumulates_is_there():
    wanted = {
        line.core
        for line in WORLDS
        if has_scale(line.name) and find_core(line.core).rewards[line.reward].kind == "accumulative"
    }
    assert set(VARIANTS) == wanted <= set(CORES)


@pytest.mark.parametrize("core", VARIANTS)
def test_an_arm_differs_from_the_base_in_its_one_axis(core):
    own = VARIANTS[core]
    base = own.world(BASE)
    assert base.factors == {"observation": "full", "reward": "accumulative", "semantics": "aligned"}
    for arm, change in CHANGES.items():
        world = own.world(arm)
        if world is None:
            assert arm not in own.parts
            continue
        assert world.factors == {**base.factors, change.axis: change.after}
        assert (world.horizon, world.preset, world.dynamics) == (base.horizon, base.preset, base.dynamics)


@pytest.mark.parametrize("core", VARIANTS)
def test_all_arms_meet_the_same_levels_and_luck(core):
    own = VARIANTS[core]
    found = [own.world(arm).levels("test", 2) for arm in own.parts]
    keys = {tuple(episode_key(level, 3).value for level in levels) for levels in found}
    assert len(keys) == 1


@pytest.mark.parametrize("core", ["wind", "vault", "circuit"])
def test_the_stored_scales_are_what_the_audit_computes(core):
    """The quick ones; ``python -m finchmark.tasks.worlds --factors`` makes all anew."""
    made, own = make_variants(core), VARIANTS[core]
    assert made is not None
    assert {arm: tuple(parts) for arm, parts in made["parts"].items()} == dict(own.parts)
    for reward, ends in own.ends.items():
        assert made["ends"][reward] == pytest.approx(list(ends))


@pytest.mark.parametrize(
    "world",
    [
        line.name
        for line in WORLDS
        if has_scale(line.name)
        and line.core in VARIANTS
        and (line.preset, line.horizon) == (VARIANTS[line.core].preset, VARIANTS[line.core].horizon)
        and line.reward in VARIANTS[line.core].ends
    ],
)
def test_the_scales_agree_with_those_of_audited_worlds_of_the_same_levels_and_horizon(world):
    line = next(line for line in WORLDS if line.name == world)
    ends, scale = VARIANTS[line.core].ends[line.reward], find_scale(world)
    assert ends.random == pytest.approx(scale.random, abs=1e-5)
    assert ends.optimum == pytest.approx(scale.hindsight, abs=1e-5)


def test_the_full_tier_has_chance_0_and_ceiling_1_in_every_arm():
    task = WorldFactors()
    tier = task.tiers["full"]
    items = task.items(tier, 0)
    for arm in task.arms:
        level = task.levels(items, arm, tier, 1)["score"]
        assert level.chance == pytest.approx(0, abs=1e-6)
        assert level.ceiling == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_a_player_that_reads_nothing_is_not_changed_by_what_is_shown(tmp_path):
    """The oracle goes by the true state: less to see and other words cost it exactly nothing, on every core."""
    found = factor_effects(from_run(play("scripted:oracle", tmp_path, arms=[BASE, "partial", "inverse", "abstract"])))
    assert {effect.arm for effect in found} == {"partial", "inverse", "abstract"}
    assert all(effect.difference.estimate == 0 for effect in found)


def test_a_player_that_goes_by_the_words_is_found_out_where_they_mislead(tmp_path):
    """It says aligned words whatever is shown: inverse words then do something else, symbols nothing at all."""
    worlds = {core: own.world(BASE) for core, own in VARIANTS.items()}

    def act(request):
        _, _, item, _, _ = request.session.split("/")[-5:]
        world = worlds[core_of(item)]
        from finchmark.environments.worlds.keys import Key

        return f"<action>{world.reader.show(world.dynamics.actions.sample(Key(request.seed)))}</action>"

    run = play(ScriptedBackend(function=act), tmp_path, arms=[BASE, "abstract"])
    frame = run.frame()
    rates = frame[frame["turns"] > 0].groupby("arm")["unusable_rate"].mean()
    assert rates["base"] == 0
    assert rates["abstract"] > 0.9


def test_a_core_without_an_arm_asks_nothing_and_scores_nothing(tmp_path):
    lacking = [core for core, own in VARIANTS.items() if "abstract" not in own.parts]
    if not lacking:
        pytest.skip("every core has every arm")
    frame = play("scripted:random", tmp_path, arms=["abstract"]).frame()
    rows = frame[frame["item"].map(core_of).isin(lacking)]
    assert len(rows) == len(lacking)
    assert rows["score"].isna().all()
    assert (rows["calls"] == 0).all()
    assert (rows["outcome"] == "ok").all()


def test_results_show_the_effects(tmp_path):
    text = results_text([play("scripted:greedy", tmp_path)])
    assert "Factor effects" in text
    for change in CHANGES.values():
        assert change.words in text
