from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from finchmark.reports import transcripts
from finchmark.reports.run_report import report_run
from finchmark.reports.transcripts import legible, page_name
from finchmark.suite.records import Key


def only_page(run, tmp_path):
    page = report_run(run, tmp_path / "out")
    (file,) = (page.parent / "index-samples").iterdir()
    return file.read_text()


def test_a_page_shows_who_saw_wrote_and_did_what(make_run, tmp_path):
    text = only_page(make_run({"a": [1]}, text=lambda item, sample: "red", unusable=[1]), tmp_path)
    assert text.count('<section class="turn">') == 3
    for words in (
        "Play. red",
        "you see 0 red",
        "thinks",
        "writes [length]",
        "do red",
        "does (unusable)",
        "the end red",
    ):
        assert words in text


def test_an_error_is_shown(make_run, tmp_path):
    assert "Traceback: it broke" in only_page(make_run({"a": ["error"]}), tmp_path)


def test_no_name_from_a_run_becomes_a_file_name():
    assert re.fullmatch(r"s-[0-9a-f]{16}\.html", page_name(Key("../../etc", "<a>", "\x00", 1)))


def test_samples_have_pages_of_their_own():
    keys = [Key("t", "a", "i", n, stream) for n in range(10) for stream in ("", "0", "1")]
    assert len({page_name(key) for key in keys}) == 30


def test_a_long_text_keeps_both_ends():
    text = legible("begin" + "x" * 50_000 + "end", 300)
    assert text.startswith("begin")
    assert text.endswith("end")
    assert "49,708 characters left out" in text
    assert len(text) < 400


def test_a_long_episode_keeps_both_ends(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(transcripts, "LONGEST_PAGE", 2000)
    text = only_page(make_run({"a": [1]}, length=lambda item, sample: 200), tmp_path)
    shown = [int(n) for n in re.findall(r"<h2>Turn (\d+) ", text)]
    assert shown[0] == 1
    assert shown[-1] == 200
    assert f"{200 - len(shown)} turns left out" in text
    assert len(shown) < 100


def test_pages_of_an_earlier_report_go_and_other_files_stay(make_run, tmp_path):
    page = report_run(make_run({"a": [1]}), tmp_path / "out")
    folder = page.parent / "index-samples"
    (old,) = folder.iterdir()
    (folder / "mine.html").write_text("x")
    report_run(make_run({"b": [1]}), tmp_path / "out")
    assert not old.exists()
    assert (folder / "mine.html").exists()


@given(st.text(max_size=200))
def test_any_text_can_be_shown(text):
    shown = legible(text)
    assert all(line.isprintable() or not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", line) for line in shown.split("\n"))
    shown.encode()
