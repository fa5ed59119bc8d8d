"""Python in a model's answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.agents.code_blocks import code_blocks, find_code

CODE = "def f(x):\n    return x\n"


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        (f"NAME: a\n```python\n{CODE}```\nDone.", "NAME: a\n\n\nDone."),
        (f"```\n{CODE}\n```", "\n"),
        (f"```Python3\n{CODE}", "\n"),
        (f"NAME: a\n{CODE}", "NAME: a\n"),
        (CODE, ""),
        (f"```\nx = 1\n```\n```py\n{CODE}```", "```\nx = 1\n```\n\n"),
    ],
)
def test_a_program_is_found_and_what_is_left(answer, rest):
    assert find_code(answer, "f") == (CODE, rest)


@pytest.mark.parametrize("answer", ["", "f(x)", "```python\ndef g(x):\n    return x\n```", "I would define f."])
def test_where_there_is_none_all_is_left(answer):
    assert find_code(answer, "f") == ("", answer)


def test_blocks_of_other_languages_are_passed_over():
    assert find_code(f"```sh\nls\n```\nSo:\n```python\n{CODE}```\n```json\n1\n```", "f")[0] == CODE
    assert code_blocks(f"```sh\nls\n```\nSo:\n```\n{CODE}```\nand") == ["ls", CODE.rstrip()]
    assert find_code(f"Here it is: ```python\n{CODE}```", "f")[0] == CODE


def test_the_last_of_several_counts():
    assert "2" in find_code(f"```\n{CODE}```\nNo:\n```\ndef f(x):\n    return 2\n```", "f")[0]


@given(st.lists(st.sampled_from(["```", "python", "\n", "def f(x):", "    return x", "import re", "💡"])).map("".join))
def test_no_answer_raises(answer):
    source, rest = find_code(answer, "f")
    assert len(source) + len(rest) <= len(answer) + 2
