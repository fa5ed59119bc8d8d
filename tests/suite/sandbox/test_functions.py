"""Functions that a model wrote: what is refused, what comes back, and that it is always the same."""

import asyncio
import importlib
import random  # noqa: TID251 - what the seeded luck of a program must be
from dataclasses import replace

import pytest

from finchmark.suite.sandbox import Execution, SandboxFailure, functions
from finchmark.suite.sandbox.functions import LIMITS, PURE, Call, call_function, function_faults, language
from finchmark.suite.sandbox.inside.function import call, faults
from finchmark.suite.sandbox.sandbox import Sandbox

PLAIN = "def f(x):\n    return x + 1\n"


CATCHES = """
def f(x):
    while True:
        try:
            pass
        except BaseException:
            pass
"""
GETS_AWAY = """
def f(x):
    try:
        while True:
            pass
    except:
        return "got away"
"""


def called(box, source, *arguments, name="f", seed=0, **options):
    (answer,) = box.wait(call_function(box.sandbox, source, name, [Call(arguments, seed)], **options))
    return answer


@pytest.mark.parametrize(
    "source",
    [
        PLAIN,
        "import re, math\nfrom collections import Counter\ndef f(x: int = 3) -> int:\n    return x\n",
        "class A(object):\n    def __init__(self):\n        self.x = 1\ndef f(*x):\n    print(x)\n    return A().x\n",
        "def f(x, y=2, *, z=3):\n    return x\n",
        "import string\ndef f(string):\n    return string.upper()\n",
        "import json\ndef f(x):\n    return json.decoder.JSONDecodeError\n",
        "import collections as c\ndef f(x):\n    return isinstance(x, c.abc.Set)\n",
        "from random import *\nclass A:\n    def g(self):\n        self._x = random()\ndef f(x):\n    return A().g()\n",
    ],
)
def test_plain_programs_are_in_the_language(source):
    assert faults(source, "f", 1) == ""


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("def f(x:\n", "line 1"),
        ("def g(x):\n    return x\n", "no function f"),
        ("def f(x, y):\n    return x\n", "1 arguments by position"),
        ("def f(x, *, y):\n    return x\n", "1 arguments by position"),
        ("def f():\n    return 1\n", "1 arguments by position"),
        ("import time\n" + PLAIN, "line 1: import time"),
        ("import os.path\n" + PLAIN, "import os.path"),
        ("from os import path\n" + PLAIN, "import os"),
        ("from . import x\n" + PLAIN, "can be imported"),
        ("def f(x):\n    return open(x)\n", "line 2: open"),
        ("def f(x):\n    return id(x)\n", "id is not"),
        ("import random\ndef f(x):\n    return random.SystemRandom().random()\n", "line 3: random.SystemRandom is not"),
        ("from random import choice, SystemRandom\n" + PLAIN, "line 1: random.SystemRandom is not"),
        ("import random as r\ndef f(x):\n    return r._os.getpid()\n", "line 3: random._os is not"),
        ("import statistics\ndef f(x):\n    statistics.sys.settrace(None)\n", "line 3: statistics.sys is not"),
        ("from collections import _sys\n" + PLAIN, "collections._sys is not"),
        ("def f(x):\n    return __builtins__\n", "__builtins__"),
        ("def f(x):\n    return ().__class__.__subclasses__()\n", "__subclasses__"),
        ("async def g():\n    pass\n" + PLAIN, "async"),
        ("def f(x):\n    return '" + "\0" + "'\n", "null"),
        ("(" * 5000 + ")" * 5000, "line 1"),
    ],
)
def test_what_is_not_in_the_language_is_named_with_its_place(source, fault):
    assert fault in faults(source, "f", 1)


def test_the_language_is_told_with_its_name_and_modules():
    told = language("act", ("a", "b"))
    assert "act(a, b)" in told
    assert "itertools" in told


def test_a_source_is_read_inside_the_boundary(box):
    assert box.wait(function_faults(box.sandbox, PLAIN, "f", 1)) == ""
    assert "import os" in box.wait(function_faults(box.sandbox, "import os\n" + PLAIN, "f", 1))


def test_a_value_comes_back_and_what_became_of_the_arguments(box):
    source = "def f(x, memory):\n    memory[(1, 2)] = {3}\n    return [x, None]\n"
    answer = called(box, source, 1, {})
    assert (answer.value, answer.arguments, answer.fault) == ([1, None], (1, {(1, 2): {3}}), "")


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("def f(x):\n    return 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("def f(x):\n    raise SystemExit(0)\n", "SystemExit: 0"),
        ("def f(x):\n    return f(x)\n", "RecursionError"),
        ("def f(x):\n    return lambda: 1\n", "Unreadable"),
        ("def f(x):\n    return 'x' * 10**9\n", "value_kb"),
        ("def f(x):\n    return 'x' * 3 * 10**6\n", "value_kb"),
        ("def f(x):\n    while True:\n        print('x' * 999)\n", "output_kb"),
        ("raise ValueError('at once')\n" + PLAIN, "ValueError: at once"),
        ("def f(x):\n    while True:\n        pass\n", "too many lines"),
        (CATCHES, "too many lines"),
        (GETS_AWAY, "too many lines"),
        (
            "def f(x):\n    try:\n        while True:\n            pass\n    except:\n        return 'got away'\n",
            "many",
        ),
        ("def f(x):\n    return sum(1 for n in range(10**9))\n", "too many lines"),
        pytest.param("def f(x):\n    return sum(range(10**12))\n", "cpu_s", marks=pytest.mark.slow),
    ],
)
def test_every_failure_of_a_program_is_an_answer(box, source, fault):
    # Memory is over before a billion letters are; either limit is the program's own.
    found = called(box, source, 1).fault
    assert fault in found or (fault == "value_kb" and "MemoryError" in found)


def test_a_program_that_forges_its_answer_gets_none(box):
    forged = "import random\nrandom.seed = None\ndef f(x):\n    return 1\n"
    assert called(box, forged, 1).value == 1
    ends = "import enum\ndef f(x):\n    enum.sys.exit(0)\n"
    assert "no attribute 'sys'" in called(box, ends, 1).fault


def test_lines_are_counted_and_not_time(box):
    source = "def f(x):\n    for n in range(x):\n        pass\n    return 'done'\n"
    assert called(box, source, 400, steps=1000).value == "done"
    assert "too many lines" in called(box, source, 600, steps=1000).fault


LUCK = """
import random
def f(x):
    words = {str(n) for n in range(50)}
    return [random.random(), next(iter(words)), hash("a")]
"""


def test_the_same_arguments_and_seed_give_the_same_answer_in_any_process(box):
    one, two = called(box, LUCK, 1), called(box, LUCK, 1)
    assert one.value == two.value
    assert called(box, LUCK, 1, seed=2).value[0] != one.value[0]


UNSEEDED = """
import random, statistics
class Own(random.Random):
    def __init__(self):
        pass
def f(x):
    import random
    one = random.Random()
    found = [one.random(), random.Random(None).random(), Own().random(), random.random()]
    one.seed()
    random.seed()
    found += [one.random(), random.random(), *statistics.NormalDist().samples(2), random.Random(7).random()]
    return found
"""


def test_luck_that_a_program_leaves_unseeded_is_the_callers_and_never_the_same_twice(box):
    assert faults(UNSEEDED, "f", 1) == ""
    one, two = called(box, UNSEEDED, 1), called(box, UNSEEDED, 1)
    assert one.fault == ""
    assert one.value == two.value
    assert len(set(one.value)) == len(one.value)
    other = called(box, UNSEEDED, 1, seed=2).value
    assert not set(one.value[:-1]) & set(other[:-1])
    assert other[-1] == one.value[-1] == random.Random(7).random()


def test_seeded_luck_is_that_of_plain_python(box):
    source = "import random\ndef f(x):\n    return [random.random(), random.choice('abc'), random.Random(x).gauss()]\n"
    plain = random.Random(5)
    assert called(box, source, 3, seed=5).value == [plain.random(), plain.choice("abc"), random.Random(3).gauss()]


HIDES = """
import {module}
def f(x):
    same = {module}
    return same.{attribute}
"""


@pytest.mark.parametrize(
    ("module", "attribute"),
    [("statistics", "sys"), ("random", "_os"), ("random", "SystemRandom"), ("json", "codecs"), ("typing", "sys")],
)
def test_what_a_module_uses_itself_is_not_there_by_another_name_either(box, module, attribute):
    source = HIDES.format(module=module, attribute=attribute)
    assert faults(source, "f", 1) == ""
    assert f"no attribute '{attribute}'" in called(box, source, 1).fault


PLAIN_MODULES = ("bisect", "itertools", "math")


@pytest.mark.parametrize("module", PURE)
def test_a_module_has_all_that_it_says_it_offers(module):
    source = f"import {module} as it\nfrom {module} import *\ndef f():\n    return it\n"
    assert faults(source, "f", 0) == ""
    ((kind, copy, _),) = call(source, "f", [([], 0)], 1000)
    assert kind == "ok"
    real = importlib.import_module(module)
    public = getattr(real, "__all__", None) or [one for one in dir(real) if one[0] != "_" and module in PLAIN_MODULES]
    assert set(public) - {"SystemRandom", "kde_random"} <= set(vars(copy))


def test_no_call_changes_the_decimals_or_the_luck_of_the_next(box):
    source = (
        "import decimal, random\ndef f(x):\n    decimal.getcontext().prec -= 20\n    random.seed = None\n"
        "    return [str(decimal.Decimal(1) / 3), random.random()]\n"
    )
    one, two = box.wait(call_function(box.sandbox, source, "f", [Call((1,)), Call((1,))]))
    assert one == two
    assert one.value[0] == "0.33333333"


def test_classes_that_python_writes_work_with_what_is_offered(box):
    source = (
        "import dataclasses, enum, functools, typing, collections\n"
        "@dataclasses.dataclass(order=True)\nclass A:\n    x: int\n    y: typing.ClassVar[int] = 3\n"
        "class B(enum.Enum):\n    ONE = enum.auto()\n"
        "class C(typing.NamedTuple):\n    z: int = 4\n"
        "@functools.lru_cache\ndef g(n):\n    return n if n < 2 else g(n - 1) + g(n - 2)\n"
        "def f(x):\n    return [A(x) < A(2), B.ONE.value, C()._replace(z=5).z, g(20), repr(A(1)),\n"
        "        isinstance({}, collections.abc.Mapping)]\n"
    )
    assert faults(source, "f", 1) == ""
    assert called(box, source, 1).value == [True, 1, 5, 6765, "A(x=1)", True]


async def lucky(kind):
    async with Sandbox(kind, workers=1, packages=()) as sandbox:
        return (await call_function(sandbox, LUCK, "f", [Call((1,))]))[0].value


def test_another_sandbox_on_another_day_gives_the_same_answer(box):
    """Strings hash alike in all of them, so that sets have one order."""
    assert asyncio.run(lucky(box.sandbox.kind)) == called(box, LUCK, 1).value


def test_each_call_of_one_execution_is_a_fresh_module(box):
    source = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)\n"
    answers = box.wait(call_function(box.sandbox, source, "f", [Call((1,)), Call((2,)), Call((3,))]))
    assert [answer.value for answer in answers] == [1, 1, 1]


class Slow:
    """A sandbox on a machine that is too busy: nothing ends in time."""

    async def run(self, *args, **kwargs):
        return Execution("limit", cpu_s=0.01, wall_s=120, limits=("wall_s",))


def test_a_machine_that_is_too_busy_is_our_fault_and_not_the_programs():
    with pytest.raises(SandboxFailure, match="too busy"):
        asyncio.run(call_function(Slow(), PLAIN, "f", [Call((1,))]))  # type: ignore[arg-type] # a stand-in
    with pytest.raises(SandboxFailure, match="too busy"):
        asyncio.run(function_faults(Slow(), PLAIN, "f", 1))  # type: ignore[arg-type] # a stand-in


WAITS = """
import enum, operator
def f(x):
    operator.attrgetter("__globals__")(enum.unique)["sys"].modules["time"].sleep(999)
"""


def test_a_program_that_finds_a_way_to_wait_fails_by_itself_on_a_machine_that_is_not_busy(box, monkeypatch):
    monkeypatch.setattr(functions, "LIMITS", replace(LIMITS, wall_s=6))
    assert faults(WAITS, "f", 1) == ""
    for _ in range(3):
        try:
            answer = called(box, WAITS, 1)
        except SandboxFailure:
            continue  # the machine is too busy just now
        assert "it waited" in answer.fault
        return
    pytest.skip("this machine is too busy to tell")


class Liar:
    """A sandbox whose program wrote its own report."""

    def __init__(self, value):
        self.value = value

    async def run(self, *args, **kwargs):
        return Execution("ok", value=self.value)


@pytest.mark.parametrize("value", [None, [], [1], [["ok"]], [["ok", 1, 2]], [["error", 1]], {"a": 1}, [["x", 1, 2]]])
def test_what_is_no_answer_is_a_fault(value):
    (answer,) = asyncio.run(call_function(Liar(value), PLAIN, "f", [Call((1,))]))  # type: ignore[arg-type] # a stand-in
    assert "no answer" in answer.fault
