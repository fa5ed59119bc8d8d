"""A game as a Gymnasium environment of text: the agent has one seat, a fixed policy the other."""

from __future__ import annotations

from typing import Any, Literal

import gymnasium
from gymnasium import spaces

from ...suite.errors import UsageError
from .equilibrium import equilibrium
from .games import find_game, load_game
from .sequences import sequence_form
from .words import find_words

__all__ = ["CHARACTERS", "GameEnv"]

CHARACTERS = "".join(map(chr, (*range(32, 127), 10)))
_LONGEST = 4000
_SHOWN = 40


class GameEnv(gymnasium.Env[str, str]):
    """One hand of a small game of two players and zero sum, in words.

    **Observation**: what the agent's information state shows, as text; nothing that the player does not know. After
    the end, how it ended. **Action**: the name of a move, such as ``bet``; ``info["options"]`` has those that can be
    made. **Reward**: what was won, at the end only. **Start**: chance deals, and the other moves first if it has the
    first seat. **End**: when the game ends; truncated after ``max_steps`` actions, usable or not.

    ``info["usable"]`` says whether the last action was a legal move; one that was not changes nothing and is answered
    with the legal moves. ``info["state"]`` is the history of OpenSpiel's action numbers, for tests and not for agents.

    Against ``equilibrium`` no policy wins more than the game's value on average, whatever it does; how bad a policy is
    shows against its own best response, which is what :mod:`finchmark.tasks.games` measures.

    Args:
        game: One of :data:`.games.GAMES`.
        seat: 0 moves first, 1 second.
        opponent: ``uniform`` or ``equilibrium``.
        max_steps: Actions of an episode.

    Raises:
        UsageError: There is no such game, or another argument is wrong.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # Gymnasium declares it as an instance attribute

    def __init__(
        self,
        game: str = "kuhn",
        *,
        seat: int = 0,
        opponent: Literal["uniform", "equilibrium"] = "uniform",
        max_steps: int = 32,
    ) -> None:
        if seat not in (0, 1):
            raise UsageError(f"seat is 0 (moves first) or 1, not {seat!r}.")
        if opponent not in ("uniform", "equilibrium"):
            raise UsageError(f"opponent is 'uniform' or 'equilibrium', not {opponent!r}.")
        if not isinstance(max_steps, int) or max_steps < 1:
            raise UsageError(f"max_steps is a whole number of actions, 1 or more, not {max_steps!r}.")
        self.line, self.seat, self.max_steps = find_game(game), seat, max_steps
        self.words = find_words(game)
        other = sequence_form(game).seats[1 - seat]
        policy = other.uniform() if opponent == "uniform" else equilibrium(game).policies[1 - seat]
        self._policy = {
            key: policy[first : first + count]
            for key, first, count in zip(other.keys, other.first, other.count, strict=True)
        }
        self.observation_space = spaces.Text(max_length=_LONGEST, min_length=1, charset=CHARACTERS)
        self.action_space = spaces.Text(max_length=_SHOWN, min_length=0, charset=CHARACTERS)
        self._state: Any = None
        self._steps = 0
        self._running = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Deal, and let the other move if it is its turn."""
        super().reset(seed=seed)
        self._state = load_game(self.line.name).new_initial_state()
        self._steps, self._running = 0, True
        self._go_on()
        return self._seen(), self._info(usable=True)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Make a move, if it is one, and let the other answer.

        Raises:
            UsageError: The action is no text, or no episode is running.
        """
        if not isinstance(action, str):
            raise UsageError(f"A move is text such as 'bet', not {type(action).__name__}.")
        if not self._running:
            raise UsageError("No episode is running: call reset() first.")
        self._steps += 1
        move = self.legal().get(" ".join(action.split()).casefold())
        said = ""
        if move is None:
            said = f"That is no move here. You can: {', '.join(self.legal())}.\n"
        else:
            self._state.apply_action(move)
            self._go_on()
        terminated = bool(self._state.is_terminal())
        truncated = not terminated and self._steps >= self.max_steps
        self._running = not (terminated or truncated)
        reward = float(self._state.returns()[self.seat]) if terminated else 0.0
        return said + self._seen(), reward, terminated, truncated, self._info(usable=move is not None)

    def legal(self) -> dict[str, int]:
        """The moves that can be made, by name in small letters; empty after the end."""
        if self._state is None or self._state.is_terminal():
            return {}
        moves = self._state.legal_actions()
        return {self.words.act(move, self._state.action_to_string(self.seat, move)).casefold(): move for move in moves}

    def _go_on(self) -> None:
        """Let chance and the other act until it is the agent's turn or the end."""
        while not self._state.is_terminal() and self._state.current_player() != self.seat:
            if self._state.is_chance_node():
                moves, weights = zip(*self._state.chance_outcomes(), strict=True)
            else:
                moves = self._state.legal_actions()
                weights = self._policy[self._state.information_state_string(1 - self.seat)]
            total = float(sum(weights))
            place = int(self.np_random.choice(len(moves), p=[weight / total for weight in weights]))
            self._state.apply_action(moves[place])

    def _seen(self) -> str:
        if self._state.is_terminal():
            won = self._state.returns()[self.seat]
            return f"The game is over: you {'win' if won > 0 else 'lose' if won < 0 else 'get'} {abs(won):g}."
        return self.words.describe(self.seat, self._state.information_state_string(self.seat))

    def _info(self, *, usable: bool) -> dict[str, Any]:
        return {"usable": usable, "options": list(self.legal()), "state": list(self._state.history())}
