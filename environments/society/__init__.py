"""A forum: several agents post, comment, vote and rewrite their memories, round by round. A PettingZoo environment.

``acts`` reads what an agent does, ``forum`` has the state and what acts do to it, ``wording`` the sentences, ``env``
the environment.
"""

from .acts import EXTRA, Act, read_act
from .env import ForumEnv, forum_env
from .forum import OUTSIDE, Forum, Message, Shape, Verifier

__all__ = ["EXTRA", "OUTSIDE", "Act", "Forum", "ForumEnv", "Message", "Shape", "Verifier", "forum_env", "read_act"]
