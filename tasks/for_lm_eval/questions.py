"""Questions on how a world works, without an episode: what lm-eval's task files in this folder call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...suite.registry import TASKS
from ...suite.seeds import generator
from ..odyssey.family import OdysseyTask
from ..odyssey.prediction import question_text, read_answer, say_answer

__all__ = ["documents", "load", "rule_scores"]

_TIER = "gate"


def documents(world: str, *, rules: bool, worlds: int = 150, each: int = 2) -> list[dict[str, Any]]:
    """Make questions about generated worlds, the same at every call.

    They are those that the control seat of ``odyssey/…`` gets: half of the answers are yes, and of each world's pair
    both are about the same action where there is one with both answers.

    Args:
        world: ``lights``, ``energy``, ``trade`` or ``repo``.
        rules: Whether the prompt gives the world's rules in full.
        worlds: How many worlds of the tier ``gate``.
        each: Questions about each, an even number.

    Returns:
        A list of ``worlds * each`` documents, or fewer where a world has not so many; each has ``prompt``, ``answer``
        (``<action>yes</action>`` or no) and ``world``.
    """
    task: OdysseyTask = TASKS.load(f"odyssey/{world}")()
    tier = replace(task.tiers[_TIER], items=worlds)
    arm = task.arm("with-rules" if rules else "inductive")
    made = []
    for item in task.items(tier, 0)[:worlds]:
        practice = [f"{asked}\n> {answer}" for asked, answer in task.practice(item)]
        opening = [task.instructions(item, arm, tier), *practice]
        rng = generator("for-lm-eval", task.name, task.version, item.hash)
        for question in task.questions(item, rng, (), each):
            made.append(
                {
                    "prompt": "\n\n".join([*opening, question_text(question)]),
                    "answer": say_answer(question.answer),
                    "world": item.id,
                }
            )
    return made


def load(world: str, rules: bool, worlds: int = 150, each: int = 2, canary: str = "", **_: Any) -> dict[str, Any]:
    """Make the data set that lm-eval asks for with ``custom_dataset``.

    Args:
        world: See :func:`documents`.
        rules: Likewise.
        worlds: Likewise.
        each: Likewise.
        canary: Stands in every document, never in a prompt.
        **_: Whatever else lm-eval hands on: a task's metadata and the model's arguments.

    Returns:
        ``{"test": datasets.Dataset}``.
    """
    import datasets

    made = documents(world, rules=rules, worlds=worlds, each=each)
    return {"test": datasets.Dataset.from_list([{**doc, "canary": canary} for doc in made])}


def rule_scores(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Score a reply as the control seat's is: ``process_results`` of lm-eval.

    Args:
        doc: A document of :func:`documents`.
        results: One reply, without the stop string that ended it.

    Returns:
        ``rule_accuracy``: 1 where it is right. ``rule_unanswered``: 1 where it is neither yes nor no.
    """
    said = read_answer(results[0])
    right = said is not None and say_answer(said) == doc["answer"]
    return {"rule_accuracy": float(right), "rule_unanswered": float(said is None)}
