"""A coordination game of several agents: all gain where enough of them choose alike. A PettingZoo environment.

``rules`` has the payoffs, ``stories`` what the game is told as, ``wording`` the sentences, ``env`` the environment.
"""

from .env import CoordinationEnv, coordination_env
from .rules import COLLECTIVE, INDEPENDENT, SILENT, Rules, grow, threshold_of
from .stories import STORIES, Story, StoryKind, find_story

__all__ = [
    "COLLECTIVE",
    "INDEPENDENT",
    "SILENT",
    "STORIES",
    "CoordinationEnv",
    "Rules",
    "Story",
    "StoryKind",
    "coordination_env",
    "find_story",
    "grow",
    "threshold_of",
]
