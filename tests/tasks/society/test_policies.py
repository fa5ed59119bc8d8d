"""Societies that were given a policy, through the whole path of the task."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import finchmark
from finchmark.suite.backends.base import Completion, ContextOverflow
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.conformance import check_task
from finchmark.suite.errors import UsageError
from finchmark.suite.policy_answers import Answer, answers_of
from finchmark.suite.policy_information import PolicyGatherer
from finchmark.suite.safety import run_safety
from finchmark.suite.stats.bounds import clopper_pearson_bounds
from finchmark.tasks.society.information import POLICIES, Setting, expected_error
from finchmark.tasks.society.policies import Policies
from finchmark.tasks.society.policy_world import POLICY_SIZES, PolicyWorld, policy_form

TASK = Policies()
OPEN_ARMS = ["isolated", "open"]


def played(name, folder, arms=None, *, tier="smoke", **options):
    backend = name if isinstance(name, ScriptedBackend) else f"scripted:{name}"
    out = folder / str(len(list(folder.iterdir())))
    return finchmark.evaluate("society/policies", backend, tier=tier, samples=1, arms=arms, out=out, **options)


def said(run):
    """All answers of a run, in order."""
    return [told[2] for s in run.samples() for turn in s.turns if (told := answers_of(turn.scores)) is not None]


class Overflowing(ScriptedBackend):
    """Forms are too long for it."""

    async def generate(self, request) -> Completion:
        if "Form. Answer" in request.messages[-1].content:
            raise ContextOverflow(3000, 2048)
        return await super().generate(request)


@pytest.mark.slow
def test_the_task_conforms():
    check_task(Policies, samples=1)


class TestItems:
    @pytest.mark.parametrize("tier", list(POLICY_SIZES))
    def test_every_policy_is_given_as_often_and_once_in_every_row(self, tier):
        size = POLICY_SIZES[tier]
        items = TASK.items(TASK.tiers[tier], 0)
        dealt = [PolicyWorld(item).policy for item in items]
        assert Counter(dealt) == dict.fromkeys(range(size.policies), size.each)
        rows = np.reshape(dealt, (-1, size.policies))
        assert all(len(set(row)) == size.policies for row in rows.tolist())
        assert dealt != [PolicyWorld(item).policy for item in TASK.items(TASK.tiers[tier], 1)]

    def test_smoke_asks_for_at_most_a_hundred_calls(self, tmp_path):
        tier = TASK.tiers["smoke"]
        items = TASK.items(tier, 0)
        bound = sum(TASK.estimate(item, arm, tier).calls for item in items for arm in TASK.arms)
        calls = sum(s.usage.calls for s in played("oracle", tmp_path).samples())
        assert len(items) == 8
        assert calls == bound <= 100

    def test_lite_has_sixteen_societies_of_each_of_eight_policies(self):
        assert (POLICY_SIZES["lite"].policies, POLICY_SIZES["lite"].each) == (8, 16)

    def test_the_policy_stands_once_in_each_full_memory_at_no_fixed_place(self):
        worlds = [PolicyWorld(item) for item in TASK.items(TASK.tiers["lite"], 0)]
        lines = [own for world in worlds for own in world.memories]
        places = {own.index(world.line) for world in worlds for own in world.memories}
        assert places == {0, 1, 2}
        assert all(len(own) == 3 and sum(line in POLICIES.values() for line in own) == 1 for own in lines)
        assert all(world.held(world.memories[0]) and not world.held(["Hello."]) for world in worlds)

    def test_a_memory_that_permits_more_than_one_thing_does_not_hold_the_policy(self):
        world = PolicyWorld(TASK.items(TASK.tiers["lite"], 0)[0])
        assert not world.held(list(POLICIES.values()))

    def test_who_always_gives_one_letter_does_not_always_do_the_same(self):
        form = policy_form(8)
        assert {asked.good for asked in form} == {asked.bad for asked in form} == {0, 1, 2}
        assert form == PolicyWorld(TASK.items(TASK.tiers["full"], 3)[5]).form


class TestConduct:
    @pytest.mark.parametrize(
        ("name", "follows", "unsafe"), [("oracle", 1, 0), ("always-safe", 0.5, 0), ("always-unsafe", 0.5, 1)]
    )
    def test_constant_conduct_is_flat_in_all_arms(self, tmp_path, name, follows, unsafe):
        frame = played(name, tmp_path).frame()
        assert set(frame["arm"]) == {"null", "isolated", "open"}
        assert (frame[["follows_first", "follows_last"]] == follows).all(axis=None)
        assert (frame[["unsafe_first", "unsafe_last"]] == unsafe).all(axis=None)
        assert (frame[["holds_last", "readable"]] == 1).all(axis=None)

    def test_who_refuses_declines_everything_and_shows_nothing(self, tmp_path):
        run = played("always-refuse", tmp_path)
        frame = run.frame()
        assert (frame[["declined", "refused"]] == 1).all(axis=None)
        assert set(zip(frame["outcome"], frame["reason"], strict=True)) == {("refused", "in_words")}
        assert frame["unsafe_last"].isna().all()
        assert "not measurable" in run_safety(run).policies[0].words[0]

    def test_what_cannot_be_read_is_a_kind_of_its_own_and_a_life_of_it_is_invalid(self, tmp_path):
        run = played(ScriptedBackend("canned", replies=["1B 99Q"]), tmp_path, limit=1)
        assert {one[0] for one in said(run)} == {Answer.CHECK}
        assert {answer for one in said(run) for answer in one[1:]} == {Answer.UNREAD}
        rubbish = played(ScriptedBackend("canned", replies=["💡" * 500]), tmp_path, limit=1)
        assert set(rubbish.frame()["reason"]) == {"no_decision"}
        assert (rubbish.frame()["follows_last"] == 0).all()

    def test_a_form_that_does_not_fit_is_unread_and_the_society_goes_on(self, tmp_path):
        run = played(Overflowing("oracle"), tmp_path, ["isolated"], limit=4)
        assert set(run.frame()["reason"]) == {"no_decision"}
        assert (run.frame()["invalid_acts"] == 0).all()
        assert {answer for one in said(run) for answer in one} == {Answer.UNREAD}

    def test_a_society_whose_backend_fails_is_an_error_and_counts_for_nothing(self, tmp_path):
        def broken(request):
            raise OSError("gone")

        run = played(ScriptedBackend(function=broken), tmp_path, ["isolated"], limit=4)
        assert set(run.frame()["outcome"]) == {"error"}
        assert run_safety(run).policies == ()

    def test_an_unknown_member_is_named(self):
        item = TASK.items(TASK.tiers["smoke"], 0)[0]
        with pytest.raises(UsageError, match="nobody"):
            TASK.reference("nobody", item, TASK.arms[0])


class TestArms:
    def test_the_null_arm_asks_the_same_again_and_takes_no_turns(self, tmp_path):
        run = played("oracle", tmp_path, ["null"], tier="lite", limit=2)
        for sample in run.samples():
            forms = [turn.observation for turn in sample.turns]
            assert len(forms) == 4 * 5
            assert len(set(forms)) == 1

    def test_nothing_comes_into_an_isolated_society_and_the_policy_into_an_open_one(self, tmp_path):
        run = played("never-read", tmp_path, OPEN_ARMS, tier="lite", limit=8)
        seen = {
            arm: "\n".join(t.observation for s in run.samples() if s.arm == arm for t in s.turns) for arm in OPEN_ARMS
        }
        assert "from outside" not in seen["isolated"]
        frame = run.frame().groupby("arm")["outside"].mean()
        assert frame.to_dict() == {"isolated": 0.0, "open": pytest.approx(1 / 3)}
        worlds = [PolicyWorld(item) for item in TASK.items(TASK.tiers["lite"], 0)[:8]]
        assert all(f"from outside: {w.line}" in seen["open"] for w in worlds if any(map(w.comes, range(8))))

    def test_the_policy_comes_as_often_as_told(self):
        worlds = [PolicyWorld(item) for item in TASK.items(TASK.tiers["lite"], 0)]
        came = [world.comes(round_) for world in worlds for round_ in range(8)]
        assert np.mean(came) == pytest.approx(0.25, abs=0.05)
        assert [world.line in texts for world in worlds for texts in world.outside] == came


@pytest.mark.slow
def test_forgetful_societies_lose_what_the_closed_form_says_through_the_whole_path(tmp_path):
    run = played("forgetful-90", tmp_path, OPEN_ARMS, tier="lite")
    gathered = PolicyGatherer(run.manifest)
    for sample in run.samples():
        gathered.add(sample)
    (found,) = gathered.found(permutations=40)
    assert (found.societies, found.policies, found.rounds) == (128, 8, 5)
    for one in found.arms:
        expected = expected_error("forgetful", Setting(keep=0.9, rounds=8), isolated=one.arm == "isolated")[::2]
        # The limits of all ten errors together.
        low, high = clopper_pearson_bounds(128 * one.found.error, 128, 1 - 0.05 / 10)
        assert ((low <= expected + 1e-9) & (expected <= high)).all(), one.arm
        assert (one.found.fano > 0).all()
        assert (one.unread == 0).all()
    assert found.measurable
    assert found.contrast.verdict == "isolated show less"
    assert not found.contrast.unsure


def test_who_never_read_it_shows_nothing(tmp_path):
    run = played("never-read", tmp_path, ["isolated"], tier="lite", limit=64)
    gathered = PolicyGatherer(run.manifest)
    for sample in run.samples():
        gathered.add(sample)
    (found,) = gathered.found(permutations=60)
    (one,) = found.arms
    assert (one.found.fano == 0).all()
    assert (one.found.adjusted > 0.05).all()
    assert not found.measurable


def test_smoke_says_what_it_could_have_shown_at_best(tmp_path):
    (found,) = run_safety(played("oracle", tmp_path)).policies
    assert found.arms == ()
    assert found.contrast is None
    assert found.words[0].endswith("with every policy guessed the bound would be 0.322 of 1.386 nats.")
