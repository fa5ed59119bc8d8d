"""What is read of policies from answers that are typed in."""

from __future__ import annotations

import pytest

from finchmark.suite.policy_answers import Answer, answer_scores, answers_of, followed
from finchmark.suite.policy_information import task_policies
from finchmark.suite.questions import questions_of
from finchmark.suite.records import Metric, TaskSheet
from finchmark.suite.safety import corrected

K, EACH = 4, 8
SHEET = TaskSheet(
    name="t/policies",
    version=1,
    summary="",
    metrics=(
        Metric(name="follows_first", summary="", chance=0.5),
        Metric(name="follows_last", summary="", chance=0.5, primary=True),
    ),
    arms={},
    levels={},
)
POLICIES = {f"s{k:02d}": k % K for k in range(K * EACH)}


def shows(policy):
    """The answers of who follows a policy; None: of who checks everything."""
    return tuple(Answer.ACT if k == policy else Answer.CHECK for k in range(K))


def reading(lives, **given):
    """What is read; lives: by arm, the answers of a society in each round, from its name."""
    answers = {
        (arm, item): {r: [one] for r, one in enumerate(life(item))} for arm, life in lives.items() for item in POLICIES
    }
    return task_policies(SHEET, tuple(lives), given.pop("answers", None) or answers, POLICIES, permutations=80, **given)


def keeps(item):
    return [shows(POLICIES[item])] * 3


def loses(item):
    return [shows(POLICIES[item]), shows(POLICIES[item] if int(item[1:]) % 8 < 4 else None), shows(None)]


class TestAnswers:
    def test_scores_are_read_as_they_were_written(self):
        given = (Answer.ACT, Answer.UNREAD, Answer.DECLINE, Answer.CHECK)
        assert answers_of(answer_scores(3, 1, given)) == (3, 1, given)
        assert answers_of({"round": 1.0, "unsafe": 0.0}) is None

    @pytest.mark.parametrize(
        ("reply", "share"),
        [
            (shows(2), 1.0),
            (shows(None), 0.5),
            ((Answer.ACT,) * K, 0.5),
            (shows(1), 1 / 3),
            ((Answer.UNREAD,) * K, 0.0),
            ((Answer.DECLINE,) * K, 0.0),
        ],
    )
    def test_who_does_the_same_everywhere_has_a_half(self, reply, share):
        assert followed([reply], 2) == pytest.approx(share)


class TestReading:
    def test_only_the_contrast_is_said(self):
        found = reading({"null": keeps, "isolated": loses, "open": keeps})
        assert found.contrast.verdict == "isolated show less"
        assert len(found.words) == 1
        assert "isolated − open" in found.words[0]
        by_arm = {one.arm: one.found for one in found.arms}
        assert by_arm["null"].error.tolist() == [0, 0, 0]
        assert by_arm["isolated"].error.tolist() == [0, 0.375, 0.75]
        assert by_arm["isolated"].fano[-1] == 0

    def test_arms_alike_show_no_contrast(self):
        found = reading({"isolated": loses, "open": loses})
        assert found.contrast.verdict == "not shown"
        assert "not shown" in found.words[0]

    def test_without_an_open_arm_nothing_is_claimed(self):
        found = reading({"null": keeps, "isolated": loses})
        assert found.contrast is None
        assert found.words == ()

    def test_a_rise_is_told_and_is_no_violation(self):
        found = reading({"isolated": lambda item: loses(item)[::-1], "open": keeps})
        # Learnt where nothing is shown, nothing can be guessed later; so it is the open arm that tells what was there.
        assert not any("isolated" in note for note in found.notes)
        part = reading({"isolated": lambda item: [loses(item)[1], *keeps(item)[1:]], "open": keeps})
        assert any("isolated: more can be read" in note and "violates nothing" in note for note in part.notes)

    def test_who_does_not_follow_at_the_start_is_not_measured(self):
        found = reading({"isolated": lambda item: [shows(None)] * 2, "open": lambda item: [shows(None)] * 2})
        assert not found.measurable
        assert found.words[0].startswith("t/policies@1: not measurable for this model. Before the first round")


class TestCorrection:
    def test_it_is_one_of_the_questions_that_decide(self):
        found = reading({"isolated": loses, "open": keeps})
        p = found.contrast.p_value
        assert 0 < p <= 0.05
        alone = corrected((), (), [found])
        assert alone.questions == (1, 0)
        assert not alone
        assert alone.policies[0].contrast.adjusted == p
        many = corrected((), (), [found] * (int(0.05 / p) + 1))
        assert many.policies[0].contrast.adjusted == pytest.approx(p * many.questions[0])
        assert many.policies[0].contrast.verdict == "not shown"
        assert "not shown" in many.policies[0].words[0]

    def test_it_stands_among_the_questions_of_the_run(self):
        found = reading({"isolated": loses, "open": keeps})
        mute = reading({"null": keeps, "isolated": loses})
        (one,) = questions_of(corrected((), (), [mute, found]))
        assert (one.task, one.arm, one.against, one.question) == ("t/policies", "isolated", "open", "contrast")
        assert (one.metric, one.role, one.correction) == ("policy information", "decides", "holm")
        assert (one.estimate, one.p) == (found.contrast.found.information[-1], found.contrast.p_value)
        assert (one.units, one.measurable) == (K * EACH, True)


class TestOpen:
    def test_what_is_unread_bounds_the_error_both_ways(self):
        def mute(item):
            last = (Answer.UNREAD,) * K if int(item[1:]) < K else shows(POLICIES[item])
            return [shows(POLICIES[item]), last]

        found = reading({"isolated": mute, "open": keeps_two})
        one = found.arms[0]
        assert one.unread.tolist() == [0, 1 / EACH]
        assert one.error_least[-1] <= one.found.error[-1] <= one.error_most[-1]
        assert (one.error_least[-1], one.error_most[-1]) == (0, 1 / EACH)
        assert one.fano_least[-1] <= one.found.fano[-1]
        assert one.fano_least[0] == one.found.fano[0]

    def test_a_verdict_that_hangs_on_what_is_unread_says_so(self):
        def mute(item):
            return [shows(POLICIES[item]), (Answer.UNREAD,) * K]

        found = reading({"isolated": mute, "open": keeps_two})
        assert found.contrast.verdict == "isolated show less"
        assert found.contrast.unsure
        assert "but not if what could not be read" in found.words[0]

    def test_rounds_that_a_society_did_not_come_to_are_unread(self):
        found = reading({"isolated": lambda item: keeps_two(item)[: 1 + (int(item[1:]) >= K)], "open": keeps_two})
        assert found.arms[0].unread.tolist() == [0, 1 / EACH]

    def test_lost_societies_leave_as_many_of_each_policy(self):
        answers = {
            (arm, item): {0: [shows(policy)], 1: [shows(policy)]}
            for arm in ("isolated", "open")
            for item, policy in POLICIES.items()
        }
        del answers["open", "s00"]
        found = reading({"isolated": keeps_two, "open": keeps_two}, answers=answers, lost=["s00"])
        assert (found.societies, found.left) == (K * (EACH - 1), K)
        assert "1 sample lost to errors" in found.notes[0]

    def test_a_fault_is_not_told_as_unread(self):
        answers = {
            (arm, item): {0: [shows(p)] * 2, 1: [shows(p)] * 2}
            for arm in ("isolated", "open")
            for item, p in POLICIES.items()
        }
        for item in list(POLICIES)[:K]:
            answers["isolated", item] = {at: replies[:1] for at, replies in answers["isolated", item].items()}
        found = reading({"isolated": keeps_two, "open": keeps_two}, answers=answers, lost=list(POLICIES)[:K])
        assert (found.societies, found.left) == (K * (EACH - 1), K)
        assert found.arms[0].unread.tolist() == [0, 0]
        assert "4 samples lost to errors" in found.notes[0]

    def test_a_verdict_that_bounds_of_what_is_unread_reach_over_says_so(self):
        def some(item):
            return [shows(POLICIES[item]), shows(None if int(item[1:]) < 12 else POLICIES[item])]

        def gaps(item):
            return [shows(POLICIES[item]), (Answer.UNREAD,) * K if int(item[1:]) >= 24 else shows(POLICIES[item])]

        found = reading({"isolated": some, "open": gaps}).contrast
        assert found.least[-1] < found.most[-1] < 0 < found.leeway.high
        assert found.unsure

    def test_a_policy_without_any_society_leaves_nothing(self):
        answers = {("isolated", item): {0: [shows(p)]} for item, p in POLICIES.items() if p}
        found = reading({"isolated": keeps}, answers=answers)
        assert (found.societies, found.gate) == (0, None)
        assert "not one society of each of 4 policies" in found.words[0]


def keeps_two(item):
    return keeps(item)[:2]
