"""Questions after a repo episode: would a command succeed on a computer with other versions installed?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...environments.odyssey.repo_commands import Problem, read
from ...environments.odyssey.repo_machine import Machine
from ...environments.odyssey.repo_rules import RepoRules
from ...environments.odyssey.repo_versions import Version, read_version, select, show
from .prediction import Question, Step

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Ask", "asked", "questions", "shown", "succeeds"]

_FRESH = 64
_VISITED = 32
_EACH = 4
_TRIED = 16
_INSTALLATION = re.compile(r"pip install (.+)==(.+)")
_ASKED = re.compile(
    r"Suppose that Python (\S+) is set and that just these are installed: (.*)\.\n"
    r"Now the command `(.+)` is given\. Does it succeed\?"
)


class Ask(NamedTuple):
    """What a question is about: a state, and a command as the agent would write it."""

    python: Version
    installed: Mapping[str, Version]
    command: str

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal questions, in whatever order packages were installed."""
        return self.python, frozenset(self.installed.items()), self.command


def succeeds(rules: RepoRules, ask: Ask) -> bool:
    """Whether the command does what it asks for in the state."""
    command = read(ask.command, rules.packages, rules.runnable)
    if isinstance(command, Problem):
        return False
    machine = Machine(rules)
    machine.python, machine.installed = ask.python, dict(ask.installed)
    return machine.execute(command).ok


def _word(ask: Ask) -> str:
    installed = ", ".join(f"{name} {show(ask.installed[name])}" for name in sorted(ask.installed)) or "none"
    return (
        f"Suppose that Python {show(ask.python)} is set and that just these are installed: {installed}.\n"
        f"Now the command `{ask.command}` is given. Does it succeed?"
    )


def _version(text: str) -> Version:
    version = read_version(text)
    if version is None:
        raise ValueError(f"{text!r} is no version")
    return version


def asked(question: str) -> Ask:
    """Read a question again.

    Raises:
        ValueError: It is none of these.
    """
    found = _ASKED.search(question)
    if found is None:
        raise ValueError(f"no state and command in the question {question!r}")
    pairs = [] if found[2] == "none" else [part.split(" ") for part in found[2].split(", ")]
    return Ask(_version(found[1]), {name: _version(version) for name, version in pairs}, found[3])


def _state(state: Mapping[str, Any]) -> tuple[Version | None, dict[str, Version]]:
    python = state["python_version"]
    installed = {name: (major, minor) for name, (major, minor) in state["installed"].items()}
    return (None if python is None else (python[0], python[1])), installed


def _taken(rules: RepoRules, step: Step) -> Ask | None:
    """A step as a question, its version spelled out; None where nothing of the kind is asked."""
    python, installed = _state(step.before)
    command = read(step.action, rules.packages, rules.runnable)
    if isinstance(command, Problem) or command.kind not in ("install", "run") or python is None:
        return None
    if command.kind == "run":
        return Ask(python, installed, f"python {command.name}")
    fitting = select(command.bounds, rules.packages[command.name].versions)
    return Ask(python, installed, f"pip install {command.name}=={show(fitting[-1])}") if fitting else None


def shown(rules: RepoRules, steps: Sequence[Step]) -> list[tuple[str, bool]]:
    """For every package that was to be installed and every script that was run: whether it succeeded."""
    taken = (_taken(rules, step) for step in steps)
    return [(ask.command, succeeds(rules, ask)) for ask in taken if ask is not None]


class _Draw:
    """Draws states and commands.

    Args:
        rules: The world.
        rng: Decides.
    """

    def __init__(self, rules: RepoRules, rng: np.random.Generator) -> None:
        self.rules, self.rng = rules, rng

    def version(self, name: str) -> Version:
        versions = self.rules.packages[name].versions
        return versions[int(self.rng.integers(len(versions)))]

    def state(self, python: Version, base: Mapping[str, Version]) -> tuple[Version, dict[str, Version]]:
        """A complete installation near another one; packages that this one lacks get any version."""
        installed = {name: base[name] if name in base else self.version(name) for name in self.rules.packages}
        names = list(installed)
        for _ in range(int(self.rng.integers(max(3, len(names) // 3)))):
            name = names[int(self.rng.integers(len(names)))]
            installed[name] = self.version(name)
        if self.rng.random() < 0.25:
            python = self.rules.pythons[int(self.rng.integers(len(self.rules.pythons)))]
        return python, installed

    def commands(self) -> list[str]:
        """Some scripts to run, then some versions to install."""
        scripts = [path for path in self.rules.runnable if path in self.rules.scripts]
        versions = [(name, version) for name, package in self.rules.packages.items() for version in package.versions]
        runs = [f"python {scripts[i]}" for i in self.rng.permutation(len(scripts))[:_EACH]]
        picked = [versions[i] for i in self.rng.permutation(len(versions))[:_TRIED]]
        return runs + [f"pip install {name}=={show(version)}" for name, version in picked]


def _asks(state: tuple[Version, dict[str, Version]], commands: Sequence[str], *, fresh: bool) -> Iterator[Ask]:
    """The commands in a state. In a fresh one the package to be installed is not there yet."""
    python, installed = state
    for command in commands:
        words = _INSTALLATION.fullmatch(command)
        if words is None:
            yield Ask(python, installed, command)
        elif fresh:
            yield Ask(python, {name: v for name, v in installed.items() if name != words[1]}, command)
        elif words[1] not in installed or show(installed[words[1]]) != words[2]:
            yield Ask(python, installed, command)


def questions(
    rules: RepoRules, rng: np.random.Generator, steps: Sequence[Step], solution: Mapping[str, str] | None
) -> list[Question]:
    """Draw states, and commands to give in each of them.

    A command is one with its version: older versions are easier to install, and whoever knows just that must not be
    right more often.

    Half of the fresh states lie near an installation that works, where there is one to start from, else near one that
    the episode has seen: far from both hardly any script runs.

    Args:
        rules: The world.
        rng: Decides.
        steps: The episode.
        solution: The versions that the world was drawn around, the Python among them; None where they are unknown.
    """
    taken = {ask.key for ask in (_taken(rules, step) for step in steps) if ask is not None}
    path: dict[tuple[Any, ...], tuple[Version, dict[str, Version]]] = {}
    for state in [state for step in steps for state in (step.before, step.after)]:
        python, installed = _state(state)
        if python is not None:
            path[python, frozenset(installed.items())] = (python, installed)
    seen = list(path.values())[-_VISITED:]
    draw = _Draw(rules, rng)
    known = {name: _version(version) for name, version in (solution or {}).items()}
    commands = draw.commands()
    asks = [ask for state in seen for ask in _asks(state, commands, fresh=False)]
    for index in range(_FRESH):
        if known and (index % 2 or not seen):
            base = (known["python"], known)
        else:
            base = seen[int(rng.integers(len(seen)))] if seen else (rules.pythons[-1], {})
        asks += _asks(draw.state(*base), commands, fresh=True)
    made = []
    for ask in {ask.key: ask for ask in asks}.values():
        if ask.key not in taken:
            visited = (ask.python, frozenset(ask.installed.items())) in path
            made.append(Question(_word(ask), succeeds(rules, ask), ask.command, visited))
    # Most installations cannot fail; of those that go either way a few stand beside the scripts.
    either = {q.action for q in made if q.answer} & {q.action for q in made if not q.answer}
    runs = [command for command in commands if _INSTALLATION.fullmatch(command) is None]
    kept = {*runs, *[command for command in commands if command in either and command not in runs][:_EACH]}
    return [question for question in made if question.action in kept]
