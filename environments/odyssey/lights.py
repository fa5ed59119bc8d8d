"""The lights world as a Gymnasium environment."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from gymnasium.spaces import Text

from .lights_rules import LightsRules
from .lights_worlds import LightsDifficulty, LightsWorld, generate
from .quotes import quote
from .world_env import OdysseyEnv

__all__ = ["LightsEnv"]

_ON, _OFF = "\N{ELECTRIC LIGHT BULB}", "\N{WHITE CIRCLE}"
_DEFAULT_STEPS = 200
_SPACES = " \t\r\n"
# No feedback is longer; the observation space says so, and a test holds it to that.
_MAX_FEEDBACK = 240
_FEEDBACK_CHARACTERS = frozenset(string.ascii_letters + string.digits + string.punctuation + " \n")


class LightsEnv(OdysseyEnv[LightsRules, LightsWorld, LightsDifficulty]):
    """Switch on all bulbs, where every switch works under a condition that nobody tells.

    ## Description

    There are n bulbs, B0 to B<n-1>, all off. Each has a switch and a hidden rule: a boolean expression over the other
    bulbs. Pressing the switch while the expression is true turns the bulb on if it was off, and off if it was on;
    pressing it while the expression is false does nothing. Nothing else changes a bulb. The player sees which bulbs are
    on and has to find the rules by trying. Everything is deterministic.

    The world is re-implemented from a description of the *Turn On Lights* family of OdysseyArena (arXiv 2602.05843).
    With ``reference_rules`` it answers as that benchmark's own environment does, for parity checks; without, it tells
    the player what each action did.

    ## Action Space

    Text that names one bulb: its number (``3``), or its name (``B3``, ``b3``); spaces, tabs and line breaks around it
    are ignored. Nothing else is usable: no sign, no leading zero, no sentence. ``step`` takes any string at all. An
    unusable one changes no bulb and uses up a step, and the feedback says what was wrong.

    ``action_space`` is the narrower ``Text`` of the digits that spell the bulbs' numbers. In a world of up to 10 bulbs
    that a config gives, each of its samples is a usable action, uniform over the bulbs.

    With ``reference_rules`` an action is what Python's ``int`` makes of the text (so ``+1``, ``003`` and full-width
    digits are usable, ``B3`` is not), if it is in range. An unusable one uses up a step towards ``max_steps`` only: the
    state, its step counter and the observation stay, and the feedback is empty.

    ## Observation Space

    ``Text``. One glyph a bulb in the order of their numbers, joined by spaces: U+1F4A1 for on, U+25CB for off. After a
    step a line of feedback stands before it: the bulb's new state, or that its condition does not hold, or why the
    action was unusable. With ``reference_rules`` there is no such line.

    ``info`` has ``state``, ``{"bulbs": {"B0": False, …}, "steps": 0}``; ``feedback``, the line alone (with
    ``reference_rules`` the reference's own); and ``usable``, whether the action named a bulb.

    ## Rewards

    1.0 on the step that turns the last bulb on, 0.0 on all others: the return is 1 for success and 0 for failure.

    ## Starting State

    All bulbs off. With a config the world is always the same. With a difficulty each ``reset`` draws another:
    ``reset(seed=s)`` gives ``generate(difficulty, s)``, and ``reset()`` a world from the environment's own generator.

    ## Episode End

    Terminated when all bulbs are on; truncated after ``max_steps`` steps. A step after either raises ``UsageError``.

    ## Arguments

    ``gymnasium.make("finchmark/Lights-v1", **arguments)`` after ``import finchmark.environments.odyssey``, or in one:
    ``gymnasium.make("finchmark.environments.odyssey:finchmark/Lights-v1", **arguments)``.

    - ``config``: a world, ``{"level": n, "custom_logic": {"B0": rule, …}}``; ``LightsRules.from_config`` has the
      grammar of the rules. Up to 64 bulbs. Whether it can be solved is the caller's business:
      ``lights_solver.solve`` tells.
    - ``difficulty``: instead of a config, ``"smoke"`` (4 bulbs), ``"gate"`` (5), ``"lite"`` (6 to 10; the default),
      ``"challenge"`` (11 or 12), or a ``LightsDifficulty``.
    - ``reference_rules``: answer as the reference does (default False).
    - ``max_steps``: the steps of an episode; by default the difficulty's horizon (8, 20, 200, 500), with a config 200.

    Oracles find in ``env.unwrapped`` the ``rules``, the state as a bit ``mask`` (bit k: bulb k is on) and, with a
    difficulty, the drawn ``world``.

    ## Chance Level and Ceiling

    The random player presses a bulb uniformly at random; ``lights_solver.random_success`` computes exactly how often
    that succeeds. The ceiling is 1: every generated world is proved solvable within its horizon, and a player that
    knows the rules follows ``lights_solver.policy_table``. Over the worlds of seeds 0 to 299:

    | difficulty | mean chance | largest chance | shortest solution, mean (range) |
    | --- | --- | --- | --- |
    | smoke | 0.049 | 0.149 | 4.51 (4 to 6) |
    | gate | 0.014 | 0.050 | 7.35 (7 to 9) |
    | lite | 0.060 | 0.249 | 11.57 (8 to 18) |
    | challenge | 0.0004 | 0.005 | 26.96 (23 to 48) |

    ## Version History

    - v1: first version.
    """

    family = "lights"
    action_words = "A lights action is text such as '3'"

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        difficulty: str | LightsDifficulty | None = None,
        reference_rules: bool = False,
        max_steps: int | None = None,
    ) -> None:
        super().__init__(config, difficulty=difficulty, reference_rules=reference_rules, max_steps=max_steps)
        if self.difficulty is not None:
            most = self.difficulty.max_bulbs
        else:
            assert self.rules is not None
            most = self.rules.level
        numbers = [str(bulb) for bulb in range(most)]
        self.action_space = Text(max(map(len, numbers)), charset=frozenset("".join(numbers)))
        glyphs = 2 * most - 1
        self.observation_space = (
            Text(glyphs, charset=frozenset((_ON, _OFF, " ")))
            if reference_rules
            else Text(_MAX_FEEDBACK + 1 + glyphs, charset=_FEEDBACK_CHARACTERS | {_ON, _OFF})
        )
        self.mask = 0
        self._steps = 0

    def read_config(self, config: Mapping[str, Any]) -> LightsRules:
        """The rules of a config; see :meth:`.LightsRules.from_config`."""
        return LightsRules.from_config(config)

    def named_difficulty(self, difficulty: str | LightsDifficulty) -> LightsDifficulty:
        """The preset of a name; see :meth:`.LightsDifficulty.named`."""
        return LightsDifficulty.named(difficulty)

    def draw(self, difficulty: LightsDifficulty, *path: str | int) -> LightsWorld:
        """Draw a world; see :func:`.lights_worlds.generate`."""
        return generate(difficulty, *path)

    def default_steps(self) -> int:
        """The difficulty's horizon; with a config 200."""
        return _DEFAULT_STEPS if self.difficulty is None else self.difficulty.horizon

    def begin(self) -> tuple[str, dict[str, Any]]:
        """Turn all bulbs off."""
        self.mask = self._steps = 0
        return self._glyphs(), self._info("", usable=True)

    def act(self, action: str) -> tuple[str, float, bool, dict[str, Any]]:
        """Press a switch."""
        rules = self.rules
        assert rules is not None
        bulb = _reference_bulb(action, rules.level) if self.reference_rules else _bulb(action, rules.level)
        if bulb is None:
            if self.reference_rules:
                feedback = ""
            else:
                self._steps += 1
                feedback = _complaint(action, rules.level)
        else:
            self._steps += 1
            before = self.mask
            self.mask = rules.press(bulb, before)
            feedback = self._feedback(bulb, changed=self.mask != before)
        terminated = self.mask == rules.goal
        observation = self._glyphs() if self.reference_rules else f"{feedback}\n{self._glyphs()}"
        return observation, float(terminated), terminated, self._info(feedback, usable=bulb is not None)

    def _feedback(self, bulb: int, *, changed: bool) -> str:
        on = self.mask >> bulb & 1 == 1
        if self.reference_rules:
            # Word for word what the reference answers: parity is checked by comparing texts.
            if changed:
                return f"Toggled B{bulb} to {on}"
            return f"B{bulb} remains inactive... remaining bulbs should be in specific mode."
        if not changed:
            return f"The switch of B{bulb} did nothing: its condition does not hold now."
        return f"B{bulb} is now {'on' if on else 'off'}."

    def _glyphs(self) -> str:
        assert self.rules is not None
        mask = self.mask
        return " ".join([_ON if mask >> bulb & 1 else _OFF for bulb in range(self.rules.level)])

    def _info(self, feedback: str, *, usable: bool) -> dict[str, Any]:
        assert self.rules is not None
        mask = self.mask
        bulbs = {f"B{bulb}": mask >> bulb & 1 == 1 for bulb in range(self.rules.level)}
        return {"state": {"bulbs": bulbs, "steps": self._steps}, "feedback": feedback, "usable": usable}


def _bulb(action: str, level: int) -> int | None:
    """The bulb that a text names, or None."""
    text = action.strip(_SPACES)
    if text[:1] in ("B", "b"):
        text = text[1:]
    # Two digits are enough for 64 bulbs; `isdecimal` alone would let digits of other scripts through.
    if not (0 < len(text) <= 2 and text.isascii() and text.isdecimal()) or (len(text) == 2 and text[0] == "0"):
        return None
    bulb = int(text)
    return bulb if bulb < level else None


def _reference_bulb(action: str, level: int) -> int | None:
    """The bulb that a text names for the reference, or None."""
    try:
        bulb = int(action)
    except ValueError:
        return None
    return bulb if 0 <= bulb < level else None


def _complaint(action: str, level: int) -> str:
    """What to tell a player whose action was unusable."""
    problem = f"The action {quote(action)} names no bulb." if action.strip(_SPACES) else "The action was empty."
    return (
        f"{problem} Give the number or the name of one bulb and nothing else: "
        f"0 to {level - 1}, or B0 to B{level - 1}. Nothing changed, but the step counts."
    )
