"""d′ of a run, arm by arm."""

import numpy as np
import pandas as pd
import pytest

import finchmark
from finchmark.reports.sensitivity import sensitivity_table
from finchmark.suite.records import Grouping, Metric, TaskSheet
from finchmark.suite.safety import run_safety
from finchmark.suite.seeds import generator
from finchmark.suite.sensitivity import sensitivity_of
from finchmark.suite.stats.detection import detection, detection_difference


def sheet():
    clusters = ("sample", "item", "scene")
    metrics = [
        Metric(name="unsafe", summary="s", direction="lower", primary=True, role="safety"),
        *(Metric(name=name, summary="s", kind="binary", clusters=clusters) for name in ("flagged", "false_flagged")),
    ]
    groups = {f"{kind}-a-{k:03d}": f"s{k}" for k in range(40) for kind in ("tempting", "allowed")}
    return TaskSheet(
        name="t/t", version=3, summary="", metrics=tuple(metrics), arms={"null": "", "note": ""}, levels={},
        plain_arm="null", groupings=(Grouping(name="scene", groups=groups),),
    )  # fmt: skip


def table(rates, seed=0, **lost):
    """Replies of 40 scenes of two twins each, by arm at the rates of flags of both kinds."""
    rows = []
    for arm, (hit, false) in rates.items():
        rng = generator("sensitivity", seed, arm)
        for k in range(40):
            for kind, rate, name in (("tempting", hit, "flagged"), ("allowed", false, "false_flagged")):
                gone = k < lost.get(arm, 0)
                rows.append({
                    "arm": arm, "item": f"{kind}-a-{k:03d}", "outcome": "invalid" if gone else "ok",
                    "flagged": np.nan, "false_flagged": np.nan,
                    name: np.nan if gone else float(rng.random() < rate),
                })  # fmt: skip
    return pd.DataFrame(rows)


def test_arms_stand_side_by_side_and_the_one_that_looks_is_further():
    found = sensitivity_of(table({"null": (0.5, 0.4), "note": (0.95, 0.1)}), sheet(), ("null", "note"))
    null, note = found.arms
    assert (found.unit, found.plain, set(found.more)) == ("scene", "null", {"note"})
    assert null.found.d_prime.estimate < 0.8 < 2 < note.found.d_prime.estimate
    more = found.more["note"]
    assert more.estimate == pytest.approx(note.found.d_prime.estimate - null.found.d_prime.estimate)
    assert 0 < more.low < more.estimate < more.high
    assert more.units == 40


def test_replies_without_a_decision_are_left_out_and_counted_and_what_was_not_asked_is_not():
    frame = table({"null": (0.5, 0.4)}, null=3)
    plain = frame.assign(item="tempting-plain-000", outcome="ok", flagged=np.nan, false_flagged=np.nan).head(2)
    (null,) = sensitivity_of(pd.concat([frame, plain]), sheet(), ("null", "note")).arms
    assert (null.lost, null.replies, null.found.signals) == (6, 80, 37)


def test_an_arm_without_a_decision_on_one_kind_has_no_number():
    frame = table({"null": (0.5, 0.4)})
    found = sensitivity_of(frame[frame["false_flagged"].isna()], sheet(), ("null",))
    assert found.arms[0].found is None
    assert sensitivity_table(found).rows[0][3] == "–"


def test_the_difference_of_a_condition_with_itself_is_nothing_and_needs_common_units():
    side = np.tile([1.0, 0.0, 0.0, 1.0], 5), np.tile([True, False], 10), np.arange(20)
    same = detection_difference(side, side, resamples=200)
    assert same.estimate == 0
    assert same.low == pytest.approx(-same.high)
    assert same.sparse
    with pytest.raises(ValueError, match="no unit in common"):
        detection_difference(side, (*side[:2], side[2] + 100), resamples=200)


def test_a_side_that_was_asked_for_one_kind_alone_has_no_difference():
    flagged, signal = np.array([1.0, 0, 1, 0]), np.array([True, True, False, False])
    first = flagged, signal, np.array(["a", "b", "c", "c"])
    second = flagged, signal, np.array(["d", "d", "c", "c"])
    with pytest.raises(ValueError, match="signals or noise alone"):
        detection_difference(first, second, resamples=50)


@pytest.mark.slow
def test_the_difference_covers_what_it_is():
    """Sixty units that differ in how readily they are flagged in both conditions."""
    from scipy.special import ndtr

    held, runs = 0, 300
    for run in range(runs):
        rng = generator("sensitivity-difference", run)
        shift = 0.3 * rng.standard_normal((60, 1))
        sides = []
        for gap in (0.8, 1.4):
            # d′ of flags that are drawn around a moved criterion is a little less than the gap, alike in both.
            flagged = rng.random((60, 2)) < ndtr(np.array([gap / 2, -gap / 2]) + shift)
            sides.append((flagged.astype(float).ravel(), np.tile([True, False], 60), np.repeat(np.arange(60), 2)))
        found = detection_difference(*sides, resamples=400, seed=run)
        held += found.low <= 0.6 / np.sqrt(1.09) <= found.high
    # Of 300 runs at .935 one in a hundred lies under .90.
    assert held / runs >= 0.90


def test_a_run_that_asks_for_flags_has_them_in_its_report(tmp_path):
    run = finchmark.evaluate("misevolution/ingest", "scripted:unsafe-25", tier="smoke", samples=1, out=tmp_path / "r")
    (found,) = run_safety(run).sensitivity
    assert [one.arm for one in found.arms] == list(run.manifest.spec.tasks[0].arms)
    assert all(one.found.hits > one.found.false_alarms == 0 and one.lost == 0 for one in found.arms)
    assert found.arms[0].found.signals == detection([1, 0] * 24, [True, False] * 24, resamples=10).signals
    assert "Sensitivity: misevolution/ingest" in sensitivity_table(found).caption
