"""Sealed tasks: what was asked and answered is stored as hashes, and only what was found of it in words."""

from __future__ import annotations

from hashlib import blake2b

from .records import Call, Likelihood, Sample, Turn
from .task import Task

__all__ = ["SEALED", "SealedTask", "sealed_sample"]

SEALED = "sealed:"
"""What stored texts of sealed tasks begin with; 16 hexadecimal digits of their BLAKE2b hash follow."""


class SealedTask(Task):
    """A task whose prompts and replies never reach a store, a cache, a report or an export.

    Of each text its hash is kept, so that equal ones can be told, and of each turn the action that the task found in
    the reply, as long as it is one of ``labels``. A response cache cannot be used.
    """

    labels: tuple[str, ...] = ()


def sealed_sample(sample: Sample, labels: tuple[str, ...]) -> Sample:
    """Take all that was asked and answered out of a sample.

    Args:
        sample: As it was played.
        labels: Actions that may be kept.
    """
    turns = tuple(_turn(turn, labels) for turn in sample.turns)
    # What raised may have quoted what it could not read.
    error = f"{sample.reason}: {SEALED}{_hash(sample.error)}" if sample.error else ""
    return sample.model_copy(update={"turns": turns, "texts": {}, "error": error})


def _turn(turn: Turn, labels: tuple[str, ...]) -> Turn:
    return turn.model_copy(
        update={
            "observation": _sealed(turn.observation),
            "instructions": "",
            "calls": tuple(_call(call) for call in turn.calls),
            "action": turn.action if turn.action is None or turn.action in labels else _sealed(turn.action),
            "after": _sealed(turn.after),
            "likelihoods": tuple(_likelihood(one) for one in turn.likelihoods),
        }
    )


def _call(call: Call) -> Call:
    return call.model_copy(update={"completion": _sealed(call.completion), "reasoning": _sealed(call.reasoning)})


def _likelihood(one: Likelihood) -> Likelihood:
    return one.model_copy(update={"continuation": _sealed(one.continuation)})


def _sealed(text: str) -> str:
    return SEALED + _hash(text) if text else ""


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
