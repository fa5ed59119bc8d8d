import inspect

import pytest

from finchmark.suite import cli
from finchmark.suite.errors import UsageError
from finchmark.suite.runfile import RUN_FLAGS, read_run_file, run_options


def test_a_run_file_may_say_what_the_command_line_may():
    assert {*inspect.signature(cli.run).parameters, "task"} - {"config", "dry_run"} == RUN_FLAGS


def test_what_decides_numbers_is_told_from_what_does_not():
    options = run_options(
        {"tasks": "odyssey", "backend": "hf", "arm": "x", "quiet": True, "retry_errors": 2, "samples": 3, "seed": None}
    )
    assert options.tasks == ("odyssey",)
    assert options.options == {"arms": ["x"], "samples": 3}
    assert (options.quiet, options.retries, options.max_errors) == (True, 2, 0)


def test_a_limit_on_costs_is_the_backends():
    options = run_options({"task": ["a"], "backend": "openai:m", "model_args": "base_url=x", "max_cost": 1.5})
    assert options.options["model_args"] == {"base_url": "x", "max_cost": 1.5}


def test_a_backend_is_needed():
    with pytest.raises(UsageError, match="--backend"):
        run_options({"tasks": ["odyssey"]})


def test_a_misspelt_flag_is_named(tmp_path):
    (tmp_path / "run.toml").write_text("sample = 3\n")
    with pytest.raises(UsageError, match="Did you mean 'samples'"):
        read_run_file(tmp_path / "run.toml")


def test_where_a_model_runs_is_no_part_of_the_specification(monkeypatch):
    from finchmark.suite.evaluation import make_backend

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    here, there = (
        make_backend("openai:m", {"base_url": f"http://127.0.0.1:{port}/v1", "extra_body": {"top_k": 5}})[0]
        for port in (1, 2)
    )
    assert here == there
    assert here.args == {"extra_body": {"top_k": 5}}
