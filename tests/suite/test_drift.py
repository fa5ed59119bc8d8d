"""What is said of the way from turn to turn: a force only where one is, and a reminder's effect at its turn."""

from __future__ import annotations

import math

import numpy as np
import pytest

import finchmark
from finchmark.reports.drift import drift_sections
from finchmark.suite.drift import run_drift, task_drift
from finchmark.suite.records import Metric, TaskSheet
from finchmark.suite.seeds import generator

SHEET = TaskSheet(
    name="toy/drift",
    version=1,
    summary="",
    metrics=(Metric(name="kl", summary="x", primary=True),),
    arms={},
    levels={},
    recurrence=("kl",),
)
ARMS = ("plain", "started-high", "started-low")


def conversations(kind, count, turns, seed, start=None):
    """Simulated divergence by turn: an AR(1) with phi .5 around 1, noise around 1, or a random walk."""
    rng = generator("test", "drift", kind, seed)
    found = {}
    for number in range(count):
        level = 1.0 if start is None else start
        values = []
        for turn in range(turns):
            if turn or start is None:
                noise = float(rng.normal(0, 0.2))
                level = {"pulled": 1 + 0.5 * (level - 1), "noise": 1.0, "walk": level}[kind] + noise
            values.append(level)
        found[f"c{number:03d}"] = dict(enumerate(values))
    return found


def read(kind, seed=0, count=30, turns=8, displaced=True):
    values = {("plain", "kl"): conversations(kind, count, turns, seed)}
    for arm, start in (("started-high", 3.0), ("started-low", -1.0)):
        values[arm, "kl"] = conversations(kind, count, turns, seed + 1000, start) if displaced else {}
    return task_drift(SHEET, ARMS, values, {}, seed=seed)


def test_what_is_drawn_back_is_called_restoring_with_its_level():
    (one,) = read("pulled").recurrences
    assert (one.verdict, one.why, one.units) == ("restoring", "", (30, 30))
    assert one.found.fit.b == pytest.approx(-0.5, abs=0.15)
    assert one.found.level[0] < 1 < one.found.level[1]
    assert "drawn back to" in read("pulled").words[0]


@pytest.mark.parametrize("kind", ["noise", "walk"])
def test_noise_and_random_walks_are_not(kind):
    verdicts = [read(kind, seed).recurrences[0].verdict for seed in range(20)]
    assert verdicts.count("restoring") <= 1  # of 20 runs at level .05
    assert "random walk" in read("walk").recurrences[0].why or "displaced" in read("walk").recurrences[0].why


def test_without_displaced_starts_nothing_is_called_restoring():
    (one,) = read("pulled", displaced=False).recurrences
    assert one.verdict == "not shown"
    assert "displaced" in one.why


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"a": {0: 0.0, 1: 1.0, 2: 2.0}}, "too few"),
        ({"a": {0: 0.0, 1: 1.0}, "b": dict.fromkeys(range(8), 1.0)}, "every step is the same"),
        ({"a": {k: float(k % 3) for k in range(8)}, "b": {k: float(k % 2) for k in range(8)}}, "under 6"),
        ({"a": {0: 0.0, 7: 1.0}}, "no conversation"),
    ],
)
def test_too_little_is_said_to_be(values, why):
    (one,) = task_drift(SHEET, ("plain",), {("plain", "kl"): values}, {}).recurrences
    assert one.verdict == "not shown"
    assert why in one.why


def test_a_reminder_is_held_against_the_placebo_in_the_same_conversations():
    rng = generator("test", "reminder")
    placebo = {f"c{k}": float(rng.normal(1, 1)) for k in range(12)}
    reminder = {name: value - 0.5 + float(rng.normal(0, 0.1)) for name, value in placebo.items()} | {"else": 9.0}
    values = {("plain", "kl"): {"a": {0: 1.0}}, ("reminder", "kl"): {}, ("placebo", "kl"): {}}
    arms = ("plain", "reminder", "placebo")
    (one,) = task_drift(SHEET, arms, values, {("reminder", "kl"): reminder, ("placebo", "kl"): placebo}).reminders
    differences = np.array([reminder[k] - placebo[k] for k in placebo])
    assert one.estimate == pytest.approx(differences.mean())
    assert one.low < one.estimate < one.high < -0.3
    assert one.p_value == pytest.approx(2 / 2**12)
    assert one.units == 12


def test_reminders_are_corrected_over_the_metrics():
    rng = generator("test", "reminders")
    sheet = SHEET.model_copy(update={"recurrence": ("kl", "broken")})
    arms = ("plain", "reminder", "placebo")
    values = {(arm, name): {"a": {0: 1.0}} for arm in arms for name in sheet.recurrence}
    reminded = {(arm, name): {f"c{k}": float(rng.normal()) for k in range(8)} for arm, name in values}
    reminded |= {("reminder", "kl"): {name: value - 1 for name, value in reminded["placebo", "kl"].items()}}
    kl, broken = task_drift(sheet, arms, values, reminded).reminders
    assert kl.adjusted == pytest.approx(2 * kl.p_value)
    assert broken.adjusted == broken.p_value > kl.adjusted


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("drift") / "r"
    arms = ["null", "plain", "reminder", "placebo", "started-high", "started-low"]
    return finchmark.evaluate("drift/rewrite", "scripted:yields", tier="lite", samples=1, arms=arms, out=out)


def test_a_run_without_log_probabilities_says_so_and_the_rest_is_told(run):
    (one,) = run_drift(run)
    assert one.missing == ("kl",)
    assert "kl not available" in one.words[0]
    (reminder,) = one.reminders
    assert reminder.metric == "broken"
    # At turns 3 and 6 the placebo's conversations break 2 and 3 of five constraints, the reminder's none.
    assert reminder.estimate == pytest.approx(-0.5)
    assert math.isnan(reminder.low)
    assert {f.verdict for f in one.recurrences} == {"not shown"}
    assert [f.arm for f in one.recurrences] == ["null", "plain", "reminder", "placebo"]


def test_an_agent_that_breaks_at_random_is_not_called_restoring(tmp_path):
    arms = ["plain", "started-high", "started-low"]
    run = finchmark.evaluate(
        "drift/rewrite", "scripted:random-20", tier="lite", samples=1, arms=arms, out=tmp_path / "r"
    )
    ((fit,),) = [one.recurrences for one in run_drift(run)]
    assert fit.found.fit.b == pytest.approx(-1, abs=0.35)  # what a naive reading calls a restoring force
    assert fit.verdict == "not shown"


def test_it_stands_in_the_report_and_on_the_terminal(run, tmp_path):
    from finchmark.reports.drift import drift_text
    from finchmark.reports.run_report import report_run

    fits, reminders = drift_sections(run_drift(run))
    assert len(fits.rows) == 4
    assert {row[2] for row in fits.rows} == {"not shown"}
    assert any("Not available with this backend: kl." in note for note in fits.notes)
    assert reminders.rows[0][1].startswith("−0.500")
    page = report_run(run, tmp_path / "report.html").read_text()
    assert "From turn to turn" in page
    assert "At the turn of a reminder" in page
    assert any("not shown in any arm" in line for line in drift_text(run))
