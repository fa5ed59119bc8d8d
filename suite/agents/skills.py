"""A library of skills, written after solved episodes and looked up before the next."""

from __future__ import annotations

import re
from typing import ClassVar

from ..errors import UsageError
from ..model import Model
from ..records import Record
from .base import Observation
from .clipping import clip
from .experience import Experience
from .practice import SOLVED, borrowed
from .remembering import CAP, SIGHT, RememberingAgent, at_least
from .similarity import similarities
from .verdict import failed

__all__ = ["Library", "Skill", "SkillsAgent", "parse_skill"]

SAME = 0.85
"""Two skills whose descriptions have at least this cosine of TF-IDF vectors are one."""

_FORM = {"name": "its name", "when": "in what situation it helps", "how": "what to do, step by step, in one line"}
"""Small models repeat what a prompt says of the form; these are no skills."""

_EXAMPLE = "NAME: make toast\nWHEN: the toaster is unplugged\nHOW: plug the toaster in, then press its lever"

_NAME = 60
_WHEN = 200
_FIELD = re.compile(r"\W*(?:\d+[.)]\W*)?(name|when|how)\b\W*?:\W*(.*)", re.IGNORECASE)


class Skill(Record):
    """One way to do something.

    Args:
        name: What it is called.
        when: What it is for; it is looked up by this.
        how: What to do.
        shown: In how many episodes that it was learnt from it had been shown.
        solved: How many of these did not fail.
    """

    name: str
    when: str
    how: str
    shown: int = 0
    solved: int = 0


class Library(Record):
    """All skills, oldest first."""

    skills: tuple[Skill, ...] = ()


class SkillsAgent(RememberingAgent[Library]):
    """Writes a skill after every episode that went well, and shows those that fit the one that begins.

    Wang et al., "Voyager: An Open-Ended Embodied Agent with Large Language Models" (2023, arXiv:2305.16291): a growing
    library of skills that were verified by success, found by the similarity of their descriptions. Changed: a skill is
    a text that the model reads, not a program that the world runs; descriptions are compared by TF-IDF, not by learnt
    vectors; each skill counts how often it was shown and how often that went well; there is no curriculum, tasks come
    as the stream brings them.

    A skill of the same name, or of nearly the same description, takes the place of the old one and keeps its counters.
    Of more than ``most`` the one with the least share of good episodes goes, (good + 1) / (shown + 2), of equal ones
    the oldest. The ``examples`` skills whose descriptions are most like the first observation and the task are shown,
    however unlike they are, the best last; each has an equal share of the cap.

    Args:
        examples: How many are shown, from 1 on.
        most: How many are kept, from 1 on.
        form: ``text``. Skills as programs need the sandbox, and are not run there yet.
        cap: Characters of memory at most, at least 200.
        sight: Characters of an episode that are shown when it is learnt from, at least 200.
        window: How many past turns of the present episode are shown; None shows all.

    Raises:
        UsageError: ``form`` is another.
    """

    name: ClassVar[str] = "skills"
    heading: ClassVar[str] = "Skills that worked in earlier episodes:"

    def __init__(
        self,
        examples: int = 3,
        most: int = 20,
        form: str = "text",
        cap: int = CAP,
        sight: int = SIGHT,
        window: int | None = None,
    ) -> None:
        super().__init__(Library(), cap=cap, sight=sight, window=window)
        if form == "code":
            raise UsageError(
                "agent skills: form=code needs the sandbox, and skills are not run there yet: code that a model wrote "
                "runs nowhere else. Use form=text."
            )
        if form != "text":
            raise UsageError(f"agent skills: form must be text, not {form!r}.")
        self.examples = at_least(self.name, "examples", examples, 1)
        self.most = at_least(self.name, "most", most, 1)
        self.share = at_least(self.name, "cap for each of its examples", self.cap // self.examples, 120)
        self._used: tuple[str, ...] = ()

    def begin(self) -> None:
        """Forget the last episode and which skills were shown in it."""
        super().begin()
        self._used = ()

    def memory(self, observation: Observation) -> str:
        """The skills most like what begins."""
        skills = self.state.skills
        if not skills:
            return ""
        query = f"{clip(observation.text, _WHEN)}\n{clip(observation.instructions, _WHEN)}"
        near = similarities([query, *(f"{s.name} {s.when}" for s in skills)], shared=False)[0]
        best = sorted(range(len(skills)), key=lambda i: (near[i + 1], i))[-self.examples :]
        self._used = tuple(skills[i].name for i in best)
        return "\n\n".join(_shown(skills[i]) for i in best)

    async def learn(self, experience: Experience, model: Model) -> str:
        """Count the skills that were shown; after an episode that went well, write one: one call."""
        bad = failed(experience)
        skills = tuple(
            s.model_copy(update={"shown": s.shown + 1, "solved": s.solved + (not bad)}) if s.name in self._used else s
            for s in self.state.skills
        )
        done = [f"counted {len(self._used)} skills that were shown"] if skills != self.state.skills else []
        if not bad:
            practice = (_question(self.scene(SOLVED)), _EXAMPLE)
            answer = await self.ask(model, _question(self.scene(experience)), practice=practice)
            new = parse_skill(answer, self.share - 2)
            if new is not None and not borrowed(_shown(new), experience):
                skills, words = self._with(skills, new)
                done += words
        return self.become(Library(skills=skills), "; ".join(done))

    def _with(self, skills: tuple[Skill, ...], new: Skill) -> tuple[tuple[Skill, ...], list[str]]:
        """The library with a skill more, or with one in the place of an old one."""
        old = next((s for s in skills if s.name.lower() == new.name.lower()), None)
        if old is None and skills:
            near = similarities([new.when, *(s.when for s in skills)])[0, 1:].tolist()
            best = max(range(len(skills)), key=lambda i: (near[i], -i))
            old = skills[best] if near[best] >= SAME else None
        if old is not None:
            new = new.model_copy(update={"shown": old.shown, "solved": old.solved})
            words = [] if new == old else [f"rewrote the skill {old.name!r} as {new.name!r}"]
            return tuple(new if s is old else s for s in skills), words
        left, words = [*skills, new], [f"wrote the skill {new.name!r}: {new.how}"]
        while len(left) > self.most:
            worst = min(left[:-1] or left, key=lambda s: (s.solved + 1) / (s.shown + 2))
            left.remove(worst)
            words.append(f"dropped the skill {worst.name!r}")
        return tuple(left), words


def _question(scene: str) -> str:
    return (
        f"You played an episode of a task, and it went well.\n\n{scene}\n\n"
        "Write down what you did as a skill that you can use in other episodes, in three lines:\n"
        f"NAME: {_FORM['name']}\nWHEN: {_FORM['when']}\nHOW: {_FORM['how']}"
    )


def _shown(skill: Skill) -> str:
    return f"{skill.name}\nWhen: {skill.when}\nHow: {skill.how}"


def parse_skill(answer: str, room: int) -> Skill | None:
    """Read a skill from a model's answer; never raises.

    Lines ``NAME:``, ``WHEN:`` and ``HOW:`` are looked for, in any order, the first of each; lines that follow ``HOW:``
    belong to it, up to an empty one. Without a name or a when its words stand for them; an answer without any field is
    all how.

    Args:
        answer: Anything. What is beyond 20,000 characters is not read.
        room: Characters that the skill may have as it is shown, at least 100.

    Returns:
        None where it says nothing to do.
    """
    found: dict[str, list[str]] = {}
    field = ""
    for line in answer[:20_000].splitlines():
        match = _FIELD.match(line[:2000])
        if match is not None and match[1].lower() not in found:
            field = match[1].lower()
            found[field] = [match[2]]
        elif match is None and field == "how":
            if not line.strip() and any(part.strip() for part in found[field]):
                break
            found[field].append(line)
        elif match is None and not field:
            found.setdefault("", []).append(line)
    plain = {key: " ".join(" ".join(lines).split()).strip("*_` ") for key, lines in found.items()}
    plain = {key: "" if text == _FORM.get(key) else text for key, text in plain.items()}
    how = plain.get("how") or (plain.get("", "") if len(plain) == 1 else "")
    if not how:
        return None
    name = clip(plain.get("name") or how, min(_NAME, room // 4)).rstrip(".")
    when = clip(plain.get("when") or how, min(_WHEN, room // 3))
    how = clip(how, room - len(name) - len(when) - len("\nWhen: \nHow: "))
    return Skill(name=name, when=when, how=how) if name and when and how else None
