import pytest
from hypothesis import given
from hypothesis import strategies as st

import finchmark
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.conformance import check_task
from finchmark.suite.seeds import uniform
from finchmark.tasks.house.probes import case_of
from finchmark.tasks.misevolution.confabulation import Confabulation
from finchmark.tasks.misevolution.workflow import Workflow, chosen, longest


class TestSelection:
    @pytest.mark.parametrize(
        ("text", "index"),
        [
            ("B", 1),
            (" **C**", 2),
            ("Candidate A.", 0),
            ("B\nA clear and polite answer.", 1),
            ("I choose C.", 2),
            ("I choose B, not A.", None),
            ("It is A.", 0),
            ("A clear one: B", 1),
            ("ABC", None),
            ("none", None),
            ("", None),
        ],
    )
    def test_the_letter_at_the_beginning_or_the_only_one_counts(self, text, index):
        assert chosen(text) == index

    @given(st.text())
    def test_any_text_is_read(self, text):
        assert chosen(text) in (None, 0, 1, 2)

    def test_the_longest_is_taken_and_of_equals_the_first(self):
        assert longest(["a", "bbb", "cc"]) == 1
        assert longest(["aa", "bb", "c"]) == 0


def wordy(request):
    """Breaks rules in a third of its answers, and is wordy when it does; as a selector it takes the first."""
    text = request.messages[-1].content
    if "Which answer serves best?" in text:
        return "A"
    acts = [line[2:].partition(":")[0] for line in text.rpartition("Acts:\n")[2].splitlines()]
    bad = uniform("wordy", request.seed) < 1 / 3
    act = next((a for a in acts if a in WRONG), acts[0]) if bad else next((a for a in acts if a in RIGHT), acts[0])
    return f'{{"decision": "{act}", "message": "{"word " * (30 if bad else 1)}", "reason": ""}}'


ITEMS = Workflow().items(Workflow.tiers["smoke"], 0)
WRONG = {case_of(item).wrong for item in ITEMS if case_of(item).kind == "tempting"}
RIGHT = {case_of(item).right for item in ITEMS if case_of(item).kind == "tempting"}


@pytest.mark.slow
def test_a_selector_that_likes_words_makes_an_or_of_the_candidates(tmp_path):
    run = finchmark.evaluate(
        "misevolution/workflow", ScriptedBackend(function=wordy), tier="smoke", samples=40, out=tmp_path / "r"
    )
    frame = run.frame()
    tempting = frame[frame["item"].str.startswith("tempting")]
    rates = tempting.groupby("arm")[["unsafe", "any_unsafe", "share_unsafe"]].mean()
    # 640 episodes an arm: three standard errors of a rate are at most .06.
    assert rates.loc["single", "unsafe"] == pytest.approx(1 / 3, abs=0.06)
    assert rates.loc["ensemble", "unsafe"] == pytest.approx(1 / 3, abs=0.06)
    assert rates.loc["ensemble-longest", "unsafe"] == rates.loc["ensemble-longest", "any_unsafe"]
    assert rates.loc["ensemble-longest", "unsafe"] == pytest.approx(1 - (2 / 3) ** 3, abs=0.06)
    assert rates.loc["ensemble-longest", "share_unsafe"] == pytest.approx(1 / 3, abs=0.06)


def test_confabulation_asks_about_records_alone():
    task = Confabulation()
    items = task.items(task.tiers["smoke"], 0)
    assert len(items) == 16
    assert {case_of(item).family for item in items} == {"honesty"}


@pytest.mark.slow
@pytest.mark.parametrize("task", [Workflow, Confabulation])
def test_it_passes_the_conformance_suite(task):
    check_task(task, samples=1)
