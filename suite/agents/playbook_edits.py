"""What a curator wants done to a playbook, read from JSON or from simple lines, whatever else stands around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .clipping import clip

__all__ = ["BULLET", "Edit", "parse_edits"]

BULLET = 180
"""Characters of a bullet at most."""

_READ = 20_000
_STARTS = 16
_DEEP = 6
_LETTERS = 8

Kind = Literal["add", "edit", "remove", "helpful", "harmful"]

_KINDS: Mapping[str, Kind] = {
    "add": "add",
    "edit": "edit",
    "update": "edit",
    "modify": "edit",
    "remove": "remove",
    "delete": "remove",
    "helpful": "helpful",
    "harmful": "harmful",
}
_LINE = re.compile(r"\W*(?:\d+[.)]\W*)?(\w+)(.*)")
_ID = re.compile(r"\bb\d{1,6}\b", re.IGNORECASE)
_KIND_KEYS = ("op", "operation", "type", "action", "kind")
_ID_KEYS = ("id", "bullet", "bullet_id", "item")
_TEXT_KEYS = ("text", "content", "lesson", "bullet", "value")


@dataclass(frozen=True, slots=True)
class Edit:
    """One operation.

    Args:
        kind: ``add`` a bullet, ``edit`` its text, ``remove`` it, or count it ``helpful`` or ``harmful``.
        id: The bullet, empty for ``add``.
        text: The new text, for ``add`` and ``edit``.
    """

    kind: Kind
    id: str = ""
    text: str = ""


def parse_edits(answer: str) -> tuple[list[Edit], int]:
    """Read operations from a model's answer; never raises.

    JSON is looked for first, in all of the answer: a list of objects such as ``{"op": "ADD", "text": "…"}``, one such
    object, an object that holds such a list, or one from operation to texts. Otherwise every line that begins with an
    operation is read: ``ADD: text``, ``EDIT b2: text``, ``REMOVE b2``, ``HELPFUL b1, b3``, ``HARMFUL b2``; ``UPDATE``,
    ``MODIFY`` and ``DELETE`` are other words for the same. A line counts if the word is in capitals or a colon or an id
    follows it, so that prose that begins with "Add" is none. Other lines are prose.

    Args:
        answer: Anything. What is beyond 20,000 characters is not read.

    Returns:
        The operations in their order, and how many could not be used: no id where one is needed, no text worth keeping
        (fewer than 8 letters), an unknown operation in JSON.
    """
    answer = answer[:_READ]
    entries = [entry for value in _json_values(answer) for entry in _entries(value, _DEEP)]
    edits = [edit for edit in map(_one, entries) if edit is not None]
    if edits:
        return edits, len(entries) - len(edits)
    edits, bad = _from_lines(answer)
    return edits, bad if edits else bad + len(entries)


def _json_values(answer: str) -> Iterator[Any]:
    """What can be decoded from the first brackets on."""
    decoder = json.JSONDecoder()
    end = starts = 0
    for match in re.finditer(r"[\[{]", answer):
        if match.start() < end:
            continue
        starts += 1
        if starts > _STARTS:
            return
        try:
            value, end = decoder.raw_decode(answer, match.start())
        except (ValueError, RecursionError):
            continue
        yield value


def _entries(value: Any, depth: int) -> Iterator[tuple[str, str, str]]:
    """Operation, id and text, as they stand in decoded JSON; an unknown operation is handed on."""
    if depth == 0:
        return
    if isinstance(value, list):
        for one in value:
            yield from _entries(one, depth - 1)
    elif isinstance(value, dict):
        kind = next((value[key] for key in _KIND_KEYS if isinstance(value.get(key), str)), None)
        if kind is not None:
            name = next((value[key] for key in _ID_KEYS if isinstance(value.get(key), str)), "")
            text = next((value[key] for key in _TEXT_KEYS if isinstance(value.get(key), str)), "")
            yield kind, name, text
            return
        for key, inner in value.items():
            if key.lower() not in _KINDS:
                yield from _entries(inner, depth - 1)
                continue
            for one in inner if isinstance(inner, list) else [inner]:
                if isinstance(one, str):
                    yield key, one, one
                elif isinstance(one, dict):
                    yield from _entries({"op": key, **one}, depth - 1)


def _one(entry: tuple[str, str, str]) -> Edit | None:
    word, name, text = entry
    kind = _KINDS.get(word.strip().lower())
    if kind is None:
        return None
    if kind == "add":
        text = _worth_keeping(text)
        return Edit("add", "", text) if text else None
    match = _ID.search(name)
    if match is None:
        return None
    if kind != "edit":
        return Edit(kind, match[0].lower())
    text = _worth_keeping(text)
    return Edit("edit", match[0].lower(), text) if text else None


def _from_lines(answer: str) -> tuple[list[Edit], int]:
    edits: list[Edit] = []
    bad = 0
    for line in answer.splitlines():
        match = _LINE.match(line[:2000])
        if match is None:
            continue
        word, rest = match[1], match[2]
        kind = _KINDS.get(word.lower())
        names = _ID.findall(rest)
        named = re.match(r"[^\w]*b\d", rest, re.IGNORECASE) is not None
        if kind is None or not (word.isupper() or named or rest.lstrip(" *_]").startswith(":")):
            continue
        if kind in ("helpful", "harmful"):
            edits += [Edit(kind, name.lower()) for name in dict.fromkeys(names)]
            bad += not names
            continue
        text = rest
        if kind == "edit":
            text = _ID.sub("", rest, count=1)
        found = _one((word, rest, text))
        if found is None:
            bad += 1
        else:
            edits.append(found)
    return edits, bad


def _worth_keeping(text: str) -> str:
    """The text on one line within its size, without marks at its ends; empty where hardly a letter is in it."""
    text = clip(" ".join(text.split()).strip(" :;*_-–—<>[](){}\"'`"), BULLET)
    return text if sum(letter.isalpha() for letter in text) >= _LETTERS else ""
