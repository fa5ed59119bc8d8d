"""Trials end: whatever a program does when its steps run out, and whatever is left of them when it fails."""

from __future__ import annotations

import sys

import pytest

from finchmark.tasks.creativebench.trial import trial

TESTS = "def test():\n    assert f(3) == 3\n"


def test_a_program_that_passes():
    assert trial("def f(x):\n    return x\n", TESTS).passed


def test_a_program_that_fails_tells_its_error():
    ran = trial("def f(x):\n    return 1 // 0\n", TESTS)
    assert (ran.passed, ran.reason) == (False, "ZeroDivisionError")


@pytest.mark.parametrize("fuel", range(40))
def test_an_error_at_the_end_of_the_fuel_is_no_error_of_ours(fuel):
    ran = trial("def f(x):\n    return 1 // 0\n", TESTS, fuel)
    assert ran.reason in ("fuel", "ZeroDivisionError")
    assert ran.steps <= fuel


@pytest.mark.parametrize("fuel", range(60, 100))
def test_fuel_that_ends_in_a_generator_that_is_thrown_away_ends_the_trial(fuel):
    code = "def f(x):\n    while True:\n        any(True for _ in 'ab')\n    return x\n"
    assert trial(code, TESTS, fuel).reason == "fuel"


def test_a_program_that_catches_everything_does_not_pass():
    code = "def f(x):\n    try:\n        while True:\n            pass\n    except:\n        return x\n"
    assert trial(code, TESTS, 1000).reason == "fuel"


def test_recursion_without_end_is_its_error():
    assert trial("def f(x):\n    return f(x)\n", TESTS).reason == "RecursionError"


def test_what_was_set_before_is_set_again():
    before, limit = sys.gettrace(), sys.getrecursionlimit()
    trial("def f(x):\n    return f(x)\n", TESTS, 50)
    assert (sys.gettrace(), sys.getrecursionlimit()) == (before, limit)
