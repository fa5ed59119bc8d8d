"""Imports inside functions: the canonical form still finds what is imported."""

from finchmark.tasks.creativebench.canonical import canonical
from finchmark.tasks.creativebench.trial import trial

PLAIN = "def f(name):\n    import keyword\n    if keyword.iskeyword(name):\n        return 1\n    return 2\n"
INNER = (
    "def f(name):\n    def work():\n        import keyword\n        if keyword.iskeyword(name):\n"
    "            return 1\n        return 2\n    return work()\n"
)
ALIAS = INNER.replace("import keyword", "from keyword import iskeyword as word").replace("keyword.iskeyword(", "word(")
TESTS = "def test():\n    assert f('for') == 1\n    assert f('four') == 2\n"


def test_an_import_in_an_inner_function_keeps_its_name():
    assert canonical(INNER, ["f"]) == canonical(PLAIN, ["f"])


def test_the_canonical_form_of_a_program_with_such_an_import_passes():
    for code in (PLAIN, INNER, ALIAS):
        assert trial(code, TESTS).passed
        assert trial(canonical(code, ["f"]), TESTS).passed
