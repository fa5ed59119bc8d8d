"""A playbook of bullets that a reflector and a curator edit one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..model import Model
from ..records import Record
from .base import Observation
from .clipping import clip
from .experience import Experience
from .playbook_edits import Edit, parse_edits
from .practice import FAILED, borrowed, own
from .remembering import CAP, SIGHT, RememberingAgent
from .similarity import similarities

__all__ = ["Bullet", "Playbook", "PlaybookAgent", "apply_edits", "refine"]

SAME = 0.85
"""Two bullets with at least this cosine of TF-IDF vectors are near-duplicates.

It is high because words cannot tell a paraphrase from its opposite: "Open the red door" and "Do not open the red door"
have .69, "Look at the lamp before you open a door" and the same with "the door" .74. What is merged is nearly verbatim.
"""

_EDITS = 8
_REFLECTION = 1200
_NEW, _BETTER = "the new lesson", "the lesson in better words"
"""Small models repeat what a prompt says of the form; these are no lessons."""

_OLD = "b901: Press the lever of the toaster. (helped 0, did harm 0)"
"""An id that no playbook comes to: who repeats the example must not count against a bullet of its own."""

_LESSON = "The toaster does nothing while it is unplugged."
_CHANGES = "EDIT b901: Press the lever once the toaster is plugged in.\nADD: Plug the toaster in."
_HARM = 2


class Bullet(Record):
    """One item.

    Args:
        id: ``b1``, ``b2`` …, never given twice.
        text: What it says.
        helpful: How often the reflector found that it helped.
        harmful: How often that it did harm.
    """

    id: str
    text: str
    helpful: int = 0
    harmful: int = 0


class Playbook(Record):
    """All bullets, oldest first.

    Args:
        bullets: The items.
        made: How many ids were given.
        dropped: How many operations could not be used, over the whole life.
    """

    bullets: tuple[Bullet, ...] = ()
    made: int = 0
    dropped: int = 0


class PlaybookAgent(RememberingAgent[Playbook]):
    """Keeps a list of short lessons and edits it item by item after every episode.

    Zhang et al., "Agentic Context Engineering: Evolving Contexts for Self-Improving Language Models" (2025,
    arXiv:2510.04618): a generator acts with the playbook, a reflector reads what happened, a curator turns that into
    small operations on items, which code merges; items have counters of help and harm, and near-duplicates are merged
    (grow and refine). Changed: the curator may also edit and remove; near-duplicates are found by TF-IDF, not by learnt
    vectors; the generator is not asked which bullets it used, because its reply is an action; one reflection an
    episode, no rounds of it; operations are read from plain lines too, because small models rarely write JSON; the
    playbook has a size. All three are the same model.

    Operations that cannot be used are dropped and counted, and so are those beyond 8 an episode. After them
    :func:`refine` merges near-duplicates, removes what did harm at least twice more often than it helped, and drops,
    until the playbook fits its cap, the bullet with the worst balance of help and harm, of equal ones the oldest.

    Args:
        cap: Characters of the playbook at most, at least 200.
        sight: Characters of an episode that are shown when it is learnt from, at least 200.
        window: How many past turns of the present episode are shown; None shows all.
    """

    name: ClassVar[str] = "playbook"
    heading: ClassVar[str] = "Your playbook from earlier episodes:"
    marks: ClassVar[frozenset[str]] = frozenset({"id"})

    def __init__(self, cap: int = CAP, sight: int = SIGHT, window: int | None = None) -> None:
        super().__init__(Playbook(), cap=cap, sight=sight, window=window)

    def memory(self, observation: Observation) -> str:
        """The bullets, without ids and counters: these are for the curator."""
        return _shown(self.state.bullets)

    async def learn(self, experience: Experience, model: Model) -> str:
        """Reflect, then curate: two calls, one where the reflector says nothing."""
        listed = "\n".join(f"{b.id}: {b.text} (helped {b.helpful}, did harm {b.harmful})" for b in self.state.bullets)
        practice = (_to_reflect(self.scene(FAILED), _OLD), f"HARMFUL b901\n{_LESSON}")
        reflection = own(
            await self.ask(model, _to_reflect(self.scene(experience), listed), practice=practice), experience
        )
        if not reflection:
            return ""
        verdicts = [edit for edit in parse_edits(reflection)[0] if edit.kind in ("helpful", "harmful")]
        task = clip(experience.instructions, self.sight // 3)
        practice = (_to_curate(FAILED.instructions, _OLD, _LESSON), _CHANGES)
        answer = await self.ask(model, _to_curate(task, listed, clip(reflection, _REFLECTION)), practice=practice)
        found, bad = parse_edits(answer)
        edits = [
            edit
            for edit in found
            if edit.kind in ("add", "edit", "remove")
            and edit.text not in (_NEW, _BETTER)
            and not borrowed(edit.text, experience)
        ]
        bad += len(found) - len(edits)
        changed, done, lost = apply_edits(self.state, [*_counts(verdicts), *edits[:_EDITS]])
        refined, gone = refine(changed.bullets, self.cap)
        lost += bad + max(0, len(edits) - _EDITS)
        if lost:
            done.append(f"{lost} operations could not be used")
        new = Playbook(bullets=refined, made=changed.made, dropped=changed.dropped + lost)
        return self.become(new, "; ".join([*done, *gone]))


def _to_reflect(scene: str, listed: str) -> str:
    return (
        f"You look back at an episode that was played with this playbook.\n\n{scene}\n\n"
        f"The playbook:\n{listed or '(empty)'}\n\n"
        "First say which of its items helped and which did harm, a line each: HELPFUL or HARMFUL and the id. Then say "
        "in at most three sentences what this episode teaches about how the task works and what to do."
    )


def _to_curate(task: str, listed: str, reflection: str) -> str:
    return (
        f"You keep a playbook of short lessons for a task. A lesson is one sentence that helps in other episodes too."
        f"\n\nThe task:\n{task}\n\nThe playbook:\n{listed or '(empty)'}\n\n"
        f"What the last episode taught:\n{reflection}\n\n"
        "Change the playbook. Write lines of these forms only, or NONE if nothing is to be changed:\n"
        f"ADD: {_NEW}\nEDIT id: {_BETTER}\nREMOVE id"
    )


def _counts(verdicts: Sequence[Edit]) -> list[Edit]:
    """Each bullet counts once an episode; one that is said to have done both says nothing."""
    said: dict[str, set[str]] = {}
    for edit in verdicts:
        said.setdefault(edit.id, set()).add(edit.kind)
    return [edit for edit in dict.fromkeys(verdicts) if len(said[edit.id]) == 1]


def _shown(bullets: Sequence[Bullet]) -> str:
    return "\n".join(f"- {bullet.text}" for bullet in bullets)


def apply_edits(playbook: Playbook, edits: Sequence[Edit]) -> tuple[Playbook, list[str], int]:
    """Carry out operations in their order.

    An operation can only name a bullet that was there when it was asked for: one that was added in the same answer has
    an id that the curator cannot know.

    Args:
        playbook: As it is.
        edits: From :func:`.playbook_edits.parse_edits`.

    Returns:
        The new playbook, not yet refined; what was done, in words; how many operations name a bullet that is not there.
    """
    bullets = {bullet.id: bullet for bullet in playbook.bullets}
    known = set(bullets)
    made, lost = playbook.made, 0
    done: list[str] = []
    for edit in edits:
        if edit.kind == "add":
            made += 1
            bullets[f"b{made}"] = Bullet(id=f"b{made}", text=edit.text)
            done.append(f"added b{made}: {edit.text}")
            continue
        old = bullets.get(edit.id) if edit.id in known else None
        if old is None:
            lost += 1
        elif edit.kind == "remove":
            del bullets[edit.id]
            done.append(f"removed {edit.id}")
        elif edit.kind == "edit":
            if edit.text != old.text:
                bullets[edit.id] = old.model_copy(update={"text": edit.text})
                done.append(f"edited {edit.id}: {edit.text}")
        else:
            bullets[edit.id] = old.model_copy(update={edit.kind: getattr(old, edit.kind) + 1})
            done.append(f"{edit.id} was {edit.kind}")
    return playbook.model_copy(update={"bullets": tuple(bullets.values()), "made": made}), done, lost


def refine(bullets: Sequence[Bullet], cap: int) -> tuple[tuple[Bullet, ...], list[str]]:
    """Merge near-duplicates, remove what did harm, and drop what does not fit. Nothing in it is random.

    Args:
        bullets: Oldest first.
        cap: Characters that they may have as they are shown.

    Returns:
        Those that stay, and what was done, in words. A merged bullet keeps the older one's id and words and both
        counters.
    """
    done: list[str] = []
    kept: list[tuple[int, Bullet]] = []
    near = similarities([bullet.text.lower().rstrip(".!") for bullet in bullets])
    for index, bullet in enumerate(bullets):
        twin = next((at for at, (i, _) in enumerate(kept) if near[index, i] >= SAME), None)
        if twin is None:
            kept.append((index, bullet))
            continue
        first, old = kept[twin]
        both = {"helpful": old.helpful + bullet.helpful, "harmful": old.harmful + bullet.harmful}
        kept[twin] = (first, old.model_copy(update=both))
        done.append(f"merged {bullet.id} into {old.id}")
    left = [bullet for _, bullet in kept]
    for bullet in [b for b in left if b.harmful - b.helpful >= _HARM]:
        left.remove(bullet)
        done.append(f"removed {bullet.id}, which did harm")
    while left and len(_shown(left)) > cap:
        worst = min(left, key=lambda b: b.helpful - b.harmful)
        left.remove(worst)
        done.append(f"dropped {worst.id} for room")
    return tuple(left), done
