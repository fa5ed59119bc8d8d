import pytest

from finchmark.suite.errors import UsageError
from finchmark.suite.policy import Policy, Rule, make_policy, read_policy


def test_without_rules_the_deciding_metric_is_demanded_at_the_default_margin():
    assert Policy(margin=0.1).demands("a/b", "x", "success") == {"success": 0.1}


def test_the_last_rule_that_fits_counts():
    policy = Policy(rules=(Rule(task="a", margin=0.2), Rule(task="a/b", margin=0.3), Rule(task="c", margin=0.4)))
    assert policy.demands("a/b", "x", "success") == {"success": 0.3}
    assert policy.demands("a/c", "x", "success") == {"success": 0.2}
    assert policy.demands("ab/c", "x", "success") == {"success": 0.05}


def test_a_rule_may_add_a_metric_or_leave_a_task_out():
    policy = Policy(rules=(Rule(task="a/*", metric="harm", margin=0.01), Rule(task="a/b", arm="y", gate=False)))
    assert policy.demands("a/b", "x", "success") == {"success": 0.05, "harm": 0.01}
    assert policy.demands("a/b", "y", "success") == {}


def test_a_file_is_read(tmp_path):
    file = tmp_path / "gate.toml"
    file.write_text('margin = 0.1\nmode = "sequential"\n[[rule]]\ntask = "odyssey/lights"\nmargin = 0.2\n')
    policy = read_policy(file)
    assert policy.mode == "sequential"
    assert policy.demands("odyssey/lights", "inductive", "success") == {"success": 0.2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("margin = 2\n", "margin"),
        ("alfa = 0.1\n", "alfa"),
        ('mode = "often"\n', "mode"),
        ("[[rule]]\nmargni = 0.1\n", "margni"),
        ("margin = \n", "not TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, text, words):
    file = tmp_path / "gate.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_policy(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"none\.toml"):
        read_policy(tmp_path / "none.toml")


def test_a_rule_that_is_no_table_is_refused():
    with pytest.raises(UsageError, match="here"):
        make_policy({"rule": ["x"]}, "here")
