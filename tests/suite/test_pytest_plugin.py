"""The plug-in, in sessions of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest_plugins = ["pytester"]

PLUGINS = Path(__file__).with_name("plugins.py")
# By its module, and not twice: a checkout that was installed before the plug-in was there has no entry point for it.
LOAD = ("-p", "no:finchmark", "-p", "finchmark.suite.pytest_plugin")

LIGHTS = """\
backend: scripted:oracle
tier: gate
limit: 40
samples: 1
arm: inductive
tasks:
  odyssey/lights: {at_least: {success: 0.9}}
"""

TWO_TESTS = """\
import finchmark
OPTIONS = dict(tier="gate", limit=40, samples=1, arms=["inductive"])

def test_one():
    finchmark.run("odyssey/lights", "scripted:oracle", **OPTIONS).assert_at_least("success", 0.9)

def test_two():
    finchmark.run("odyssey/lights", "scripted:oracle", **OPTIONS).assert_at_most("unusable_rate", 0.2)
"""


@pytest.fixture
def session(pytester):
    """Runs pytest in a folder of its own."""
    pytester.makeini("[pytest]\n")

    def run(*args, load=LOAD):
        return pytester.runpytest_subprocess(*load, *args, timeout=240)

    run.write = lambda name, text: (pytester.path / name).write_text(text, encoding="utf-8")
    run.path = pytester.path
    return run


def runs(session) -> list[Path]:
    return [p.parent for p in session.path.glob(".pytest_cache/d/finchmark/*/manifest.json")]


# What it costs those who do not use it


def test_the_plug_in_imports_nothing_heavy():
    heavy = ("numpy", "pandas", "scipy", "torch", "pydantic", "matplotlib", "yaml", "rich", "sqlite3", "asyncio")
    code = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import finchmark.suite.pytest_plugin, finchmark.suite.pytest_home\n"
        f"print(sorted(set({heavy!r}) & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_session_without_evaluations_imports_nothing_heavy_and_shows_no_table(session):
    session.write(
        "conftest.py",
        "import sys\ndef pytest_unconfigure(config):\n"
        "    heavy = {'numpy', 'pandas', 'scipy', 'pydantic', 'yaml'} & set(sys.modules)\n"
        "    print('HEAVY', sorted(heavy), 'PLUGIN', config.pluginmanager.has_plugin('finchmark-table'))\n",
    )
    session.write("test_plain.py", "def test_plain():\n    pass\n")
    done = session("-p", "no:hypothesispytest")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["*HEAVY [[][]] PLUGIN True*"])
    done.stdout.no_fnmatch_line("*= finchmark =*")
    assert not (session.path / ".pytest_cache" / "d").exists()


def test_an_installation_loads_the_plug_in_by_itself(session):
    if not any(point.name == "finchmark" for point in entry_points(group="pytest11")):
        pytest.skip("this checkout was installed before it had a plug-in; install it again")
    session.write("eval_lights.yaml", LIGHTS)
    session("--collect-only", "-q", load=()).stdout.fnmatch_lines(["eval_lights.yaml::odyssey/lights"])


def test_the_option_group_and_the_marker_are_registered(session):
    session("--help").stdout.fnmatch_lines(["*--finchmark-backend=NAME:MODEL*", "*--finchmark-fresh*"])
    session("--markers").stdout.fnmatch_lines(["@pytest.mark.finchmark(*"])


# Evaluation files


def test_a_task_passes_by_what_is_demanded_of_it(session):
    session.write("eval_lights.yaml", LIGHTS)
    done = session("-v")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(
        [
            "eval_lights.yaml::odyssey/lights PASSED*",
            "*= finchmark =*",
            "*odyssey/lights@1 · inductive: success at least 0.9*shown*",
            "scripted:oracle, gate: 40 ok; played now: *",
        ]
    )


def test_a_task_fails_with_the_reason_and_without_our_lines(session):
    session.write("eval_lights.yaml", LIGHTS.replace("oracle", "random"))
    done = session()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*success at least 0.9: shown to be below (success = *40 items*"])
    done.stdout.no_fnmatch_line("*pytest_items.py*")


def test_what_the_data_cannot_tell_fails_and_says_what_would(session):
    session.write("eval_lights.yaml", LIGHTS.replace("limit: 40", "limit: 10"))
    done = session()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*cannot tell: needs about 19 more items*"])


@pytest.mark.slow
def test_a_task_holds_its_ground_against_its_baseline_or_not(session):
    session.write("eval_lights.yaml", LIGHTS.replace("{at_least: {success: 0.9}}", "{baseline: b/base.json}"))
    done = session()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        [
            "*there is no baseline*",
            "*finchmark run odyssey/lights --backend scripted:oracle --tier gate --limit 40 --samples 1 --arm *",
            "*finchmark baseline runs/baseline > *base.json",
        ]
    )
    assert not runs(session)  # nothing was spent
    (session.path / "b").mkdir()
    line = next(x for x in done.stdout.lines if x.strip().startswith("finchmark run"))
    exe = str(Path(sys.executable).with_name("finchmark"))
    subprocess.run([exe, *line.split()[1:], "-q"], cwd=session.path, check=True, capture_output=True)
    base = subprocess.run([exe, "baseline", "runs/baseline"], cwd=session.path, check=True, capture_output=True)
    (session.path / "b" / "base.json").write_bytes(base.stdout)

    unsure = session()  # 40 equal items cannot rule out a loss of .05: that takes 59
    unsure.assert_outcomes(failed=1)
    unsure.stdout.fnmatch_lines(["*INCONCLUSIVE*"])
    session.write("gate.toml", "margin = 0.1\n")
    session.write(
        "eval_lights.yaml",
        LIGHTS.replace("{at_least: {success: 0.9}}", "{baseline: b/base.json, policy: gate.toml}"),
    )
    passed = session()
    passed.assert_outcomes(passed=1)
    passed.stdout.fnmatch_lines(["*against base.json*pass*"])
    red = session("--finchmark-backend", "scripted:random")
    red.assert_outcomes(failed=1)
    red.stdout.fnmatch_lines(["*P(pass | no change)*", "*REGRESSION: scripted:random*"])


def test_errors_are_errors_and_no_failed_tests(session):
    session.write("plugins.py", PLUGINS.read_text())
    session.write(
        "eval_parity.yaml",
        "include: plugins.py\nbackend: moody\nmodel-args: {broken: 'Is 3'}\nsamples: 1\n"
        "tasks: {harness/parity: {at_least: {success: 0.1}}}\n",
    )
    done = session()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*1 of 6 samples were lost to errors, over 2 %*", "*: 5 ok, 1 error; played now*"])


def test_invalid_samples_are_counted(session):
    session.write("plugins.py", PLUGINS.read_text())
    session.write(
        "eval_parity.yaml",
        "include: plugins.py\nbackend: moody\nmodel-args: {finish: content_filter}\nsamples: 1\n"
        "tasks: {harness/parity: {at_most: {success: 0.6}}}\n",
    )
    done = session()
    done.stdout.fnmatch_lines(["moody, smoke: 6 refused; played now*"])


def test_a_metric_that_is_not_there_is_found_before_anything_is_played(session):
    session.write("eval_lights.yaml", LIGHTS.replace("success", "sucess"))
    done = session()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*no metric 'sucess'. Did you mean 'success'?*"])
    assert not runs(session)


def test_a_mistake_in_a_file_is_a_collection_error_that_names_it(session):
    session.write("eval_lights.yaml", LIGHTS.replace("samples:", "sample:"))
    done = session()
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines(["*eval_lights.yaml, line 4, sample: there is no such key. Did you mean 'samples'?*"])


def test_collecting_plays_nothing(session):
    session.write("eval_lights.yaml", LIGHTS)
    done = session("--collect-only", "-q")
    done.stdout.fnmatch_lines(["eval_lights.yaml::odyssey/lights"])
    assert not runs(session)


def test_other_files_are_left_alone(session):
    session.write("eval_of_others.yaml", "task: arc_easy\n")
    session.write("values.yaml", "a: 1\n")
    session.write("tox.ini", "[pytest]\nfinchmark_files =\n")
    assert session().ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_options_of_the_command_line_win(session):
    session.write("eval_lights.yaml", LIGHTS.replace("oracle", "random"))
    done = session("--finchmark-backend", "scripted:oracle", "--finchmark-samples", "2")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["scripted:oracle, gate: 80 ok;*"])


# Tests in Python


def test_the_fixture_plays_what_the_marker_says(session):
    session.write(
        "test_lights.py",
        "import pytest\n"
        "pytestmark = pytest.mark.finchmark('odyssey/lights', 'scripted:random', tier='gate', limit=40, samples=1)\n"
        "@pytest.mark.finchmark(backend='scripted:oracle', arms=['inductive'])\n"
        "def test_marked(finchmark_run):\n"
        "    result = finchmark_run()\n"
        "    result.assert_at_least('success', 0.9)\n"
        "    assert result.run.manifest.label == 'scripted:oracle'\n"
        "    assert len(finchmark_run(limit=2).run.frame()) == 2\n",
    )
    session("--strict-markers").assert_outcomes(passed=1)


def test_the_fixture_says_what_is_missing(session):
    session.write("test_lights.py", "def test_it(finchmark_run):\n    finchmark_run('odyssey/lights')\n")
    done = session()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*test_it: backend must be named*--finchmark-backend*"])


def test_a_failed_assertion_shows_the_tests_line_only(session):
    session.write("test_lights.py", TWO_TESTS.replace("0.9)", "0.99)"))
    done = session("-k", "one")
    done.stdout.fnmatch_lines(["> *assert_at_least(*", "*AssertionError: *cannot tell: needs about *"])
    done.stdout.no_fnmatch_line("*checked_run.py:*")


@pytest.mark.slow
def test_equal_runs_are_played_once_and_found_again(session):
    session.write("test_lights.py", TWO_TESTS)
    first = session()
    first.assert_outcomes(passed=2)
    assert len(runs(session)) == 1
    first.stdout.fnmatch_lines(["*40 ok; played now*"])
    session().stdout.fnmatch_lines(["*40 ok; FOUND, played 20*"])
    before = json.loads((runs(session)[0] / "manifest.json").read_text())["sessions"]
    session("--finchmark-fresh").stdout.fnmatch_lines(["*40 ok; played now*"])
    after = json.loads((runs(session)[0] / "manifest.json").read_text())["sessions"]
    assert len(before) == len(after) == 1


def test_another_backend_file_is_another_run(session):
    session.write("plugins.py", PLUGINS.read_text())
    session.write(
        "test_parity.py",
        "import finchmark\n"
        "def test_it():\n"
        "    r = finchmark.run('harness/parity', 'moody', include=['plugins.py'], samples=1)\n"
        "    print('FOUND', r.found, r.run.frame()['success'].sum())\n",
    )
    session("-s").stdout.fnmatch_lines(["*FOUND False 3.0*"])
    session("-s").stdout.fnmatch_lines(["*FOUND True 3.0*"])
    session.write(
        "plugins.py", PLUGINS.read_text().replace("Completion(self.answer", "Completion('odd ' + self.answer")
    )
    session("-s").stdout.fnmatch_lines(["*FOUND False 6.0*"])


# Where verdicts go


def test_junit_holds_the_verdicts(session):
    session.write("eval_lights.yaml", LIGHTS)
    session("--junitxml=out.xml").assert_outcomes(passed=1)
    found = {
        p.get("name"): json.loads(p.get("value"))
        for p in ElementTree.parse(session.path / "out.xml").getroot().iter("property")
    }
    claim = found["finchmark odyssey/lights@1 · inductive: success at least 0.9"]
    assert (claim["verdict"], claim["units"], claim["estimate"]) == ("shown", 40, 1.0)
    (run,) = [v for k, v in found.items() if k.startswith("finchmark run odyssey/lights")]
    assert (run["ok"], run["invalid"], run["error"]) == (40, 0, 0)


@pytest.mark.slow
def test_two_workers_play_an_equal_run_once_and_one_table_is_printed(session):
    session.write("test_lights.py", TWO_TESTS)
    session.write("eval_lights.yaml", LIGHTS)
    for args in ((), ("--finchmark-fresh",)):
        done = session("-n", "2", *args)
        done.assert_outcomes(passed=3)
        lines = [line for line in done.outlines if "= finchmark =" in line]
        assert len(lines) == 1
        assert sum("played now" in line for line in done.outlines) == 1
    (run,) = runs(session)
    assert len(json.loads((run / "manifest.json").read_text())["sessions"]) == 1


@pytest.mark.slow
def test_a_fresh_run_is_played_by_one_worker_only(session):
    noted = PLUGINS.read_text().replace(
        "self.requests.append(request)", "open('calls.txt', 'a').write('call\\n'); self.requests.append(request)"
    )
    session.write("plugins.py", noted)
    session.write(
        "test_parity.py",
        "import finchmark, pytest\n"
        "@pytest.mark.parametrize('n', range(4))\n"
        "def test_it(n):\n"
        "    finchmark.run('harness/parity', 'moody', include=['plugins.py'], samples=1)\n",
    )
    session("-n", "2", "--finchmark-fresh").assert_outcomes(passed=4)
    assert len((session.path / "calls.txt").read_text().splitlines()) == 6 * 3


@pytest.mark.slow
def test_two_workers_wait_for_one_another_at_a_folder_that_tests_name(session):
    session.write("test_lights.py", TWO_TESTS.replace("samples=1", "samples=1, out='same-folder'"))
    session("-n", "2").assert_outcomes(passed=2)


def test_without_pytests_cache_runs_go_to_a_folder_that_is_thrown_away(session):
    session.write("test_lights.py", TWO_TESTS)
    done = session("-p", "no:cacheprovider")
    done.assert_outcomes(passed=2)
    (line,) = [x for x in done.outlines if "played now" in x]
    assert not Path(line.rpartition(": ")[2]).exists()
    assert not (session.path / ".pytest_cache").exists()
