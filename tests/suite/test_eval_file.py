"""Files ``eval_*.yaml`` as they are read."""

from __future__ import annotations

import pytest

from finchmark.suite.errors import UsageError
from finchmark.suite.eval_file import read_eval_file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("backend: [", "this is not YAML"),
        ("", "maps keys to values"),
        ("task: arc\n", "finchmark_files"),
        ("tasks: {}\n", "must map names of tasks"),
        (
            "tasks:\n  a: {at_leat: {success: 1}}\n",
            "line 2, tasks.a.at_leat: there is no such key. Did you mean 'at_least'",
        ),
        ("tasks:\n  a: {at_least: {success: high}}\n", "tasks.a.at_least.success: 'high' must be a number"),
        ("tasks:\n  a: {at_least: {success: .nan}}\n", "must be a number"),
        ("tasks:\n  a: {at_least: {success: true}}\n", "must be a number"),
        ("tasks:\n  a: {at_least: 0.9}\n", "must map metrics to levels"),
        ("tasks:\n  a: {samples: 4}\n", "tasks.a: nothing is demanded"),
        ("tasks:\n  a: {at_least: {s: .5}, policy: p.toml}\n", "a policy belongs to a gate"),
        ("tasks:\n  a: {baseline: b, policy: {margn: .1}}\n", "tasks.a.policy: margn"),
        ("tasks:\n  a: {baseline: 3}\n", "must be the name of a file"),
        (
            "tasks:\n  a: {at_least: {s: .5}}\n  a: {at_least: {s: .6}}\n",
            "line 3, tasks.a: it stands there twice, at line 2",
        ),
        ("samples: many\ntasks: {a: {at_least: {s: .5}}}\n", "samples = 'many' must be a whole number"),
        ("confidence: 95\ntasks: {a: {at_least: {s: .5}}}\n", "confidence: 95 must lie between 0.5 and 1"),
        ("top-p: 1\ntop_p: 0.5\ntasks: {a: {at_least: {s: .5}}}\n", "twice, with - and with _"),
        ("a: &x [*x]\n", "there is no such key"),
    ],
)
def test_mistakes_are_named(tmp_path, text, said):
    file = tmp_path / "eval_x.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        read_eval_file(file)
    assert said in str(error.value)
    assert str(file) in str(error.value)


def test_a_task_says_more_than_the_file(tmp_path):
    file = tmp_path / "eval_x.yaml"
    file.write_text(
        "backend: scripted:oracle\nsamples: 4\nconfidence: 0.9\ninclude: m.py\n"
        "tasks:\n  a: {at_least: {s: 0.5}}\n  b: {samples: 2, confidence: 0.99, baseline: sub/b.json}\n",
        encoding="utf-8",
    )
    a, b = read_eval_file(file)
    assert (a.given["samples"], a.confidence, a.baseline) == (4, 0.9, None)
    assert (b.given["samples"], b.confidence, b.baseline) == (2, 0.99, tmp_path / "sub" / "b.json")
    assert a.given["include"] == [str(tmp_path / "m.py")]
    assert (a.line, b.line) == (6, 7)
    assert a.run_options(samples=9).options["samples"] == 9


def test_an_evaluation_needs_a_backend_from_somewhere(tmp_path):
    file = tmp_path / "eval_x.yaml"
    file.write_text("tasks: {a: {at_least: {s: 0.5}}}\n", encoding="utf-8")
    (task,) = read_eval_file(file)
    with pytest.raises(UsageError, match="--finchmark-backend"):
        task.run_options()
    assert task.run_options(backend="scripted:oracle").backend == "scripted:oracle"
