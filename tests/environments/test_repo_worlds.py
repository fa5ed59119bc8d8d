"""Generated repo worlds: fixed by their seed, proved solvable, lawful, silent; the solver against brute force."""

from __future__ import annotations

import copy
import json
import pickle
import re
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from finchmark.environments.odyssey.repo import RepoEnv
from finchmark.environments.odyssey.repo_commands import Command, Problem, read
from finchmark.environments.odyssey.repo_describe import describe_index, describe_rules
from finchmark.environments.odyssey.repo_machine import Machine
from finchmark.environments.odyssey.repo_project import run
from finchmark.environments.odyssey.repo_rules import PROJECT, RepoRules
from finchmark.environments.odyssey.repo_solver import Solution, commands, count, plan, solve
from finchmark.environments.odyssey.repo_versions import Bound, in_ranges, read_version, satisfies, select, show
from finchmark.environments.odyssey.repo_worlds import REPO_PRESETS, RepoDifficulty, RepoWorld, generate
from finchmark.suite.canonical import content_hash
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

PRESETS = list(REPO_PRESETS)
QUICK = ["smoke", "gate", "lite"]


def rules_of(world: RepoWorld) -> RepoRules:
    return RepoRules.from_config(world.config)


def secret_of(world: RepoWorld) -> Solution:
    versions = {name: read_version(text) or (0, 0) for name, text in world.solution.items()}
    return Solution(versions.pop("python"), versions)


def passes(rules: RepoRules, solution: Solution) -> bool:
    return run(rules, PROJECT, solution.python, solution.versions, run_checks=rules.run_checks) is None


def obey(rules: RepoRules, machine: Machine, text: str) -> bool:
    command = read(text, rules.packages, rules.runnable)
    assert isinstance(command, Command)
    return machine.execute(command).ok


class TestGenerate:
    @pytest.mark.parametrize("name", PRESETS)
    def test_the_same_path_gives_the_same_world(self, name):
        assert generate(name, "a", 1) == generate(name, "a", 1)

    @pytest.mark.parametrize("name", PRESETS)
    def test_other_paths_give_other_worlds(self, name):
        assert len({content_hash(generate(name, seed).config) for seed in range(8)}) == 8

    def test_worlds_stay_the_same_across_versions(self):
        # A change here changes every item: raise the task's version with it.
        assert content_hash([generate(name, "golden").config for name in PRESETS]) == "99bc7234f56941e1e020c8bb02fc9a09"

    @settings(max_examples=60, deadline=None)
    @given(
        name=st.sampled_from(QUICK), path=st.lists(st.integers(0, 10**9) | st.text(max_size=5), min_size=1, max_size=3)
    )
    def test_a_world_keeps_what_its_difficulty_asks(self, name, path):
        difficulty, world = REPO_PRESETS[name], generate(name, *path)
        packages = world.config["packages"]
        assert difficulty.min_packages <= len(packages) <= difficulty.max_packages
        for package in packages.values():
            assert difficulty.min_versions <= len(package["versions"]) <= difficulty.max_versions
        assert len(world.config["entrypoints"]) == difficulty.scripts
        assert len(world.plan) <= world.horizon == difficulty.horizon

    @pytest.mark.parametrize("name", PRESETS)
    @pytest.mark.parametrize("seed", range(6))
    def test_the_plan_solves_the_world_in_the_environment(self, name, seed):
        world = generate(name, seed)
        env = RepoEnv(world.config, max_steps=world.horizon)
        env.reset()
        answers = [env.step(command) for command in world.plan]
        assert [answer[2] for answer in answers] == [False] * (len(world.plan) - 1) + [True]
        assert answers[-1][1] == 1.0
        assert all(answer[4]["usable"] for answer in answers)

    @pytest.mark.parametrize("name", PRESETS)
    def test_the_secret_installation_passes_every_check(self, name):
        for seed in range(6):
            world = generate(name, seed)
            assert passes(rules_of(world), secret_of(world))

    @pytest.mark.parametrize("name", PRESETS)
    def test_the_secret_python_is_the_only_one_that_works(self, name):
        for seed in range(10):
            world = generate(name, seed)
            rules = rules_of(world)
            assert world.solution["python"] in ("3.9", "3.10")
            for python in rules.pythons:
                assert (solve(rules, python) is not None) == (show(python) == world.solution["python"])

    @pytest.mark.parametrize("name", QUICK)
    def test_the_latest_and_the_oldest_of_everything_fail_under_every_python(self, name):
        for seed in range(20):
            rules = rules_of(generate(name, seed))
            for python, end in product(rules.pythons, (0, -1)):
                versions = {name: package.versions[end] for name, package in rules.packages.items()}
                assert not passes(rules, Solution(python, versions))

    @pytest.mark.parametrize("name", QUICK)
    def test_installing_without_versions_fails_under_every_python(self, name):
        for seed in range(20):
            rules = rules_of(generate(name, seed))
            for python in rules.pythons:
                machine = Machine(rules)
                obey(rules, machine, f"pip install python=={show(python)}")
                for package in [*rules.packages] * 3:
                    obey(rules, machine, f"pip install {package}")
                assert not obey(rules, machine, "python run.py")

    def test_all_sizes_of_a_range_occur(self):
        assert {len(generate("lite", seed).config["packages"]) for seed in range(40)} == {9, 10, 11, 12}

    def test_a_world_is_plain_data(self):
        world = generate("lite", 1)
        assert json.loads(json.dumps(world.config)) == world.config
        assert pickle.loads(pickle.dumps(world)) == world

    def test_every_package_is_touched_by_a_script(self):
        for seed in range(20):
            rules = rules_of(generate("gate", seed))
            assert set(rules.packages) == {name for script in rules.scripts.values() for name in script.touched}

    def test_a_difficulty_that_cannot_be_met_raises_and_says_what_to_do(self):
        # Without calls that keep the newest versions out, no world is drawn.
        hopeless = RepoDifficulty(2, 2, 3, 3, scripts=1, max_needs=1, horizon=9, bound=0.0, attempts=5)
        with pytest.raises(UsageError, match=r"after 5 attempts.*Raise"):
            generate(hopeless, 0)

    def test_more_attempts_do_not_change_a_world_that_was_found(self):
        few = RepoDifficulty(2, 3, 3, 4, scripts=1, max_needs=1, horizon=9, attempts=500)
        many = RepoDifficulty(2, 3, 3, 4, scripts=1, max_needs=1, horizon=9, attempts=900)
        assert generate(few, 3) == generate(many, 3)

    def test_an_empty_path_is_refused(self):
        with pytest.raises(UsageError, match="seed path"):
            generate("smoke")

    @pytest.mark.parametrize(
        "bad",
        [
            {"min_packages": 1},
            {"max_packages": 1},
            {"max_packages": 61},
            {"min_versions": 2},
            {"max_versions": 2},
            {"scripts": 0},
            {"scripts": 11},
            {"max_needs": 0},
            {"horizon": 3},
            {"slack": -1},
            {"skews": -1},
            {"attempts": 0},
            {"bound": 1.5},
            {"clash": -0.1},
        ],
    )
    def test_an_impossible_difficulty_is_refused(self, bad):
        good: dict[str, Any] = {
            "min_packages": 2, "max_packages": 2, "min_versions": 3, "max_versions": 3, "scripts": 1, "max_needs": 1,
            "horizon": 9,
        }  # fmt: skip
        with pytest.raises(UsageError, match="RepoDifficulty"):
            RepoDifficulty(**(good | bad))


def is_run(numbers: list[int]) -> bool:
    return numbers == list(range(numbers[0], numbers[-1] + 1))


@pytest.fixture(scope="module")
def many_rules():
    return [rules_of(generate(name, "law", seed)) for name in ("gate", "lite") for seed in range(25)]


class TestLaw:
    """Along the versions of a package everything changes in one direction."""

    def test_a_symbol_comes_once_and_goes_once(self, many_rules):
        for rules in many_rules:
            for package in rules.packages.values():
                lives: dict[tuple[str, str], list[int]] = {}
                for i, version in enumerate(package.versions):
                    for module, symbols in package.releases[version].exports.items():
                        for symbol in symbols:
                            lives.setdefault((module, symbol), []).append(i)
                assert all(map(is_run, lives.values()))

    def test_keywords_are_added_and_stay_as_long_as_their_symbol(self, many_rules):
        for rules in many_rules:
            for package in rules.packages.values():
                known: dict[tuple[str, str], frozenset[str]] = {}
                for version in package.versions:
                    for module, symbols in package.releases[version].exports.items():
                        for symbol, keywords in symbols.items():
                            assert known.get((module, symbol), frozenset()) <= keywords
                            known[module, symbol] = keywords

    def test_what_is_deprecated_stays_so_and_is_gone_in_the_end(self, many_rules):
        seen = 0
        for rules in many_rules:
            for package in rules.packages.values():
                releases = [package.releases[version] for version in package.versions]
                for key in {key for release in releases for key in release.deprecated}:
                    marks = [
                        "-" if key[1] not in release.exports[key[0]] else "d" if key in release.deprecated else "o"
                        for release in releases
                    ]
                    assert re.fullmatch("-*o+d+-+", "".join(marks))
                    seen += 1
        assert seen > 20

    def test_newer_versions_never_need_older_dependencies(self, many_rules):
        for rules in many_rules:
            for package in rules.packages.values():
                last: dict[str, tuple[Any, Any]] = {}
                for version in package.versions:
                    for need in package.releases[version].needs:
                        ends = need.allowed[0], need.allowed[-1]
                        before = last.get(need.package, ends)
                        assert before[0] <= ends[0]
                        assert before[1] <= ends[1]
                        last[need.package] = ends

    def test_newer_versions_never_need_an_older_python(self, many_rules):
        for rules in many_rules:
            for package in rules.packages.values():
                ends = []
                for version in package.versions:
                    bound = package.releases[version].python
                    fits = rules.pythons if bound is None else select((bound,), rules.pythons)
                    if bound is not None:
                        ends.append((fits[0], fits[-1]))
                assert [low for low, _ in ends] == sorted(low for low, _ in ends)
                assert [high for _, high in ends] == sorted(high for _, high in ends)

    def test_newer_versions_clash_with_older_ones_of_others(self, many_rules):
        for rules in many_rules:
            for package in rules.packages.values():
                clashing = [bool(package.releases[version].conflicts) for version in package.versions]
                assert clashing == sorted(clashing)
                for release in package.releases.values():
                    assert all(conflict.bound.op == "<=" for conflict in release.conflicts)

    def test_code_moves_from_an_older_symbol_to_a_newer_one_at_most_once(self, many_rules):
        for rules in many_rules:
            for package in rules.packages.values():
                calls: dict[str, list[Any]] = {}
                for version in package.versions:
                    for call in package.releases[version].uses:
                        calls.setdefault(call.provider, []).append(call)
                for made in calls.values():
                    assert sum(a != b for a, b in pairwise(made)) <= 1

    def test_bounds_of_pythons_are_never_empty_words(self, many_rules):
        for rules in many_rules:
            for package in rules.packages.values():
                for release in package.releases.values():
                    if release.python is not None:
                        assert 0 < len(select((release.python,), rules.pythons)) < len(rules.pythons)


class TestNoDeadRules:
    def test_every_kind_of_rule_is_met_in_random_play(self):
        met: set[str] = set()
        texts: list[str] = []
        for seed in range(30):
            world = generate("gate", "met", seed)
            env = RepoEnv(world.config, max_steps=400)
            env.reset()
            listed = commands(world.config)
            for i in generator("met", seed).integers(len(listed), size=400):
                text, _, terminated, _, _ = env.step(listed[i])
                texts.append(text)
                if terminated:
                    break
        patterns = {
            "project's python": r"the project does not run on Python",
            "python at installation": r"was not installed: it needs Python [<>]",
            "python at run": r"pkg\d+ \S+ does not run on Python",
            "missing at installation": r"was not installed: it needs pkg\d+ \(missing\)",
            "missing at run": r"needs pkg\d+, which is not installed",
            "dependency too old": r"needs a newer pkg",
            "dependency too new": r"needs an older pkg",
            "clash at installation": r"was not installed: it clashes with",
            "clash at run": r"failed.* clashes with",
            "brought along": r"With it came",
            "missing package": r"No module named",
            "symbol": r"cannot import name",
            "keyword": r"unexpected keyword argument '\w+'\.",
            "a package's own call": r"\(called by pkg",
            "equal numbers": r"are not of one (series|release)",
            "deprecated": r"Deprecated",
        }
        for name, pattern in patterns.items():
            if any(re.search(pattern, text) for text in texts):
                met.add(name)
        assert met == set(patterns)

    @pytest.mark.parametrize(
        "key",
        [
            *("consistency_rules", "hidden_rules", "project_requires_python", "version_requires_python"),
            *("version_conflicts", "version_dependencies", "symbol_requires"),
        ],
    )
    def test_every_kind_of_rule_decides_which_installations_work_in_some_worlds(self, key):
        decisive = 0
        for seed in range(40):
            config = generate("gate", "decide", seed).config
            without = {**config, key: None if key == "project_requires_python" else type(config[key])()}
            decisive += count(without, 5000) > count(config, 5000)
        assert decisive >= 1


class TestSilence:
    """How a config and its rules in words are written says nothing about who depends on whom, or what works."""

    @pytest.mark.parametrize("name", PRESETS)
    def test_packages_are_listed_by_number(self, name):
        config = generate(name, 5).config
        assert list(config["packages"]) == [f"pkg{i}" for i in range(len(config["packages"]))]

    def test_dependencies_have_lower_numbers_as_often_as_higher_ones(self):
        lower = total = 0
        for seed in range(150):
            for name, table in generate("gate", "silence", seed).config["version_dependencies"].items():
                for other in {entry[0] for entries in table.values() for entry in entries}:
                    lower += int(other[3:]) < int(name[3:])
                    total += 1
        assert binomtest(lower, total).pvalue > 0.001

    def test_the_config_does_not_hold_the_solution(self):
        for seed in range(5):
            assert not {"solution", "plan", "base_lib_target_versions"} & set(generate("lite", seed).config)


class TestSolver:
    @pytest.mark.parametrize("seed", range(12))
    def test_counts_agree_with_trying_every_installation(self, seed):
        rules = rules_of(generate("smoke", "brute", seed))
        names = list(rules.packages)
        working = [
            Solution(python, dict(zip(names, versions, strict=True)))
            for python in rules.pythons
            for versions in product(*(rules.packages[name].versions for name in names))
        ]
        working = [solution for solution in working if passes(rules, solution)]
        assert count(rules) == len(working) > 0
        assert solve(rules) in working

    @pytest.mark.parametrize("seed", range(4))
    def test_counts_agree_with_trying_every_installation_with_all_kinds_of_rules(self, seed):
        small = RepoDifficulty(
            4, 4, 3, 4, scripts=2, max_needs=3, horizon=20, bound=0.5, clash=0.9, skews=2, combinations=2
        )
        rules = rules_of(generate(small, "brute", seed))
        names = list(rules.packages)
        working = sum(
            passes(rules, Solution(python, dict(zip(names, versions, strict=True))))
            for python in rules.pythons
            for versions in product(*(rules.packages[name].versions for name in names))
        )
        assert count(rules) == working > 0

    def test_a_combination_of_three_packages_counts_too(self):
        config = copy.deepcopy(generate("gate", 2).config)
        found = solve(config)
        assert found is not None
        names = list(config["packages"])[:3]
        when = [[name, [["==", show(found.versions[name])]]] for name in names]
        before = count(config)
        config["hidden_rules"].append({"when": when, "scope": ["*"], "error": "Error: three"})
        assert count(config) < before
        assert solve(config) != found

    def test_a_world_without_a_solution_is_said_to_have_none(self):
        config = copy.deepcopy(generate("gate", 2).config)
        config["project_requires_python"] = ["<", "3.8"]
        assert solve(config) is None
        assert plan(config) is None
        assert count(config) == 0

    @pytest.mark.parametrize("name", QUICK)
    def test_plans_from_what_the_solver_finds_work_too(self, name):
        for seed in range(10):
            rules = rules_of(generate(name, "plan", seed))
            made = plan(rules)
            assert made is not None
            machine = Machine(rules)
            for command in made:
                obey(rules, machine, command)
            assert machine.solved

    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 10**6), steps=st.integers(0, 40))
    def test_a_plan_leads_on_from_any_state_in_random_play(self, seed, steps):
        world = generate("gate", seed)
        rules = rules_of(world)
        machine = Machine(rules)
        listed = commands(rules)
        for i in generator("state", seed).integers(len(listed), size=steps):
            obey(rules, machine, listed[i])
        before = machine.copy()
        made = plan(rules, secret_of(world), machine)
        assert (machine.python, machine.installed) == (before.python, before.installed)
        assert made is not None
        for command in made:
            obey(rules, machine, command)
        assert machine.solved

    def test_a_solution_that_leaves_packages_out_is_refused(self):
        with pytest.raises(UsageError, match="every package"):
            plan(generate("smoke", 0).config, Solution((3, 9), {}))

    def test_the_random_players_commands_are_all_usable_and_differ(self):
        world = generate("lite", 4)
        rules = rules_of(world)
        listed = commands(world.config)
        assert len(set(listed)) == len(listed)
        assert not any(isinstance(read(text, rules.packages, rules.runnable), Problem) for text in listed)


class TestPage:
    def test_the_worked_episode_of_the_docs_is_what_the_world_answers(self):
        page = Path(__file__).parents[2] / "docs" / "worlds" / "repo.md"
        if not page.is_file():
            pytest.skip("the docs are not here")
        shown = page.read_text(encoding="utf-8").partition("```text\n")[2].partition("```")[0]
        env = RepoEnv(difficulty="gate")
        env.reset(seed=21)
        assert env.world is not None
        index, _, episode = shown.partition("\n\n")
        assert index == describe_index(env.world.config)
        for turn in episode.strip().removeprefix("> ").split("\n> "):
            command, _, answer = turn.partition("\n")
            text, _, terminated, _, _ = env.step(command)
            assert text == answer
        assert terminated


class TestWords:
    def test_the_index_names_everything_that_there_is_and_no_rule(self):
        config = generate("gate", 1).config
        text = describe_index(config)
        for name, package in config["packages"].items():
            assert f"{name}: {', '.join(package['versions'])}" in text
        for path in config["scripts"]:
            assert path in text
        assert "core" not in text
        assert "priority" not in text

    def test_the_rules_name_every_bound_symbol_and_keyword(self):
        for seed in range(10):
            config = generate("gate", "words", seed).config
            text = describe_rules(config)
            for tables in config["api_surface"].values():
                for api in tables.values():
                    for key, keywords in api["signatures"].items():
                        assert key.replace(":", ".") in text
                        assert all(f"{keyword}=" in text for keyword in keywords)
            for table in config["version_dependencies"].values():
                for entries in table.values():
                    for other, bounds in entries:
                        assert f"needs {other} {','.join(map(''.join, bounds))}" in text
            for table in config["version_conflicts"].values():
                for entries in table.values():
                    for other, op, version, _ in entries:
                        assert f"clashes with {other} {op}{version}" in text
            for table in config["version_requires_python"].values():
                for bound in table.values():
                    assert f"runs on Python {''.join(bound)}" in text
            for rule in config["hidden_rules"]:
                assert f"{rule['when'][0][0]} {''.join(rule['when'][0][1][0])}" in text
            for rule in config["consistency_rules"]:
                assert f"{', '.join(rule['packages'])} must have the" in text

    def test_the_rules_tell_one_world_from_another_that_differs_in_one_rule(self):
        config = generate("gate", 1).config
        plain = describe_rules(config)
        for key in ("version_requires_python", "version_dependencies", "api_surface", "scripts", "packages"):
            changed = copy.deepcopy(config)
            if key == "scripts":
                changed[key][config["entrypoints"][0]]["calls"] = []
            elif key == "packages":
                first = changed[key]["pkg0"]
                first["priority"] = "low" if first["priority"] == "high" else "high"
            else:
                name = next(name for name, table in changed[key].items() if table)
                changed[key][name].pop(next(iter(changed[key][name])))
            assert describe_rules(changed) != plain

    def test_checks_that_a_world_does_not_make_are_not_stated(self):
        config = generate("gate", 1).config
        assert "The Python that is set is" in describe_rules(config)
        assert "The Python that is set is" not in describe_rules({**config, "run_checks": False})

    def test_versions_are_put_together_in_ranges(self):
        versions = [(1, 0), (1, 1), (1, 2), (2, 0)]
        assert in_ranges([(1, 0), (1, 1)], versions) == "1.0 to 1.1"
        assert in_ranges([(1, 0), (1, 2), (2, 0)], versions) == "1.0, 1.2 to 2.0"
        assert in_ranges(versions, versions) == "all versions"
        assert in_ranges([], versions) == "no version"


class TestVersions:
    @pytest.mark.parametrize(
        ("text", "version"),
        [("1.10", (1, 10)), ("2", (2, 0)), ("0.0", (0, 0)), ("1.2.3", None), ("", None), ("1.", None)],
    )
    def test_a_version_is_two_numbers(self, text, version):
        assert read_version(text) == version

    @given(
        op=st.sampled_from(["==", ">=", "<=", ">", "<"]),
        bound=st.tuples(st.integers(0, 3), st.integers(0, 12)),
        version=st.tuples(st.integers(0, 3), st.integers(0, 12)),
    )
    def test_bounds_compare_numbers(self, op, bound, version):
        expected = {
            "==": version == bound,
            ">=": version >= bound,
            "<=": version <= bound,
            ">": version > bound,
            "<": version < bound,
        }
        assert satisfies([Bound(op, bound)], version) is expected[op]
