"""lm-eval's tasks, asked of Finchmark's backends: ``lm_eval/NAME``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar

from ...suite.agents.base import Observation
from ...suite.backends.scripted import Policy
from ...suite.errors import UsageError
from ...suite.records import Level, Outcome, TaskSheet
from ...suite.seeds import generator
from ...suite.task import Arm, Episode, EpisodeResult, Estimate, Item, Task, Tier
from .lookup import FAMILY
from .policies import Chooser, Speaker
from .prompt import Asked
from .source import Reply, Source, chosen, plain, source_of, trimmed

__all__ = ["LMEvalTask", "make_task"]

_SIZES = {"smoke": 8, "lite": 100, "gate": 300}
_ARM = re.compile(r"default|text|(\d{1,3})-shot(-text)?")


class LMEvalTask(Task):
    """Base of what :func:`make_task` makes: documents, prompts, filters and metrics are lm-eval's.

    Items are the documents of the test split, or of the validation split where there is none. Smaller tiers are a fixed
    draw from them, each contained in the next, because many data sets are sorted by subject or answer; ``full`` is all.

    **Arms.** ``default`` asks as the task's authors set it, examples as turns of a chat, as lm-eval with
    ``--apply_chat_template``. ``text`` puts all into one text, as lm-eval without; let the backend add nothing to it
    (``lm_eval:…,chat_format=text``, or ``hf:`` with a chat template of the messages' contents alone). ``N-shot`` and
    ``N-shot-text`` show N examples. They are those that lm-eval shows with its seed 1234. Where a task opens the
    model's reply (``gen_prefix``), ``default`` is ``text``. A description goes before the first message.

    **Sampling** is that of the run, not of the task; lm-eval's own numbers are greedy (``--temperature 0``). The stop
    strings and the cap on a reply are the task's. A reply cut off at its cap is scored, as lm-eval does.

    **Likelihoods.** Multiple choice needs a backend with log-probabilities; they are of the model itself, whatever the
    agent. The scripted references name a choice instead. lm-eval, and so the backend ``lm_eval:``, counts white space
    at the end of a prompt to the answer; with a chat template that is its last line feed. The backend ``hf:`` does not:
    ``acc`` is the same, ``acc_norm`` in a chat is not.

    **Version**: 413010 is version 1.0 of the task in lm-eval 0.4.13.

    It shows how a model answers questions that have been public for long: it may have seen them, answers included.
    """

    source: ClassVar[Source]

    def _ids(self, tier: Tier) -> list[int]:
        count = len(self.source.docs)
        if tier.items >= count:
            return list(range(count))
        order = generator("lm-eval-items", self.source.name, count).permutation(count)
        return sorted(int(i) for i in order[: tier.items])

    def items(self, tier: Tier, seed: int) -> Sequence[Item]:
        """The documents, each with its prompt.

        Raises:
            UsageError: Other items than the public ones were asked for, or a document cannot be asked.
        """
        if seed:
            raise UsageError(f"The task {self.name} has the items of its data set only; there are no others to draw.")
        source, arm = self.source, self.arms[0]
        ids = self._ids(tier)
        shots, whole = _setting(source, arm)
        source.contexts(ids, shots, whole=whole)
        width = len(str(len(source.docs) - 1))
        return [self._item(number, f"{number:0{width}}", arm) for number in ids]

    def _item(self, number: int, name: str, arm: Arm) -> Item:
        source = self.source
        shots, whole = _setting(source, arm)
        asked = source.asked(number, shots, whole=whole)
        data = {
            "document": number,
            "doc": plain(source.docs[number]),
            "target": source.target(number),
            "requests": [one.plain() for one in asked],
        }
        gold = source.gold(number, len(asked)) if source.output_type == "multiple_choice" else []
        levels: dict[str, Level] = {}
        if gold and len(asked) > 1:
            level = Level(chance=len(gold) / len(asked), ceiling=1.0, exact=True)
            levels = {metric.name: level for metric in self.metrics if metric.kind == "binary"}
        return Item(name, data, proof={"gold": gold}, levels=levels)

    @classmethod
    def arm(cls, name: str) -> Arm:
        """The arm of a name; besides ``default`` there are ``text``, ``N-shot`` and ``N-shot-text``.

        Raises:
            UsageError: It is none of these.
        """
        match = _ARM.fullmatch(name)
        if match is None:
            raise UsageError(
                f"The task {cls.name} has no arm {name!r}; it has 'default', 'text', and 'N-shot' and 'N-shot-text' "
                "for any number N."
            )
        source = cls.source
        shots = source.shots if match[1] is None else int(match[1])
        whole = source.whole or name.endswith("text")
        way = "as one text" if whole else "as a chat"
        whose = "as its authors set it" if match[1] is None else "instead of its authors' number"
        return Arm(name, f"{shots} examples, {whose}; {way}", MappingProxyType({"shots": shots, "whole": whole}))

    def sheet(self, levels: dict[str, dict[str, Level]]) -> TaskSheet:
        """What a manifest says about the task, arms made on demand included."""
        made = super().sheet(levels)
        return made.model_copy(update={"arms": {name: self.arm(name).summary for name in levels}})

    def estimate(self, item: Item, arm: Arm, tier: Tier) -> Estimate:
        """Bound the calls by the item's requests, prompts by one token for two characters."""
        requests = item.data["requests"]
        texts = sum(
            len(r["system"]) + len(r["text"]) + sum(len(q) + len(a) for q, a in r["examples"]) for r in requests
        )
        calls = len(requests) * self.source.repeats
        return Estimate(calls, texts // 2 * self.source.repeats + 20 * calls, calls * tier.max_tokens)

    async def episode(self, ctx: Episode) -> EpisodeResult:
        """Ask all that a document asks, and let lm-eval score it."""
        source, number = self.source, int(ctx.item.data["document"])
        shots, whole = _setting(source, ctx.arm)
        source.contexts(self._ids(ctx.tier), shots, whole=whole)
        asked = source.asked(number, shots, whole=whole)
        if asked[0].kind == "generate":
            replies: list[list[Reply]] = [await self._say(ctx, one, alone=len(asked) == 1) for one in asked]
        elif ctx.model().capabilities.scripted:
            picked = await self._pick(ctx, asked)
            if picked is None:
                return EpisodeResult(self.failure(), Outcome.INVALID, "no_choice")
            replies = [[reply] * source.repeats for reply in picked]
        else:
            scores = await ctx.model().score_all([(one.messages, one.continuation) for one in asked])
            ctx.record(_shown(asked))
            replies = [[(score.total, all(score.greedy))] * source.repeats for score in scores]
        return EpisodeResult(source.score(number, shots, replies, whole=whole))

    async def _say(self, ctx: Episode, one: Asked, *, alone: bool) -> list[Reply]:
        """Let the agent answer, as often as the task wants; answers to one question do not see each other."""
        replies: list[Reply] = []
        for _ in range(self.source.repeats):
            action = await ctx.act(one.observation, remember=alone and self.source.repeats == 1)
            reply = trimmed(action.text, one.stop)
            ctx.judge(reply)
            replies.append(reply)
        return replies

    async def _pick(self, ctx: Episode, asked: Sequence[Asked]) -> list[Reply] | None:
        """Let a policy name a choice by its number; with one continuation, 0 says that it is not what comes next."""
        action = await ctx.act(asked[0].observation)
        text = action.text.strip()
        choices = max(2, len(asked))
        usable = text.isdecimal() and len(text) < 6 and int(text) < choices
        ctx.judge(text, usable=usable)
        if not usable:
            return None
        return chosen(int(text), len(asked)) if len(asked) > 1 else chosen(1 - int(text), 1)

    def reference(self, name: str, item: Item, arm: Arm) -> Policy:
        """``oracle`` gives the target; ``random`` picks a choice uniformly.

        Raises:
            UsageError: There is no such reference.
        """
        if name not in self.references:
            raise UsageError(f"The task {self.name} has no reference {name!r}; it has {', '.join(self.references)}.")
        choices = len(item.data["requests"])
        if name == "random":
            return Chooser(range(choices))
        if self.source.output_type == "multiple_choice":
            return Chooser(item.proof["gold"] or range(choices))
        if self.source.output_type == "loglikelihood":
            return Chooser([1])
        return Speaker(self._answer(item))

    def _answer(self, item: Item) -> str:
        target = item.data["target"]
        number = int(item.data["document"])
        if self.source.config.doc_to_choice is not None and isinstance(target, int):
            return str(self.source.task.doc_to_choice(self.source.docs[number])[target])
        return str(target[0]) if isinstance(target, list) and target else str(target)


def make_task(name: str) -> type[LMEvalTask]:
    """Make the class of one of lm-eval's tasks.

    Args:
        name: ``lm_eval/NAME``.

    Raises:
        UnknownName: lm-eval has no such task.
        UsageError: Its data cannot be had, or it cannot be run here.
        BackendUnavailable: lm-eval is not installed.
    """
    source = source_of(name.partition("/")[2])
    count = len(source.docs)
    sizes = {tier: min(size, count) for tier, size in _SIZES.items()}
    tiers: Mapping[str, Tier] = {
        **{tier: Tier(tier, size, 1, source.cap, "a fixed draw of its documents") for tier, size in sizes.items()},
        "full": Tier("full", count, 1, source.cap, "all documents"),
    }
    left_out = f" Left out, because they are no mean over documents: {', '.join(source.left_out)}."
    chooses = source.output_type == "multiple_choice"
    made = type(
        "LMEval_" + re.sub(r"\W", "_", source.name),
        (LMEvalTask,),
        {
            "__doc__": f"lm-eval's task {source.name}, version {source.version}, by its own prompts and metrics."
            + (left_out if source.left_out else "")
            + "\n\n"
            + (LMEvalTask.__doc__ or "").partition("\n\n")[2],
            "__module__": __name__,
            "name": f"{FAMILY}/{source.name}",
            "version": _version(source.version),
            "summary": f"lm-eval's {source.name}: {count:,} documents, {source.output_type.replace('_', ' ')}.",
            "source": source,
            "tiers": MappingProxyType(tiers),
            "metrics": source.metrics,
            "references": ("random", "oracle") if chooses else ("oracle",),
        },
    )
    made.arms = (made.arm("default"),)
    return made


def _version(told: str) -> int:
    """One number of lm-eval's version and the task's: 413010 for 0.4.13 and 1.0; later ones are larger."""
    from importlib.metadata import version

    parts = [int(p) for p in re.findall(r"\d+", version("lm_eval"))[:3]] + [0, 0, 0]
    own = re.fullmatch(r"(\d+)(?:\.(\d))?\d*", told)
    task = 0 if own is None else min(999, 10 * int(own[1]) + int(own[2] or 0))
    return (parts[0] * 10_000 + parts[1] * 100 + parts[2]) * 1000 + task


def _setting(source: Source, arm: Arm) -> tuple[int, bool]:
    return int(arm.options.get("shots", source.shots)), bool(arm.options.get("whole", source.whole))


def _shown(asked: Sequence[Asked]) -> Observation:
    """What a transcript shows of a document's requests: choices of one question share its text."""
    first = asked[0].observation
    return replace(first, text="\n\n".join(dict.fromkeys(one.text for one in asked)))
