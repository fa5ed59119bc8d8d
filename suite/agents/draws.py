"""Several replies asked for at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..backends.base import Completion, Message
from ..model import Model, ModelStopped
from .actions import in_tags, spoken_action

__all__ = ["draw", "most_given", "with_actions"]


async def draw(
    model: Model,
    prompts: Sequence[Sequence[Message]],
    *,
    stop: Sequence[str] = (),
    max_tokens: int | None = None,
    temperature: float | None = None,
) -> list[Completion | None]:
    """Ask for one reply to each prompt, at the same time.

    Seeds are given out in the order of the prompts, whatever order the replies come in. All are waited for, so that
    none goes on after its episode. A reply that was stopped (a filter, a limit) is None as long as another came: one
    bad draw of many does not end an episode that one draw alone would have gone on with.

    Args:
        model: To ask.
        prompts: At least one.
        stop: As for :meth:`.Model.generate`.
        max_tokens: Likewise.
        temperature: Likewise.

    Raises:
        ModelStopped: Every reply was stopped; the first says why.
        BackendError: The backend failed at one.
    """
    asked = [model.generate(p, stop=stop, max_tokens=max_tokens, temperature=temperature) for p in prompts]
    found: list[Completion | None] = []
    stopped: ModelStopped | None = None
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(answer, ModelStopped):
            stopped = stopped or answer
            found.append(None)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found.append(answer)
    if stopped is not None and not any(found):
        raise stopped
    return found


def with_actions(replies: Sequence[Completion]) -> list[Completion]:
    """Those of some replies that have an action in tags; all of them where none has.

    A reply in no known form has no vote while others have one: small models ramble often, and then alike. Where all
    leave out the tags, they may well be bare answers, which tasks take.
    """
    return [reply for reply in replies if in_tags(reply.text, "action")] or list(replies)


def most_given(replies: Sequence[Completion]) -> Completion:
    """The first reply with the action that most of them give; of equally frequent actions the one given first.

    Args:
        replies: At least one; only those :func:`with_actions` have a vote.
    """
    votes: dict[str, list[Completion]] = {}
    for reply in with_actions(replies):
        votes.setdefault(spoken_action(reply.text), []).append(reply)
    return max(votes.values(), key=len)[0]
