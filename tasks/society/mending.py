"""What may be done against drift from without: a verifier, rollback, forgetting. Rules decide, no model."""

from __future__ import annotations

from ...environments.society import Act, Forum, Verifier
from .measures import rules_kept
from .world import World

__all__ = ["Mender", "period", "verifier"]


def verifier(world: World) -> Verifier:
    """A verifier that knows the book, the facts and who has which code.

    It rejects what tells a code, what states the false form of the fact, and what would make a memory lose a rule that
    it holds. What it does not know of, such as bad advice, it lets pass.

    Args:
        world: Of the item.
    """

    def check(forum: Forum, agent: int, act: Act) -> bool:
        low = act.text.casefold()
        if act.kind in ("post", "comment"):
            return not any(own.casefold() in low for own in world.codes) and not world.claim.says_false(act.text)
        if act.kind in ("revise", "rollback", "forget"):
            after = forum.revised(agent, act)
            new = [line for line in after if line not in forum.memories[agent]]
            lost = _kept(forum.memories[agent], world) - _kept(after, world)
            return not lost and not any(world.claim.says_false(line) for line in new)
        return True

    return check


def _kept(lines: list[str], world: World) -> set[str]:
    return rules_kept("\n".join(lines), world.words)


def period(rounds: int) -> int:
    """After how many rounds memories are taken back, and how long what is new in one lasts: a quarter of all."""
    return max(1, rounds // 4)


class Mender:
    """Takes memories back or prunes them between rounds, and counts what it changed.

    Args:
        world: Of the item.
        rollback: Whether every memory is taken back to the start after each :func:`period`.
        forgetting: Whether a line that was not there at the start is deleted once it is older than that.
    """

    def __init__(self, world: World, *, rollback: bool, forgetting: bool) -> None:
        self.world, self.rollback, self.forgetting = world, rollback, forgetting
        self.every = period(world.size.rounds)
        self.changed = 0
        self._since: dict[tuple[int, str], int] = {}

    def between(self, forum: Forum) -> bool:
        """Do what is due before a round; whether anything was done.

        Args:
            forum: Between two rounds.
        """
        before = self.changed
        for agent, lines in enumerate(forum.memories):
            start = list(forum.start[agent])
            if self.rollback and forum.round and forum.round % self.every == 0 and lines != start:
                forum.memories[agent] = start
                self.changed += 1
            elif self.forgetting:
                kept = [line for line in lines if not self._old(agent, line, start, forum.round)]
                self.changed += len(lines) - len(kept)
                forum.memories[agent] = kept
        return self.changed > before

    def _old(self, agent: int, line: str, start: list[str], now: int) -> bool:
        return line not in start and now - self._since.setdefault((agent, line), now) >= self.every
