"""Every combo that is shipped is whole, and the checks say what is missing from one that is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finchmark.suite.errors import UsageError
from finchmark.tasks.creativebench.combo import COMBOS, load_combo, load_combos
from finchmark.tasks.creativebench.combo_checks import MOST_USES, crowded, missing_of_combo
from finchmark.tasks.creativebench.combo_command import combo_command, print_combos
from finchmark.tasks.creativebench.combo_probe import arity, decides, gluings
from finchmark.tasks.creativebench.problem import CANARY, load_problems
from finchmark.tasks.creativebench.trial import trial

SHIPPED = load_combos()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_combo_lacks_nothing(name):
    assert missing_of_combo(SHIPPED[name]) == []


@pytest.mark.parametrize("path", sorted(COMBOS.glob("*.yaml")), ids=lambda p: p.stem)
def test_a_file_carries_the_canary(path):
    assert CANARY in path.read_text(encoding="utf-8")


def test_no_pair_is_there_twice_and_no_base_problem_is_in_too_many():
    assert crowded(SHIPPED) == []


def test_entries_are_names_of_their_own():
    entries = [combo.entry for combo in SHIPPED.values()]
    assert len(set(entries)) == len(entries)
    assert not set(entries) & {entry for base in load_problems().values() for entry in base.entries}


@pytest.fixture
def good():
    return SHIPPED["coded_walk"]


def test_a_combo_knows_its_parents_domains(good):
    assert [parent.name for parent in good.parents] == ["caesar_shift", "walk_end"]
    assert good.domain == "text+geometry"
    assert SHIPPED["sealed_phrase"].domain == "text"


def test_nothing_but_the_statement_is_in_the_prompt(good):
    assert "assert" not in good.prompt()
    assert "ord(" not in good.prompt()
    assert "`coded_walk(text)`" in good.prompt()


HELPERS = "\n".join(parent.solution for parent in SHIPPED["coded_walk"].parents)

SPOILT = [
    ("does not name", {"statement": "Find the way."}),
    ("no other program", {"others": ()}),
    ("no function walk_end", {"solution": "def coded_walk(text):\n    return 0, 0"}),
    ("is a parent's name", {"asserts": "assert walk_end('F') == (0, 1)\n" * 6}),
    ("one function", {"asserts": "assert walk_end(caesar_shift('F', 0)) == (0, 1)\n" * 6}),
    ("at least 6", {"asserts": "assert coded_walk('F') == (0, 1)"}),
    ("other 1 fails", {"others": ("def coded_walk(text):\n    return 0, 0",)}),
    (
        "fails the tests of walk_end",
        {"solution": SHIPPED["coded_walk"].solution.replace("dx, dy = dy, -dx", "dx, dy = dx, dy")},
    ),
]


@pytest.mark.parametrize(("said", "change"), SPOILT)
def test_what_is_missing_is_said(good, said, change):
    assert any(said in text for text in missing_of_combo(replace(good, **change), mutation=False))


def spoilt(good, body, asserts):
    code = f"{HELPERS}\ndef coded_walk(text):\n" + "\n".join(f"    {line}" for line in body)
    return replace(good, solution=code, others=(code + "\n\ncoded_walk = coded_walk",), asserts="\n".join(asserts))


def test_equal_parents_are_said(good):
    assert "both parents are walk_end" in missing_of_combo(replace(good, parents=(good.parents[1],) * 2))


def test_a_parent_that_is_not_needed_is_said(good):
    body = ["caesar_shift(text, 1)", "return walk_end(text)"]
    asserts = [f"assert coded_walk({t!r}) == {walk!r}" for t, walk in WALKS.items()]
    assert any("does not need it" in text for text in missing_of_combo(spoilt(good, body, asserts), mutation=False))


WALKS = {"F": (0, 1), "FF": (0, 2), "LF": (-1, 0), "RF": (1, 0), "B": (0, -1), "": (0, 0)}


def test_a_chain_of_the_parents_is_said(good):
    """Shift, then walk: the result of one is simply handed to the other."""
    body = ["return walk_end(caesar_shift(text, 3))"]
    chained = {"C": (0, 1), "CC": (0, 2), "IC": (-1, 0), "OC": (1, 0), "Y": (0, -1), "": (0, 0)}
    combo = spoilt(good, body, [f"assert coded_walk({t!r}) == {walk!r}" for t, walk in chained.items()])
    assert not any("glued" in text for text in missing_of_combo(combo, mutation=False))  # the 3 is an idea of its own
    body = ["return walk_end(caesar_shift(*text))"]
    asserts = [f"assert coded_walk(({t!r}, 3)) == {walk!r}" for t, walk in chained.items()]
    combo = spoilt(good, body, asserts)
    assert not any("glued" in text for text in missing_of_combo(combo, mutation=False))
    body = ["return walk_end(caesar_shift(text, steps))"]
    asserts = [f"assert coded_walk({t!r}, 3) == {walk!r}" for t, walk in chained.items()]
    combo = spoilt(good, body, asserts)
    combo = replace(combo, solution=combo.solution.replace("coded_walk(text)", "coded_walk(text, steps)"))
    combo = replace(combo, others=(combo.solution + "\n\ncoded_walk = coded_walk",))
    assert any("glued together" in text for text in missing_of_combo(combo, mutation=False))


def test_parents_that_know_nothing_of_each_other_are_said(good):
    """Both work on the text; neither result decides what the other works on."""
    body = ["return caesar_shift(text, 1).lower(), walk_end(text)"]
    asserts = [f"assert coded_walk({t!r}) == ({trial_shift(t)!r}, {walk!r})" for t, walk in WALKS.items()]
    lacks = missing_of_combo(spoilt(good, body, asserts), mutation=False)
    assert any("decide what the other works on" in text for text in lacks)


def trial_shift(text):
    return "".join(chr((ord(letter) - 65 + 1) % 26 + 97) for letter in text)


def test_the_parent_that_decides_is_named(good):
    assert decides(good) == [("caesar_shift", "walk_end")]


def test_gluings_run_and_none_of_them_solves_a_shipped_combo(good):
    made = dict(gluings(good))
    assert "program 0 of walk_end" in made
    assert "walk_end(caesar_shift(*given))" in made
    assert {trial(code, good.tests).reason for code in made.values()} <= {"AssertionError", "TypeError", "ValueError"}


@pytest.mark.parametrize(("name", "taken"), [("caesar_shift", 2), ("walk_end", 1), ("reach_within", 3)])
def test_arguments_of_a_base_problem_are_counted(name, taken):
    assert arity(load_problems()[name]) == taken


def test_weak_tests_are_said():
    said = {
        "one": "O:pof",
        "two": "T:uxp",
        "big": "B:cjh",
        "of": ":of",
        "ink pen": "IP:kpm rgp",
        "art-map": "AM:ctv-ocr",
    }
    asserts = "\n".join(f"assert sealed_phrase({phrase!r}) == {seal!r}" for phrase, seal in said.items())
    lacks = missing_of_combo(replace(SHIPPED["sealed_phrase"], asserts=asserts))
    assert any("mutants" in text and "alive" in text for text in lacks)


def test_crowds_are_said(good):
    twins = {"a": replace(good, name="a"), "b": replace(good, name="b", parents=good.parents[::-1])}
    assert crowded(twins) == ["a and b have the same parents"]
    many = {str(k): replace(good, name=str(k)) for k in range(MOST_USES + 1)}
    assert f"walk_end is a parent of {MOST_USES + 1}, above {MOST_USES}" in crowded(many)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "mapping"),
        ("{", "YAML"),
        ("title: x", "has no canary, parents"),
        ("{canary: c, parents: [walk_end], title: t, statement: s, solution: s, tests: t}", "list of two"),
        ("{canary: c, parents: [walk_end, nowhere], title: t, statement: s, solution: s, tests: t}", "nowhere"),
        ("{canary: c, parents: [], title: t, statement: s, solution: s, tests: t, levels: []}", "levels, not known"),
    ],
)
def test_a_file_that_is_no_combo_is_refused(tmp_path, text, said):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_combo(path)


def test_a_combo_is_added_by_one_file(tmp_path):
    (tmp_path / "mine.yaml").write_text((COMBOS / "coded_walk.yaml").read_text())
    assert list(load_combos(tmp_path)) == ["mine"]


def test_the_command_prints_what_there_is(capsys, good):
    assert print_combos(["coded_walk"], {"coded_walk": good}) == 0
    said = capsys.readouterr().out
    assert "caesar_shift decides for walk_end" in said
    assert "1 combos of 2 base problems" in said


def test_the_command_prints_what_is_lacking(capsys, good):
    assert print_combos([], {"coded_walk": replace(good, others=())}) == 1
    assert "lacks: there is no other program" in capsys.readouterr().out


def test_the_command_refuses_a_name_that_it_does_not_know(capsys):
    assert combo_command(["nothing"]) == 2
    assert "nothing" in capsys.readouterr().err
