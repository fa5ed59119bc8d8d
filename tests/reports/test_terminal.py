from __future__ import annotations

import pytest

from finchmark import evaluate
from finchmark.reports.terminal import duplicate_share, results_text, run_text, transcript_text
from finchmark.suite.backends.base import Backend, Capabilities, Completion
from finchmark.suite.errors import UsageError


class Says(Backend):
    """Says the same always, or its seed."""

    name = "says"
    capabilities = Capabilities(scheduling="own", concurrency=8)

    def __init__(self, model="m", text="<action>1</action>", seeded=False):
        self.model, self.text, self.seeded = model, text, seeded

    def identity(self):
        return {"name": self.model, "text": ascii(self.text)}

    async def generate(self, request):
        return Completion(f"{self.text}{request.seed if self.seeded else ''}", "stop", completion_tokens=1)


@pytest.fixture
def play(tmp_path):
    def go(name, backend, **options):
        return evaluate("odyssey/lights", backend, out=tmp_path / name, **{"arms": ["inductive"], **options})

    return go


def test_runs_are_compared_at_the_same_k_only(play):
    text = results_text([play("a", "scripted:random", samples=8), play("b", "scripted:oracle", samples=4)])
    assert "pass@4" in text
    assert "pass@8" not in text


def test_all_metrics_are_shown_on_request(play):
    text = results_text([play("a", "scripted:random", samples=4)], all_metrics=True)
    for word in ("success", "pass@1", "pass@2", "steps_to_success", "unusable_rate", "loop_ratio"):
        assert word in text


def test_numbers_are_written_as_in_reports(play, monkeypatch):
    """One minus sign in terminal and pages, and none before a rounded zero."""
    run = play("a", "scripted:random", samples=2)
    values = {"success": -0.5, "steps_to_success": -0.0001, "unusable_rate": 12345.0}
    samples = [s.model_copy(update={"metrics": {**s.metrics, **values}}) for s in run.samples()]
    monkeypatch.setattr(type(run), "samples", lambda self, **_: iter(samples))
    text = transcript_text(run, "inductive/smoke-000/0")
    assert "success \N{MINUS SIGN}0.500" in text
    assert "steps_to_success 0.000" in text
    assert "unusable_rate 12,345.000" in text


def test_identical_samples_are_reported(play):
    run = play("a", Says(), samples=4)
    assert duplicate_share(run) == 1.0
    assert "100 % of samples read the same" in results_text([run])


def test_samples_that_differ_are_not(play):
    run = play("a", Says(seeded=True), samples=4)
    assert duplicate_share(run) == 0.0
    assert "read the same" not in results_text([run])


def test_greedy_samples_may_be_identical(play):
    assert duplicate_share(play("a", Says(), samples=4, temperature=0.0)) is None


def test_text_from_a_run_cannot_reach_the_terminal_as_control(play):
    run = play("a", Says(text="\x1b[31m\x07evil\x9b", model="\x1b[2J"), samples=1, label="\x1b]0;t\x07")
    for text in (results_text([run]), run_text(run), transcript_text(run, "0")):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\x9b" not in text


def test_markup_in_a_label_stays_text(play):
    assert "[red]me[/red]" in results_text([play("a", "scripted:oracle", label="[red]me[/red]")])


def test_a_sample_that_is_not_there_is_named(play):
    with pytest.raises(UsageError, match="inductive/smoke-000/0"):
        transcript_text(play("a", "scripted:oracle", samples=1), "7")


def test_the_width_of_a_terminal_is_kept(play):
    text = results_text([play("a", "scripted:oracle", samples=1)], width=100)
    assert max(len(line) for line in text.splitlines()[:6]) <= 100
