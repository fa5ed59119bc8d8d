"""AutoEnv's environments as a task: ``autoenv/levels --data CHECKOUT``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from ...suite.agents.base import Observation
from ...suite.backends.base import GenerateRequest
from ...suite.backends.scripted import Policy, choose
from ...suite.errors import UsageError
from ...suite.model import ModelStopped
from ...suite.records import Metric, Outcome
from ...suite.seeds import derive
from ...suite.task import Arm, Episode, EpisodeResult, Item, Task, Tier
from ..actions import ACTION_STOP, UNUSABLE_IN_A_ROW, find_action
from .defects import WRONG_MAXIMUM, defects_of
from .folder import EnvFolder, find_environments
from .session import Session

__all__ = ["AutoenvLevels"]

SUCCESS = 0.999
"""Share of the listed maximum from which their runner counts a level as won."""

_FORMAT = (
    'Answer with one action in tags, as JSON: <action>{"action": "NAME", "params": {}}</action>. '
    "An action that cannot be read changes nothing and uses up a step."
)


class AutoenvLevels(Task):
    """The environments of AutoEnv's own release, out of a user's checkout, run as they are.

    Each episode has a process of its own with the environment's folder as its working directory and a new object; both
    global generators are seeded by item and sample. Rewards are added up here. What an agent sees is what the
    environment renders, with the last reward; the true state that its ``step`` returns is never shown.

    **Ratios** divide by the maximum that the release lists. For many environments that is known to be wrong: each item
    holds what is known (``defects``), and ``suspect`` counts such levels beside the ratio. They are others' items: no
    certificate stands behind them, and ratios are not to be averaged with normalised scores of ours.

    An action that makes the environment raise is unusable, pays nothing, and is counted in ``faults``; what it may have
    changed before it raised stays changed, which is why faults are shown.
    """

    name = "autoenv/levels"
    version = 1
    summary = (
        "AutoEnv's own environments, from a checkout of yours (--data), with their known defects beside the ratios."
    )
    tiers: ClassVar[Mapping[str, Tier]] = MappingProxyType(
        {
            "full": Tier(
                "full", items=1_000_000, max_turns=60, max_tokens=1024, summary="all test levels of the checkout"
            )
        }
    )
    references: ClassVar[tuple[str, ...]] = ("random",)
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            name="ratio", summary="reward over the listed maximum, not clipped: above 1 the listing is wrong", low=None,
            high=None, failure=0.0, primary=True,
        ),
        Metric(name="success", summary="share with a ratio of .999 or more", kind="binary", failure=0.0),
        Metric(name="reward", summary="what the episode earned", low=None, high=None, failure=0.0),
        Metric(name="steps", summary="steps until the end", direction="none", high=None, unit="steps"),
        Metric(name="unusable_rate", summary="share of actions that could not be used", direction="lower"),
        Metric(name="faults", summary="actions that made the environment raise", direction="none", high=None),
        Metric(name="suspect", summary="share of levels whose listed maximum is known to be wrong", direction="none"),
    )  # fmt: skip

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """There are none without a checkout.

        Raises:
            UsageError: Always.
        """
        raise UsageError("autoenv/levels plays others' environments: give a checkout of AutoEnv with --data PATH.")

    def read_items(self, path: Path, tier: Tier) -> Sequence[Item]:
        """A level of an environment each, in the order of their numbers."""
        found = [
            Item(
                f"{_number(folder)}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', folder.name)}-{level}",
                {
                    "environment": folder.name,
                    "number": folder.number,
                    "level": level,
                    "maximum": folder.maxima.get(level),
                    "steps": folder.steps,
                    "defects": list(defects_of(folder.number)),
                },
                # Outside the hash: where the checkout lies defines nothing.
                proof={"path": str(folder.path), "names": list(folder.names)},
            )
            for folder in find_environments(path)
            for level in folder.levels
        ]
        return sorted(found, key=lambda item: item.id)

    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Act until the environment says that it is over, or its cap on steps."""
        data = ctx.item.data
        (folder,) = find_environments(Path(ctx.item.proof["path"]))
        seed = derive("autoenv", data["environment"], data["level"], ctx.sample) % 2**32
        told = f"{folder.instruction}\n\nActions:\n{folder.actions}\n\n{_FORMAT}"
        total, steps, unusable, faults, streak = 0.0, 0, 0, 0, 0
        stopped: ModelStopped | None = None
        async with Session(folder) as session:
            text, said, done = await session.reset(data["level"], seed), "", False
            while not done and steps < data["steps"] and streak < UNUSABLE_IN_A_ROW:
                shown = f"Step {steps} of {data['steps']}.{said}\n{text}"
                try:
                    reply = await ctx.act(Observation(shown, told, stop=(ACTION_STOP,)))
                except ModelStopped as stop:
                    stopped = stop
                    break
                steps += 1
                written, _ = find_action(reply.text)
                action = _read_action(written)
                said = " Your last action could not be read: nothing changed."
                if action is not None:
                    after = await session.step(action)
                    reward = after.reward if after.reward is not None else 0.0
                    faults += bool(after.fault) or after.reward is None
                    if after.fault:
                        action, said = None, " Your last action could not be used."
                    else:
                        total, text, done = total + reward, after.text, after.done
                        said = f" Reward: {reward:.6g}. {after.result}".rstrip()
                unusable += action is None
                streak = streak + 1 if action is None else 0
                ended = done or steps == data["steps"] or streak == UNUSABLE_IN_A_ROW
                ctx.judge(written, usable=action is not None, after=text if ended else "")
        metrics = self._metrics(data, total, steps, unusable, faults)
        # Whoever lost before it failed keeps the loss: giving up must not pay.
        lost = None if metrics["ratio"] is None else min(0.0, metrics["ratio"])
        failed = {"ratio": lost, "success": None if lost is None else 0.0, "reward": min(0.0, total)}
        if stopped is not None:
            return EpisodeResult({**metrics, **failed}, stopped.outcome, stopped.reason)
        if steps and (streak == UNUSABLE_IN_A_ROW or unusable == steps):
            reason = "unusable_in_a_row" if streak == UNUSABLE_IN_A_ROW else "never_usable"
            return EpisodeResult({**metrics, **failed}, Outcome.INVALID, reason)
        return EpisodeResult(metrics)

    def _metrics(
        self, data: Mapping[str, Any], total: float, steps: int, unusable: int, faults: int
    ) -> dict[str, float | None]:
        ratio = total / data["maximum"] if data["maximum"] else None
        return {
            "ratio": ratio,
            "success": None if ratio is None else float(ratio >= SUCCESS),
            "reward": total,
            "steps": float(steps),
            "unusable_rate": unusable / steps if steps else None,
            "faults": float(faults),
            "suspect": float(data["number"] in WRONG_MAXIMUM),
        }

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """``random``: a name of the action space, without parameters: actions that need some are faults of its own."""
        if name != "random":
            return super().reference(name, item, arm)
        return _Random(item.proof["names"])


def _number(folder: EnvFolder) -> str:
    return "x" if folder.number is None else f"{folder.number:03d}"


def _read_action(text: str) -> dict[str, Any] | None:
    """An action in JSON as their environments take it; None where there is none."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        data = json.loads(text[begin : end + 1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("action"), str):
        return None
    params = data.get("params", {})
    return {"action": data["action"], "params": params} if isinstance(params, dict) else None


class _Random:
    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def reply(self, request: GenerateRequest) -> str:
        name = self.names[choose(len(self.names), request)] if self.names else ""
        return f"<action>{json.dumps({'action': name, 'params': {}})}</action>"
