"""What is a program, and what is none."""

from __future__ import annotations

import pytest

from finchmark.tasks.games.programs import FUNCTIONS, KINDS, MOST_CHARACTERS, PROGRAMS, Program, UnusableProgram

GOOD = "def update(t, regret, policy, legal, memory):\n    return regret, 1\n"


@pytest.mark.parametrize("kind", KINDS)
def test_known_programs_define_the_function_of_their_kind(kind):
    for program in PROGRAMS[kind].values():
        assert program.kind == kind
        assert f"def {FUNCTIONS[kind][0]}(" in program.source


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def update(t", "does not parse"),
        ("x = 1", "has no `def update"),
        ("def update(t, regret): return 1", "not `def update"),
        (GOOD.replace("memory)", "memory, *more)"), "not `def update"),
        (GOOD + "#" * MOST_CHARACTERS, "characters at most"),
        ("x = '\0'", "does not parse"),
        ("(" * 3000 + ")" * 3000, "does not parse"),
    ],
)
def test_what_is_no_program_is_refused(source, message):
    with pytest.raises(UnusableProgram, match=message):
        Program("regret", source)


def test_a_program_of_one_kind_is_none_of_another():
    with pytest.raises(UnusableProgram, match="meta"):
        Program("meta", GOOD)
