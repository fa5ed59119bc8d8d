"""The harness's side: one environment of a checkout in a process, with a clock on every answer."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import deque
from dataclasses import dataclass
from typing import Any, Self

from ...suite.errors import FinchmarkError
from .folder import EnvFolder

__all__ = ["Session", "Stepped", "WorldDied"]


class WorldDied(FinchmarkError):
    """The environment's process ended, could not begin, or did not answer in time. The sample becomes an ``error``."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step's outcome.

    Attributes:
        text: What the player sees; empty after a fault.
        reward: As the environment's step returned it; None where it was no finite number.
        done: Whether it says that the episode is over.
        result: What it says of the action.
        fault: What the action made it raise; empty where nothing.
    """

    text: str
    reward: float | None
    done: bool
    result: str
    fault: str


class Session:
    """An environment's process; use it as ``async with``.

    Args:
        folder: The environment.
        time_limit: Seconds that an answer may take.
    """

    def __init__(self, folder: EnvFolder, time_limit: float = 60.0) -> None:
        self.folder, self.time_limit = folder, time_limit
        self._process: asyncio.subprocess.Process | None = None
        self._said: deque[bytes] = deque(maxlen=20)
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "finchmark.tasks.autoenv.worker", str(os.getpid()), str(self.folder.root),
            cwd=self.folder.path, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, limit=1 << 22, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        self._reading = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *exc: object) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        if self._reading is not None:
            await self._reading

    async def _listen(self) -> None:
        """Keep the last lines that it prints, so that the pipe never fills."""
        assert self._process is not None
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(4096):
            self._said.append(chunk)

    async def _ask(self, **request: Any) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), self.time_limit)
        except TimeoutError:
            raise WorldDied(f"{self.folder.name} did not answer within {self.time_limit:g} seconds.") from None
        except (BrokenPipeError, ConnectionResetError, ValueError):
            line = b""
        if not line:
            last = b"".join(self._said).decode(errors="replace").strip().splitlines()
            raise WorldDied(f"The process of {self.folder.name} ended: {last[-1][:300] if last else 'without a word'}.")
        answer = json.loads(line)
        if "dead" in answer:
            raise WorldDied(f"{self.folder.name} cannot be played: {answer['dead']}")
        return answer

    async def reset(self, level: str, seed: int) -> str:
        """Begin an episode and see what the player sees.

        Args:
            level: Its name.
            seed: For both global generators, in [0, 2**32).

        Raises:
            WorldDied: It cannot.
        """
        return (await self._ask(op="reset", level=level, seed=seed))["text"]

    async def step(self, action: dict[str, Any]) -> Stepped:
        """Take a step.

        Raises:
            WorldDied: The process ended or did not answer in time.
        """
        answer = await self._ask(op="step", action=action)
        if "fault" in answer:
            return Stepped("", 0.0, False, "", answer["fault"])
        return Stepped(answer["text"], answer["reward"], answer["done"], answer["result"], "")
