"""Canonical forms: spellings of one program have one form, and the form does what the program does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from finchmark.tasks.creativebench.canonical import canonical, tokens
from finchmark.tasks.creativebench.novelty import bag_distance, grams
from finchmark.tasks.creativebench.trial import trial


def distance(one, two, entries=("f",)):
    return bag_distance(*(grams(canonical(code, entries)) for code in (one, two)))


def body(text):
    return "def f(a, b):\n    " + text.replace("\n", "\n    ") + "\n"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        # names of lists
        ("r = []\nr.append(a)\nr.append(b)\nreturn r", "r = []\nr += [a]\nr.extend([b])\nreturn r"),
        ("r = [a]\nr.append(b)\nreturn r", "r = [a]\nr = r + [b]\nreturn r"),
        ("r = [a]\nfor x in b:\n    r.append(x)\nreturn r", "m = [a]\nfor x in b:\n    m += [x]\nr = m\nreturn r"),
        # aliases
        ("n = [x for x in a]\nn.sort()\nreturn n", "m = []\nfor x in a:\n    m.append(x)\nn = m\nn.sort()\nreturn n"),
        ("while b:\n    b = b - 1\n    a(b)", "c = b\nwhile c:\n    c = c - 1\n    a(c)"),
        # order
        (
            "k = len(b)\nreturn [x + k for x in a] + [k]",
            "r = []\nk = len(b)\nfor x in a:\n    r.append(x + k)\nreturn r + [k]",
        ),
        (
            "k = a(b)\nr = []\nfor x in k:\n    r.append(x)\nreturn r",
            "r = []\nfor x in a(b):\n    r.append(x)\nreturn r",
        ),
        # nested comprehensions
        (
            "d = {}\nfor x in a:\n    d[x] = {y: [z for z in y] for y in x}\nreturn d",
            "d = {}\nfor x in a:\n    e = {}\n    for y in x:\n        l = []\n        for z in y:\n"
            "            l.append(z)\n"
            "        e[y] = l\n    d[x] = e\nreturn d",
        ),
        # returns and branches
        ("if a:\n    r = 1\nelse:\n    r = b\nreturn r", "if a:\n    return 1\nreturn b"),
        ("if a:\n    b.append(a)\nreturn b", "if a:\n    b.append(a)\n    return b\nelse:\n    return b"),
        (
            "for x in a:\n    if x == b:\n        break\nreturn b",
            "for x in a:\n    if x == b:\n        return b\nreturn b",
        ),
        ("try:\n    return a[b]\nexcept KeyError:\n    raise", "return a[b]"),
        (
            "for x in a:\n    b[x] = 1 if x else 2",
            "for x in a:\n    if x:\n        b[x] = 1\n    else:\n        b[x] = 2",
        ),
        # questions
        (
            "if any(x > b for x in a):\n    b = 1\nreturn b",
            "t = True\nfor x in a:\n    if x > b:\n        t = False\n        break\nif not t:\n    b = 1\nreturn b",
        ),
        (
            "if all(x for x in a):\n    b = 1\nreturn b",
            "t = False\nfor x in a:\n    if not x:\n        t = True\n        break\nif not t:\n    b = 1\nreturn b",
        ),
        # counting
        ("for i in range(b):\n    a(i)", "i = 0\nwhile i < b:\n    a(i)\n    i += 1"),
        (
            "for i in range(2, b):\n    if a == i:\n        return i\nreturn 0",
            "i = 2\nwhile i < b:\n    if a == i:\n        return i\n    i += 1\nreturn 0",
        ),
        ("for x in a:\n    b(x)", "for i in range(len(a)):\n    b(a[i])"),
        ("for i, x in enumerate(a):\n    b(x, i)", "for i in range(len(a)):\n    b(a[i], i)"),
        (
            "while any(x > b for x in a):\n    b += 1\nreturn b",
            "while True:\n    t = False\n    for x in a:\n        if x > b:\n            t = True\n"
            "            break\n    if not t:\n        return b\n    b += 1",
        ),
        # names in tests
        ("x = a(b)\nif x > 1:\n    return x\nreturn 0", "if (x := a(b)) > 1:\n    return x\nreturn 0"),
        ("while True:\n    x = a()\n    if not x:\n        break\n    b(x)", "while (x := a()):\n    b(x)"),
        # texts
        ("return f'{a}-{b}'", "return str(a) + '-' + str(b)"),
        ("return f'{a}-{b}'", "return '{}-{}'.format(a, b)"),
        ("return f'{a}-{b}'", "return '%s-%s' % (a, b)"),
        ("return f'{a}-{b}'", "return '-'.join([a, b])"),
        ("return f'{a}'", "return str(a)"),
        # functions
        ("k = lambda x: x + a\nreturn [k(x) for x in b]", "def k(x):\n    return x + a\nreturn [k(x) for x in b]"),
    ],
)
def test_two_spellings_have_one_form(one, two):
    assert distance(body(one), body(two)) == 0


WHOLE = "def f(a):\n    total = 0\n    for x in a:\n        total = total + x\n    return total * 2\n"


@pytest.mark.parametrize(
    "other",
    [
        "def f(a):\n    return g(a) * 2\n\ndef g(b):\n    total = 0\n    for x in b:\n"
        "        total = total + x\n    return total\n",
        "class S:\n    def run(self, a):\n        return self.add(a) * 2\n\n"
        "    def add(self, a):\n        return sum(x for x in a)\n\n"
        "def f(a):\n    return S().run(a)\n",
        "class S:\n    @staticmethod\n    def run(a):\n        t = 0\n        for x in a:\n"
        "            t += x\n        return t * 2\n\n"
        "def f(a):\n    s = S()\n    return s.run(a)\n",
    ],
)
def test_helpers_and_classes_that_hold_nothing_are_what_they_do(other):
    assert distance(WHOLE, other) == 0


COUNTER = """class Desk:
    def __init__(self, free):
        self.{free} = dict(free)

    def take(self, name):
        if self.{free}[name] == self._{least}(name):
            return False
        self.{free}[name] -= 1
        return True

    def _{least}(self, name):
        return len([other for other in self.{free} if other > name]) * 0
"""


@pytest.mark.parametrize("names", [("engaged", "floor"), ("append", "sort"), ("zz", "a")])
def test_names_of_a_programs_own_attributes_do_not_show(names):
    plain = COUNTER.format(free="free", least="least")
    assert distance(plain, COUNTER.format(free=names[0], least=names[1]), ["Desk"]) == 0


def test_methods_of_builtins_show_even_where_an_attribute_is_called_so():
    plain = (
        "class D:\n    def __init__(self):\n        self.append = []\n\n    def put(self, x):\n"
        "        self.append.append(x)\n"
    )
    assert distance(plain, plain.replace(".append(x)", ".extend(x)"), ["D"]) > 0


def test_a_module_and_what_is_imported_from_it_are_one():
    one = "import math\n\ndef f(a, b):\n    return math.gcd(a, b) == math.comb(a, b)\n"
    two = "from math import gcd as g, comb\n\ndef f(a, b):\n    return g(a, b) == comb(a, b)\n"
    assert distance(one, two) == 0
    assert distance(one, one.replace("gcd", "lcm")) > 0


def test_what_only_in_place_addition_takes_stays_in_place():
    code = (
        "from itertools import product\n\ndef f(a, b):\n    rows = {}\n    rows[0] = []\n    more = [b]\n"
        "    rows[0] += product(a, a)\n    more += product(a, a)\n    return rows[0] + more\n"
    )
    form = canonical(code, ["f"])
    assert trial(form, "def test():\n    assert f([1], 2) == [(1, 1), 2, (1, 1)]\n").passed
    assert "more.extend(product(a, a))" in form


def test_a_text_that_no_f_string_can_hold_is_put_together():
    code = "SEP = '\\n'\n\ndef f(a):\n    end = SEP.join(a)\n    return f'{end}{SEP}'\n"
    form = canonical(code, ["f"])
    assert trial(form, "def test():\n    assert f(['x', 'y']) == 'x\\ny\\n'\n").passed


def test_fields_of_a_class_stay_and_their_annotations_do_not_show():
    code = (
        "from typing import NamedTuple\n\nclass Q(NamedTuple):\n    z: int\n    y: int = 2\n\n"
        "def f(a):\n    return Q(a).z + Q(a).y\n"
    )
    assert trial(canonical(code, ["f"]), "def test():\n    assert f(1) == 3\n").passed
    assert distance(code, code.replace(": int", ": float")) == 0


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        # each looks like something that a rule rewrites, and is not
        ("def f(a):\n    xs = list(a)\n    ys = xs\n    xs += [1]\n    return ys\n", "assert f([0]) == [0, 1]"),
        ("def f(a):\n    xs = [0]\n    ys = xs\n    xs = xs + [1]\n    return ys\n", "assert f(0) == [0]"),
        ("def f(a):\n    i = 0\n    while i < 3:\n        i += 1\n    return i\n", "assert f(0) == 3"),
        (
            "def f(a):\n    i = 0\n    while i < len(a):\n        if a[i]:\n            a.append(0)\n"
            "            a[i] = 0\n        i += 1\n    return len(a)\n",
            "assert f([1, 1]) == 4",
        ),
        (
            "def f(a):\n    for i in range(len(a)):\n        a[i] = a[i] + a[0]\n    return a\n",
            "assert f([1, 2]) == [2, 4]",
        ),
        (
            "def f(a):\n    old, new = 0, 1\n    for x in a:\n        last = new\n"
            "        new = old + new\n        old = last\n    return old\n",
            "assert f('abcd') == 3",
        ),
        (
            "def f(a):\n    for x in a:\n        y = x\n        if y > 2:\n            break\n    return x\n",
            "assert f([1, 3, 5]) == 3",
        ),
        (
            "def f(a):\n    return [x for x in [1] if any(x == y for y in a if all(z for z in [y, x]))]\n",
            "assert f([1]) == [1]",
        ),
        ("def f(a):\n    n = len(a)\n    a.append(1)\n    return n\n", "assert f([]) == 0"),
        (
            "class C:\n    n = 0\n\n    def up(self):\n        C.n += 1\n        return C.n\n\n"
            "def f(a):\n    return C().up() + C().up()\n",
            "assert f(0) == 3",
        ),
    ],
)
def test_the_form_of_what_only_looks_alike_still_works(code, tests):
    tests = f"def test():\n    {tests}\n"
    assert trial(code, tests).passed
    form = canonical(code, ["f"])
    assert trial(form, tests).passed, form
    assert tokens(canonical(form, ["f"])) == tokens(form)


JUNK = """
TABLE = {}
for number in range(9):
    TABLE[number] = bin(number)

def f(a, b):
    noise, weight = [3, 1], 0
    for part in noise:
        weight = weight * 3 + part
        if weight > 5:
            noise = noise[::-1]
    rows = [[] for _ in range(2)]
    for row in rows:
        row.append(a)
    return rows
"""


def test_work_that_is_used_for_nothing_is_not_in_the_form():
    form = canonical(JUNK, ["f"])
    assert "noise" not in form
    assert "weight" not in form
    assert "TABLE" not in form
    assert trial(form, "def test():\n    assert f(1, 2) == [[1], [1]]\n").passed


SEEDED = "def f(a):\n    return sum(x * y + z for x, y, z in a) + max(p - q for p, q in a)\n"


def test_a_form_does_not_depend_on_the_seed_of_hashes():
    command = (
        "import sys; from finchmark.tasks.creativebench.canonical import canonical; "
        "sys.stdout.write(canonical(sys.argv[1], ['f']))"
    )
    forms = {
        subprocess.run(
            [sys.executable, "-c", command, SEEDED],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(forms) == 1


def test_two_flags_that_begin_with_true_keep_what_they_mean():
    source = (
        "def f(lists):\n    every = True\n    for xs in lists:\n        good = True\n        for x in xs:\n"
        "            if x < 0:\n                good = False\n                break\n        if not good:\n"
        "            every = False\n    return every\n"
    )
    made: dict[str, object] = {}
    exec(canonical(source, ("f",)), made)
    f = made["f"]
    assert callable(f)
    assert [f([[1], [2]]), f([[1], [-2]]), f([])] == [True, False, True]


def test_an_index_with_a_name_of_its_own_stays_named_where_an_assignment_is_written_out():
    source = (
        "def f(xs, n):\n    c = [0] * n\n    for x in xs:\n        k = min(int(x * n), n - 1)\n        {}\n"
        "    return c\n"
    )
    forms = {canonical(source.format(text), ("f",)) for text in ("c[k] += 1", "c[k] = c[k] + 1")}
    assert len(forms) == 1
