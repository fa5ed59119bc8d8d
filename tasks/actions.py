"""Finding the action in a reply, what stands between ``<action>`` and ``</action>``, and when to give up on one."""

from __future__ import annotations

from ..suite.agents.actions import in_tags

__all__ = ["ACTION_STOP", "NO_TAG", "UNUSABLE_IN_A_ROW", "find_action"]

ACTION_STOP = "</action>"

NO_TAG = "Your reply had no <action>…</action> in it."
"""What an agent is told of an unusable reply without a tag, in place of what the world says of the whole of it."""

UNUSABLE_IN_A_ROW = 20
"""After so many unusable actions in a row an episode is over, and ``invalid``."""


def find_action(reply: str) -> tuple[str, bool]:
    """Find the action in a reply.

    The last ``<action>`` counts, because models change their mind while they write; a missing end tag is forgiven,
    because a reply may end at its stop string or cap. Without any tag the whole reply is the action, so that a bare
    answer is as good as a tagged one.

    Args:
        reply: The model's reply, thinking removed.

    Returns:
        The action's text, stripped, and whether it was tagged.
    """
    found = in_tags(reply, "action")
    return (found[-1], True) if found else (reply.strip(), False)
