"""The energy world as a Gymnasium environment."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from gymnasium.spaces import Text

from .energy_actions import Command, read_action, read_reference_action
from .energy_grid import EnergyGrid
from .energy_rules import EnergyRules
from .energy_text import feedback, help_line, observation, reference_text, report, state
from .energy_worlds import EnergyDifficulty, EnergyWorld, generate, turns_for
from .world_env import OdysseyEnv

__all__ = ["EnergyEnv"]

_ARROW = "\N{BLACK RIGHT-POINTING TRIANGLE}"
_CHARACTERS = frozenset(string.ascii_letters + string.digits + string.punctuation + " \n")
# No observation is longer; the observation space says so, and a test holds it to that.
_MAX_OBSERVATION = 1500


class EnergyEnv(OdysseyEnv[EnergyRules, EnergyWorld, EnergyDifficulty]):
    """Run a small power grid for weeks, where wind and sun follow patterns that nobody tells.

    ## Description

    Every morning the player commands three plants (thermal, wind, solar) and a battery for the day. A rated unit of
    thermal power yields about one; of wind and solar it yields what the day's weather gives, which comes again after a
    number of days, a different one for each. Demand must be met and the budget kept on each day. A day's stability is
    1, less 0.5 if demand was missed, less 0.5 if the budget was overrun, less 0.5 times the change of the commands
    since the day before (the sum over the four, as a share of the sum of all capacities). The game is won if on its
    last day the mean stability is above one target and the thermal share of all supply below another. Three days with
    a violation in a row end it at once. A unit costs what it is rated at, not what it yields; thermal is the cheapest.
    Everything is deterministic.

    The world is re-implemented from a description of the *Energy Dispatch* family of OdysseyArena (arXiv 2602.05843).
    With ``reference_rules`` it answers as that benchmark's own environment does, for parity checks. Generated worlds
    have larger swings of wind and sun than that benchmark's, so that their patterns decide the game.

    ## Action Space

    Text with a JSON object: ``{"thermal": 240, "wind": 90.5, "solar": 30, "battery": -10}``, white space around it
    ignored. Numbers from 0 to the plant's capacity; of the battery from minus to plus its capacity, where plus takes
    from it and minus puts into it, as far as it holds or has room. What is left out is 0; at least one must be named.
    Nothing else is usable: no other names, no name twice, no text for a number, no NaN, nothing out of range. ``step``
    takes any string at all. An unusable one lets no day pass, changes nothing and uses up a step, and the feedback says
    what was wrong.

    ``action_space`` is ``Text`` of printable ASCII; hardly any of its samples is usable.

    With ``reference_rules`` any JSON object is usable: numbers are clamped, other names ignored, and a blank text
    repeats the last command. Text that is no JSON uses up a step towards ``max_steps`` without a word, which makes
    success impossible with the default ``max_steps``. Where the reference dies (JSON that is no object, a value that is
    no number, a blank text on the first day), this one answers like that too, and says in the feedback why.

    ## Observation Space

    ``Text``. A line of feedback on the last action, and the facts: days over, both totals beside their targets, the
    battery's charge, the last day's commands, outputs, balance and cost, and the demand and budget of the day to come,
    which are exact in generated worlds. The first observation has no feedback. With ``reference_rules`` it is the
    reference's text.

    ``info`` has ``state``, named as in the reference (``t``, ``prev_rated``, ``battery_cur``, ``stability_avg``,
    ``share_thermal``, …); ``feedback``, the line alone (with ``reference_rules`` empty where the reference is silent);
    ``usable``, whether the action was a command; and ``report``, the last day's cost, budget and violations, named as
    in the reference, with the number of ``violation_days`` so far.

    ## Rewards

    1.0 on the last day if both targets are met, 0.0 on all others: the return is 1 for success and 0 for failure.

    ## Starting State

    Before the first day, with an empty battery; the first ramp is counted from the config's ``initial_rated``. With a
    config the world is always the same. With a difficulty each ``reset`` draws another: ``reset(seed=s)`` gives
    ``generate(difficulty, s)``, and ``reset()`` a world from the environment's own generator.

    ## Episode End

    Terminated after the last day, or after three days in a row with a violation; truncated after ``max_steps`` steps. A
    step after either raises ``UsageError``.

    ## Arguments

    ``gymnasium.make("finchmark/Energy-v1", **arguments)`` after ``import finchmark.environments.odyssey``, or in one:
    ``gymnasium.make("finchmark.environments.odyssey:finchmark/Energy-v1", **arguments)``.

    - ``config``: a world; ``EnergyRules.from_config`` has its keys. Whether it can be solved is the caller's business:
      ``energy_solver.solve`` finds a plan for most worlds that have one.
    - ``difficulty``: instead of a config, ``"smoke"`` (3 days), ``"gate"`` (18), ``"lite"`` (120; the default),
      ``"challenge"`` (240), or an ``EnergyDifficulty``.
    - ``reference_rules``: answer as the reference does (default False).
    - ``max_steps``: the steps of an episode; by default the horizon plus a tenth, at least 5 more; with
      ``reference_rules`` the horizon.

    Oracles find in ``env.unwrapped`` the ``rules``, the ``grid`` and, with a difficulty, the drawn ``world``.

    ## Chance Level and Ceiling

    The random player draws each command uniformly from its range, and did not succeed in any of 64,000 games: its
    changes alone cost about 0.17 of stability. The ceiling is 1: every generated world carries a plan that has been
    replayed; it knows every day in advance. Between them, success of controllers that see what a player sees, each
    with its best settings of 144 on these very worlds (``python tests/benchmarks/bench_energy.py``):

    | expects of wind and sun | gate (300) | lite (30) | challenge (10) |
    | --- | --- | --- | --- |
    | what was yesterday | 0.027 | 0.000 | 0.000 |
    | the least of the last 25 days | 0.097 | 0.000 | 0.000 |
    | what the period says, found from what it saw | 0.453 | 0.967 | 0.900 |
    | what the period says, which it is told | 0.673 | 0.967 | 0.900 |
    | what the pattern says, which it is told | 0.943 | 1.000 | 1.000 |

    ## Version History

    - v1: first version.
    """

    family = "energy"
    action_words = "An energy action is JSON text"

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        difficulty: str | EnergyDifficulty | None = None,
        reference_rules: bool = False,
        max_steps: int | None = None,
    ) -> None:
        super().__init__(config, difficulty=difficulty, reference_rules=reference_rules, max_steps=max_steps)
        self.action_space = Text(200, charset=_CHARACTERS)
        self.observation_space = Text(_MAX_OBSERVATION, charset=_CHARACTERS | {_ARROW})
        self.grid: EnergyGrid | None = None
        self._last: Command | None = None

    def read_config(self, config: Mapping[str, Any]) -> EnergyRules:
        """The rules of a config; see :meth:`.EnergyRules.from_config`."""
        return EnergyRules.from_config(config)

    def named_difficulty(self, difficulty: str | EnergyDifficulty) -> EnergyDifficulty:
        """The preset of a name; see :meth:`.EnergyDifficulty.named`."""
        return EnergyDifficulty.named(difficulty)

    def draw(self, difficulty: EnergyDifficulty, *path: str | int) -> EnergyWorld:
        """Draw a world; see :func:`.energy_worlds.generate`."""
        return generate(difficulty, *path)

    def default_steps(self) -> int:
        """The horizon and a tenth, at least 5 more; by the reference's rules the horizon."""
        days = self._horizon()
        return days if self.reference_rules else turns_for(days)

    def _horizon(self) -> int:
        if self.difficulty is not None:
            return self.difficulty.horizon
        assert self.rules is not None
        return self.rules.horizon

    def begin(self) -> tuple[str, dict[str, Any]]:
        """Go to the morning of the first day."""
        assert self.rules is not None
        self.grid = grid = EnergyGrid(self.rules)
        self._last = None
        shown = reference_text(grid) if self.reference_rules else observation(grid)
        return shown, self._info(grid, "", usable=True)

    def act(self, action: str) -> tuple[str, float, bool, dict[str, Any]]:
        """Command the plants for a day."""
        grid = self.grid
        assert grid is not None
        if self.reference_rules:
            command = read_reference_action(action, self._last)
        else:
            command = read_action(action, grid.rules.capacity)
        if isinstance(command, str):
            answer = command if self.reference_rules else f"{command} {help_line(grid.rules)}"
        else:
            grid.advance(*command)
            self._last = command
            answer = "" if self.reference_rules else feedback(grid)
        terminated = grid.done
        shown = reference_text(grid) if self.reference_rules else f"{answer}\n{observation(grid)}"
        info = self._info(grid, answer, usable=not isinstance(command, str))
        return shown, float(terminated and grid.success), terminated, info

    def _info(self, grid: EnergyGrid, answer: str, *, usable: bool) -> dict[str, Any]:
        return {"state": state(grid), "feedback": answer, "usable": usable, "report": report(grid)}
