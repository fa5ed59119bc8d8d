from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.reports.drawing import COLOURS, draw, label


def paint(text="a name"):
    def go(canvas):
        axes = canvas.axes(100, 20, 300, 100)
        axes.plot([0, 1], [0, 1], "o-", color=COLOURS["accent"], clip_on=True)
        axes.set_xlabel(text)
        canvas.write(0, 12, text, weight="bold")
        canvas.legend(12, [("line", {"color": COLOURS["chance"]})], left=200)

    return go


def figure(text="a name", name="fig"):
    return draw(paint(text), name=name, title="A title", description="A description", height=160)


def test_the_same_figure_is_the_same_bytes():
    assert figure() == figure()


def test_no_style_attribute_or_element_is_left():
    svg = figure()
    assert "style" not in svg
    assert "<!DOCTYPE" not in svg


def test_nothing_is_loaded_from_anywhere():
    links = re.findall(r"(?:href|url)[=(][\"']?([^\"')]+)", figure())
    assert links
    assert all(link.startswith("#fig-") for link in links)


def test_every_reference_has_its_target():
    root = ElementTree.fromstring(figure())
    ids = {e.get("id") for e in root.iter() if e.get("id")}
    wanted = {e.get("href", "")[1:] for e in root.iter()} | {e.get("clip-path", "")[5:-1] for e in root.iter()}
    assert wanted - {""} <= ids
    assert all(i.startswith("fig-") for i in ids)


def test_two_figures_share_no_name():
    ids = [set(re.findall(r' id="([^"]+)"', figure(name=name))) for name in ("one", "two")]
    assert not ids[0] & ids[1]


def test_a_screen_reader_is_told_what_it_is():
    root = ElementTree.fromstring(figure())
    assert root.get("role") == "img"
    assert [root[0].text, root[1].text] == ["A title", "A description"]
    assert root.get("aria-labelledby") == f"{root[0].get('id')} {root[1].get('id')}"


def test_colours_are_classes_of_the_page():
    svg = figure()
    assert 'class="s-accent"' in svg
    assert "f-ink" in svg
    named = set(COLOURS.values()) | {"none"}
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg)) <= named


def test_text_is_text():
    assert ">a name</text>" in figure()


@pytest.mark.parametrize(
    "text", ["$x^2$", "<script>x</script>", "&amp;", "中文", "a\ud800b", "\ufffe", "\x00\x1b[31m", "‮x"]
)
def test_hostile_text_neither_breaks_nor_runs(text):
    svg = figure(label(text))
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert "\x1b" not in svg


@given(st.text(max_size=60))
def test_any_name_fits_a_label(text):
    assert len(label(text, 30)) <= 30
    ElementTree.fromstring(f"<a>{label(text).replace('&', '').replace('<', '')}</a>")


def test_a_long_name_keeps_both_ends():
    assert label("begin" + "x" * 100 + "end", 20).startswith("begin")
    assert label("begin" + "x" * 100 + "end", 20).endswith("end")


def test_settings_of_the_user_neither_count_nor_change():
    before = figure()
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "text.color": "red"}):
        assert figure() == before
        assert matplotlib.rcParams["font.size"] == 30
