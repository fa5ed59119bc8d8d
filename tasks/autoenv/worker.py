"""The process that one of AutoEnv's environments runs in: its folder is the working directory, both generators seeded.

    python -P -m finchmark.tasks.autoenv.worker PARENT ROOT        (in the environment's folder)

A request a line on standard input, an answer a line on what was standard output; what the environment prints goes to
standard error. Of what its ``step`` returns only reward, end and rendered text are handed on: never the true state.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
import os
import random  # noqa: TID251  # the environments draw from this global generator: it is seeded for them
import sys
from pathlib import Path
from typing import IO, Any

__all__ = ["main"]

_LONGEST = 20_000


def _environment() -> type[Any]:
    """The environment's class: one that ``env_main`` itself defines and that can be reset, stepped and drawn."""
    module = importlib.import_module("env_main")
    found = [
        cls
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__
        and all(callable(getattr(cls, name, None)) for name in ("reset", "step", "render_skin", "observe_semantic"))
        and not inspect.isabstract(cls)
    ]
    if not found:
        raise LookupError(
            "env_main.py defines no environment (a class with reset, step, observe_semantic, render_skin)"
        )
    # Of several the one that no other derives from.
    return next(cls for cls in found if not any(other is not cls and issubclass(other, cls) for other in found))


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " […]"


class _Desk:
    """Plays one environment, request by request."""

    def __init__(self) -> None:
        self.made = _environment()
        self.env: Any = None

    def reset(self, request: dict[str, Any]) -> dict[str, Any]:
        """Begin an episode with a new object, so that nothing is left of the last one."""
        random.seed(request["seed"])
        try:
            import numpy as np

            np.random.seed(request["seed"])  # noqa: NPY002, TID251  # theirs, like the one above
        except ImportError:
            pass
        self.env = self.made(request["level"])
        self.env.reset(mode="load", world_id=request["level"])
        return {"text": _shown(self.env.render_skin(self.env.observe_semantic()))}

    def step(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take a step; what it raises is answered, not raised."""
        try:
            _, reward, done, info = self.env.step(request["action"])
            info = info if isinstance(info, dict) else {}
            text = info["skinned"] if "skinned" in info else self.env.render_skin(self.env.observe_semantic())
        except Exception as error:  # noqa: BLE001  # whatever others' code raises at an action
            return {"fault": f"{type(error).__name__}: {error}"[:300]}
        good = isinstance(reward, (int, float)) and math.isfinite(reward)
        told = info.get("last_action_result")
        return {
            "text": _shown(text),
            "reward": float(reward) if good else None,
            "done": bool(done),
            "result": "" if told is None else _shown(told)[:500],
        }


def _serve(answers: IO[str]) -> None:
    try:
        desk = _Desk()
    except Exception as error:  # noqa: BLE001  # the environment cannot even be imported: said, not raised
        answers.write(json.dumps({"dead": f"{type(error).__name__}: {error}"[:500]}) + "\n")
        answers.flush()
        return
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = desk.reset(request) if request["op"] == "reset" else desk.step(request)
        except Exception as error:  # noqa: BLE001  # a reset that fails
            answer = {"dead": f"{type(error).__name__}: {error}"[:500]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main(parent: int, root: str) -> None:
    """Serve one environment until standard input ends."""
    from ...suite.backends.worker import die_with

    die_with(parent)
    # Prints of the environment must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path[:0] = [str(Path.cwd()), root]
    _serve(answers)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
