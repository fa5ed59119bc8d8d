"""The repo environment: Gymnasium's contract, our answers, and parity with recorded answers of the reference."""

from __future__ import annotations

import copy
import json
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import finchmark.environments.odyssey  # noqa: F401  # registers the id
from finchmark.environments.odyssey.repo import RepoEnv
from finchmark.environments.odyssey.repo_commands import Problem, read_reference
from finchmark.environments.odyssey.repo_rules import MAX_PACKAGES
from finchmark.environments.odyssey.repo_solver import commands
from finchmark.environments.odyssey.repo_worlds import REPO_PRESETS, RepoDifficulty, generate
from finchmark.suite.conformance import check_environment
from finchmark.suite.errors import UsageError

ID = "finchmark/Repo-v1"
SHARED = Path(os.environ.get("FINCHMARK_SHARED", Path(__file__).parents[2].parent / "shared"))
TRACES = sorted((SHARED / "odyssey_traces").glob("repo_*.json"))

LITE = generate("lite", 1)


def api(symbols: dict[str, list[str]], deprecated: list[str] | None = None, name: str = "a") -> dict[str, Any]:
    module = f"{name}.core"
    return {
        "modules": [module],
        "exports": {module: list(symbols)},
        "signatures": {f"{module}:{symbol}": keywords for symbol, keywords in symbols.items()},
        "deprecated": {module: deprecated or []},
    }


def call(name: str, symbol: str, *keywords: str) -> dict[str, Any]:
    return {"provider": name, "module": f"{name}.core", "symbol": symbol, "required_kwargs": list(keywords)}


# `low` needs nothing; `mid` (medium) and `top` (high) need it in a version that follows their own.
SMALL: dict[str, Any] = {
    "python_versions": ["3.8", "3.9", "3.10"],
    "packages": {
        "low": {"versions": ["1.0", "1.1", "2.0"], "priority": "low"},
        "mid": {"versions": ["1.0", "2.0"], "priority": "medium"},
        "top": {"versions": ["0.9", "0.10"], "priority": "high"},
    },
    "version_requires_python": {"low": {"2.0": [">=", "3.9"]}},
    "version_dependencies": {
        "mid": {"1.0": [["low", [["<=", "1.1"]]]], "2.0": [["low", [[">=", "2.0"]]]]},
        "top": {"0.9": [["low", [["<", "2.0"]]]], "0.10": [["low", [[">=", "1.0"]]]]},
    },
    "version_conflicts": {"top": {"0.10": [["mid", "<=", "1.0", "too old"]]}},
    "side_effects": {"top": {"0.9": [["force_low", "low", [[">=", "1.0"]]]]}},
    "api_surface": {
        "low": {
            "1.0": api({"old": []}, name="low"),
            "1.1": api({"old": [], "new": ["x"]}, ["old"], name="low"),
            "2.0": api({"new": ["x", "y"]}, name="low"),
        },
        "mid": {"1.0": api({"f": []}, name="mid"), "2.0": api({"f": []}, name="mid")},
        "top": {"0.9": api({"g": []}, name="top"), "0.10": api({"g": []}, name="top")},
    },
    "symbol_requires": {"mid": {"1.0": [call("low", "old")], "2.0": [call("low", "new", "y")]}},
    "scripts": {
        "one.py": {"calls": [call("low", "old")], "imports": ["low"]},
        "two.py": {"calls": [call("mid", "f")], "imports": ["mid"]},
    },
    "entrypoints": ["one.py", "two.py"],
    "consistency_rules": [],
    "hidden_rules": [],
}
CHECKED = {**SMALL, "run_checks": True, "project_requires_python": [">=", "3.9"]}


def started(config: dict[str, Any] = SMALL, *commands: str, **kwargs: Any) -> RepoEnv:
    env = RepoEnv(config, **kwargs)
    env.reset(seed=0)
    for command in commands:
        env.step(command)
    return env


def installed(env: RepoEnv) -> dict[str, str]:
    assert env.machine is not None
    return {name: f"{major}.{minor}" for name, (major, minor) in env.machine.installed.items()}


class TestContract:
    @pytest.mark.parametrize(
        "kwargs",
        [
            {"config": SMALL},
            {"config": CHECKED, "max_steps": 30},
            {"config": SMALL, "reference_rules": True},
            {"difficulty": "smoke"},
            {"difficulty": REPO_PRESETS["gate"]},
            {"difficulty": "gate", "reference_rules": True},
            {},
        ],
    )
    def test_gymnasium_checks_pass_without_warnings(self, kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            env = gymnasium.make(ID, **kwargs)
            check_env(env.unwrapped)
            env.reset(seed=1)
            env.step("nonsense")
            env.close()

    @pytest.mark.parametrize("reference_rules", [True, False])
    def test_equal_seeds_and_hostile_texts_give_equal_episodes(self, reference_rules):
        check_environment(
            lambda: gymnasium.make(ID, difficulty="gate", reference_rules=reference_rules),
            actions=["pip install python==3.9", "pip install pkg0", "python run.py", "pip list", "repo tree"],
        )

    @pytest.mark.parametrize("wrapped", [True, False])
    @pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
    @pytest.mark.parametrize("kwargs", [{"config": SMALL}, {"difficulty": "smoke"}])
    def test_a_copy_in_mid_episode_goes_on_alike(self, kwargs, clone, wrapped):
        env = gymnasium.make(ID, **kwargs) if wrapped else RepoEnv(**kwargs)
        env.reset(seed=5)
        env.step("pip install python==3.9")
        twin = clone(env)
        for action in ("pip install low", "pip install pkg1", "x", "pip list", "python run.py"):
            assert env.step(action) == twin.step(action)
        assert env.reset() == twin.reset()

    def test_the_docstring_has_the_sections_of_gymnasiums_own(self):
        for section in (
            "Description",
            "Action Space",
            "Observation Space",
            "Rewards",
            "Starting State",
            "Episode End",
            "Arguments",
            "Chance Level and Ceiling",
            "Version History",
        ):
            assert f"## {section}" in (RepoEnv.__doc__ or "")

    def test_steps_of_one_episode_do_not_share_their_infos(self):
        env = started()
        info = env.step("pip install low==1.0")[4]
        kept = copy.deepcopy(info)
        env.step("pip install low==1.1")
        assert info == kept


class TestEpisode:
    def test_starts_with_nothing(self):
        observation, info = RepoEnv(SMALL).reset(seed=0)
        assert observation == "Nothing is installed, and no Python is set."
        assert info["state"] == {
            "step_count": 0,
            "python_version": None,
            "installed": {},
            "installed_order": [],
            "done": False,
            "success": False,
        }

    def test_the_state_tells_what_is_installed(self):
        info = started(SMALL, "pip install python==3.10", "pip install low==1.1").step("pip install top==0.10")[4]
        assert info["state"] == {
            "step_count": 3,
            "python_version": [3, 10],
            "installed": {"low": [1, 1], "top": [0, 10]},
            "installed_order": ["low", "top"],
            "done": False,
            "success": False,
        }

    def test_running_the_project_to_its_end_is_rewarded_and_ends(self):
        env = started(SMALL, "pip install python==3.8", "pip install low==1.1")
        assert env.step("python run.py")[1:4] == (0.0, False, False)
        env.step("pip install mid==1.0")
        observation, reward, terminated, truncated, info = env.step("python run.py")
        assert (reward, terminated, truncated) == (1.0, True, False)
        assert observation.startswith("run.py ran to its end. The project works.")
        assert info["state"]["success"] is info["state"]["done"] is True

    def test_success_on_the_last_step_is_no_truncation(self):
        env = started(SMALL, "pip install python==3.8", "pip install low==1.1", "pip install mid==1.0", max_steps=4)
        assert env.step("python run.py")[1:4] == (1.0, True, False)

    def test_the_episode_is_cut_after_max_steps(self):
        env = started(max_steps=2)
        assert env.step("pip list")[3] is False
        assert env.step("rubbish")[2:4] == (False, True)

    @pytest.mark.parametrize("ending", ["truncation", "not begun"])
    def test_stepping_outside_an_episode_is_an_error_that_says_reset(self, ending):
        env = RepoEnv(SMALL, max_steps=1)
        if ending == "truncation":
            env.reset()
            env.step("pip list")
        with pytest.raises(UsageError, match=r"call reset\(\)"):
            env.step("pip list")

    def test_a_passing_script_alone_is_no_success(self):
        env = started(SMALL, "pip install python==3.8", "pip install low==1.0")
        assert env.step("python one.py")[:3] == ("one.py ran to its end.", 0.0, False)

    @pytest.mark.parametrize("name", ["smoke", "gate", "lite"])
    def test_a_seed_gives_the_world_that_generate_gives(self, name):
        env = RepoEnv(difficulty=name)
        env.reset(seed=11)
        assert env.world == generate(name, 11)
        assert env.max_steps == REPO_PRESETS[name].horizon

    def test_resets_without_a_seed_give_new_worlds_that_the_first_seed_decides(self):
        def worlds(seed: int) -> list[str]:
            env = RepoEnv(difficulty="smoke")
            env.reset(seed=seed)
            made = []
            for _ in range(4):
                env.reset()
                assert env.world is not None
                made.append(json.dumps(env.world.config))
            return made

        assert worlds(1) == worlds(1)
        assert worlds(1) != worlds(2)
        assert len(set(worlds(1))) > 1


class TestInstalling:
    def test_without_bounds_the_newest_version_comes(self):
        env = started(SMALL, "pip install python==3.9")
        assert env.step("pip install low")[0] == "Installed low 2.0."

    def test_versions_are_compared_as_numbers(self):
        env = started(SMALL, "pip install low==1.0")
        assert env.step("pip install top")[0] == "Installed top 0.10."

    def test_bounds_are_all_met(self):
        env = started(SMALL, "pip install low>=1.0,<2.0")
        assert installed(env) == {"low": "1.1"}

    def test_an_exact_version_does_not_overrule_other_bounds(self):
        env = started()
        observation, _, _, _, info = env.step("pip install low==1.0,>1.0")
        assert observation == "No version of low meets ==1.0,>1.0. There are 1.0, 1.1, 2.0."
        assert info["usable"] is True

    def test_without_bounds_an_installed_package_stays(self):
        env = started(SMALL, "pip install low==1.0")
        assert env.step("pip install low")[0] == "low 1.0 is installed already; nothing changed."

    def test_a_version_that_needs_a_python_needs_one_set(self):
        env = started()
        assert env.step("pip install low==2.0")[0].startswith("low 2.0 was not installed: it needs Python >=3.9")
        env.step("pip install python==3.8")
        assert "Python 3.8 is set" in env.step("pip install low==2.0")[0]
        assert installed(env) == {}

    def test_medium_priority_insists_on_what_it_needs(self):
        env = started()
        assert env.step("pip install mid==1.0")[0] == "mid 1.0 was not installed: it needs low (missing)."

    def test_medium_priority_moves_an_unsuitable_dependency_in_silence(self):
        env = started(SMALL, "pip install python==3.9", "pip install low==2.0")
        assert env.step("pip install mid==1.0")[0] == "Installed mid 1.0."
        assert installed(env) == {"low": "1.1", "mid": "1.0"}

    def test_high_priority_installs_what_it_needs_and_says_so(self):
        env = started()
        assert env.step("pip install top==0.10")[0] == "Installed top 0.10. With it came: low==2.0."

    def test_high_priority_then_does_to_others_what_it_does(self):
        env = started(SMALL, "pip install low==1.1", "pip install top==0.9")
        assert installed(env) == {"low": "1.0", "top": "0.9"}

    def test_a_clash_undoes_the_whole_installation(self):
        env = started(SMALL, "pip install low==1.0", "pip install mid==1.0", "pip uninstall low")
        assert env.step("pip install top==0.10")[0] == "top 0.10 was not installed: it clashes with mid 1.0."
        assert installed(env) == {"mid": "1.0"}

    def test_only_the_clashes_of_what_is_being_installed_count(self):
        env = started(SMALL, "pip install top==0.10", "pip install low==1.0", "pip install mid==1.0")
        assert installed(env) == {"low": "1.0", "mid": "1.0", "top": "0.10"}

    def test_a_python_that_is_not_there_is_a_usable_action_that_fails(self):
        observation, _, _, _, info = started().step("pip install python==3.12")
        assert observation == "There is no Python 3.12. There are 3.8, 3.9, 3.10."
        assert info["usable"] is True

    def test_uninstalling_checks_nothing(self):
        env = started(SMALL, "pip install low==1.0", "pip install mid==1.0")
        assert env.step("pip uninstall low")[0] == "Removed low 1.0."
        assert env.step("pip uninstall -y low")[0] == "low is not installed, so there is nothing to remove."


class TestRunning:
    def run(self, path: str, *before: str, config: dict[str, Any] = SMALL) -> str:
        return started(config, "pip install python==3.9", *before).step(f"python {path}")[0]

    def test_without_python_nothing_runs(self):
        assert started().step("python one.py")[0].startswith("No Python is set")

    def test_a_missing_package(self):
        assert self.run("one.py") == "one.py failed: ModuleNotFoundError: No module named 'low'."

    def test_run_py_says_which_script_failed(self):
        assert self.run("run.py") == "run.py failed (in one.py): ModuleNotFoundError: No module named 'low'."

    def test_a_symbol_that_is_gone(self):
        message = self.run("one.py", "pip install low==2.0")
        assert message == "one.py failed: ImportError: cannot import name 'old' from 'low.core'."

    def test_a_keyword_that_a_package_uses_too_early(self):
        message = self.run("two.py", "pip install low==2.0", "pip install mid==2.0", "pip install low==1.1")
        assert message == (
            "two.py failed: TypeError: low.core.new() got an unexpected keyword argument 'y' (called by mid 2.0)."
        )

    def test_a_deprecated_symbol_warns(self):
        message = self.run("one.py", "pip install low==1.1")
        assert message == "one.py ran to its end. Deprecated, and gone in a later version: low.core.old."

    @pytest.mark.parametrize(
        ("kind", "low", "mid", "fails"),
        [
            ("same_major_with_anchor", "1.0", "1.0", False),
            ("same_major_with_anchor", "1.1", "1.0", False),
            ("same_major_with_anchor", "2.0", "1.0", True),
            ("same_minor_with_anchor", "1.0", "1.0", False),
            ("same_minor_with_anchor", "1.1", "1.0", True),
        ],
    )
    def test_equal_numbers(self, kind, low, mid, fails):
        rule = {"type": kind, "anchor": "low", "packages": ["mid"], "error": "RuntimeError: apart"}
        config = {**SMALL, "consistency_rules": [rule]}
        message = self.run(
            "two.py", "pip install low==1.0", f"pip install mid=={mid}", f"pip install low=={low}", config=config
        )
        assert (message == "two.py failed: RuntimeError: apart.") is fails

    @pytest.mark.parametrize(
        ("scope", "one", "two"), [("one.py", True, False), ("run.py", True, True), ("*", True, True)]
    )
    def test_a_forbidden_combination_holds_in_its_scope(self, scope, one, two):
        rule = {"when": [["low", [["<", "2.0"]]], ["mid", [["==", "1.0"]]]], "scope": [scope], "error": "Error: no"}
        config = {**SMALL, "hidden_rules": [rule]}
        before = ("pip install low==1.1", "pip install mid==1.0")
        assert ("Error: no" in self.run("one.py", *before, config=config)) is one
        assert ("Error: no" in self.run("two.py", *before, config=config)) is two


class TestRunChecks:
    def run(self, path: str, *before: str, python: str = "3.9") -> str:
        return started(CHECKED, f"pip install python=={python}", *before).step(f"python {path}")[0]

    def test_the_projects_python(self):
        message = self.run("one.py", "pip install low==1.0", python="3.8")
        assert message == "one.py failed: the project does not run on Python 3.8."

    def test_a_packages_python_is_checked_again(self):
        message = self.run("one.py", "pip install low==2.0", "pip install python==3.8", "pip install low")
        assert message.endswith("the project does not run on Python 3.8.")
        config = {**CHECKED, "project_requires_python": None}
        env = started(config, "pip install python==3.9", "pip install low==2.0", "pip install python==3.8")
        assert env.step("python one.py")[0] == "one.py failed: low 2.0 does not run on Python 3.8."

    def test_what_was_uninstalled_is_missed(self):
        message = self.run("two.py", "pip install low==1.0", "pip install mid==1.0", "pip uninstall low")
        assert message == "two.py failed: mid 1.0 needs low, which is not installed."

    def test_what_was_moved_no_longer_works(self):
        message = self.run("two.py", "pip install low==1.0", "pip install mid==1.0", "pip install low==2.0")
        assert message == "two.py failed: mid 1.0 needs an older low than 2.0."

    def test_a_clash_that_slipped_in_is_found(self):
        config = copy.deepcopy(CHECKED)
        config["scripts"]["two.py"]["imports"].append("top")
        env = started(config, "pip install python==3.9", "pip install top==0.10", "pip install low==1.0")
        env.step("pip install mid==1.0")
        assert env.step("python two.py")[0] == "two.py failed: top 0.10 clashes with mid 1.0."

    def test_the_reference_does_not_make_these_checks(self):
        env = started(CHECKED, "pip install python==3.8", "pip install low==1.0", reference_rules=True)
        assert env.step("python one.py")[0] == "Script executed successfully: one.py"


class TestActions:
    @pytest.mark.parametrize(
        "raw",
        [
            "pip install low",
            "  pip   install\tlow  \n",
            "pip install low == 1.0",
            "pip install low>=1.0, <2.0",
            "pip install low>=1",
            "pip install python==3.9",
            "pip install Python==3.9",
            "pip uninstall low",
            "pip uninstall -y low",
            "pip list",
            "repo tree",
            "repo ls",
            "python run.py",
            "python one.py",
        ],
    )
    def test_commands_are_usable(self, raw):
        assert started().step(raw)[4]["usable"] is True

    @pytest.mark.parametrize(
        "raw",
        [
            "",
            " ",
            "noop",
            "ls",
            "PIP LIST",
            "pip",
            "pip install",
            "pip install low mid",
            "pip install --upgrade low",
            "pip install -y low",
            "pip install nothing",
            "pip install Low",
            "pip install 'low'",
            "pip install low!=1.0",
            "pip install low~=1.0",
            "pip install low==",
            "pip install low==latest",
            "pip install low==1.0.7",
            "pip install low==-1.0",
            "pip install low==nan",
            "pip install low==" + "9" * 5000,
            "pip install low==1\uff10",
            "pip install low,mid",
            "pip install ==1.0",
            "pip install ,",
            "pip install python",
            "pip install python>=3.9",
            "pip install python==3.9,<4.0",
            "pip uninstall",
            "pip uninstall nothing",
            "pip uninstall low mid",
            "pip show low",
            "pip check",
            "pip list low",
            "python",
            "python3 run.py",
            "python other.py",
            "python run.py --fast",
            "pythonrun.py",
            "pip list\npip list",
            "pip list\x0bx",
            "pip\xa0list",
            "please run pip list",
            "\ud800",
            "💡",
            "\x00" * 1_000_000,
            "pip install " + "low," * 100_000,
        ],
    )
    def test_all_else_counts_as_a_step_and_changes_nothing(self, raw):
        env = started(SMALL, "pip install python==3.9", "pip install low==1.0")
        before = installed(env)
        observation, reward, terminated, truncated, info = env.step(raw)
        assert info["usable"] is False
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert installed(env) == before
        assert info["state"]["python_version"] == [3, 9]
        assert info["state"]["step_count"] == 3
        assert observation == info["feedback"]
        assert "Nothing changed, but the step counts. Accepted: pip install python==3.9" in observation
        assert observation in env.observation_space

    def test_an_unknown_package_is_answered_with_the_packages(self):
        assert 'There is no package "nope". The packages are low, mid, top.' in started().step("pip install nope")[0]

    def test_an_unknown_script_is_answered_with_the_scripts(self):
        assert "The scripts are run.py, one.py, two.py." in started().step("python nope.py")[0]

    def test_an_endless_action_is_not_even_read(self):
        assert "is far too long for a command" in started().step("pip install " + "low," * 100_000)[0]

    @pytest.mark.parametrize("raw", [2, None, b"pip list", ["pip list"]])
    def test_what_is_no_text_is_an_error_that_names_its_type(self, raw):
        with pytest.raises(UsageError, match=f"not {type(raw).__name__}"):
            started().step(raw)

    PIECES = st.sampled_from(
        [
            *("pip", "install", "uninstall", "list", "python", "repo", "tree", "run.py", "one.py", "low", "mid", "top"),
            *("==", ">=", "<", "1.0", "2", ",", "-y", " ", "\n", "\t", "low==1.1", "python==3.9", "\x00", "٣", "💡"),
        ]
    )

    @settings(max_examples=200)
    @given(raws=st.lists(st.text() | st.lists(PIECES, max_size=7).map(" ".join), min_size=1, max_size=6))
    def test_any_text_is_answered_inside_the_observation_space(self, raws):
        env = started(CHECKED)
        for raw in raws:
            before = installed(env)
            observation, _, terminated, _, info = env.step(raw)
            assert observation in env.observation_space
            assert installed(env) == before or info["usable"]
            if terminated:
                break

    @settings(max_examples=200)
    @given(raw=st.text() | st.lists(PIECES, max_size=7).map("".join) | st.lists(PIECES, max_size=7).map(" ".join))
    def test_the_reference_rules_answer_any_text(self, raw):
        env = started(reference_rules=True)
        observation, _, _, _, info = env.step(raw)
        assert observation in env.observation_space
        assert info["usable"] is True

    def test_the_longest_answers_fit_the_observation_space(self):
        names = [f"{'p' * 36}{i:04d}" for i in range(MAX_PACKAGES)]
        versions = [f"{9000 + i}.9999" for i in range(100)]
        config = {
            "python_versions": versions,
            "packages": {name: {"versions": versions, "priority": "high"} for name in names},
            "version_dependencies": {names[0]: {versions[0]: [[name, []] for name in names[1:]]}},
            "scripts": {f"{i:080d}": {} for i in range(100)},
            "entrypoints": [],
        }
        env = started(config)
        for raw in (
            "pip install nope",
            f"pip install {names[0]}<1",
            f"pip install {names[0]}=={versions[0]}",
            "pip list",
            "repo tree",
            "python nope",
            "pip install python==1",
        ):
            observation = env.step(raw)[0]
            assert observation in env.observation_space


class TestArguments:
    def test_a_config_and_a_difficulty_exclude_each_other(self):
        with pytest.raises(UsageError, match="not both"):
            RepoEnv(SMALL, difficulty="lite")

    def test_an_unknown_difficulty_names_the_presets(self):
        with pytest.raises(UsageError, match="smoke, gate, lite, challenge"):
            RepoEnv(difficulty="repo")

    def test_a_difficulty_of_ones_own_is_taken(self):
        env = RepoEnv(difficulty=RepoDifficulty(2, 2, 3, 3, scripts=1, max_needs=1, horizon=9))
        env.reset(seed=0)
        assert env.world is not None
        assert len(env.world.config["packages"]) == 2
        assert env.max_steps == 9

    @pytest.mark.parametrize("steps", [0, -1, 1.5, True, "9"])
    def test_max_steps_is_a_positive_whole_number(self, steps):
        with pytest.raises(UsageError, match="max_steps"):
            RepoEnv(SMALL, max_steps=steps)

    def test_a_config_gets_120_steps_by_default(self):
        assert RepoEnv(SMALL).max_steps == 120

    def test_reset_options_are_refused(self):
        with pytest.raises(UsageError, match="options"):
            RepoEnv(SMALL).reset(options={"world": 1})

    def test_the_callers_config_is_not_kept(self):
        config = copy.deepcopy(SMALL)
        env = RepoEnv(config)
        config["packages"]["low"]["versions"].clear()
        env.reset()
        assert env.step("pip install low==1.0")[0] == "Installed low 1.0."

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"packages": None}, "packages is a mapping"),
            ({"packages": {}}, "1 to 200 packages"),
            ({"packages": {"a b": {"versions": ["1.0"], "priority": "low"}}}, "needs a name"),
            ({"packages": {"python": {"versions": ["1.0"], "priority": "low"}}}, "not python"),
            ({"packages": {"low": {"versions": ["1.0", "1"], "priority": "low"}}}, "different versions"),
            ({"packages": {"low": {"versions": ["one"], "priority": "low"}}}, "such as '1.2'"),
            ({"packages": {"low": {"versions": ["1.0"], "priority": "urgent"}}}, "high, medium, low"),
            ({"python_versions": []}, "python_versions"),
            ({"version_dependencies": {"low": {"9.9": []}}}, "no version of it"),
            ({"version_dependencies": {"nope": {}}}, "none of the packages"),
            ({"version_dependencies": {"low": {"1.0": [["nope", []]]}}}, "none of the packages"),
            ({"version_dependencies": {"low": {"1.0": [["mid", [["~=", "1.0"]]]]}}}, "is a bound"),
            ({"side_effects": {"top": {"0.9": [["smash", "low", []]]}}}, "force_low"),
            ({"version_conflicts": {"top": {"0.9": [["low", "==", "1.0", "💡"]]}}}, "printable ASCII"),
            ({"entrypoints": ["nope.py"]}, "none of the scripts"),
            ({"scripts": {"run.py": {}}, "entrypoints": []}, "not run.py"),
            ({"run_checks": "yes"}, "true or false"),
            ({"consistency_rules": [{"type": "same_colour"}]}, "same_major_with_anchor"),
            ({"hidden_rules": [{"when": [], "scope": [], "error": 3}]}, "needs a text"),
            ({"api_surface": {"low": {"1.0": {"exports": {"m": ["a b"]}}}}}, "letters, digits"),
        ],
    )
    def test_a_bad_config_is_refused_and_says_where(self, change, said):
        with pytest.raises(UsageError, match=said):
            RepoEnv({**SMALL, **change})


class TestReferenceRules:
    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            ("", ""),
            ("noop", ""),
            ("<action>pip install low==1.0</action>", "Successfully installed low==1.0"),
            ("pip list\nrubbish", "Environment status:\n  Python: <not set>\n  Installed packages: <none>"),
            ("pip install low===1.0.9", "Successfully installed low==1.0"),
            ("pip install low==1.0,>5", "Successfully installed low==1.0"),
            ("pip show low", "ERROR: Unknown command: pip show low"),
            ("pip uninstall -y low", "ERROR: Package '-y' is not installed."),
            ("pip install low!=1.0", "ERROR: Could not find a package named 'low!=1.0'."),
            ("pip install low==" + "9" * 5000, "ERROR: Invalid requirement spec"),
        ],
    )
    def test_loopholes_are_kept(self, raw, said):
        observation, _, _, _, info = started(reference_rules=True).step(raw)
        assert observation.startswith(said)
        assert observation == info["feedback"]
        assert info["usable"] is True

    def test_the_first_of_equally_tight_bounds_decides_whether_it_is_included(self):
        env = started(SMALL, "pip install low<1.1,<=1.1", reference_rules=True)
        assert installed(env) == {"low": "1.0"}

    def test_words_after_the_script_are_ignored(self):
        env = started(SMALL, "pip install python==3.8", "pip install low==1.0", reference_rules=True)
        assert env.step("python3 one.py --fast")[0] == "Script executed successfully: one.py"

    @settings(max_examples=300)
    @given(raw=st.sampled_from(commands(SMALL)))
    def test_the_dynamics_are_the_same_under_both_rules(self, raw):
        ours, theirs = started(SMALL), started(SMALL, reference_rules=True)
        for each in ("pip install python==3.9", "pip install low==1.1", "pip install mid==1.0", raw):
            a, b = ours.step(each), theirs.step(each)
            assert a[4]["state"] == b[4]["state"]
            assert a[1:4] == b[1:4]

    @pytest.mark.skipif(not TRACES, reason=f"needs recorded reference traces under {SHARED} (set FINCHMARK_SHARED)")
    @pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
    def test_a_recorded_episode_is_replayed_exactly(self, path):
        trace = json.loads(path.read_text(encoding="utf-8"))
        env = gymnasium.make(ID, config=trace["config"], reference_rules=True, max_steps=trace["max_steps"])
        observation, info = env.reset()
        assert observation == trace["initial"]["obs_text"]
        assert info["state"] == trace["initial"]["state"]
        terminated = False
        for step in trace["steps"]:
            assert step["status"] == "ok"
            observation, reward, terminated, truncated, info = env.step(step["raw"])
            assert observation == info["feedback"] == step["obs_text"]
            assert info["state"] == step["state"]
            assert list(info["state"]["installed"]) == list(step["state"]["installed"])
            assert (reward, terminated) == (step["reward"], step["done"])
            assert truncated == (not terminated and step["t"] + 1 == trace["max_steps"])
        assert terminated == trace["final"]["success"]

    @pytest.mark.skipif(not TRACES, reason=f"needs recorded reference traces under {SHARED} (set FINCHMARK_SHARED)")
    @pytest.mark.parametrize("path", [p for p in TRACES if "fuzz" not in p.stem], ids=lambda path: path.stem)
    def test_our_rules_lead_a_recorded_episode_of_commands_through_the_same_states(self, path):
        trace = json.loads(path.read_text(encoding="utf-8"))
        env = RepoEnv(trace["config"], max_steps=trace["max_steps"])
        env.reset()
        for step in trace["steps"]:
            _, reward, terminated, _, info = env.step(step["raw"])
            assert info["state"] == step["state"]
            assert (reward, terminated) == (step["reward"], step["done"])

    def test_what_the_reference_calls_an_error_is_a_problem_here(self):
        assert isinstance(read_reference("pip install a b"), Problem)
