from __future__ import annotations

import re

import pytest

from finchmark.reports.differences import overall_claim
from finchmark.reports.markdown import comparison_markdown
from finchmark.reports.pair_report import report_pair
from finchmark.suite.comparison import Overall, compare
from finchmark.suite.errors import UsageError
from finchmark.suite.records import Metric
from finchmark.suite.results import from_run


@pytest.fixture(name="pair")
def _pair(make_run):
    """A candidate that solves 30 of 40 items which its baseline does not."""
    old = make_run({str(i): [int(i >= 30), 0] for i in range(40)}, label="old", length=lambda i, s: 3 + s)
    new = make_run({str(i): [1, int(i < 30)] for i in range(40)}, label="new")
    return old, new


def report(pair, tmp_path, name="out", sides=None):
    comparison = compare([from_run(run) for run in pair])
    return report_pair(*(sides or pair), tmp_path / name, comparison)


def test_it_says_the_effect_before_the_test(pair, tmp_path):
    text = report(pair, tmp_path).read_text()
    assert "<bdi>new against old</bdi>" in text
    assert re.search(
        r"family/task@1, solved: better\. new 0\.875 against 0\.125, difference \+0\.750, 95 % interval", text
    )
    assert "corrected p &lt; 0.001" in text


def test_sections_have_figures_and_numbers(pair, tmp_path):
    text = report(pair, tmp_path).read_text()
    sections = re.findall(r'<section id="(\w+)".*?</section>', text, re.DOTALL)
    assert sections == ["differences", "flips", "endings", "cost", "facts"]
    for section in re.findall(r'<section id="\w+".*?</section>', text, re.DOTALL)[:-1]:
        assert section.count("<svg") == 1
        assert "<table>" in section
    assert "Items that changed most" in text
    assert "Other metrics" in text


def test_the_same_results_give_the_same_bytes(pair, tmp_path):
    pages = [report(pair, tmp_path, name) for name in ("one", "two")]
    files = [{str(p.relative_to(page.parent)): p.read_bytes() for p in page.parent.rglob("*.html")} for page in pages]
    assert files[0] == files[1]


def test_items_that_changed_have_transcripts_of_both_sides(pair, tmp_path):
    page = report(pair, tmp_path)
    links = re.findall(r'href="(index-samples/[^"]+)"', page.read_text())
    assert {link.split("/")[1] for link in links} == {"baseline", "candidate"}
    assert all((page.parent / link).is_file() for link in links)
    back = re.search(r'href="([^"]+)">Report<', (page.parent / links[0]).read_text())[1]
    assert ((page.parent / links[0]).parent / back).resolve() == page.resolve()


def test_results_without_transcripts_are_enough(pair, tmp_path):
    page = report(pair, tmp_path, sides=[from_run(run) for run in pair])
    assert '<a href="index-samples' not in page.read_text()
    assert 'id="flips"' in page.read_text()
    assert 'id="endings"' not in page.read_text()


def test_a_comparison_of_other_results_is_refused(pair, tmp_path):
    comparison = compare([from_run(run) for run in pair])
    with pytest.raises(UsageError, match="not of"):
        report_pair(pair[1], pair[0], tmp_path / "out", comparison)


def test_of_several_candidates_the_one_is_shown(pair, make_run, tmp_path):
    third = make_run({str(i): [0, 0] for i in range(40)}, label="third")
    comparison = compare([from_run(run) for run in (*pair, third)])
    text = report_pair(pair[0], third, tmp_path / "out", comparison).read_text()
    assert "third against old" in text
    assert "new" not in re.sub("new items", "", text).split("<body>")[1].split("</main>")[0]


def test_unequal_errors_stand_with_their_bounds(make_run, tmp_path):
    old = make_run({str(i): [1, 1] for i in range(40)}, label="old")
    new = make_run({str(i): [1, "error:down"] for i in range(40)}, label="new")
    text = report((old, new), tmp_path).read_text()
    assert "read the bounds, not the estimate" in text
    assert "had every lost sample gone against the candidate" in text
    assert "−0.500 or 0.000" in text


def test_nothing_from_results_is_markup(make_run, tmp_path, payload):
    metric = Metric(name=payload, summary=payload, kind="binary", failure=0.0, primary=True)
    options = {"task": payload, "metric": metric, "text": lambda item, sample: payload}
    sides = [
        make_run({payload: {payload: values, "b": [0, 1]}}, label=f"{payload} {i}", **options)
        for i, values in enumerate(([1, f"invalid:{payload}"], [0, f"error:{payload}"]))
    ]
    page = report(sides, tmp_path)
    for file in page.parent.rglob("*.html"):
        text = file.read_text()
        assert "<script" not in text
        assert "<img" not in text
        assert not re.search(r"<[^>]* (on\w+|style)=", text)
        assert "&lt;script&gt;" in text


def test_markdown_has_a_row_a_task_and_says_the_verdict(pair):
    text = comparison_markdown(compare([from_run(run) for run in pair]))
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == 1
    assert rows[0].startswith("| `family/task@1` | `solved` | 0.125 | 0.875 | +0.750 | [")
    assert "**better**" in rows[0]
    assert "&lt; 0.001" in rows[0]
    assert "### `new` against `old`" in text


def test_markdown_of_hostile_names_keeps_its_rows(make_run):
    name = "a|b`c\n\n# <script>@x"
    sides = [make_run({name: {"i": [1, 0], "j": [0, 1]}}, label=f"{name}{i}", task=name) for i in range(2)]
    text = comparison_markdown(compare([from_run(run) for run in sides]))
    (row,) = (line for line in text.splitlines() if "**cannot tell" in line or "**equivalent" in line)
    assert row.count("|") == 11
    assert not any(line.startswith("# ") for line in text.splitlines())


def test_markdown_shows_every_candidate(pair, make_run):
    third = make_run({str(i): [0, 0] for i in range(40)}, label="third")
    text = comparison_markdown(compare([from_run(run) for run in (*pair, third)]))
    assert "### `new` against `old`" in text
    assert "### `third` against `old`" in text


def test_what_a_mean_over_tasks_leaves_out_is_named():
    total = Overall(
        "old", "new", "family", 1, 0.1, 0.0, 0.2, 0.95, 0.04, "stratified t", 40, ("family/open: no range",)
    )
    assert overall_claim(total).endswith("left out: family/open: no range.")
    assert "Over 1 task of family" in overall_claim(total)
