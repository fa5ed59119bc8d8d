"""What a gate demands: margins, level, and what follows from "cannot tell"."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from .errors import UsageError
from .records import MAX_LOST, Record

__all__ = ["Policy", "Rule", "make_policy", "read_policy"]


class Rule(Record):
    """A demand on some tasks. Of several rules that fit, the last one counts.

    Args:
        task: Task name, or a pattern with ``*``; a family's name stands for all of its tasks.
        arm: Only this arm; None: all.
        metric: Only this metric; None: the one that decides.
        margin: Loss that is accepted, as a share of a bounded metric's range (of an open one: of the way from chance to
            ceiling), in (0, 1).
        gate: If false, these tasks are left out.
    """

    task: str = "*"
    arm: str | None = None
    metric: str | None = None
    margin: float | None = Field(default=None, gt=0, lt=1)
    gate: bool = True

    def fits(self, task: str, arm: str) -> bool:
        """Whether the rule is about a task in an arm."""
        named = fnmatchcase(task, self.task) or task.startswith(f"{self.task}/")
        return named and self.arm in (None, arm)


class Policy(Record):
    """A gate's policy.

    Args:
        margin: Loss that is accepted where no rule says otherwise.
        alpha: One-sided level of either verdict, in (0, 0.5).
        mode: ``fixed``: one look at all units. ``sequential``: a look after every unit, in the order that follows from
            the candidate's seed.
        inconclusive: Whether "cannot tell" lets a change through (``pass``) or stops it (``fail``).
        max_errors: Share of a side's samples that may be lost; beyond it the gate does not decide.
        lifetime_alpha: Level of all gates from one anchor on together; None: each stands for itself.
        rules: Demands on some tasks, later ones first.
    """

    margin: float = Field(default=0.05, gt=0, lt=1)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    mode: Literal["fixed", "sequential"] = "fixed"
    inconclusive: Literal["pass", "fail"] = "fail"
    max_errors: float = Field(default=MAX_LOST, ge=0, lt=1)
    lifetime_alpha: float | None = Field(default=None, gt=0, lt=0.5)
    rules: tuple[Rule, ...] = ()

    def demands(self, task: str, arm: str, primary: str) -> dict[str, float]:
        """The metrics that a task is gated on in an arm, with the share that may be lost.

        Args:
            task: Its name.
            arm: The arm.
            primary: The task's deciding metric.
        """
        wanted: dict[str, float] = {primary: self.margin}
        for rule in self.rules:
            if not rule.fits(task, arm):
                continue
            if not rule.gate:
                if rule.metric is None:
                    wanted.clear()
                else:
                    wanted.pop(rule.metric, None)
                continue
            name = rule.metric or primary
            wanted[name] = rule.margin if rule.margin is not None else wanted.get(name, self.margin)
        return wanted


def make_policy(data: dict[str, Any], source: str) -> Policy:
    """Make a policy of plain data; ``rule`` is taken for ``rules``, as TOML's ``[[rule]]`` writes it.

    Args:
        data: The fields of :class:`Policy`.
        source: Where they stand, for messages.

    Raises:
        UsageError: A field is unknown or out of its range.
    """
    fields = dict(data)
    if "rule" in fields:
        fields["rules"] = [*fields.get("rules", ()), *fields.pop("rule")]
    try:
        return Policy(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join((Rule if where.startswith("rules.") else Policy).model_fields)
        raise UsageError(f"{source}: {where}: {first['msg']} (got {first['input']!r}). There are: {known}.") from None
    except TypeError as error:
        raise UsageError(f"{source}: {error}.") from None


def read_policy(path: Path) -> Policy:
    """Read a policy from a TOML file.

    Raises:
        UsageError: There is no such file, it is no TOML, or a field is wrong.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: the policy cannot be read ({error.strerror or error}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: this is not TOML: {error}.") from error
    return make_policy(data, str(path))
