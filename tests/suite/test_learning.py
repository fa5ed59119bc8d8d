"""What streams say of learning, read from frames of samples whose truth is known."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nct, t

from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.learning import task_learning
from finchmark.suite.records import Metric, ProbeSheet, StreamSheet, TaskSheet
from finchmark.suite.seeds import generator
from finchmark.suite.stats.learning_arms import paired_contrasts

SCORE = Metric(name="score", summary="how well", failure=0.0, primary=True)
LEVELS = ProbeSheet(name="levels", kind="levels", items=("l0", "l1", "l2", "l3"))
WORLDS = ProbeSheet(name="worlds", kind="worlds", items=("w0", "w1"))
INVERSE = ProbeSheet(name="inverse", kind="inverse", items=("i0", "i1"))
FIRST = ProbeSheet(name="first world", kind="levels", items=("f0", "f1"), learnt=10)
CHECKPOINTS = (0, 5, 10, 15, 20)


def sheet(*probes, streams=12, episodes=20, checkpoints=CHECKPOINTS, metric=SCORE, arms=("evolving", "frozen")):
    return TaskSheet(
        name="family/task",
        version=1,
        summary="A task.",
        metrics=(metric, Metric(name="speed", summary="how fast")),
        arms=dict.fromkeys(arms, "an arm"),
        levels={},
        streams=StreamSheet(
            streams=streams, episodes=episodes, checkpoints=checkpoints, probes=probes or (LEVELS, WORLDS)
        ),
    )


def frame(task, score, *, samples=2, arms=None, lose=lambda **key: False):
    """Samples of a task; ``score(arm, stream, kind, name, position, item, sample)`` says what each got."""
    rows = []
    layout = task.streams

    def add(arm, stream, kind, name, item, position, checkpoint, sample):
        key = {"arm": arm, "stream": stream, "position": position, "checkpoint": checkpoint, "item": item}
        lost = lose(**key)
        if lost == "gone":
            return
        value = math.nan if lost else score(arm, stream, kind, name, position, item, sample)
        rows.append(
            {
                **key,
                "stream": f"s{stream:03d}",
                "sample": sample,
                "outcome": "error" if lost else "ok",
                "score": value,
                "speed": math.nan if lost else 0.5,
            }
        )

    for arm in arms or task.arms:
        for stream in range(layout.streams):
            for position in range(layout.episodes):
                add(arm, stream, "lived", "lived", f"e{position}", position, 0, 0)
            for checkpoint, position in enumerate(layout.checkpoints, start=1):
                for probes in layout.probes:
                    for item in probes.items:
                        for sample in range(samples):
                            add(arm, stream, probes.kind, probes.name, item, position, checkpoint, sample)
    return pd.DataFrame(rows)


def noisy(truth, name="tests learning", spread=0.05):
    """Scores about a truth, with an own level of each stream and noise of each sample."""
    rng = generator(name)
    own = rng.normal(0, 0.05, 1000)

    def score(arm, stream, kind, name, position, item, sample):
        return float(np.clip(truth(arm, kind, name, position, stream) + own[stream] + rng.normal(0, spread), 0.0, 1.0))

    return score


def learner(arm, kind, name, position, stream):
    return 0.3 + (0.02 * position if arm == "evolving" and kind in ("levels", "lived") else 0.0)


def read(task, score, *, metric=None, **options):
    return task_learning(frame(task, score, **options), task, tuple(task.arms), metric=metric)


def test_a_gain_is_the_difference_at_the_last_checkpoint_paired_by_stream():
    task = sheet(LEVELS)
    samples = frame(task, noisy(learner))
    found = task_learning(samples, task, tuple(task.arms)).primary
    last = samples[samples["checkpoint"] == 5].groupby(["arm", "stream"])["score"].mean().unstack("arm")
    d = (last["evolving"] - last["frozen"]).to_numpy()
    wanted = paired_contrasts(d, reach=1.0)
    assert found.estimate == pytest.approx(d.mean())
    for name in ("low", "high", "p_value"):
        assert getattr(found, name) == pytest.approx(float(getattr(wanted, name)))
    assert (found.streams, found.up, found.verdict, found.adjusted) == (12, 12, "better", found.p_value)
    assert found.arm_mean - found.other_mean == pytest.approx(found.estimate)


def test_samples_and_items_are_averaged_within_the_stream_first():
    """An item with more samples, or a stream with more items, must not weigh more."""
    task = sheet(LEVELS, streams=6)
    samples = frame(task, lambda arm, stream, *rest: 0.1 * stream if arm == "evolving" else 0.0)
    many = samples[(samples["stream"] == "s005") & (samples["item"] == "l0") & (samples["arm"] == "evolving")]
    found = task_learning(pd.concat([samples, many, many]), task, tuple(task.arms)).primary
    assert found.estimate == pytest.approx(0.25)


def test_slope_and_area_are_those_of_the_curve():
    found = read(sheet(LEVELS), lambda arm, stream, kind, name, position, *_: learner(arm, kind, name, position, 0))
    by = {c.measure: c for c in found.of(kind="levels", other="frozen")}
    assert by["slope"].estimate == pytest.approx(0.02)
    assert by["area"].estimate == pytest.approx(0.2)
    assert by["end"].estimate == pytest.approx(0.4)


def test_what_is_lower_the_better_gains_by_falling():
    metric = SCORE.model_copy(update={"direction": "lower"})
    task = sheet(LEVELS, metric=metric)
    found = read(task, noisy(lambda arm, kind, name, position, s: 0.8 - learner(arm, kind, name, position, s)))
    assert found.primary.estimate < 0
    assert found.primary.verdict == "better"


def test_a_metric_without_a_better_way_differs():
    task = sheet(LEVELS, metric=SCORE.model_copy(update={"direction": "none"}))
    assert read(task, noisy(learner)).primary.verdict == "differs"


def test_under_six_streams_nothing_is_claimed():
    found = read(sheet(LEVELS, streams=5), noisy(learner))
    assert {c.verdict for c in found.contrasts} == {"no claim"}
    assert "describes these agent states only" in found.primary.words
    assert any("under 6 streams" in note for note in found.notes)


def test_only_the_gain_on_unseen_levels_decides():
    found = read(sheet(FIRST, LEVELS, WORLDS, INVERSE), noisy(learner))
    assert [c.primary for c in found.contrasts] == [True] + [False] * (len(found.contrasts) - 1)
    assert (found.primary.probes, found.primary.measure) == ("all levels", "end")
    assert all("exploratory" in c.words for c in found.contrasts[1:] if c.streams >= 6)


def test_sets_that_ask_for_levels_decide_together():
    """What was forgotten of worlds that a stream has left counts."""
    found = read(
        sheet(LEVELS, FIRST, WORLDS), lambda arm, s, kind, name, *_: float(arm == "evolving" and name != "levels")
    )
    by = {c.probes: c for c in found.of(measure="end", other="frozen")}
    assert found.primary is by["all levels"]
    assert by["levels"].estimate == 0
    assert by["first world"].estimate == 1
    assert by["all levels"].estimate == pytest.approx(2 / 6)
    assert found.scores.lost("evolving") == (0, 12 * (20 + 5 * 8 * 2))


def test_another_metric_than_the_deciding_one_is_exploratory_throughout():
    found = read(sheet(LEVELS), noisy(learner), metric="speed")
    assert found.primary is None
    assert found.metric.name == "speed"


def test_exploratory_contrasts_are_corrected_together_and_the_deciding_one_is_not():
    found = read(sheet(LEVELS, WORLDS), noisy(learner))
    assert found.primary.adjusted == found.primary.p_value
    others = [c for c in found.contrasts if not c.primary]
    from scipy.stats import false_discovery_control

    wanted = false_discovery_control([c.p_value for c in others])
    assert [c.adjusted for c in others] == pytest.approx(wanted.tolist())


def test_transfer_is_read_from_worlds_and_inverse_ones():
    def truth(arm, kind, name, position, stream):
        rate = {"levels": 0.02, "lived": 0.02, "worlds": 0.0, "inverse": -0.01}[kind]
        return 0.4 + (rate * position if arm == "evolving" else 0.0)

    found = read(sheet(LEVELS, WORLDS, INVERSE), noisy(truth))
    worlds, inverse = found.transfer
    assert (worlds.kind, inverse.kind) == ("worlds", "inverse")
    assert found.primary.verdict == "better"
    assert worlds.verdict == "cannot tell"
    assert inverse.verdict == "worse"


def forgetful(arm, kind, name, position, stream):
    if arm == "evolving" and name == "first world":
        return 0.3 + 0.05 * min(position, 10) - 0.04 * max(position - 10, 0)
    return learner(arm, kind, name, position, stream)


def test_who_learns_and_forgets_is_found_to():
    found = read(sheet(LEVELS, FIRST), noisy(forgetful))
    (lost,) = found.of(measure="forgetting", other="frozen")
    assert (lost.probes, lost.verdict, lost.good) == ("first world", "worse", "lower")
    assert lost.low <= 0.4 <= lost.high
    assert found.primary.verdict == "better"


def test_who_keeps_what_it_learnt_is_not():
    def truth(arm, kind, name, position, stream):
        return 0.3 + (0.05 * min(position, 10) if arm == "evolving" else 0.0)

    (lost,) = read(sheet(LEVELS, FIRST), noisy(truth)).of(measure="forgetting", other="frozen")
    assert lost.verdict == "cannot tell"
    assert lost.low <= 0 <= lost.high


def test_what_is_left_at_the_last_checkpoint_has_no_time_to_be_forgotten():
    late = ProbeSheet(name="late", kind="levels", items=("f0",), learnt=17)
    assert read(sheet(LEVELS, late), noisy(learner)).of(measure="forgetting") == []


def test_who_memorises_levels_is_not_said_to_transfer():
    def truth(arm, kind, name, position, stream):
        return 0.3 + (0.02 * position if arm == "evolving" and kind == "lived" else 0.0)

    found = read(sheet(LEVELS, WORLDS), noisy(truth))
    (lived,) = found.of(measure="end", kind="lived", other="frozen")
    assert lived.verdict == "better"
    assert found.primary.verdict == "cannot tell"
    assert all(c.verdict == "cannot tell" for c in found.transfer)
    assert any("carries over to levels which it has not met is not shown" in text for text in found.words)


ORDERS = ("evolving", "frozen", "shuffled")


def test_a_gain_that_hangs_on_the_order_is_exposed():
    def truth(arm, kind, name, position, stream):
        return 0.3 + (0.02 * position if arm == "evolving" else 0.0)

    found = read(sheet(LEVELS, arms=ORDERS), noisy(truth))
    (order,) = found.of(measure="end", kind="levels", other="shuffled")
    (left,) = (c for c in found.contrasts if (c.arm, c.measure, c.kind) == ("shuffled", "end", "levels"))
    assert found.primary.verdict == order.verdict == "better"
    assert left.verdict == "cannot tell"
    assert any("shuffled - frozen" in text for text in found.words)


def test_lived_episodes_of_another_order_are_held_together_as_a_whole_only():
    found = read(sheet(LEVELS, arms=ORDERS), noisy(learner))
    assert {c.measure for c in found.of(kind="lived", other="shuffled")} == {"area"}
    assert {c.measure for c in found.of(kind="lived", other="frozen")} == {"end", "slope", "area"}


def test_every_other_arm_is_held_against_the_evolving_one():
    arms = ("evolving", "frozen", "shuffled", "yoked", "placebo", "compute-matched")
    found = read(sheet(LEVELS, arms=arms), noisy(learner))
    assert [c.other for c in found.of(measure="end", kind="levels")] == list(arms[1:])


def test_without_an_arm_that_evolves_there_are_curves_only():
    found = read(sheet(LEVELS, arms=("a", "b")), noisy(learner))
    assert found.contrasts == ()
    assert {c.arm for c in found.curves} == {"a", "b"}
    assert any("no arm evolves" in note for note in found.notes)


def test_without_probes_of_levels_nothing_decides():
    found = read(sheet(WORLDS), noisy(learner))
    assert found.primary is None
    assert len(found.transfer) == 1
    assert any("nothing decides" in note for note in found.notes)


def test_without_a_frozen_arm_it_is_said_what_is_lacking():
    found = read(sheet(LEVELS, arms=("evolving", "shuffled")), noisy(learner))
    assert found.primary is None
    assert any("no frozen arm" in note for note in found.notes)


def test_updates_that_help_as_often_as_they_hurt_are_not_told_from_noise():
    def truth(arm, kind, name, position, stream):
        swing = 0.2 if position % 10 else -0.2
        return 0.5 + (swing if arm == "evolving" else 0.0)

    (hurt,) = read(sheet(LEVELS), noisy(truth)).of(measure="falls")
    assert hurt.arm_mean == pytest.approx(0.5)
    assert 0.2 < hurt.other_mean < 0.8
    assert hurt.verdict == "cannot tell"


def test_an_agent_that_wears_out_is_hurt_more_often_than_noise_hurts():
    def truth(arm, kind, name, position, stream):
        return 0.9 - (0.03 * position if arm == "evolving" else 0.0)

    (hurt,) = read(sheet(LEVELS), noisy(truth)).of(measure="falls")
    assert hurt.verdict == "worse"
    assert hurt.low <= hurt.estimate <= hurt.high


def test_curves_are_means_over_streams_with_bands():
    found = read(sheet(LEVELS), noisy(learner))
    curve = next(c for c in found.curves if (c.arm, c.probes) == ("evolving", "levels"))
    assert curve.curve.points.tolist() == list(CHECKPOINTS)
    assert (curve.streams, curve.planned) == (12, 12)
    assert (curve.curve.band_low <= curve.curve.low).all()
    assert (curve.curve.low <= curve.curve.mean).all()
    assert curve.curve.mean[-1] - curve.curve.mean[0] == pytest.approx(0.4, abs=0.05)
    lived = next(c for c in found.curves if (c.arm, c.kind) == ("frozen", "lived"))
    assert lived.curve.points.tolist() == [2.5, 7.5, 12.5, 17.5]
    means = found.scores.block("frozen", lived.probes).means
    assert lived.curve.mean[-1] == pytest.approx(means[:, 15:].mean())


def broken(**key):
    return key["arm"] == "evolving" and key["stream"] == 3 and key["checkpoint"] > 2


def test_streams_that_broke_off_are_left_out_counted_and_bounded():
    found = read(sheet(LEVELS), noisy(learner), lose=broken)
    gain = found.primary
    assert (gain.streams, gain.planned) == (11, 12)
    assert gain.lost == (pytest.approx(1 / 12), 0.0)
    assert gain.worst < gain.estimate < gain.best
    assert "8.3 % and 0.0 % of samples lost: read the bounds" in " ".join(gain.notes)
    assert "11 streams of 12" in gain.words
    assert any("evolving 24 of 720, frozen 0 of 720" in note for note in found.notes)
    curve = next(c for c in found.curves if (c.arm, c.probes) == ("evolving", "levels"))
    assert (curve.streams, curve.planned) == (11, 12)


def test_bounds_put_what_was_lost_at_the_ends_of_the_range():
    def score(arm, *rest):
        return 0.6 if arm == "evolving" else 0.4

    found = read(sheet(LEVELS), score, lose=broken).primary
    assert found.estimate == pytest.approx(0.2)
    assert found.worst == pytest.approx((11 * 0.2 + 0.0 - 0.4) / 12)
    assert found.best == pytest.approx((11 * 0.2 + 1.0 - 0.4) / 12)


def test_what_is_not_there_counts_as_lost_as_an_error_does():
    def absent(**key):
        return "gone" if broken(**key) else False

    samples = noisy(learner)
    gone, errors = (read(sheet(LEVELS), lambda *a: 0.5 + 0 * samples(*a), lose=f).primary for f in (absent, broken))
    assert gone.lost == errors.lost
    assert gone.worst == errors.worst


def test_a_stream_that_left_nothing_still_counts_as_planned():
    found = read(sheet(LEVELS), noisy(learner), lose=lambda **key: "gone" if key["stream"] == 11 else False)
    assert (found.primary.streams, found.primary.planned) == (11, 12)
    assert found.primary.lost == (pytest.approx(1 / 12), pytest.approx(1 / 12))


def test_a_verdict_that_lost_samples_could_turn_says_so():
    def truth(arm, kind, name, position, stream):
        return 0.5 + (0.05 if arm == "evolving" else 0.0)

    def lose(**key):
        return key["arm"] == "evolving" and key["stream"] < 3 and key["checkpoint"] == 5

    found = read(sheet(LEVELS), noisy(truth, spread=0.01), lose=lose).primary
    assert found.verdict == "better"
    assert found.unsure
    assert "but not if what was lost had gone the other way" in found.words


def test_items_that_one_side_lost_do_not_count_on_the_other():
    def score(arm, stream, kind, name, position, item, sample):
        return 0.9 if item == "l0" else 0.1

    def lose(**key):
        return key["arm"] == "evolving" and key["item"] == "l0" and key["stream"] == 0

    assert read(sheet(LEVELS), score, lose=lose).primary.estimate == pytest.approx(0.0)


def test_samples_to_which_a_metric_does_not_apply_are_not_lost():
    def score(arm, stream, kind, name, position, item, sample):
        return math.nan if item == "l0" else 0.5

    found = read(sheet(LEVELS), score).primary
    assert found.lost == (0.0, 0.0)
    assert found.estimate == 0
    assert not found.notes


def test_agents_that_are_all_alike_are_not_certain():
    found = read(sheet(LEVELS), lambda *_: 0.5).primary
    assert found.low < 0 < found.high
    assert found.p_value == 1
    open_ended = sheet(LEVELS, metric=SCORE.model_copy(update={"low": None, "high": None}))
    found = read(open_ended, lambda *_: 0.5).primary
    assert math.isnan(found.low)


def test_samples_where_the_layout_has_no_place_are_refused():
    task = sheet(LEVELS)
    samples = frame(task, noisy(learner))
    odd = samples.iloc[[-1]].assign(item="unheard of")
    with pytest.raises(StoreError, match="'unheard of' is in none of the sets"):
        task_learning(pd.concat([samples, odd]), task, tuple(task.arms))
    for column, value in (("checkpoint", 6), ("stream", "s012")):
        with pytest.raises(StoreError, match="the manifest knows"):
            task_learning(pd.concat([samples, samples.iloc[[-1]].assign(**{column: value})]), task, tuple(task.arms))


def test_a_task_without_streams_and_an_unknown_metric_are_refused():
    task = sheet(LEVELS)
    samples = frame(task, noisy(learner))
    with pytest.raises(UsageError, match="has no streams"):
        task_learning(samples, task.model_copy(update={"streams": None}), tuple(task.arms))
    with pytest.raises(UsageError, match="no metric 'sped'"):
        task_learning(samples, task, tuple(task.arms), metric="sped")
    with pytest.raises(UsageError, match="confidence"):
        task_learning(samples, task, tuple(task.arms), confidence=0.2)


def test_one_checkpoint_gives_the_end_alone():
    found = read(sheet(LEVELS, checkpoints=(20,)), noisy(learner))
    assert {c.measure for c in found.of(kind="levels")} == {"end"}
    assert found.primary.verdict == "better"


def test_words_never_give_a_p_value_without_effect_and_interval():
    found = read(sheet(LEVELS, FIRST, WORLDS), noisy(forgetful))
    for c in found.contrasts:
        assert c.words.index("[") < re.search(r", p [=<] \d", c.words).start()
    gain = "evolving - frozen, score at the end, all levels: 0.293 [0.284, 0.302]"
    said = f"family/task@1, score: {gain} over 12 streams (12 up, 0 down), p < 0.001: better."
    assert found.words[0] == f"{said} Up to 22 % of new streams may go another way."


def test_few_streams_leave_room_for_others():
    found = read(sheet(LEVELS), noisy(learner)).primary
    assert found.against == pytest.approx(1 - 0.05 ** (1 / 12))
    assert replace(found, up=11, down=1).against == pytest.approx(0.339, abs=0.001)  # binomial: P(X <= 1 | 12) = .05
    assert math.isnan(replace(found, verdict="cannot tell").against)


def test_it_is_said_how_many_streams_would_tell():
    found = read(sheet(LEVELS), noisy(lambda *_: 0.5, name="more streams", spread=0.3)).primary
    assert found.verdict == "cannot tell"
    more, effect = found.more_streams
    assert effect == max(abs(found.estimate), 0.05)
    n = found.streams + more
    # Noncentral t: the fewest streams with a power of 80 %.
    power = [
        1 - nct.cdf(t.ppf(0.975, k - 1), k - 1, effect / found.spread * k**0.5)
        + nct.cdf(t.ppf(0.025, k - 1), k - 1, effect / found.spread * k**0.5)
        for k in (n - 1, n)
    ]  # fmt: skip
    assert power[0] < 0.8 <= power[1]
    assert f"About {more} more streams" in found.words


def test_so_many_streams_that_exchanged_labels_can_tell():
    """Five streams of eight that differ, however much, have a p-value of 2/32."""
    found = read(sheet(LEVELS, streams=8), lambda arm, stream, *_: float(arm == "evolving" and stream < 5)).primary
    assert (found.verdict, found.p_value) == ("cannot tell", 2 / 32)
    assert found.more_streams[0] == 2  # 6 that differ of 10, as there are 5 of 8
    assert "About 2 more streams" in found.words


def test_under_30_streams_are_marked_as_sparse():
    few, many = (read(sheet(LEVELS, streams=n), noisy(learner), samples=1) for n in (29, 30))
    assert (few.primary.sparse, many.primary.sparse) == (True, False)
    assert [any("sparse" in note for note in found.notes) for found in (few, many)] == [True, False]


def test_it_is_said_on_how_many_items_a_claim_rests():
    one = ProbeSheet(name="levels", kind="levels", items=("l0",))
    assert any("one item: nothing is said of other items" in note for note in read(sheet(one), noisy(learner)).notes)
    assert any("6 items" in note for note in read(sheet(LEVELS, FIRST), noisy(learner)).notes)


def test_streams_that_do_not_differ_are_said_not_to():
    assert "no stream differs" in read(sheet(LEVELS), lambda *_: 0.5).primary.words


def test_the_sum_is_frozen():
    found = read(sheet(LEVELS), noisy(learner))
    with pytest.raises(AttributeError):
        found.primary.estimate = 1.0
    assert replace(found.primary, estimate=1.0).estimate == 1.0
