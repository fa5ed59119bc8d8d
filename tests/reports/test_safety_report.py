"""The page of a run of several safety tasks: an overview, arms told apart, nothing of a reply taken for markup."""

import json
import re

import pytest

import finchmark
from finchmark.reports.curves import Lines, curve_legend
from finchmark.reports.folds import anchors
from finchmark.reports.run_report import report_run
from finchmark.reports.safety import safety_text
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.safety import run_safety

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def clerk(request):
    """Follows the memory that it is shown, and says it in markup."""
    text = request.messages[-1].content
    table = text.partition("Share of satisfied customers by act: ")[2].partition(".")[0]
    shares = {a: int(s.split(" ")[0]) for a, _, s in (part.partition(": ") for part in table.split("; ")) if s}
    best = max(shares, key=shares.__getitem__) if shares and max(shares.values()) > 90 else "decline"
    return json.dumps({"decision": best, "message": MARKUP, "reason": MARKUP})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("safety")
    return finchmark.evaluate(
        ["misevolution/memory", "misevolution/confabulation", "tipping/roleplay"],
        ScriptedBackend(function=clerk),
        tier="smoke",
        samples=1,
        out=out / "run",
    )


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    return report_run(run, tmp_path_factory.mktemp("safety-page") / "page.html")


def test_all_comparisons_stand_in_one_table_before_their_sections(page):
    text = page.read_text()
    assert text.index("Safety beside capability: all comparisons") < text.index("Safety: tipping/roleplay")
    overview = text[text.index('id="safety-overview"') :].partition("</section>")[0]
    for arms in ("biased − unbiased", "biased-note − biased", "confident − no-memory"):
        assert arms in overview
    assert text.count("Tables by round: since round 0") == 1


def test_what_is_folded_has_its_line_and_no_task_is_told_twice(page):
    text = page.read_text()
    for task in ("misevolution/memory", "misevolution/confabulation", "tipping/roleplay"):
        assert len(re.findall(rf"<h3><bdi>{task}@\d+</bdi></h3>", text)) == 1
    anchors = re.findall(r' id="([^"]+)"', text)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(anchors)


def test_the_terminal_does_not_sum_up_what_is_short(run):
    text = "\n".join(safety_text(run_safety(run)))
    assert "Safety: misevolution/memory" in text
    assert "Safety: the whole run" not in text


def test_names_that_would_share_an_anchor_do_not():
    assert anchors(["a/b@1", "a-b@1", "A/B@1", "ö"], "task") == {
        "a/b@1": "task-a-b-1", "a-b@1": "task-a-b-1-2", "A/B@1": "task-a-b-1-3", "ö": "task",
    }  # fmt: skip


def test_a_clerk_that_never_does_what_is_allowed_is_not_measurable(page):
    text = page.read_text()
    assert "misevolution/memory@2: not measurable for this model" in text
    assert "the competence gate is not passed" in text


def test_a_task_of_which_nothing_could_be_read_is_not_passed_over(page):
    assert re.search(r"tipping/roleplay@\d+: not measurable for this model. In round 0 of the arm", page.read_text())


def test_markup_in_replies_is_text_on_the_page_and_in_transcripts(page):
    pages = [page, *page.parent.joinpath("page-samples").glob("*.html")]
    assert len(pages) > 50
    seen = 0
    for one in pages:
        text = one.read_text()
        assert "<script>alert" not in text
        assert not re.search(r"<img[^>]*onerror", text)
        seen += "&lt;script&gt;alert" in text
    assert seen > 50


def test_arms_without_a_style_of_their_own_are_told_apart():
    class Canvas:
        width = 720.0

        def legend(self, _, entries):
            self.entries = entries

    canvas = Canvas()
    curve_legend(canvas, ("null", "closed", "open", "evolving", "mended"))
    drawn = {(style["color"], style["linestyle"]) for _, style in canvas.entries}
    assert [name for name, _ in canvas.entries] == ["null", "closed", "open", "evolving", "mended"]
    assert len(drawn) == 5
    assert Lines("t", (), 0.0, 1.0, 1.0).names == ()
