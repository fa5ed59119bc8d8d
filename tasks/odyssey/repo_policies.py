"""Policies that play Repo in the place of a model: uniform, naive repair, and with the rules known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...environments.odyssey.repo_rules import RepoRules
from ...environments.odyssey.repo_solver import commands
from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import choose
from .prediction import Majority, read_question, say_answer
from .repo_questions import asked, succeeds

__all__ = ["Oracle", "Repairer", "Uniform", "read_answer", "read_commands"]

_TURN = re.compile(r"^Turn \d+ of \d+\.$", re.MULTILINE)
_INDEX = re.compile(r"^(Pythons: .*\n(?:.+\n)*Scripts: .*)$", re.MULTILINE)
_PYTHON = re.compile(r"^Python (\S+) is set\.$", re.MULTILINE)
_INSTALLED = re.compile(r"^Installed (\S+) (\d+\.\d+)\.", re.MULTILINE)
_OTHERS = re.compile(r"With it came: (.*)\.$", re.MULTILINE)
_MISSING = re.compile(r"needs (\S+) \(missing\)|needs (\S+), which is not installed|No module named '([\w-]+)'")
_NEEDED_PYTHON = re.compile(r"it needs Python [<>=]+(\d+\.\d+)")
_KEYWORD = re.compile(r"TypeError: ([\w-]+)\.")
_SYMBOL = re.compile(r"ImportError: cannot import name '\w+' from '([\w-]+)\.")


def read_answer(text: str) -> str:
    """What the world said last, without the turn's number and all that stands before it."""
    turns = list(_TURN.finditer(text))
    return text[turns[-1].end() :].strip("\n") if turns else text


def read_commands(instructions: str) -> tuple[str, ...]:
    """List the commands that an agent can give by its instructions: every version, every removal, every script.

    Bounds such as ``NAME>=1.0`` say nothing that a version does not, and are left out.

    Args:
        instructions: What the agent was told once.

    Returns:
        The commands, without repetition.
    """
    found = ["pip list"]
    # The index stands in one paragraph, a name and what there is of it on each line.
    index = _INDEX.search(instructions)
    for line in index[1].splitlines() if index else ():
        name, _, row = line.partition(": ")
        for entry in row.split(", "):
            if name == "Scripts":
                found.append(f"python {entry}")
            else:
                found.append(f"pip install {'python' if name == 'Pythons' else name}=={entry}")
        if name not in ("Scripts", "Pythons"):
            found.append(f"pip uninstall {name}")
    return tuple(dict.fromkeys(found))


def _say(command: str) -> str:
    return f"<action>{command}</action>"


class Uniform:
    """Gives one of the world's commands at random, all equally likely: the chance level."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._commands = commands(config)

    def reply(self, request: GenerateRequest) -> str:
        """Give any command; answer anything."""
        if read_question(request.messages[-1].content) is not None:
            return say_answer(choose(2, request) == 1)
        return _say(self._commands[choose(len(self._commands), request)])


class Oracle:
    """Knows versions that go together and an order to install them in: the plan that proves the world solvable."""

    def __init__(self, plan: Sequence[str], config: Mapping[str, Any]) -> None:
        self._left = list(plan)
        self._config = config

    def reply(self, request: GenerateRequest) -> str:
        """Give the next command of the plan; everything is deterministic, so what the world answers is known."""
        question = read_question(request.messages[-1].content)
        if question is not None:
            return say_answer(succeeds(RepoRules.from_config(self._config), asked(question)))
        return _say(self._left.pop(0) if self._left else "pip list")


class Repairer:
    """Installs the latest of everything, runs the project, and takes every error at its word. Learns no rule.

    A missing package is installed. A package that lacks a keyword is taken one version up, one that lacks a symbol one
    version down. Of all else that an error names (packages, the Python), one drawn at random is taken one version down.
    Past an end of the versions it goes on at the other. An error of an installation is seen to before the next run.
    """

    def __init__(self, pythons: Sequence[str], packages: Mapping[str, Sequence[str]]) -> None:
        self._versions = {"python": list(pythons), **{name: list(versions) for name, versions in packages.items()}}
        self._at: dict[str, str] = {}
        self._shown: list[tuple[str, bool]] = []
        self._last = ""
        self._todo = [f"pip install python=={pythons[-1]}", *(f"pip install {name}" for name in packages)]

    def reply(self, request: GenerateRequest) -> str:
        """Give the next of the first installations; later what the last error seems to ask for, else run.

        Asked whether a command would succeed, it expects what it mostly did.
        """
        question = read_question(request.messages[-1].content)
        if question is not None:
            return say_answer(Majority(self._shown).predict(asked(question).command))
        answer = read_answer(request.messages[-1].content)
        self._note(answer)
        if self._last:
            self._shown.append((self._last, "failed" not in answer and "was not installed" not in answer))
        self._last = self._todo.pop(0) if self._todo else self._fix(answer, request) or "python run.py"
        return _say(self._last)

    def _note(self, answer: str) -> None:
        """Remember which versions are installed, as far as the world says so."""
        if (python := _PYTHON.search(answer)) is not None:
            self._at["python"] = python[1]
        if (found := _INSTALLED.search(answer)) is not None:
            self._at[found[1]] = found[2]
        if (others := _OTHERS.search(answer)) is not None:
            for pair in others[1].split(", "):
                name, _, version = pair.partition("==")
                self._at[name] = version

    def _fix(self, answer: str, request: GenerateRequest) -> str | None:
        """What to install because of an error; None if there is none, or it names nothing."""
        if "failed" not in answer and "was not installed" not in answer:
            return None
        if (needed := _NEEDED_PYTHON.search(answer)) is not None:
            return f"pip install python=={needed[1]}"
        if (missing := _MISSING.search(answer)) is not None:
            name = next(group for group in missing.groups() if group)
            return f"pip install {name}=={self._at.get(name) or self._versions[name][-1]}"
        if (keyword := _KEYWORD.search(answer)) is not None:
            return self._move(keyword[1], 1)
        if (symbol := _SYMBOL.search(answer)) is not None:
            return self._move(symbol[1], -1)
        error = answer.partition(": ")[2].lower()
        named = [name for name in self._versions if re.search(rf"\b{re.escape(name)}\b", error)]
        return self._move(named[choose(len(named), request)], -1) if named else None

    def _move(self, name: str, by: int) -> str:
        versions = self._versions[name]
        index = versions.index(self._at[name]) if name in self._at else 0
        return f"pip install {name}=={versions[(index + by) % len(versions)]}"
