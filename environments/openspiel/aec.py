"""A game for several agents: PettingZoo's turn-based interface, with vectors to look at."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import AECEnv

from ...suite.errors import UsageError
from .games import find_game, load_game
from .words import find_words

__all__ = ["GameAEC", "aec_env"]

SEATS = ("player_0", "player_1")


class GameAEC(AECEnv[str, dict[str, Any], Any]):
    """One hand of a small game of two players and zero sum; both seats are agents.

    **Observation**: ``observation``, OpenSpiel's tensor of the agent's own information state, as it stands whenever the
    agent looks and so with nothing that it does not know; and ``action_mask``, 1 where a move can be made, all 0 out of
    turn. ``infos[agent]["text"]`` has the state in words, and ``infos[agent]["options"]`` the moves by name, in turn.
    **Action**: OpenSpiel's number of a move. **Reward**: what was won, at the end. **Start**: chance deals from the
    seed. **End**: when the game ends.

    A move that cannot be made is refused with an error, as PettingZoo's games do; wrap the environment in
    ``pettingzoo.utils.wrappers.TerminateIllegalWrapper`` to let it lose the hand instead, as :func:`aec_env` does.

    Args:
        game: One of :data:`.games.GAMES`.

    Raises:
        UsageError: There is no such game.
    """

    metadata: dict[str, Any] = {"name": "finchmark_game_v1", "render_modes": [], "is_parallelizable": False}  # noqa: RUF012  # PettingZoo declares it as an instance attribute

    def __init__(self, game: str = "kuhn") -> None:
        super().__init__()
        self.line, self.words, self._game = find_game(game), find_words(game), load_game(game)
        self.possible_agents = list(SEATS)
        self.agents = list(SEATS)
        self.render_mode = None
        size, actions = self._game.information_state_tensor_size(), self._game.num_distinct_actions()
        self._actions = actions
        space = spaces.Dict(
            {
                "observation": spaces.Box(-np.inf, np.inf, (size,), np.float32),
                "action_mask": spaces.Box(0, 1, (actions,), np.int8),
            }
        )
        self.observation_spaces = dict.fromkeys(SEATS, space)
        self.action_spaces = {seat: spaces.Discrete(actions) for seat in SEATS}
        self._rng: np.random.Generator | None = None
        self._state: Any = None

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Likewise; its generator is the agent's own."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Deal. Without a seed the luck of the last hand goes on."""
        if seed is not None or self._rng is None:
            from gymnasium.utils.seeding import np_random

            self._rng, _ = np_random(seed)
        self._state = self._game.new_initial_state()
        self.agents = list(SEATS)
        self.rewards = dict.fromkeys(SEATS, 0.0)
        self._cumulative_rewards = dict.fromkeys(SEATS, 0.0)
        self.terminations = dict.fromkeys(SEATS, False)
        self.truncations = dict.fromkeys(SEATS, False)
        self._go_on()

    def observe(self, agent: str) -> dict[str, NDArray[Any]]:
        """What an agent sees."""
        seat = SEATS.index(agent)
        mask = np.zeros(self._actions, dtype=np.int8)
        if not self._state.is_terminal() and self._state.current_player() == seat:
            mask[self._state.legal_actions()] = 1
        return {
            "observation": np.array(self._state.information_state_tensor(seat), dtype=np.float32),
            "action_mask": mask,
        }

    def step(self, action: Any) -> None:
        """Make the selected agent's move; None once it is out.

        Raises:
            UsageError: The move cannot be made.
        """
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        if (
            action is None
            or not self.action_spaces[agent].contains(action)
            or int(action) not in self._state.legal_actions()
        ):
            raise UsageError(f"{action!r} is no move here. There are {self._state.legal_actions()}.")
        self._cumulative_rewards[agent] = 0.0
        self._state.apply_action(int(action))
        self._go_on()
        self._accumulate_rewards()

    def render(self) -> None:
        """Nothing: ``infos`` has the words."""

    def close(self) -> None:
        """Nothing to close."""

    def _go_on(self) -> None:
        """Let chance act until an agent must, or the game is over."""
        assert self._rng is not None
        while self._state.is_chance_node():
            moves, weights = zip(*self._state.chance_outcomes(), strict=True)
            place = int(self._rng.choice(len(moves), p=np.array(weights) / sum(weights)))
            self._state.apply_action(moves[place])
        over = bool(self._state.is_terminal())
        if over:
            self.rewards = {seat: float(won) for seat, won in zip(SEATS, self._state.returns(), strict=True)}
            self.terminations = dict.fromkeys(SEATS, True)
            self.agent_selection = SEATS[0]
        else:
            self.agent_selection = SEATS[self._state.current_player()]
        self.infos = {seat: self._info(seat, over) for seat in SEATS}

    def _info(self, agent: str, over: bool) -> dict[str, Any]:
        if over or agent != self.agent_selection:
            return {"text": "", "options": {}}
        seat = SEATS.index(agent)
        moves = {self.words.act(m, self._state.action_to_string(seat, m)): m for m in self._state.legal_actions()}
        return {"text": self.words.describe(seat, self._state.information_state_string(seat)), "options": moves}


def aec_env(game: str = "kuhn") -> AECEnv[str, Any, Any]:
    """The game as PettingZoo's users expect it: an illegal move loses the hand, and calls out of order are errors.

    Args:
        game: One of :data:`.games.GAMES`.

    Raises:
        UsageError: There is no such game.
    """
    from pettingzoo.utils import wrappers

    return wrappers.OrderEnforcingWrapper(wrappers.TerminateIllegalWrapper(GameAEC(game), illegal_reward=-1))
