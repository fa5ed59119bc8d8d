"""Rules on the syntax tree: each finds what it forbids, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.errors import UsageError
from finchmark.tasks.creativebench.constraints import (
    CONSTRUCTS,
    OPERATORS,
    STRUCTURES,
    breaches,
    parse_rule,
)

BROKEN = [
    ("no call sorted", "x = sorted(y)"),
    ("no call sorted", "f = sorted\nx = f(y)"),
    ("no call math.gcd", "from math import gcd as g\ng(1, 2)"),
    ("no call math.gcd", "import math as m\nm.gcd(1, 2)"),
    ("no method split", "x.split()"),
    ("no method split", "f = str.split"),
    ("no module re", "import re"),
    ("no module os", "from os.path import join"),
    ("no module collections.abc", "from collections import abc"),
    ("no construct for", "for x in y: pass"),
    ("no construct iteration", "x = [a for a in b]"),
    ("no construct recursion", "def f(x): return g(x)\ndef g(x): return f(x)"),
    ("no construct recursion", "f = lambda x: f(x - 1) if x else 0"),
    ("no construct recursion", "class A:\n    def m(self): return self.m()"),
    ("no construct nested_loop", "for a in b:\n    while c: pass"),
    ("no construct nested_loop", "x = [a for b in c for a in b]"),
    ("no construct nested_function", "def f():\n    return lambda: 1"),
    ("no construct inheritance", "class A(B): pass"),
    ("no construct mutation", "x[0] = 1"),
    ("no construct slice", "x[1:]"),
    ("no structure dict", "x = {}"),
    ("no structure dict", "from collections import Counter as C\nx = C(y)"),
    ("no structure dict", "def f(**k): pass"),
    ("no structure set", "x = {a for a in b}"),
    ("no structure list", "x = list(y)"),
    ("no structure tuple", "return_ = (1, 2)"),
    ("no operator %", "x = a % b"),
    ("no operator %", "x %= 3"),
    ("no operator %", "q, r = divmod(a, b)"),
    ("no operator +", "import operator\nx = operator.add(a, b)"),
    ("no operator +", "from operator import iadd\nx = iadd(a, b)"),
    ("no operator +", "x = (1).__add__(2)"),
    ("no operator in", "a not in b"),
    ("no literal str", "x = 'a'"),
    ("no literal str", "x = f'{a}'"),
    ("at most 1 construct for", "for a in b: pass\nfor c in d: pass"),
    ("some construct recursion", "def f(x): return x"),
]
KEPT = [
    ("no call sorted", "def sorted(x): return x\nsorted(y)"),
    ("no call gcd", "from math import gcd\ngcd(1, 2)"),
    ("no method split", "split = 1\nsplit"),
    ("no construct for", "x = [a for a in b]\n# for\ny = 'for'"),
    ("no construct recursion", "def f(x): return x\ndef g(x): return f(x)"),
    ("no construct nested_loop", "for a in b: pass\nfor c in d: pass"),
    ("no structure dict", "x = {1, 2}"),
    ("no structure tuple", "a, b = b, a\nfor i, j in z: pass"),
    ("no structure list", "[a, b] = c"),
    ("no operator +", "s.add(1)"),
    ("no operator -", "x = -1"),
    ("no operator in", "for a in b: pass"),
    ("no literal str", "def f():\n    'what it does'\n    return 1"),
    ("no literal int", "x = True"),
    ("at most 1 construct for", "for a in b: pass"),
    ("some construct recursion", "def f(x): return f(x)"),
]


@pytest.mark.parametrize(("rule", "code"), BROKEN)
def test_a_breach_is_found(rule, code):
    assert breaches(code, [parse_rule(rule)])


@pytest.mark.parametrize(("rule", "code"), KEPT)
def test_what_a_rule_allows_is_no_breach(rule, code):
    assert breaches(code, [parse_rule(rule)]) == []


def test_a_breach_says_where():
    (found,) = breaches("x = 1\ny = sorted(x)", [parse_rule("no call sorted")])
    assert (found.line, found.code) == (2, "sorted")
    assert str(found) == "no call sorted: line 2: sorted"


@pytest.mark.parametrize(
    "code",
    [
        "eval('sor' + 'ted(x)')",
        "getattr(x, 'split')()",
        "__builtins__['sorted'](x)",
        "import builtins\nbuiltins.sorted(x)",
        "from importlib import import_module",
        "().__class__.__base__.__subclasses__()",
        "import sys as s\ns.modules",
    ],
)
def test_a_detour_round_rules_is_a_breach(code):
    assert breaches(code, [parse_rule("no call sorted")])
    assert breaches(code, []) == []


@pytest.mark.parametrize(
    "line", ["", "no", "no call", "no thing x", "no construct fro", "no operator %%", "no structure bag", "no call a-b"]
)
def test_what_is_no_rule_is_refused(line):
    with pytest.raises(UsageError):
        parse_rule(line)


RULES = st.one_of(
    st.sampled_from(CONSTRUCTS).map("construct {}".format),
    st.sampled_from(STRUCTURES).map("structure {}".format),
    st.sampled_from(OPERATORS).map("operator {}".format),
    st.sampled_from(["call sorted", "call math.gcd", "method split", "module re", "literal str"]),
)


@given(st.sampled_from(["no", "some", "at most 3"]), RULES)
def test_every_rule_is_read_back_and_has_a_sentence(mode, rest):
    rule = parse_rule(f"{mode} {rest}")
    assert str(rule) == f"{mode} {rest}"
    assert parse_rule(str(rule)) == rule
    assert rule.sentence.endswith(".")


@given(RULES)
def test_the_empty_program_keeps_every_ban(rest):
    assert breaches("", [parse_rule(f"no {rest}")]) == []
    assert breaches("", [parse_rule(f"some {rest}")]) != []


def test_every_construct_and_operator_can_be_found():
    everything = """
from operator import add
async def a(x):
    async for i in x: await i
    yield 1
class B(A):
    def m(self):
        global g
        self.x = [i for i in range(3)] if 1 else lambda: 0
        del self.x
        for i in x:
            while 1:
                break
            continue
        try:
            raise E
        except E:
            pass
        match x:
            case 1: pass
        with x: pass
        if x: self.m()
        y = f"{x[1:2]}"
        (z := 1)
        z += 1
"""
    for name in CONSTRUCTS:
        assert breaches(everything, [parse_rule(f"no construct {name}")]), name
    for name in OPERATORS:
        code = f"x = {name} y" if name in ("not", "~") else f"x = a {name} b"
        assert breaches(code, [parse_rule(f"no operator {name}")]), name
