"""A library of skills, written after solved episodes and looked up before the next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..errors import UsageError
from ..model import Model
from ..records import Record
from ..sandbox.shared import need_sandbox
from . import skill_code
from .base import Action, Observation
from .clipping import clip
from .code_blocks import find_code
from .experience import Experience
from .practice import SOLVED, borrowed
from .remembering import CAP, SIGHT, RememberingAgent, at_least
from .similarity import similarities
from .verdict import failed

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CodeLibrary", "CodeSkill", "Library", "Skill", "SkillsAgent", "parse_code_skill", "parse_skill"]

SAME = 0.85
"""Two skills whose descriptions have at least this cosine of TF-IDF vectors are one."""

_FORM = {"name": "its name", "when": "in what situation it helps", "how": "what to do, step by step, in one line"}
"""Small models repeat what a prompt says of the form; these are no skills."""

_EXAMPLE = "NAME: make toast\nWHEN: the toaster is unplugged\nHOW: plug the toaster in, then press its lever"

_CODED = "what its program says"
_NOTE = "(They are programs: what they say of a turn stands under it.)"
_SAY = "Your skills suggest:"
_CODE_TOKENS = 512

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


class CodeSkill(Skill):
    """A skill that is a program; ``how`` is its source.

    Args:
        runs: How often it was run in episodes that were learnt from.
        failures: How many of these runs failed: an exception, or a limit.
    """

    runs: int = 0
    failures: int = 0


class Library(Record):
    """All skills, oldest first."""

    skills: tuple[Skill, ...] = ()


class CodeLibrary(Record):
    """All skills that are programs, oldest first.

    Args:
        skills: These.
        refused: Programs that were written and not taken up.
    """

    skills: tuple[CodeSkill, ...] = ()
    refused: int = 0


class SkillsAgent(RememberingAgent[Library | CodeLibrary]):
    """Writes a skill after every episode that went well, and shows those that fit the one that begins.

    Wang et al., "Voyager: An Open-Ended Embodied Agent with Large Language Models" (2023, arXiv:2305.16291): a growing
    library of skills that were verified by success, found by the similarity of their descriptions. Changed: a skill is
    a text that the model reads, or a program that advises it, not one that acts in the world; descriptions are
    compared by TF-IDF, not by learnt vectors; each skill counts how often it was shown and how often that went well;
    there is no curriculum, tasks come as the stream brings them.

    A skill of the same name, or of nearly the same description, takes the place of the old one and keeps its counters.
    Of more than ``most`` the one with the least share of good episodes goes, (good + 1) / (shown + 2), of equal ones
    the oldest. The ``examples`` skills whose descriptions are most like the first observation and the task are shown,
    however unlike they are, the best last; each has an equal share of the cap.

    With ``form=code`` a skill is a Python function ``suggest(observation)`` from the text of a turn to a suggestion,
    and reaches nothing else (:mod:`.skill_code`). It is taken up only if it runs in the sandbox on the episode's own
    turns without a fault and says the same twice. The skills that fit are run at every turn, and what they say is put
    under what the turn shows. One that fails says nothing and is counted; one of which at least 3 runs and most of all
    failed goes. A failure of the sandbox itself is an error of ours. :class:`CodeLibrary` is the state then.

    Args:
        examples: How many are shown, from 1 on.
        most: How many are kept, from 1 on.
        form: ``text``, or ``code``.
        cap: Characters of memory at most, at least 200.
        sight: Characters of an episode that are shown when it is learnt from, at least 200.
        window: How many past turns of the present episode are shown; None shows all.

    Raises:
        UsageError: ``form`` is another.
        SandboxUnavailable: ``form`` is ``code``, and there is no sandbox here.
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
        if form not in ("text", "code"):
            raise UsageError(f"agent skills: form must be text or code, not {form!r}.")
        if form == "code":
            need_sandbox("agent skills: form=code")
        super().__init__(CodeLibrary() if form == "code" else Library(), cap=cap, sight=sight, window=window)
        self.form = form
        self.examples = at_least(self.name, "examples", examples, 1)
        self.most = at_least(self.name, "most", most, 1)
        self.share = at_least(self.name, "cap for each of its examples", self.cap // self.examples, 120)
        self._used: tuple[str, ...] = ()
        self._programs: dict[str, str] = {}
        self._ran: dict[str, tuple[int, int]] = {}

    def begin(self) -> None:
        """Forget the last episode and which skills were shown and run in it."""
        super().begin()
        self._used, self._programs, self._ran = (), {}, {}

    def fork(self) -> Self:
        """A copy whose runs are not counted here."""
        other = super().fork()
        other._ran = dict(self._ran)
        return other

    def memory(self, observation: Observation) -> str:
        """The skills most like what begins."""
        skills = self.state.skills
        if not skills:
            return ""
        query = f"{clip(observation.text, _WHEN)}\n{clip(observation.instructions, _WHEN)}"
        near = similarities([query, *(f"{s.name} {s.when}" for s in skills)], shared=False)[0]
        best = sorted(range(len(skills)), key=lambda i: (near[i + 1], i))[-self.examples :]
        self._used = tuple(skills[i].name for i in best)
        if self.form == "code":
            self._programs = {skills[i].name: skills[i].how for i in best}
            return "\n\n".join([*(_headed(skills[i]) for i in best), _NOTE])
        return "\n\n".join(_shown(skills[i]) for i in best)

    async def answer(self, observation: Observation, model: Model) -> Action:
        """Put what the programs that fit say of the turn under what it shows, and ask."""
        if self._programs:
            lines: list[str] = []
            said = await skill_code.say(list(self._programs.values()), observation.text)
            for name, (text, fault) in zip(self._programs, said, strict=True):
                runs, failures = self._ran.get(name, (0, 0))
                self._ran[name] = (runs + 1, failures + bool(fault))
                if text:
                    lines.append(f"- {name}: {text}")
            if lines:
                observation = replace(observation, text="\n".join([f"{observation.text}\n\n{_SAY}", *lines]))
        return await super().answer(observation, model)

    async def learn(self, experience: Experience, model: Model) -> str:
        """Count the skills that were shown; after an episode that went well, write one: one call."""
        bad = failed(experience)
        skills = tuple(self._counted(skill, bad=bad) for skill in self.state.skills)
        done = [f"counted {len(self._used)} skills that were shown"] if skills != self.state.skills else []
        failing = [s for s in skills if isinstance(s, CodeSkill) and s.failures >= 3 and 2 * s.failures > s.runs]
        if failing:
            done.append(f"dropped {', '.join(repr(skill.name) for skill in failing)}, whose runs mostly failed")
            skills = tuple(skill for skill in skills if skill not in failing)
        why = ""
        if not bad:
            new = await self._written(experience, model)
            if isinstance(new, CodeSkill):
                why = await skill_code.refusal(new.how, [step.observation for step in experience.steps])
            if why:
                done.append(f"refused a program: {why}")
            elif new is not None:
                skills, words = self._with(skills, new)
                done += words
        if not isinstance(self.state, CodeLibrary):
            return self.become(Library(skills=skills), "; ".join(done))
        refused = self.state.refused + bool(why)
        return self.become(CodeLibrary.model_validate({"skills": skills, "refused": refused}), "; ".join(done))

    def _counted(self, skill: Skill, *, bad: bool) -> Skill:
        if skill.name not in self._used:
            return skill
        update = {"shown": skill.shown + 1, "solved": skill.solved + (not bad)}
        if isinstance(skill, CodeSkill):
            runs, failures = self._ran.get(skill.name, (0, 0))
            update |= {"runs": skill.runs + runs, "failures": skill.failures + failures}
        return skill.model_copy(update=update)

    async def _written(self, experience: Experience, model: Model) -> Skill | None:
        """The skill that the model writes of an episode."""
        if self.form == "code":
            ask, example, tokens, parse = _code_question, skill_code.EXAMPLE, _CODE_TOKENS, parse_code_skill
        else:
            ask, example, tokens, parse = _question, _EXAMPLE, 256, parse_skill
        practice = (ask(self.scene(SOLVED)), example)
        answer = await self.ask(model, ask(self.scene(experience)), practice=practice, max_tokens=tokens)
        new = parse(answer, self.share - 2)
        return None if new is None or borrowed(_shown(new), experience) else new

    def placebo(self, state: Any, rng: np.random.Generator) -> Any:
        """The state with every text replaced by plain words; programs by as long ones that say plain words."""
        blank = super().placebo(state, rng)
        if self.form == "code":
            for skill, old in zip(blank["skills"], state["skills"], strict=True):
                skill["how"] = skill_code.blank_source(len(old["how"]), rng)
        return blank

    def _with(self, skills: Sequence[Skill], new: Skill) -> tuple[tuple[Skill, ...], list[str]]:
        """The library with a skill more, or with one in the place of an old one."""
        old = next((s for s in skills if s.name.lower() == new.name.lower()), None)
        if old is None and skills:
            near = similarities([new.when, *(s.when for s in skills)])[0, 1:].tolist()
            best = max(range(len(skills)), key=lambda i: (near[i], -i))
            old = skills[best] if near[best] >= SAME else None
        if old is not None:
            kept: dict[str, Any] = {"shown": old.shown, "solved": old.solved}
            if isinstance(old, CodeSkill) and old.how == new.how:  # runs are the program's, not the skill's
                kept |= {"runs": old.runs, "failures": old.failures}
            new = new.model_copy(update=kept)
            words = [] if new == old else [f"rewrote the skill {old.name!r} as {new.name!r}"]
            return tuple(new if s is old else s for s in skills), words
        how = "a program" if isinstance(new, CodeSkill) else new.how
        left, words = [*skills, new], [f"wrote the skill {new.name!r}: {how}"]
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


def _code_question(scene: str) -> str:
    return (
        f"You played an episode of a task, and it went well.\n\n{scene}\n\n"
        "Write down what you did as a skill that you can use in other episodes: two lines and a small Python program.\n"
        f"NAME: {_FORM['name']}\nWHEN: {_FORM['when']}\n{skill_code.RULES}"
    )


def _headed(skill: Skill) -> str:
    return f"{skill.name}\nWhen: {skill.when}"


def _shown(skill: Skill) -> str:
    return f"{_headed(skill)}\nHow: {skill.how}"


def parse_code_skill(answer: str, room: int) -> CodeSkill | None:
    """Read a skill that is a program from a model's answer; never raises, and runs nothing.

    Args:
        answer: Anything, with lines ``NAME:`` and ``WHEN:`` and a program.
        room: As for :func:`parse_skill`; the program has no share in it, because it is not shown.

    Returns:
        None where there is no program, no name or no when.
    """
    source, rest = find_code(answer, skill_code.NAME)
    lines = [line for line in rest.splitlines() if (match := _FIELD.match(line[:2000])) and match[1].lower() != "how"]
    told = parse_skill("\n".join([*lines, f"HOW: {_CODED}"]), room)
    if not source or told is None or _CODED in (told.name, told.when):
        return None
    return CodeSkill(name=told.name, when=told.when, how=source)


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
