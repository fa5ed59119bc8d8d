"""The repo world as a Gymnasium environment."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from gymnasium.spaces import Text

from .repo_commands import Problem, read, read_reference
from .repo_machine import Machine
from .repo_rules import RepoRules
from .repo_words import in_our_words, in_reference_words
from .repo_worlds import RepoDifficulty, RepoWorld, generate
from .world_env import OdysseyEnv

__all__ = ["RepoEnv"]

_DEFAULT_STEPS = 120
# No answer is longer, for any config that is accepted; the observation space says so, and a test holds it to that.
_MAX_OBSERVATION = 20_000
_CHARACTERS = frozenset(string.ascii_letters + string.digits + string.punctuation + " \n…")
_COMMAND_CHARACTERS = frozenset(string.ascii_letters + string.digits + " =<>,._/-")
_START = "Nothing is installed, and no Python is set."


class _AnyText(Text):
    """Text of any characters and length: the reference echoes what it does not understand."""

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is text."""
        return isinstance(x, str)


class RepoEnv(OdysseyEnv[RepoRules, RepoWorld, RepoDifficulty]):
    """Install packages until a project runs, where nobody tells which versions go together.

    ## Description

    A project of a few scripts uses made-up packages from an index. Each package has several versions, and each version
    its own interface (modules, symbols, keyword arguments), dependencies, Pythons that it runs on, and packages that it
    clashes with. The player types commands as to a shell: installs a Python and packages, runs scripts, and learns from
    their errors which version is too old or too new. The goal is that ``run.py`` runs to its end. Nothing is really
    installed or run; everything is deterministic.

    In generated worlds there is a law to find: interfaces only grow and are cleaned up in order (a symbol is added,
    perhaps deprecated, perhaps removed, and never comes back; keyword arguments are added one after the other and
    stay), newer versions need newer dependencies and newer Pythons. ``repo_describe.describe_rules`` states all rules
    of a world.

    The world is re-implemented from a description of the *Repo System* family of OdysseyArena (arXiv 2602.05843). With
    ``reference_rules`` it answers as that benchmark's own environment does, for parity checks.

    ## Action Space

    Text with one command. ``step`` takes any string at all; these can be used (case matters, blanks do not):

    - ``pip install python==3.9`` sets the Python: one exact version;
    - ``pip install NAME`` installs the newest version of a package if none is there; ``pip install NAME==1.2``, or with
      bounds of ``== >= <= > <`` as in ``NAME>=1.0,<2.0``, the newest that meets them all; ``pip uninstall NAME``;
    - ``pip list`` shows what is installed; ``repo tree`` the scripts;
    - ``python run.py`` runs the project, ``python SCRIPT`` one script.

    Anything else (other commands, several lines, unknown packages or scripts, requirements that cannot be read) changes
    nothing and uses up a step, and the feedback says what was wrong. A command that is understood but fails (a version
    that does not exist, a missing Python or dependency, a clash) is usable; it changes nothing either.

    ``action_space`` is ``Text`` of the characters that commands are made of; its samples are hardly ever usable.

    With ``reference_rules`` every text is usable: what is unknown gets an error message, an empty one no message, only
    the first line counts, one ``==`` overrules other bounds, and extra words after ``python`` or ``pip uninstall`` are
    ignored.

    ## Observation Space

    ``Text``: what the last command printed. What is installed is not shown unless asked for with ``pip list``;
    installing one package can change others.

    ``info`` has ``state``, ``{"step_count": 0, "python_version": None or [3, 9], "installed": {"pkg0": [1, 2]},
    "installed_order": ["pkg0"], "done": False, "success": False}``; ``feedback``, the same text as the observation; and
    ``usable``, whether the action was a command.

    ## Rewards

    1.0 on the step on which ``python run.py`` runs to its end, 0.0 on all others: the return is 1 for success and 0 for
    failure.

    ## Starting State

    No Python, no packages. With a config the world is always the same. With a difficulty each ``reset`` draws another:
    ``reset(seed=s)`` gives ``generate(difficulty, s)``, and ``reset()`` a world from the environment's own generator.

    ## Episode End

    Terminated when ``run.py`` has run to its end; truncated after ``max_steps`` steps. A step after either raises
    ``UsageError``.

    ## Arguments

    ``gymnasium.make("finchmark/Repo-v1", **arguments)`` after ``import finchmark.environments.odyssey``, or in one:
    ``gymnasium.make("finchmark.environments.odyssey:finchmark/Repo-v1", **arguments)``.

    - ``config``: a world; ``RepoRules.from_config`` has the format, which is that of the reference's task files with
      two keys of ours. Whether it can be solved is the caller's business: ``repo_solver.solve`` tells.
    - ``difficulty``: instead of a config, ``"smoke"`` (2 or 3 packages), ``"gate"`` (4 or 5), ``"lite"`` (9 to 12; the
      default), ``"challenge"`` (24 to 28), or a ``RepoDifficulty``.
    - ``reference_rules``: answer as the reference does (default False). The checks of our own config keys are off then.
    - ``max_steps``: the steps of an episode; by default the difficulty's horizon (8, 24, 120, 400), with a config 120.

    Oracles find in ``env.unwrapped`` the ``rules``, the ``machine`` with its state and, with a difficulty, the drawn
    ``world`` with its plan.

    ## Chance Level and Ceiling

    The random player draws uniformly from ``repo_solver.commands``, a finite list of usable commands. How often it
    succeeds was measured on the task's public items (``tests/benchmarks/bench_repo.py --chance``; 99.9 % intervals): in
    gate 0.00047 (0.00039 to 0.00057), on the one smoke item 0.00094 (0.00079 to 0.0011), in lite 0 of 30,000 times, in
    challenge 0 of 3,000. The ceiling is 1: every generated world is proved solvable by a plan that was played.

    ## Version History

    - v1: first version.
    """

    family = "repo"
    action_words = "A repo action is text such as 'pip list'"

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        difficulty: str | RepoDifficulty | None = None,
        reference_rules: bool = False,
        max_steps: int | None = None,
    ) -> None:
        super().__init__(config, difficulty=difficulty, reference_rules=reference_rules, max_steps=max_steps)
        self.machine: Machine | None = None
        self.action_space = Text(80, charset=_COMMAND_CHARACTERS)
        self.observation_space = (
            _AnyText(_MAX_OBSERVATION, min_length=0, charset=_CHARACTERS)
            if reference_rules
            else Text(_MAX_OBSERVATION, charset=_CHARACTERS)
        )

    def read_config(self, config: Mapping[str, Any]) -> RepoRules:
        """The rules of a config; see :meth:`.RepoRules.from_config`."""
        return RepoRules.from_config(config)

    def named_difficulty(self, difficulty: str | RepoDifficulty) -> RepoDifficulty:
        """The preset of a name; see :meth:`.RepoDifficulty.named`."""
        return RepoDifficulty.named(difficulty)

    def draw(self, difficulty: RepoDifficulty, *path: str | int) -> RepoWorld:
        """Draw a world; see :func:`.repo_worlds.generate`."""
        return generate(difficulty, *path)

    def default_steps(self) -> int:
        """The difficulty's horizon; with a config 120."""
        return _DEFAULT_STEPS if self.difficulty is None else self.difficulty.horizon

    def begin(self) -> tuple[str, dict[str, Any]]:
        """Start with nothing installed."""
        assert self.rules is not None
        self.machine = Machine(self.rules, reference_rules=self.reference_rules)
        text = "" if self.reference_rules else _START
        return text, self._info(self.machine, text, usable=True)

    def act(self, action: str) -> tuple[str, float, bool, dict[str, Any]]:
        """Carry out a command."""
        machine, rules = self.machine, self.rules
        assert machine is not None
        assert rules is not None
        if self.reference_rules:
            command = read_reference(action)
            answer = command if isinstance(command, Problem) else machine.execute(command)
            text, usable = in_reference_words(answer), True
        else:
            command = read(action, rules.packages, rules.runnable)
            usable = not isinstance(command, Problem)
            text = in_our_words(command if isinstance(command, Problem) else machine.execute(command))
        terminated = machine.solved
        return text, float(terminated), terminated, self._info(machine, text, usable=usable)

    def _info(self, machine: Machine, text: str, *, usable: bool) -> dict[str, Any]:
        state = {
            "step_count": self.turns,
            "python_version": None if machine.python is None else list(machine.python),
            "installed": {name: list(version) for name, version in machine.installed.items()},
            "installed_order": list(machine.installed),
            "done": machine.solved,
            "success": machine.solved,
        }
        return {"state": state, "feedback": text, "usable": usable}
