import numpy as np
import pytest

from finchmark.reports.arm_effects import arms_worst
from finchmark.reports.safety import round_sections
from finchmark.reports.table_text import table_text
from finchmark.suite.arm_samples import effects_of_arms
from finchmark.suite.records import Grouping, Metric, Outcome, Sample, TaskSheet, Turn
from finchmark.suite.rounds import RoundGatherer
from finchmark.suite.safety import task_safety
from finchmark.suite.seeds import generator
from finchmark.suite.worst_cases import worst_cases

from .test_arm_effects import ARMS, sheet, table

RISK = Metric(name="unsafe", summary="s", direction="lower", primary=True, role="safety")
SAFE = Metric(name="kept", summary="s", direction="higher", primary=True, role="safety")


def chance(p, *path, size):
    return (generator("worst cases", *path).random(size) < p).astype(float)


def read(values, metric=RISK, *, at=0, owners=None):
    """Values of shape (items, samples, replies)."""
    replies = {f"i{k:03d}": own.tolist() for k, own in enumerate(np.asarray(values, dtype=float))}
    return worst_cases(replies, owners or {}, metric, arm="plain", at=at)


class TestWorstOf:
    def test_of_four_units_of_random_20_per_cent_one_breaks_with_1_less_the_fourth_power_of_80(self):
        truth, runs = 1 - 0.8**4, 100
        found = [read(chance(0.2, run, size=(40, 1, 1))).units for run in range(runs)]
        assert np.mean([one.estimate for one in found]) == pytest.approx(truth, abs=0.03)
        # 100 runs at .95: 88 or fewer is beyond three standard errors.
        assert sum(one.low <= truth <= one.high for one in found) > 88

    def test_so_it_is_of_four_samples_of_an_item(self):
        found = read(chance(0.2, size=(60, 6, 1)))
        assert found.of_samples == 4
        assert found.samples.low < 1 - 0.8**4 < found.samples.high
        assert found.samples.units == 60

    def test_a_unit_breaks_a_rule_where_any_of_its_replies_does(self):
        values = np.zeros((10, 1, 3))
        values[:5, 0, 2] = 1
        assert read(values).units.estimate == pytest.approx(1 - 0.5**4)

    def test_items_that_belong_together_are_one_unit_and_leave_the_tail_without_bounds(self):
        values = np.repeat(chance(0.5, size=(10, 1, 1)), 4, axis=0) * np.ones((40, 1, 2))
        found = read(values, owners={f"i{k:03d}": f"u{k // 4}" for k in range(40)})
        assert (found.units.units, found.bounded) == (10, False)

    def test_a_metric_that_is_better_high_is_turned(self):
        values = chance(0.2, size=(20, 3, 1))
        assert read(1 - values, SAFE) == read(values)

    def test_where_scores_are_graded_no_reply_simply_breaks_and_the_tail_stands(self):
        found = read(generator("graded").random((30, 2, 2)))
        assert (found.units, found.samples) == (None, None)
        assert found.tail is not None

    def test_a_range_that_is_open_says_nothing(self):
        assert read(np.ones((4, 2, 1)), RISK.model_copy(update={"high": None})) is None


class TestTail:
    def test_one_reply_an_item_cannot_tell_the_worst_from_noise(self):
        assert read(chance(0.2, size=(40, 1, 1))).tail is None

    def test_of_items_that_are_alike_the_worst_tenth_is_the_mean(self):
        tail = read(chance(0.2, size=(60, 16, 1))).tail
        assert tail.low < 0.2 < tail.high
        assert tail.estimate < tail.plug_in - 0.1

    def test_samples_choose_and_value_where_there_are_several(self):
        """Replies of a sample that went wrong together are one draw: by replies, luck would look like a bad item."""
        values = np.repeat(chance(0.1, size=(60, 2, 1)), 8, axis=2)
        assert read(values).tail.samples == 2


def played(arm, item, values):
    """Values of shape (rounds, replies)."""
    turns = tuple(
        Turn(index=k, observation="", scores={"round": at, "unsafe": value})
        for k, (at, value) in enumerate((at, value) for at, own in enumerate(values) for value in own)
    )
    given = {"task": "t", "outcome": Outcome.OK, "stream": "", "arm": arm, "item": item, "turns": turns}
    return Sample.model_construct(**given)


def gathered(by_arm, groupings=()):
    """Of each arm values of shape (items, rounds, replies)."""
    metric = RISK.model_copy(update={"clusters": ("sample", "item", "place")})
    made = TaskSheet(
        name="t", version=1, summary="", metrics=(metric,), arms={"null": "", "plain": ""}, levels={},
        groupings=groupings,
    )  # fmt: skip
    gatherer = RoundGatherer([(made, ("null", "plain"))])
    for arm, values in by_arm.items():
        for k, own in enumerate(values):
            gatherer.add(played(arm, f"i{k:03d}", own))
    (found,) = gatherer.rounds()
    return task_safety(found)


class TestByRound:
    def growing(self):
        """A mean of .2 in both rounds; in the last one 6 of 60 societies do all of it that they can."""
        flat = chance(0.2, "flat", size=(60, 3, 16))
        last = chance(0.1, "last", size=(60, 16))
        last[:6] = 1
        grown = flat.copy()
        grown[:, 2] = last
        return gathered({"null": flat, "plain": grown})

    def test_a_tail_that_grows_under_a_flat_mean_is_seen_in_its_arm_alone(self):
        found = {(one.arm, one.round): one for one in self.growing().worst}
        assert sorted(found) == [("null", 0), ("null", 2), ("plain", 0), ("plain", 2)]
        first, last = found["plain", 0].tail, found["plain", 2].tail
        assert last.mean == pytest.approx(first.mean, abs=0.03)
        assert last.estimate == pytest.approx(1)
        assert last.low > first.high
        assert found["null", 2].tail.estimate < 0.3

    def test_reports_show_it_and_say_how_to_read_it(self):
        (made,) = [
            one for one in round_sections(self.growing(), "x", ()) if "Worst cases" in getattr(one, "caption", "")
        ]
        assert [row[:2] for row in made.rows] == [("null", "0"), ("null", "2"), ("plain", "0"), ("plain", "2")]
        assert made.rows[-1][4].startswith("1.000 [")
        assert "chosen by one half" in " ".join(table_text(made))

    def test_one_reply_a_round_is_said_to_tell_no_tail(self):
        values = chance(0.2, size=(20, 2, 1))
        found = gathered({"null": values, "plain": values})
        (made,) = [one for one in round_sections(found, "x", ()) if "Worst cases" in getattr(one, "caption", "")]
        assert {row[4] for row in made.rows} == {"not told from noise"}
        assert "one judged reply" in " ".join(made.notes)

    def test_units_are_those_of_the_rounds(self):
        places = Grouping(name="place", groups={f"i{k:03d}": f"p{k % 10}" for k in range(40)})
        values = chance(0.2, size=(40, 2, 1))
        found = gathered({"null": values, "plain": values}, (places,))
        assert {one.units.units for one in found.worst} == {10}

    def test_of_rounds_that_were_left_behind_no_replies_are_held(self):
        found = gathered({"null": chance(0.2, size=(4, 5, 1)), "plain": chance(0.2, size=(4, 3, 1))}).rounds
        assert sorted(found.replies) == [("null", 0), ("null", 4), ("plain", 0)]


class TestByArm:
    def test_samples_of_an_item_tell_the_worst_of_four_and_the_worst_tenth(self):
        """Of 60 items 6 are always broken, the others never."""
        frame = table(dict.fromkeys(ARMS, [1.0] * 24 + [0.0] * 216))
        frame["item"] = "tempting-rule0-" + (frame.index % 240 // 4).astype(str)
        found = effects_of_arms(frame, sheet(), ARMS)
        assert [one.arm for one in found.worst] == list(ARMS)
        one = found.worst[0]
        assert (one.of_samples, one.items, one.units) == (4, 60, None)
        assert one.samples.estimate == pytest.approx(0.1)
        assert one.tail.estimate == pytest.approx(1)
        assert "worst tenth" in " ".join(table_text(arms_worst(found)))

    def test_one_sample_an_item_says_nothing(self):
        assert effects_of_arms(table(dict.fromkeys(ARMS, [0.0, 1.0] * 16)), sheet(), ARMS).worst == ()
