"""What a language model is asked when it optimises: first what the episodes tell, then a better component."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from ....suite.agents.code_blocks import find_code
from ....suite.canonical import content_hash
from ....suite.sandbox.functions import language
from .code_agent import MOST_ASKS, NAME, PARAMETERS, STOCK

if TYPE_CHECKING:
    from .optimiser import Case

__all__ = ["SIGNALS", "Signal", "edit_prompt", "find_advice", "find_edit", "guide_hash", "signal_prompt"]

Signal = Literal["dynamics", "instruction"]

_INTRODUCTION = """\
An agent plays episodes in a small world whose rules nobody has told it. It is given the instructions below, the \
advice below, and what it sees each turn. A score of 0 is what random play earns, 1 is a very good player. Your work \
is to find better advice for its next episodes, which are on other levels of the same world."""

_CODE_INTRODUCTION = """\
An agent plays episodes in a small world whose rules nobody has told it. The agent is the Python program below: at \
each turn it is called with what there is to see, and says what to do or asks a language model first. A score of 0 is \
what random play earns, 1 is a very good player. Your work is to write a better program for its next episodes, which \
are on other levels of the same world."""

_DYNAMICS = """\
Work out how this world works, from the episodes alone. Write a short report under these heads:
1. State: what can change, and what it was seen to be.
2. Actions: for each action what must hold before it, and what it then does. Name the episode and step that show it.
3. Pay: what earned reward and what cost some, with the amounts.
4. Losses: how episodes went wrong or ended too early.
5. Plans: which courses of action the above makes good.
6. Doubts: what is still unknown, which trial would settle it, and how sure you are of each point (0 to 1).
Say nothing that the episodes do not show, and nothing that holds for one level only."""

_INSTRUCTION = """\
Find out what is wrong with how the agent behaves, from the episodes alone. Write a short report under these heads:
1. Habits that lose: what it does again and again that earns nothing, with the episode and step.
2. Principles that would mend them.
3. Rules of the form "when … is seen, do …", most valuable first.
4. Guardrails: what it must never do, and what to do instead.
5. One example of a few turns, as it should be played.
6. Check: what would show, in the next episodes, that this helps; and how sure you are of each point (0 to 1).
Say nothing that the episodes do not show, and nothing that holds for one level only."""

_EDIT = """\
Now write the advice anew. Keep what the report supports, drop what it contradicts, add what it teaches. The agent \
sees nothing but its instructions, your advice and the present turns: write to it directly, plainly, the most useful \
first, and in the words that its instructions use. At most {words} words, between <advice> and </advice>, and nothing \
else."""

_CODE_EDIT = """\
Now write the program anew. Keep what the report supports, drop what it contradicts, add what it teaches. {language}
- observation: the text of the turn. instructions: the text that holds for the episode. memory: a dict, empty at the \
first turn, that keeps what you put into it (plain data) until the episode ends.
- reply is None when a turn begins. Return {{"action": text}} with the action as the instructions write it, or \
{{"ask": text}} to send a prompt to the model: you are called again with its answer as reply, at most {asks} times a \
turn. The model sees nothing but that prompt.
- An exception or no action loses the turn.
At most {characters} characters. Answer with one ```python block and nothing else."""

SIGNALS: Mapping[Signal, str] = MappingProxyType({"dynamics": _DYNAMICS, "instruction": _INSTRUCTION})

_ADVICE = re.compile(r"<advice>(.*?)</advice>", re.IGNORECASE | re.DOTALL)


def guide_hash() -> str:
    """Hash of all texts of this page: experiments with other texts are other experiments."""
    code = [_CODE_INTRODUCTION, _CODE_EDIT, STOCK, language(NAME, PARAMETERS)]
    return content_hash([_INTRODUCTION, *SIGNALS.values(), _EDIT, *code], digits=16)


def signal_prompt(signal: Signal, case: Case) -> str:
    """Ask for the report on some episodes."""
    episodes = "\n\n".join(
        f"## Episode {number}\n{text}" for number, text in enumerate(case.episodes(), 1)
    )  # each on a level of its own
    if case.component == "agent":
        introduction = _CODE_INTRODUCTION
        present = f"# Present program\n```python\n{case.current or STOCK}```"
    else:
        introduction, present = _INTRODUCTION, f"# Present advice\n{case.current or '(none yet)'}"
    return (
        f"{introduction}\n\n# Instructions of the world\n{case.told}\n\n{present}\n\n"
        f"# Episodes played with it (mean score {case.evaluation.score:.3f})\n{episodes}\n\n"
        f"# Your work\n{SIGNALS[signal]}"
    )


def edit_prompt(case: Case) -> str:
    """Ask for the component's new text, after the report."""
    if case.component == "agent":
        rules = language(NAME, PARAMETERS)
        return _CODE_EDIT.format(language=rules, asks=MOST_ASKS, characters=case.most_characters)
    return _EDIT.format(words=case.most_characters // 6)


def find_edit(case: Case, reply: str) -> str | None:
    """The component's new text in a reply; None where there is none."""
    return find_code(reply, NAME)[0] or None if case.component == "agent" else find_advice(reply)


def find_advice(reply: str) -> str | None:
    """The last advice in a reply; None where there is none, or its end is cut off."""
    found = _ADVICE.findall(reply)
    return found[-1].strip() if found else None
