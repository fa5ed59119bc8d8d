"""Rows of the official files (Explore and Combo), read from a user's copy or the hub; nothing of them is shipped.

The rows' constraints are sentences for a judge model. :func:`read_constraint` reads those that name what they forbid
as rules on the syntax tree; the others stay ``unknown``, and are counted, never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...suite.errors import UsageError
from .constraints import CONSTRUCTS, Rule, parse_rule

__all__ = ["OfficialRow", "Reading", "read_constraint", "read_rows"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A constraint as rules.

    Args:
        text: The official sentence.
        rules: What it was read as; empty where it names nothing that a rule can see.
        whole: Whether the rules are all that it says. If not, it has a purpose or a place (``for key storage``) that
            rules do not know: they forbid more or less than the sentence does.
    """

    text: str
    rules: tuple[Rule, ...]
    whole: bool

    @property
    def known(self) -> bool:
        """Whether the sentence can be held against a program by rules alone."""
        return self.whole and bool(self.rules)


@dataclass(frozen=True)
class OfficialRow:
    """A row of an official file.

    Args:
        id: As in the file, or the number of the line for Combo.
        track: ``explore`` or ``combo``.
        problem: What rows of one problem share.
        level: How many constraints hold.
        question: The statement.
        tests: A program that defines ``test()``.
        reference: The unconstrained solution, or Combo's fused one.
        constraints: One reading for each constraint, in order.
        signature: As in the file; it may name a helper that the tests never call.
        parents: Combo: the beginnings of the parents' statements.
    """

    id: str
    track: str
    problem: str
    level: int
    question: str
    tests: str
    reference: str
    constraints: tuple[Reading, ...] = ()
    signature: str = ""
    parents: tuple[str, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of all constraints that rules say wholly."""
        return tuple(rule for reading in self.constraints if reading.known for rule in reading.rules)


_EXPLORE = ("id", "problem_id", "level", "question", "test_code", "reference_solution", "constraints")
_COMBO = ("question", "canonical_solution", "full_test_func")


_HUB = "hub:"
# What the data set's repository on the hub calls its two files.
_FILES = {
    "explore": "exploratory_creativity_dataset_551.jsonl",
    "combo": "combinatorial_creativity_dataset_1308.jsonl",
}


def read_rows(path: Path, track: Literal["explore", "combo"] = "explore") -> list[OfficialRow]:
    """Read official rows: JSON Lines of the Explore or the Combo form.

    Args:
        path: The file; or ``hub:OWNER/NAME[:FILE][@REVISION]``, such as ``hub:Zethive/CreativeBench``, for a data set
            on the Hugging Face hub, which ``datasets`` fetches or finds in its cache.
        track: Which of the data set's files is taken from the hub, where none is named.

    Raises:
        UsageError: The file cannot be read, the hub cannot be reached, or a line is no such row; the line is named.
    """
    if str(path).startswith(_HUB):
        rows = [_row(path, number, raw) for number, raw in enumerate(_fetched(str(path), track), 1)]
    else:
        rows = list(_from_file(path))
    if not rows:
        raise UsageError(f"--data {path}: there is no row in it.")
    return rows


def _fetched(place: str, track: str) -> Iterator[dict[str, Any]]:
    """Rows of a data set on the hub; what a row lacks and others have, ``datasets`` fills with None."""
    import datasets

    name, _, revision = place.removeprefix(_HUB).partition("@")
    name, _, file = name.partition(":")
    if not name:
        raise UsageError(f"--data {place}: write hub:OWNER/NAME, such as hub:Zethive/CreativeBench.")
    try:
        found: Any = datasets.load_dataset(
            name, data_files=file or _FILES[track], split="train", revision=revision or None
        )
    except Exception as error:  # whatever the hub, its client or the network has to say
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"--data {place}: the hub gave no rows ({said}). Where it cannot be reached, fetch the .jsonl file "
            "elsewhere and give its path."
        ) from error
    for raw in found:
        yield {key: value for key, value in raw.items() if value is not None}


def _from_file(path: Path) -> Iterator[OfficialRow]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--data {path}: cannot be read ({error}); give one of CreativeBench's .jsonl files."
        ) from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                raw = json.loads(line)
            except ValueError as error:
                raise UsageError(f"--data {path}, line {number}: is not JSON ({error}).") from error
            yield _row(path, number, raw)


def _row(path: Path, number: int, raw: Any) -> OfficialRow:
    if isinstance(raw, dict) and all(key in raw for key in _EXPLORE):
        return _explore(path, number, raw)
    if isinstance(raw, dict) and all(key in raw for key in _COMBO):
        info = raw.get("combo_info")
        info = info if isinstance(info, dict) else {}
        parents = tuple(str(info[k]) for k in ("source1_question", "source2_question") if info.get(k))
        name = f"combo_{number - 1:04d}"
        texts = [_text(path, number, raw, key) for key in _COMBO]
        return OfficialRow(name, "combo", name, 0, texts[0], texts[2], texts[1], parents=parents)
    raise UsageError(
        f"--data {path}, line {number}: is neither an Explore row ({', '.join(_EXPLORE)}) "
        f"nor a Combo row ({', '.join(_COMBO)})."
    )


def _explore(path: Path, number: int, raw: Mapping[str, Any]) -> OfficialRow:
    constraints = raw["constraints"]
    if not isinstance(constraints, list) or raw["level"] != len(constraints):
        raise UsageError(f"--data {path}, line {number}: the level {raw['level']!r} is not its number of constraints.")
    return OfficialRow(
        id=_text(path, number, raw, "id"),
        track="explore",
        problem=_text(path, number, raw, "problem_id"),
        level=int(raw["level"]),
        question=_text(path, number, raw, "question"),
        tests=_text(path, number, raw, "test_code"),
        reference=_text(path, number, raw, "reference_solution"),
        constraints=tuple(read_constraint(str(text)) for text in constraints),
        signature=str(raw.get("function_signature") or ""),
    )


def _text(path: Path, number: int, raw: Mapping[str, Any], key: str) -> str:
    if not isinstance(raw[key], str):
        raise UsageError(f"--data {path}, line {number}: {key} is a text, not {type(raw[key]).__name__}.")
    return raw[key]


# What a sentence may name, and the rules that it stands for. Each pattern takes its words out of the sentence; what is
# left then says whether more was meant.
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"for[- ]loops?(?: or|,| and|/) while[- ]loops?", ("no construct loop",)),
    (r"(?:for[- ]loops?|'for' statements?)", ("no construct for",)),
    (r"(?:while[- ]loops?|'while' statements?)", ("no construct while",)),
    (r"try[-/ ]except(?: blocks?)?|exception handling|try blocks?", ("no construct try",)),
    (
        r"(?:list|dictionary|dict|set)(?:,? (?:or|and) (?:list|dictionary|dict|set))? comprehensions?",
        ("no construct comprehension",),
    ),
    (r"if[-/](?:elif[-/])?else(?: statements?| chains?)?|if statements?", ("no construct if",)),
    (r"lambda(?: functions?| expressions?)?s?", ("no construct lambda",)),
    (r"recursion|recursive (?:functions?|calls?)", ("no construct recursion",)),
    (r"f-strings", ("no construct fstring",)),
    (r"(?:list |string |array )?slicing(?: \(e\.g\., \[[^\]]*\]\))?", ("no construct slice",)),
    (r"inheritance", ("no construct inheritance",)),
    (r"'class' definitions?|class definitions?", ("no construct class",)),
    (r"import statements?", ("no construct import",)),
    (r"the 'del' statement|'?del'? statements?", ("no construct del",)),
    (r"(?:the )?modulo(?: operator)?(?: \(%\))?(?: arithmetic)?", ("no operator %",)),
    (r"set data structures?|built-in sets?", ("no structure set",)),
)
_FILLER = re.compile(
    r"\b(?:do not use|no|or|and|any|anywhere|in|the|code|your|solution|"
    r"python'?s?|built-in|explicit|functions?|methods?|"
    r"modules?|statements?|allowed|must|be|all|blocks?|standard library|operators?|of|from|keyword|at)\b|[^\w]",
    re.IGNORECASE,
)
_BOUNDLESS = ("no call", "no method", "no module", "no operator", "no construct try", "no construct del")
_DOTTED = re.compile(r"\b([A-Za-z_][A-Za-z_0-9]*)\.([A-Za-z_][A-Za-z_0-9]*)(?:\(\))?")
_CALL = re.compile(r"\b([A-Za-z_][A-Za-z_0-9]*)\(\)")
_MODULE = re.compile(r"(?:the )?'?\b([a-z_][a-z_0-9]*)'? module\b")
_NOT_MODULES = frozenset({"external", "third", "any", "other", "python", "library", "the", "built"})
_TYPES = frozenset({"str", "list", "dict", "set", "tuple", "string", "bytes"})


def read_constraint(text: str) -> Reading:
    """Read one official constraint.

    Names of calls (``sorted()``), dotted names (``time.time``), modules (``the csv module``) and constructs are taken;
    ``whole`` is true only if nothing but filling words is left after that.
    """
    rest, rules = text.strip().rstrip("."), list[str]()
    if not re.match(r"(?:do not use|no)\b", rest, re.IGNORECASE):
        return Reading(text, (), False)

    def take(pattern: re.Pattern[str], made: Any) -> None:
        nonlocal rest
        for match in list(pattern.finditer(rest)):
            found = made(match)
            if found:
                rules.extend(found)
                rest = rest.replace(match[0], " ", 1)

    take(_DOTTED, _dotted)
    take(_CALL, lambda m: [f"no call {m[1]}"] if m[1] not in CONSTRUCTS else [])
    take(_MODULE, lambda m: [] if m[1] in _NOT_MODULES else [f"no module {m[1]}"])
    for pattern, meant in _WORDS:
        take(re.compile(pattern, re.IGNORECASE), lambda m, meant=meant: meant)
    # `sorted() or sort()` names a builtin and a method alike: a call that is no builtin is a method.
    read = [_called(rule) for rule in dict.fromkeys(rules)]
    if read and all(rule.startswith(_BOUNDLESS) for rule in read):
        # What a call or module is used for says why it is banned; the sentence bans it.
        rest = re.sub(r"\([^)]*\)|;.*|\b(?:for|to)\b.*", " ", rest)
    return Reading(text, tuple(parse_rule(rule) for rule in read), bool(read) and not _FILLER.sub("", rest))


def _dotted(match: re.Match[str]) -> Sequence[str]:
    head, tail = match[1], match[2]
    if head in ("e", "i"):  # e.g., i.e.
        return ()
    if head in _TYPES:
        return (f"no method {tail}",)
    return (f"no call {head}.{tail}",) if head != "np" else (f"no call numpy.{tail}",)


def _called(rule: str) -> str:
    import builtins

    name = rule.rpartition(" ")[2]
    if rule.startswith("no call ") and "." not in name and not hasattr(builtins, name):
        return f"no method {name}"
    return rule
