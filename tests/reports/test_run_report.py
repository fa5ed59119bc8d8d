from __future__ import annotations

import re

import pytest

from finchmark.reports.run_report import report_run
from finchmark.suite.errors import UsageError
from finchmark.suite.records import Level, Metric


def page_of(run, tmp_path, name="out"):
    return report_run(run, tmp_path / name).read_text()


def four_arms(make_run, **options):
    return make_run({arm: {str(i): [i % 2, 1, 0, 1] for i in range(4)} for arm in "ab"}, **options)


def test_it_is_one_page_with_a_folder_of_transcripts(make_run, tmp_path):
    page = report_run(four_arms(make_run), tmp_path / "out")
    assert page == tmp_path / "out" / "index.html"
    assert {p.name for p in page.parent.iterdir()} == {"index.html", "index-samples"}
    assert len(list((tmp_path / "out" / "index-samples").iterdir())) == 32


def test_a_name_with_html_is_the_page_itself(make_run, tmp_path):
    (tmp_path / "deep").mkdir()
    page = report_run(make_run({"a": [1]}), tmp_path / "deep" / "mine.html")
    assert page == tmp_path / "deep" / "mine.html"
    assert (tmp_path / "deep" / "mine-samples").is_dir()


def test_a_file_in_the_way_is_named(make_run, tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(UsageError, match="in the way"):
        report_run(make_run({"a": [1]}), tmp_path / "out")


def test_the_same_run_gives_the_same_bytes(make_run, tmp_path):
    run = four_arms(make_run)
    pages = [report_run(run, tmp_path / name) for name in ("one", "two")]
    files = [{p.name: p.read_bytes() for p in page.parent.rglob("*.html")} for page in pages]
    assert files[0] == files[1]


def test_every_link_leads_to_a_file(make_run, tmp_path):
    page = report_run(four_arms(make_run), tmp_path / "out")
    for file in page.parent.rglob("*.html"):
        links = [link for link in re.findall(r'<a [^>]*href="([^"]+)"', file.read_text()) if not link.startswith("#")]
        assert links
        assert all((file.parent / link).is_file() for link in links)


def test_32_samples_stay_below_a_megabyte(make_run, tmp_path):
    run = four_arms(make_run, length=lambda item, sample: 40, text=lambda item, sample: "long " * 400)
    page = report_run(run, tmp_path / "out")
    assert page.stat().st_size < 1_000_000
    assert all(p.stat().st_size < 1_000_000 for p in page.parent.rglob("*.html"))


def test_nothing_from_a_run_is_markup(make_run, tmp_path, payload):
    run = make_run(
        {payload: {payload: [1, f"invalid:{payload}", f"error:{payload}"], "b": [0, 1, 1]}},
        label=payload,
        task=payload,
        metric=Metric(name=payload, summary=payload, kind="binary", failure=0.0, primary=True),
        text=lambda item, sample: payload,
        scores=[{payload: 0.5}] * 3,
        notes=(payload,),
    )
    page = report_run(run, tmp_path / "out")
    for file in page.parent.rglob("*.html"):
        text = file.read_text()
        assert "<script" not in text
        assert "<img" not in text
        assert text.count("<style>") == 1
        assert not re.search(r"<[^>]* (on\w+|style)=", text)
        assert "&lt;script&gt;" in text


def test_control_characters_are_made_visible(make_run, tmp_path):
    text = page_of(make_run({"a‮b": [1, "invalid:\x1b[31m"]}, label="\x00x\u200b"), tmp_path)
    assert not re.search("[\x00-\x08\x0b-\x1f‮\u200b]", text)
    assert "\\u202e" in text


def test_a_score_stands_with_all_it_must_be_read_against(make_run, tmp_path):
    run = make_run(
        {str(i): [1, i % 2, "error", "refused:no"] for i in range(40)},
        levels={"default": {"solved": Level(chance=0.1, ceiling=0.9, exact=True)}},
    )
    text = page_of(run, tmp_path)
    assert "solved 0.500, 95 % interval [0.4" in text
    assert "over 40 items and 120 samples; above chance (0.100); the ceiling is 0.900." in text
    assert "korn-graubard" in text
    assert "25.0 % of samples lost to errors" in text
    assert "Had all unscored samples been at the lower or the upper end" in text


def test_a_sparse_score_says_so(make_run, tmp_path):
    assert "sparse" in page_of(make_run({"a": [1], "b": [0]}), tmp_path)


def test_one_item_claims_nothing(make_run, tmp_path):
    assert "nothing can be claimed beyond this one item" in page_of(make_run({"a": [1, 0]}), tmp_path)


def test_a_run_that_goes_on_says_so(make_run, tmp_path):
    run = make_run({"a": [1], "b": [1]}, complete=False, expected_items=3)
    text = page_of(run, tmp_path)
    assert "not complete" in text
    assert "1 of 3 samples missing" in text


def test_graded_scores_are_shown_too(make_run, tmp_path):
    metric = Metric(name="growth", summary="g", low=None, high=None, failure=0.0, primary=True)
    text = page_of(make_run({str(i): [i * 10.0, i * 12.0] for i in range(30)}, metric=metric), tmp_path)
    assert "growth: highest third" in text
    assert "growth 159.500" in text


def test_a_run_with_only_errors_has_a_report(make_run, tmp_path):
    text = page_of(make_run({"a": ["error:down"], "b": ["error:down"]}), tmp_path)
    assert "nothing was scored" in text
    assert "down" in text


def test_a_failure_leads_to_its_transcript(make_run, tmp_path):
    page = report_run(make_run({"a": [1, "invalid:cut off"], "b": [1, 1]}), tmp_path / "out")
    row = next(line for line in page.read_text().splitlines() if ">cut off<" in line)
    link = re.search(r'href="([^"]+)"', row)[1]
    assert "invalid: cut off" in (page.parent / link).read_text()


def test_figures_have_words_and_numbers_beside_them(make_run, tmp_path):
    text = page_of(four_arms(make_run, unusable=[1], scores=[{"trust": 0.5}] * 3), tmp_path)
    sections = re.findall(r'<section id="(\w+)".*?</section>', text, re.DOTALL)
    assert sections == ["scores", "kinds", "endings", "turns", "diversity", "cost", "facts"]
    for section in re.findall(r'<section id="\w+".*?</section>', text, re.DOTALL)[:-1]:
        assert section.count("<svg") == 1
        assert "<title" in section
        assert "<desc" in section
        assert "<table>" in section


def test_names_in_the_page_are_unique(make_run, tmp_path):
    ids = re.findall(r' id="([^"]+)"', page_of(four_arms(make_run, unusable=[1]), tmp_path))
    assert len(ids) == len(set(ids))


def test_a_folder_is_made_and_that_of_a_file_is_not(make_run, tmp_path):
    run = make_run({"a": [1]})
    with pytest.raises(UsageError, match="there is no folder"):
        report_run(run, tmp_path / "no" / "a.html")
    assert not (tmp_path / "no").exists()
    assert report_run(run, tmp_path / "new" / "folder").is_file()
    assert report_run(run, tmp_path / "a.html").is_file()
