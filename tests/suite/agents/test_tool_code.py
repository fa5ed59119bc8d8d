"""Tools that are programs: read, taken up, called and refused, in the sandbox."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite import conformance
from finchmark.suite.agents import tool_code
from finchmark.suite.agents.tool_code import CodeTool, parse_code_tools, refusal, use_code
from finchmark.suite.agents.toolmaker import ToolmakerAgent
from finchmark.suite.canonical import canonical_json
from finchmark.suite.conformance import check_agent
from finchmark.suite.errors import UsageError
from finchmark.suite.sandbox import SandboxFailure, SandboxUnavailable, Tier, available
from finchmark.suite.sandbox import shared as sharing
from finchmark.suite.sandbox.inside.function import faults
from finchmark.suite.seeds import generator

needs_sandbox = pytest.mark.skipif(not available()[0].usable, reason=f"no bubblewrap here: {available()[0].detail}")

RISE = '```python\ndef rise(a, b):\n    """How much it grew."""\n    return (b - a) / a\n```'
LIT = """```python
def lit(observation, numbers):
    '''Which lamps are lit.'''
    return observation.count("lamp") + len(numbers)
```"""


def tool(text: str) -> CodeTool:
    ((found,), bad) = parse_code_tools(text)
    assert bad == 0
    return found


def coded(*tools: str, **arguments) -> ToolmakerAgent:
    agent = ToolmakerAgent(form="code", **arguments)
    agent.restore({"tools": [tool(text).model_dump() for text in tools], "refused": 0})
    agent.begin()
    return agent


def test_a_tool_is_read_from_a_block_of_its_own():
    found, bad = parse_code_tools(f"Two.\n{RISE}\nand\n{LIT}\n```\nno tool\n```")
    assert bad == 0
    assert [one.line for one in found] == ["rise(a, b)  # How much it grew.", "lit()  # Which lamps are lit."]
    assert found[0].source == RISE.removeprefix("```python\n").removesuffix("```")


@pytest.mark.parametrize(
    "block",
    [
        "def Rise(a):",
        "def f(a, a):",
        "def f(a, b, c, d, e, g, h):",
        "def f(*a):",
        "def f(a)\n" + "#" * 2000,
        "def if(a):",
        "def f(a=(1):",
        "def f(a=]):",
        "def f[T](a):",
        f"def {'f' * 41}(a):",
        "def f:",
    ],
)
def test_what_is_no_tool_is_dropped_and_counted(block):
    assert parse_code_tools(f"```python\n{block}\n    return 1\n```") == ([], 1)


def test_annotations_and_defaults_are_no_names():
    assert tool("```\ndef f(a: int, b: float = 2):\n    return a\n```").parameters == ("a", "b")


@pytest.mark.parametrize(
    "row",
    [
        "x=(1), y=[1, 2]",
        "x: dict[str, tuple[int, int]] = {}, y=max(1, 2)",
        "x=')', y=\"it's, (\"",
        "\n    x,  # the (first, of two\n    y,\n",
    ],
)
def test_brackets_and_commas_in_defaults_are_no_parameters(row):
    assert tool(f"```python\ndef f({row}) -> int:\n    return 1\n```").parameters == ("x", "y")


def test_the_last_function_is_the_tool_whatever_its_defaults():
    block = "```python\ndef g(y):\n    return y\ndef f(x=(1)):\n    return g(x)\n```"
    assert tool(block).name == "f"


@needs_sandbox
@pytest.mark.parametrize("text", ["float('nan')", "float('inf')", "[1, float('nan')]", "10 ** 400"])
def test_what_is_no_finite_number_is_no_value(boxed, text):
    found = tool(f"```python\ndef f(observation):\n    return {text}\n```")
    assert asyncio.run(refusal(found, [("a", ())])) == "turn 1: it returned no number, list or text"
    assert asyncio.run(use_code("f()", [found], "a", ()))[1] is False


@needs_sandbox
def test_whether_something_is_so_is_said_in_words_and_not_as_a_number(boxed):
    found = tool("```python\ndef f(a):\n    return [a > 1, True, 2] if a else a == 0\n```")
    assert asyncio.run(use_code("f(0)", [found], "a", ()))[2] == "f(0) = True"
    assert asyncio.run(use_code("f(1)", [found], "a", ()))[2] == "f(1) = [False, True, 2]"


@needs_sandbox
def test_luck_without_a_seed_is_the_same_again_in_a_tool_that_is_never_tried(boxed):
    found = tool("```python\nimport random\ndef f(x):\n    return random.Random().random() + x\n```")
    assert asyncio.run(refusal(found, [("a", (1.0,))])) == ""
    once = [asyncio.run(use_code("f(1)", [found], "a", ())) for _ in range(2)]
    assert once[0] == once[1]
    sly = tool("```python\nimport random\ndef f(x):\n    return random.SystemRandom().random() + x\n```")
    assert "random.SystemRandom is not part" in asyncio.run(refusal(sly, []))


def test_what_is_exported_is_there_and_has_a_public_name():
    assert {"CodeTool", "FILLED"} <= set(tool_code.__all__)
    assert not [name for name in tool_code.__all__ if name.startswith("_") or not hasattr(tool_code, name)]


@given(st.lists(st.sampled_from(["```", "python\n", "\n", "def f(a):", "def g(", '"""', "a, b):", "💡"])).map("".join))
def test_no_answer_raises(text):
    parse_code_tools(text)


@needs_sandbox
@pytest.mark.parametrize(
    ("call", "worked", "said"),
    [
        ("rise(4, 5)", True, "rise(4, 5) = 0.25"),
        ("rise(b=5, a=4)", True, "= 0.25"),
        ("rise(numbers[0], numbers[1])", True, "= 0.5"),
        ("lit()", True, "lit() = 3"),
        ("rise(0, 1)", False, "ZeroDivisionError"),
        ("rise(1)", False, "rise takes a, b"),
        ("lit(1)", False, "lit takes no arguments"),
        ("fall(1)", False, "there is no such tool; there is rise, lit, row"),
        ("rise(__import__('os'), 1)", False, "has no place"),
        ("row(3)", True, "= [0, 1, 2]"),
        ("row(0)", False, "no number, list or text"),
    ],
)
def test_a_call_has_a_value_or_says_why_not(boxed, call, worked, said):
    row = "```\ndef row(n):\n    return list(range(int(n))) if n else {}\n```"
    tools = [tool(RISE), tool(LIT), tool(row)]
    _, found, text = asyncio.run(use_code(call, tools, "A lamp costs 4, tomorrow 6.", (4.0, 6.0)))
    assert found == worked
    assert said in text


@needs_sandbox
def test_a_value_is_put_back_and_the_model_asked_again(boxed, talk):
    replies = itertools.cycle(["<tool>rise(4, 5)</tool>", "<action>buy</action>"])
    model = talk(lambda request: next(replies))
    assert model.turn(coded(RISE), "A costs 4, tomorrow 5.") == "<action>buy</action>"
    first, second = model.requests
    assert "rise(a, b)  # How much it grew." in first.messages[0].content
    assert "(b - a)" not in first.messages[0].content
    assert second.messages[-1].content == "rise(4, 5) = 0.25\nGo on."


@needs_sandbox
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (RISE, ""),
        (LIT, ""),
        ("```\nimport os\ndef f(a):\n    return a\n```", "import os"),
        ("```\ndef f(a) return a\n```", "line 1"),
        ("```\ndef f(numbers):\n    return numbers[7]\n```", "turn 1: IndexError"),
        ("```\ndef f(observation):\n    return None\n```", "turn 1: it returned no number"),
        ("```\ndef f(observation):\n    return str(f)\n```", "something else when it is run again"),
    ],
)
def test_a_program_is_tried_before_it_is_taken_up(boxed, text, why):
    found = asyncio.run(refusal(tool(text), [("A lamp.", ()), ("Two.", (2.0,))]))
    assert found == why if not why else why in found


@needs_sandbox
def test_tools_are_made_refused_and_counted_after_an_episode(boxed, stream):
    bad = "```python\ndef bad(numbers):\n    return numbers[9]\n```"
    life = stream(
        lambda: ToolmakerAgent(form="code"), lambda prompt: f"{RISE}\n{bad}" if "Write up to" in prompt else "red"
    )
    assert (
        life.live() == "made rise(a, b)  # How much it grew.; refused bad: turn 1: IndexError: list index out of range"
    )
    assert [one["name"] for one in life.state["tools"]] == ["rise"]
    assert life.state["refused"] == 1
    assert "each in a block of its own" in life.asked[-1]
    assert "rise(a, b)" in life.probe()
    life.reply = lambda prompt: RISE if "Write up to" in prompt else "<tool>rise(1, 2)</tool>"
    assert life.live() == "counted calls of rise"
    assert (life.state["tools"][0]["uses"], life.state["tools"][0]["failures"]) == (6, 0)


@needs_sandbox
def test_the_placebo_can_be_called_and_is_worth_nothing(boxed):
    agent = coded(RISE, LIT)
    state = json.loads(canonical_json(agent.placebo(agent.snapshot(), generator("test"))))
    first, second = (CodeTool.model_validate(one) for one in state["tools"])
    assert len(first.source) == len(tool(RISE).source)
    assert (len(first.given), second.given) == (2, ())
    assert faults(first.source, first.name, 2) == ""
    for one, told in ((first, "1, 2"), (second, "")):
        assert asyncio.run(use_code(f"{one.name}({told})", [first, second], "x", ()))[1:] == (
            True,
            f"{one.name}({told}) = 0",
        )


def test_a_failure_of_the_sandbox_is_an_error_and_no_failure_of_the_tool(monkeypatch):
    class Broken:
        async def run(self, *args, **kwargs):
            raise SandboxFailure("its parent is gone")

    async def broken():
        return Broken()

    monkeypatch.setattr(tool_code, "shared_sandbox", broken)
    with pytest.raises(SandboxFailure, match="gone"):
        asyncio.run(use_code("rise(1, 2)", [tool(RISE)], "x", ()))


def test_without_a_sandbox_it_refuses_and_expressions_are_as_they_were(monkeypatch):
    monkeypatch.setattr(sharing, "available", lambda: (Tier("bubblewrap", False, "none"), Tier("process", True, "")))
    monkeypatch.delenv(sharing.VARIABLE, raising=False)
    with pytest.raises(SandboxUnavailable, match="toolmaker: form=code"):
        ToolmakerAgent(form="code")
    assert ToolmakerAgent().snapshot() == {"tools": []}
    with pytest.raises(UsageError, match="expression or code"):
        ToolmakerAgent(form="poem")


@needs_sandbox
@pytest.mark.slow
def test_it_conforms_when_programs_are_among_the_answers(boxed, monkeypatch):
    other = "```python\ndef rise(a):\n    return a\n```\n```python\nimport os\ndef lit():\n    return 1\n```"
    monkeypatch.setattr(conformance, "_ANSWERS", (RISE, f"{LIT}\n{RISE}", other, "none", "<tool>rise(1, 2)</tool>"))
    check_agent(lambda: ToolmakerAgent(form="code"))
