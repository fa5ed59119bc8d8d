"""The verdict comes from outside: attacks on it, and honest candidates that must not be taken for one."""

import pytest

TESTS = """
def test():
    assert twice(4) == 8
    assert twice(-1) == -2
"""
HONEST = "def twice(x):\n    return 2 * x\n"
WRONG = "def twice(x):\n    return 0\n"


def test_an_honest_candidate_passes(box):
    verdict = box.judge(HONEST, TESTS)
    assert verdict.passed
    assert (verdict.tests, verdict.executions, verdict.comparisons) == (1, 1, 0)


def test_a_wrong_candidate_fails_and_the_line_is_named(box):
    verdict = box.judge(WRONG, TESTS)
    assert (verdict.status, verdict.reason, verdict.test, verdict.line) == ("failed", "assertion", "test", 3)


ATTACKS = {
    "leaving with status 0": "import os; os._exit(0)",
    "leaving from the function": "import os\ndef twice(x): os._exit(0)",
    "sys.exit from the function": "import sys\ndef twice(x): sys.exit(0)",
    "__name__ reassigned": "__name__ = 'elsewhere'",
    "atexit": "import atexit, os\natexit.register(os._exit, 0)",
    "a signal handler": (
        "import os, signal\nsignal.signal(signal.SIGALRM, lambda *a: os._exit(0))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001)\ndef twice(x):\n    while True: pass"
    ),
    "builtins patched": (
        "import builtins\nbuiltins.AssertionError = type('Never', (Exception,), {})\n"
        "builtins.isinstance = lambda *a: True\ndef twice(x): return 0"
    ),
    "a frame walk to the tests": (
        "import sys\ndef twice(x):\n    frame = sys._getframe()\n    while frame:\n"
        "        for value in [*frame.f_globals.values(), *frame.f_locals.values()]:\n"
        "            code = getattr(value, '__code__', None)\n"
        "            if code is not None and getattr(value, '__name__', '') == 'test':\n"
        "                return [c for c in code.co_consts if isinstance(c, int)][x == -1]\n"
        "        frame = frame.f_back\n    return 0"
    ),
    "a search of memory for the tests": (
        "import gc, sys\ndef twice(x):\n"
        "    texts = [o for o in gc.get_objects() if isinstance(o, dict)]\n"
        "    found = [v for d in texts for v in list(d.values()) if isinstance(v, str) and 'twice(4) == ' in v]\n"
        "    return 2 * x if [f for f in found if 'found' not in f] else 0"
    ),
    "the tests' module": "import sys\ndef twice(x):\n    return sys.modules['tests'].expected",
    "every descriptor written to": (
        "import os, json\nword = json.dumps({'status': 'passed', 'tests': 1, 'comparisons': 0}).encode()\n"
        "for fd in range(3, 64):\n    try: os.write(fd, word)\n    except OSError: pass\nos._exit(0)"
    ),
    "a verdict on standard output": "print('{\"status\": \"passed\", \"tests\": 1}')\nimport os; os._exit(0)",
    "the link's own methods patched": (
        "import sys\nlink = sys.modules['inside.link'].Link\n"
        "link._do = lambda self, m: ['ok', None, []]\ndef twice(x): return 0"
    ),
    "a class of its own as the test": "class twice:\n    def __new__(cls, x): return None\ndef test(): pass",
    "a thread that leaves later": (
        "import os, threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.01), os._exit(0))).start()\n"
        "def twice(x):\n    time.sleep(0.2)\n    return 0"
    ),
    "an exception for each comparison": "class Odd:\n    def __eq__(s, o): raise SystemExit(0)\n"
    "def twice(x): return Odd()",
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_on_the_verdict_fails(box, attack):
    verdict = box.judge(ATTACKS[attack], TESTS)
    assert verdict.status == "failed", verdict
    assert verdict.reason in ("exit", "assertion", "exception"), verdict


ALWAYS = {
    "an object that equals everything": "class A:\n    def __eq__(s, o): return True\ndef twice(x): return A()",
    "one that equals all built-in values": (
        "class A:\n    def __eq__(s, o): return type(o).__module__ == 'builtins'\ndef twice(x): return A()"
    ),
    "one that is equal once": (
        "class A:\n    n = 0\n    def __eq__(s, o):\n        s.n += 1\n        return s.n == 1\n"
        "def twice(x): return A()"
    ),
    "one that equals every number": (
        "class A:\n    def __eq__(s, o): return isinstance(o, int)\ndef twice(x): return A()"
    ),
}  # fmt: skip


@pytest.mark.parametrize("trick", ALWAYS)
def test_an_object_that_says_yes_is_never_a_pass(box, trick):
    tests = "def test():\n" + "".join(f"    assert twice({i}) == {2 * i}\n" for i in range(12))
    verdict = box.judge(ALWAYS[trick], tests)
    assert verdict.tampered, verdict
    assert verdict.executions == 2


def test_an_always_smaller_object_is_tampered(box):
    candidate = (
        "class A:\n    def __sub__(s, o): return s\n    def __abs__(s): return s\n    def __lt__(s, o): return True\n"
        "def root(x): return A()\n"
    )
    assert box.judge(candidate, "def test():\n    assert abs(root(2) - 1.414) < 1e-3\n").tampered


def test_the_verdict_is_tampered_even_where_the_test_hides_the_comparison(box):
    candidate = "class A:\n    def __eq__(s, o): return True\n    __hash__ = object.__hash__\ndef pick(x): return A()\n"
    assert box.judge(candidate, "def test():\n    assert pick(1) in [5, 6, 7]\n").tampered


def test_a_subclass_of_a_built_in_that_equals_everything_is_tampered(box):
    candidate = (
        "class A(int):\n    def __eq__(s, o): return True\n    __hash__ = int.__hash__\ndef twice(x): return A(0)"
    )
    assert box.judge(candidate, TESTS).tampered


def test_an_honest_class_is_confirmed_by_the_control(box):
    candidate = (
        "from dataclasses import dataclass\nfrom collections import namedtuple\nPair = namedtuple('Pair', 'a b')\n"
        "@dataclass\nclass Point:\n    x: int\n    y: int\n"
        "    def __add__(s, o): return Point(s.x + o.x, s.y + o.y)\n"
        "    def __len__(s): return 2\n"
    )
    tests = (
        "def test():\n    p = Point(1, 2) + Point(3, 4)\n    assert p == Point(4, 6)\n    assert p != Point(0, 0)\n"
        "    assert len(p) == 2 and p.x == 4\n    assert isinstance(p, Point) and type(p).__name__ == 'Point'\n"
        "    p.x = 9\n    assert p.x == 9\n    assert Pair(1, 2) == (1, 2) and Pair(3, 4).b == 4\n"
    )
    verdict = box.judge(candidate, tests)
    assert verdict.passed, verdict
    assert verdict.comparisons > 0
    assert verdict.executions == 2


def test_the_candidate_is_not_given_the_tests_objects(box):
    candidate = (
        "def twice(f):\n"
        "    for name in ('__globals__', '__code__', '__self__', '__class__', 'gi_frame'):\n"
        "        try:\n            getattr(f, name)\n        except AttributeError:\n            continue\n"
        "        if name in ('__globals__', '__code__', 'gi_frame'):\n            return 'reached ' + name\n"
        "    return 'closed'\n"
    )
    tests = (
        "secret = 5\ndef test():\n    assert twice(lambda: secret) == 'closed'\n    g = (i for i in [1])\n"
        "    assert twice(g) == 'closed'\n"
    )
    assert box.judge(candidate, tests).passed


def test_a_module_cannot_be_passed_off_as_another(box):
    candidate = "import unittest.mock as np\nmath = np\n"
    verdict = box.judge(candidate, "def test():\n    assert np.allclose([1], [2])\n    assert math.sqrt(4) == 2\n")
    assert (verdict.reason, verdict.error) == ("exception", "NameError")
    assert box.judge("from unittest.mock import ANY\ndef twice(x): return ANY", TESTS).tampered


def test_reasons_are_told_apart(box):
    assert box.judge("def twice(x:", TESTS).reason == "syntax"
    assert box.judge("import no_such_module", TESTS).reason == "import"
    assert box.judge("1 / 0", TESTS).error == "ZeroDivisionError"
    assert box.judge("x = 1", TESTS).error == "NameError"
    assert box.judge(HONEST, "def test(:").reason == "tests"
    assert box.judge(HONEST, "x = 1").reason == "tests"
    assert box.judge(HONEST, "import no_such_module\ndef test(): assert twice(1) == 2").reason == "tests"


def test_tests_that_catch_everything_do_not_hide_a_candidate_that_left(box):
    tests = (
        "def test():\n    try:\n        assert twice(4) == 8\n    except Exception:\n        pass\n    try:\n"
        "        twice(1)\n    except:\n        pass\n"
    )
    assert box.judge("import os\ndef twice(x): os._exit(0)", tests).reason == "exit"


def test_arguments_are_changed_in_place(box):
    candidate = (
        "def order(xs, seen):\n    xs.sort()\n    seen['n'] = len(xs)\n    seen['rows'][0].append(7)\n    return xs\n"
    )
    tests = (
        "def test():\n    xs, row = [3, 1, 2], []\n    seen = {'rows': [row]}\n    assert order(xs, seen) is xs\n"
        "    assert xs == [1, 2, 3] and seen['n'] == 3 and row == [7]\n"
    )
    assert box.judge(candidate, tests).passed


def test_functions_classes_generators_and_exceptions_work_across_the_line(box):
    candidate = (
        "class Empty(ValueError):\n    def __init__(self, what):\n        super().__init__(what)\n"
        "        self.what = what\n"
        "def each(f, xs):\n    if not xs: raise Empty('xs')\n    for x in xs: yield f(x)\n"
        "class Stack:\n    limit = 3\n    def __init__(self): self.items = []\n"
        "    def push(self, x): self.items.append(x); return self\n    def __iter__(self): return iter(self.items)\n"
        "    @staticmethod\n    def name(): return 'stack'\n"
        "def walk(node):\n    return [] if node is None else walk(node.left) + [node.value]\n"
        "async def later(x): return x + 1\n"
    )
    tests = (
        "import asyncio\n"
        "class Node:\n    def __init__(self, value, left=None): self.value, self.left = value, left\n"
        "def test_calls():\n    assert list(each(lambda x: x * x, [1, 2, 3])) == [1, 4, 9]\n"
        "    try:\n        list(each(str, []))\n        assert False\n    except Empty as error:\n"
        "        assert str(error) == 'xs' and error.what == 'xs'\n"
        "def test_objects():\n    assert list(Stack().push(1).push(2)) == [1, 2]\n"
        "    assert Stack.limit == 3 and Stack.name() == 'stack'\n"
        "def test_nodes():\n    assert walk(Node(1, Node(2))) == [2, 1]\n"
        "def test_async():\n    assert asyncio.run(later(1)) == 2\n"
    )
    verdict = box.judge(candidate, tests)
    assert verdict.passed, verdict
    assert verdict.tests == 4


def test_names_that_only_the_candidate_imports_are_found(box):
    candidate = "import math\nimport numpy as np\nfrom datetime import date\ndef grid(n): return np.eye(n) * math.e\n"
    tests = (
        "def test():\n    assert np.allclose(grid(2), np.eye(2) * math.e)\n    assert date(2024, 1, 1).year == 2024\n"
    )
    assert box.judge(candidate, tests).passed


def test_output_of_the_candidate_is_kept(box):
    verdict = box.judge("print('here', end='')\n" + HONEST, TESTS)
    assert (verdict.passed, verdict.stdout) == (True, "here")
