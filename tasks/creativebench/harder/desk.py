"""One unit's desk: asks models, judges programs, notes what filters say; what the journal has is not done again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ....suite.backends.base import Completion, ContextOverflow, GenerateRequest, Message
from ....suite.backends.recorded import request_hash
from ....suite.broker import Broker
from ....suite.canonical import content_hash
from ....suite.records import storable
from ....suite.seeds import derive
from ..checks import Run
from ..workshop import Workshop
from .bounded import bounded_run
from .journal import Journal, Place
from .plan import Plan
from .tally import Event

__all__ = ["Desk", "Judged", "Stopped"]

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}\b")  # differs from process to process, and goes into prompts

_Answer = TypeVar("_Answer")


class Stopped(Exception):
    """A unit makes no item.

    Args:
        caught: The filter of the stage ``item``.
        detail: Why, in a line.
    """

    def __init__(self, caught: str, detail: str) -> None:
        super().__init__(detail)
        self.caught = caught


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on a program, as far as a journal keeps it.

    Args:
        status: ``passed``, ``failed`` or ``tampered``.
        detail: Why not, in a line.
    """

    status: str
    detail: str


class Desk:
    """Where one unit is worked on.

    Args:
        unit: Its name.
        plan: The bounds.
        maker: The model that proposes.
        solver: The model that solves.
        journal: Of the making.
        shop: Where programs run.
    """

    def __init__(self, unit: str, plan: Plan, maker: Broker, solver: Broker, journal: Journal, shop: Workshop) -> None:
        self.unit, self.plan, self.journal, self.shop = unit, plan, journal, shop
        self._brokers = {"maker": maker, "solver": solver}
        self._run: Run | None = None
        self.events: list[Event] = []
        self.spent = [0, 0, 0.0]
        """Tokens read, tokens written, US dollars."""

    def place(self, stage: str, attempt: int) -> Place:
        """Names a step of this unit."""
        return (self.unit, stage, attempt)

    async def ask(self, stage: str, attempt: int, messages: Sequence[Message], *, role: str = "maker") -> str:
        """Ask a model, in a conversation of its own.

        Returns:
            Its reply; empty where it declined or had no room, which is the model's doing.

        Raises:
            BackendError: The backend failed: nothing is decided.
        """
        place = self.place(stage, attempt)
        session = f"harder/{self.unit}/{stage}/{attempt}"
        request = GenerateRequest(
            messages=tuple(messages),
            session=session,
            seed=derive("harder", self.plan.seed, self.unit, stage, attempt),
            max_tokens=self.plan.max_tokens,
            temperature=self.plan.temperature,
        )
        digest = request_hash(request)
        record = self.journal.find("call", place)
        if record is None or record["request"] != digest:
            broker = self._brokers[role]
            try:
                reply = await broker.generate(request)
            except ContextOverflow:
                reply = Completion("", "length")
            finally:
                broker.backend.release(session)
            record = self.journal.add(
                "call",
                place,
                role=role,
                request=digest,
                messages=[[m.role, storable(m.content)] for m in messages],
                seed=request.seed,
                reply=storable(reply.text),
                finish=reply.finish_reason,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                cost=reply.cost,
            )
        for at, name in enumerate(("prompt_tokens", "completion_tokens", "cost")):
            self.spent[at] += record[name]
        return "" if record["finish"] == "content_filter" else record["reply"]

    async def judge(self, stage: str, attempt: int, code: str, tests: str) -> Judged:
        """The sandbox's verdict on a program, its control included.

        Raises:
            SandboxFailure: The sandbox failed: nothing is decided.
        """
        place, digest = self.place(stage, attempt), content_hash([code, tests])
        record = self.journal.find("verdict", place)
        if record is None or record["digest"] != digest:
            verdict = await self.shop.judge(code, tests)
            said = " ".join(part for part in (verdict.reason, verdict.error, verdict.detail) if part)
            said = _ADDRESS.sub("0x", " ".join(said.split()))
            record = self.journal.add(
                "verdict", place, digest=digest, status=verdict.status, detail=storable(said)[:300]
            )
        return Judged(record["status"], record["detail"])

    async def check(self, function: Callable[[Run], _Answer]) -> _Answer:
        """Let a check run programs inside the boundary; it works in a thread, and is deterministic."""
        if self._run is None:
            self._run = bounded_run(self.shop.sandbox, asyncio.get_running_loop())
        return await asyncio.to_thread(function, self._run)

    def note(self, stage: str, attempt: int, caught: str, detail: str) -> None:
        """Write down what became of a candidate."""
        place, detail = self.place(stage, attempt), storable(detail)
        self.events.append(Event(self.unit, stage, attempt, caught, detail))
        record = self.journal.find("stage", place)
        if record is None or (record["caught"], record["detail"]) != (caught, detail):
            self.journal.add("stage", place, caught=caught, detail=detail)
