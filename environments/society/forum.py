"""The forum itself: messages, votes and memories, and what an act does to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...suite.canonical import content_hash
from ...suite.errors import UsageError
from ...suite.seeds import generator, uniform
from .acts import EXTRA, REVISING, SPEAKING, Act

__all__ = ["OUTSIDE", "Forum", "Message", "Shape", "Verifier"]

OUTSIDE = -1
"""The author of what comes from outside."""

_OLDER = 32
"""How many messages older than the last round are kept, for each that an agent sees."""

Verifier = Callable[["Forum", int, Act], bool]
"""Whether an act that is open may be done: gets the forum, the number of the agent and the act."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a forum, and what is open in it.

    Args:
        agents: 2 or more.
        rounds: How many there are.
        active: How many agents have turns in a round, taking turns; None: all.
        evolve: Whether agents rewrite their memories. If not, they only speak.
        isolated: Whether nothing may come from outside.
        lines: How many lines a memory has at most.
        line_chars: Characters of a line at most; what is longer is cut.
        post_chars: Characters of a message at most; likewise.
        shown: How many messages an agent sees.
        diverse: Whether each agent sees a random half of the messages, and has a topic of its own.
        offers: Which acts of :data:`.EXTRA` are open.
        back: How many rounds the act ``rollback`` goes back.

    Raises:
        UsageError: A number is too small, or an act does not exist.
    """

    agents: int = 6
    rounds: int = 20
    active: int | None = None
    evolve: bool = True
    isolated: bool = True
    lines: int = 12
    line_chars: int = 240
    post_chars: int = 240
    shown: int = 8
    diverse: bool = False
    offers: tuple[str, ...] = ()
    back: int = 5

    def __post_init__(self) -> None:
        """Refuse a forum that cannot be."""
        if self.agents < 2:
            raise UsageError(f"A forum has 2 agents or more, not {self.agents}.")
        for name in ("rounds", "lines", "line_chars", "post_chars", "shown", "back"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is 1 or more, not {getattr(self, name)}.")
        if self.active is not None and not 1 <= self.active <= self.agents:
            raise UsageError(
                f"Of {self.agents} agents 1 to {self.agents} can have turns in a round, not {self.active}."
            )
        unknown = [name for name in self.offers if name not in EXTRA]
        if unknown:
            raise UsageError(f"There is no act {unknown[0]!r} to offer; there are {', '.join(EXTRA)}.")


@dataclass(slots=True)
class Message:
    """A message.

    Attributes:
        id: Its number, from 1.
        round: When it was written.
        author: Number of the agent; :data:`OUTSIDE` for what comes from outside.
        text: One line.
        on: The message that it comments on; None for none.
        votes: Who voted for it.
        hidden: Whether an agent has rejected it.
    """

    id: int
    round: int
    author: int
    text: str
    on: int | None = None
    votes: list[int] = field(default_factory=list)
    hidden: bool = False


class Forum:
    """Agents speak one after another, and then rewrite their memories, round after round.

    All that lasts is here, as plain data: :meth:`save` and :meth:`load` take it out and in again. Luck (who comes first
    in a round, which half of the messages a ``diverse`` forum shows) follows from the seed, the round and the agent
    alone, so that a forum that was taken back goes on as it would have.

    Memory is flat in rounds: of messages those of this and the last round are kept, and of older ones the best 32 for
    each that an agent sees. All others come after these for everybody, so what an agent sees would be another only
    where it does not see, or somebody has hidden, nearly all of them.

    Args:
        shape: Sizes and what is open.
        memories: The lines that each agent has at the start.
        topics: What is talked about, a topic a round, from the first again after the last.
        outside: By round, texts that come from outside at its beginning.
        verifier: Says of every open act whether it may be done; None: all may.
        seed: Of the luck.

    Raises:
        UsageError: Memories do not fit, there is no topic, or something comes from outside into an isolated forum.
    """

    def __init__(
        self,
        shape: Shape,
        memories: Sequence[Sequence[str]],
        topics: Sequence[str],
        *,
        outside: Sequence[Sequence[str]] = (),
        verifier: Verifier | None = None,
        seed: int = 0,
    ) -> None:
        if len(memories) != shape.agents:
            raise UsageError(f"{shape.agents} agents have as many memories at the start, not {len(memories)}.")
        if any(len(lines) > shape.lines for lines in memories):
            raise UsageError(f"A memory of {shape.lines} lines cannot begin with {max(len(m) for m in memories)}.")
        if not topics:
            raise UsageError("A forum needs a topic.")
        if shape.isolated and any(outside):
            raise UsageError("An isolated forum takes nothing from outside; give it isolated=False.")
        self.shape, self.topics, self.verifier, self.seed = shape, tuple(topics), verifier, seed
        self.outside = tuple(tuple(texts) for texts in outside)
        self.start = tuple(tuple(_cut(line, shape.line_chars) for line in lines) for lines in memories)
        self.memories = [list(lines) for lines in self.start]
        self.past = [[list(lines) for lines in self.start]]
        self.messages: list[Message] = []
        """Those that are kept, in the order in which they were written."""
        self.said = self.came_in = 0
        """How many messages there were, and how many of them came from outside."""
        self.round, self.turn = 0, 0
        self.turns: list[tuple[str, int]] = []
        """The turns of this round: ``speak`` or ``revise``, and the agent."""
        self.asked = [-2] * shape.agents
        self.acts = self.invalid = self.rejected = self.extra = 0
        self._begin()

    @property
    def over(self) -> bool:
        """Whether all rounds are over."""
        return self.round >= self.shape.rounds

    def _turns(self) -> list[tuple[str, int]]:
        n, active = self.shape.agents, self.shape.active or self.shape.agents
        seats = [(self.round * active + j) % n for j in range(active)]
        order = [seats[int(i)] for i in generator("forum", "order", self.seed, self.round).permutation(active)]
        phases = ("speak", "revise") if self.shape.evolve else ("speak",)
        return [(phase, agent) for phase in phases for agent in order]

    @property
    def now(self) -> tuple[str, int]:
        """Whose turn it is, and what for."""
        return self.turns[self.turn]

    def open(self, phase: str) -> tuple[str, ...]:
        """The acts that are open in a phase."""
        own = SPEAKING if phase == "speak" else REVISING
        return (*own, *(name for name in self.shape.offers if EXTRA[name] == phase))

    def topic(self, agent: int) -> str:
        """What an agent is to talk about in this round."""
        own = self.shape.diverse or self.asked[agent] == self.round - 1
        return self.topics[(self.round + (agent + 1 if own else 0)) % len(self.topics)]

    def visible(self, agent: int) -> list[Message]:
        """The messages that an agent sees: those of this and the last round first, by votes, then older ones.

        As many as ``shown``, oldest first.
        """
        messages = [m for m in self.messages if not m.hidden]
        if self.shape.diverse:
            messages = [m for m in messages if m.author == agent or self._half(agent, m.id)]
        best = sorted(messages, key=lambda m: (m.round < self.round - 1, *_rank(m)))
        return sorted(best[: self.shape.shown], key=lambda m: m.id)

    def _half(self, agent: int, message: int) -> bool:
        return uniform("forum", "half", self.seed, agent, message) < 0.5

    def do(self, act: Act | None) -> str:
        """Let the agent whose turn it is do something, and go on to the next turn.

        Args:
            act: None: nothing that could be read.

        Returns:
            ``done``, ``invalid`` (nothing happened, and it is counted) or ``rejected`` (by the verifier, likewise).

        Raises:
            UsageError: The forum is over.
        """
        if self.over:
            raise UsageError("The forum is over.")
        phase, agent = self.now
        self.acts += 1
        came = "invalid"
        if act is not None and act.kind in self.open(phase) and self._possible(agent, act):
            came = "done"
            if self.verifier is not None and act.kind != "pass" and not self.verifier(self, agent, act):
                came = "rejected"
            else:
                self._happen(agent, act)
        self.invalid += came == "invalid"
        self.rejected += came == "rejected"
        self.turn += 1
        if self.turn == len(self.turns):
            self.turn = 0
            self.round += 1
            self._begin()
        return came

    def revised(self, agent: int, act: Act) -> list[str]:
        """What a possible act of rewriting would make of a memory; it stays as it is."""
        shape = self.shape
        lines = list(self.memories[agent])
        if act.kind == "revise" and act.memory is not None:
            kept = [_cut(line, shape.line_chars) for line in act.memory.splitlines()]
            return [line for line in kept if line][: shape.lines]
        if act.kind == "rollback":
            return list(self.past[max(0, len(self.past) - 1 - shape.back)][agent])
        if act.kind in ("revise", "forget") and act.line is not None:
            lines[act.line - 1 : act.line] = [_cut(act.text, shape.line_chars)] if act.kind == "revise" else []
        return lines

    def _possible(self, agent: int, act: Act) -> bool:
        if act.kind in ("comment", "vote", "reject"):
            target = next((m for m in self.visible(agent) if m.id == act.post), None)
            if target is None or (act.kind != "comment" and target.author == agent):
                return False
            return bool(act.text) if act.kind == "comment" else act.kind != "vote" or agent not in target.votes
        lines = len(self.memories[agent])
        if act.kind == "forget":
            return act.line is not None and 1 <= act.line <= lines
        if act.kind == "revise" and act.memory is None:
            return bool(act.text) and act.line is not None and 1 <= act.line <= min(lines + 1, self.shape.lines)
        return act.kind != "post" or bool(act.text)

    def _happen(self, agent: int, act: Act) -> None:
        self.extra += act.kind in EXTRA
        if act.kind in ("post", "comment"):
            self._publish(agent, act.text, act.post if act.kind == "comment" else None)
        elif act.kind == "vote":
            self._message(act.post).votes.append(agent)
        elif act.kind == "reject":
            self._message(act.post).hidden = True
        elif act.kind == "fresh":
            self.asked[agent] = self.round
        elif act.kind != "pass":
            self.memories[agent] = self.revised(agent, act)

    def _publish(self, author: int, text: str, on: int | None = None) -> None:
        said = _cut(text, self.shape.post_chars)
        self.said += 1
        self.came_in += author == OUTSIDE
        self.messages.append(Message(self.said, self.round, author, said, on))

    def _message(self, number: int | None) -> Message:
        return next(m for m in reversed(self.messages) if m.id == number)

    def _let_go(self) -> None:
        """Drop the messages that nobody will see any more."""
        older = sorted((m for m in self.messages if m.round < self.round - 1 and not m.hidden), key=_rank)
        kept = {m.id for m in older[: _OLDER * self.shape.shown]}
        self.messages = [m for m in self.messages if m.round >= self.round - 1 or m.id in kept]

    def _begin(self) -> None:
        """Keep what memories are now, and let in what comes from outside."""
        if self.round:
            self.past.append([list(lines) for lines in self.memories])
            # Only as many as a rollback can reach: memory stays flat in rounds.
            del self.past[: max(0, len(self.past) - 1 - self.shape.back)]
            self._let_go()
        self.turns = self._turns()
        if not self.over and self.round < len(self.outside):
            for text in self.outside[self.round]:
                self._publish(OUTSIDE, text)

    def save(self) -> dict[str, Any]:
        """All that changes, as plain data; :meth:`load` takes it up."""
        return {
            "round": self.round,
            "turn": self.turn,
            "memories": [list(lines) for lines in self.memories],
            "past": [[list(lines) for lines in kept] for kept in self.past],
            "messages": [asdict(message) for message in self.messages],
            "asked": list(self.asked),
            "counts": [self.acts, self.invalid, self.rejected, self.extra, self.said, self.came_in],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`save` gave, of a forum that was made alike."""
        self.round, self.turn = int(state["round"]), int(state["turn"])
        self.turns = self._turns()
        self.memories = [list(lines) for lines in state["memories"]]
        self.past = [[list(lines) for lines in kept] for kept in state["past"]]
        self.messages = [Message(**{**message, "votes": list(message["votes"])}) for message in state["messages"]]
        self.asked = list(state["asked"])
        self.acts, self.invalid, self.rejected, self.extra, self.said, self.came_in = state["counts"]

    def digest(self) -> str:
        """Hash of :meth:`save`, 16 hexadecimal digits."""
        return content_hash(self.save(), digits=16)


def _rank(message: Message) -> tuple[int, int]:
    """Those with most votes first, then the newest."""
    return -len(message.votes), -message.id


def _cut(text: str, most: int) -> str:
    return " ".join(text.split())[:most].rstrip()
