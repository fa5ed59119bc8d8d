"""Single rewrites on programs that are not shipped: they keep what a program does."""

import pytest

from finchmark.tasks.creativebench.canonical import canonical
from finchmark.tasks.creativebench.novelty import bag_distance, grams
from finchmark.tasks.creativebench.rewrites import rewritten
from finchmark.tasks.creativebench.trial import trial

CHAIN = (
    "def f(x):\n    if x == 0:\n        return 'none'\n    elif x == 1:\n        return 'one'\n"
    "    elif x == 2:\n        return 'two'\n    else:\n        return 'many'\n"
)
TESTS = "def test():\n    assert [f(x) for x in range(4)] == ['none', 'one', 'two', 'many']\n"


def test_guards_keep_every_branch_of_a_long_chain():
    made = rewritten(CHAIN, ["f"])["guards"]
    assert "else" not in made
    assert "elif" not in made
    assert trial(made, TESTS).passed


def test_all_rewrites_of_a_chain_keep_what_it_does():
    assert [name for name, text in rewritten(CHAIN, ["f"]).items() if not trial(text, TESTS).passed] == []


TAKEN = (
    "def _part(x):\n    return x + 1\n\n\ndef _noise(x):\n    _weight = [_part(y) for y in x]\n    return _weight\n\n\n"
    "def _work(x):\n    _result = 0\n    for _place in _noise(x):\n        _result += _place\n    return _result\n\n\n"
    "def f(x):\n    _made = _work(x)\n    _K0 = {n: n + 2 for n in x}\n    return _made + len(_K0) * 7\n"
)


def test_rewrites_take_names_that_a_program_does_not_have():
    tests = "def test():\n    assert f([1, 2, 4]) == 31\n"
    assert trial(TAKEN, tests).passed
    made = rewritten(TAKEN, ["f"])
    assert {"junk in functions", "import junk", "dead branch", "temporaries", "loops", "inner functions"} <= set(made)
    assert [name for name, text in made.items() if not trial(text, tests).passed] == []


DESK = (
    "import math\nfrom math import gcd\n\n\nclass Desk:\n    def __init__(self, free):\n        self.free = free\n\n"
    "    def take(self):\n        self.free -= gcd(self.free, 1)\n        return f'{self.free} left'\n"
)


def test_fields_get_other_names_and_methods_keep_theirs():
    made = rewritten(DESK, ["Desk"])["attributes renamed"]
    assert "self.free " not in made
    assert "def take(" in made
    assert trial(made, "def test():\n    assert Desk(3).take() == '2 left'\n").passed


SHAPES = {
    "ranges as whiles": "def f(n):\n    s = 0\n    for i in range(2, n):\n        s += i\n    return s\n",
    "items by place": "def f(n):\n    xs = [n, 2]\n    s = 0\n    for x in xs:\n        s += x\n    return s\n",
    "questions as loops": "def f(n):\n    return all(x < 9 for x in [n])\n",
    "breaks as returns": "def f(n):\n    while True:\n        if n:\n            break\n    return n\n",
    "conditional expressions": "def f(n):\n    if n:\n        r = 1\n    else:\n        r = 2\n    return r\n",
    "one exit": "def f(n):\n    if n:\n        return 1\n    else:\n        return 2\n",
    "returns repeated": "def f(n):\n    r = 1\n    if n:\n        r += n\n    return r\n",
    "appends as sums": "def f(n):\n    r = []\n    r.append(n)\n    return r\n",
    "tests nested": "def f(n):\n    if n and n > 2:\n        return 1\n    return 0\n",
    "assigned together": "def f(n):\n    a = 1\n    b = n\n    return a + b\n",
    "texts added": "def f(n):\n    return f'{n}!'\n",
    "operands named": "def f(n):\n    return str(n) + '!'\n",
    "formulas as helpers": "def f(n):\n    return n + 2\n",
    "named in tests": "def f(n):\n    m = n + 1\n    if m > 3:\n        return m\n    return 0\n",
    "whole modules": "from math import comb\n\ndef f(n):\n    return comb(n, 2)\n",
    "helpers as lambdas": "def g(n):\n    return n + 1\n\ndef f(n):\n    return g(n) * g(2)\n",
    "methods in a class": "def g(n):\n    return n + 1\n\ndef f(n):\n    return g(n) * g(2)\n",
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_kind_of_rewrite_applies_keeps_what_a_program_does_and_costs_nothing(kind):
    code = SHAPES[kind]
    made = rewritten(code, ["f"])[kind]
    spaces = [{}, {}]
    for text, space in zip((code, made), spaces, strict=True):
        exec(text, space)
    assert [spaces[0]["f"](n) for n in (1, 3, 5)] == [spaces[1]["f"](n) for n in (1, 3, 5)]
    assert bag_distance(*(grams(canonical(text, ["f"])) for text in (code, made))) == 0
