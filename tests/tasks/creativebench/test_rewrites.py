"""Single rewrites on programs that are not shipped: they keep what a program does."""

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
