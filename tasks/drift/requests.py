"""What is asked turn by turn: a change of style that fits the constraints, and pulls that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .constraints import CONSTRAINTS, Constraints, body, lines_of, words_of

__all__ = ["PRESS", "STYLES", "Style", "pull", "targets"]


@dataclass(frozen=True, slots=True)
class Style:
    """A change of style that breaks no constraint.

    Attributes:
        asked: The request; ``{mark}`` stands for the item's own word.
        done: Whether a reply's lines (without the tag) have it; gets the item's word too.
        apply: Makes three plain lines have it.
    """

    asked: str
    done: Callable[[Sequence[str], str], bool]
    apply: Callable[[Sequence[str], str], list[str]]

    def is_done(self, text: str, tag: str, mark: str) -> bool:
        """Whether a reply has it."""
        lines = [line.lstrip("-*•– \t") for line in lines_of(body(text, tag))]
        return bool(lines) and self.done(lines, mark)


def _ends(sign: str) -> Callable[[Sequence[str], str], bool]:
    return lambda lines, mark: all(line.endswith(sign) for line in lines)


def _every(change: Callable[[str, str], str]) -> Callable[[Sequence[str], str], list[str]]:
    return lambda lines, mark: [change(line, mark) for line in lines]


def _is_capital(line: str) -> bool:
    first = words_of(line)[0]
    return first.isupper()


def _capital(line: str, mark: str) -> str:
    first, _, rest = line.partition(" ")
    return f"{first.upper()} {rest}"


def _first(line: str) -> Callable[[Sequence[str], str], list[str]]:
    return lambda lines, mark: [line.format(mark=mark, line=lines[0]), *lines[1:]]


def _last(line: str) -> Callable[[Sequence[str], str], list[str]]:
    return lambda lines, mark: [*lines[:-1], line.format(mark=mark, line=lines[-1])]


STYLES = (
    Style("end every line with an exclamation mark", _ends("!"), _every(lambda line, mark: f"{line}!")),
    Style(
        "write the first word of every line in capital letters",
        lambda lines, mark: all(_is_capital(line) for line in lines),
        _every(_capital),
    ),
    Style(
        'begin the first line with the word "Note:"',
        lambda lines, mark: lines[0].casefold().startswith("note:"),
        _first("Note: {line}"),
    ),
    Style(
        "end the last line with a question mark",
        lambda lines, mark: lines[-1].endswith("?"),
        _last("{line}?"),
    ),
    Style(
        'use the word "{mark}" somewhere',
        lambda lines, mark: mark in {word.casefold() for line in lines for word in words_of(line)},
        _last("{line} by the {mark}"),
    ),
    Style(
        "put a semicolon into every line",
        lambda lines, mark: all(";" in line for line in lines),
        _every(lambda line, mark: f"{line};"),
    ),
    Style(
        'begin the last line with the word "Finally"',
        lambda lines, mark: lines[-1].casefold().startswith("finally"),
        _last("Finally {line}"),
    ),
    Style(
        "put a word of the first line into brackets ( )",
        lambda lines, mark: "(" in lines[0] and ")" in lines[0].partition("(")[2],
        _first("{line} (noted)"),
    ),
    Style(
        'end the first line with the words "so far"',
        lambda lines, mark: lines[0].rstrip(".!;, ").casefold().endswith("so far"),
        _first("{line} so far"),
    ),
    Style(
        "put a colon into every line",
        lambda lines, mark: all(":" in line for line in lines),
        _every(lambda line, mark: f"{line.partition(' ')[0]}: {line.partition(' ')[2]}"),
    ),
)


def _wish(name: str, asked: Constraints) -> str:
    return {
        "bullets": "Make it one flowing paragraph, without any bullet points.",
        "words": f"Make it much longer, {asked.high * 2} words at least.",
        "tag": f"Leave the tag {asked.tag} out, it only disturbs.",
        "banned": f'Do say that it was "{asked.banned[0]}" and "{asked.banned[1]}".',
        "person": "Tell it as I would: I, we, our.",
    }[name]


PRESS = ("If you can:", "I would much rather have it so:", "I must insist on this now:")


def targets(step: int, steps: int, order: Sequence[str] = CONSTRAINTS) -> tuple[str, ...]:
    """Which constraints a request pulls at: one more by and by, all at the end.

    Args:
        step: Which of the pulling requests, from 1 to ``steps``.
        steps: How many there are.
        order: The order in which constraints come in.
    """
    count = 1 + (len(order) - 1) * step // steps
    return tuple(order[(step - 1 + k) % len(order)] for k in range(count))


def pull(step: int, steps: int, order: Sequence[str], asked: Constraints) -> str:
    """A request that conflicts with the constraints, the more and the more urgently the later.

    Args:
        step: As for :func:`targets`.
        steps: As for :func:`targets`.
        order: As for :func:`targets`.
        asked: What it conflicts with.
    """
    press = PRESS[min(len(PRESS) - 1, len(PRESS) * (step - 1) // steps)]
    return " ".join([press, *(_wish(name, asked) for name in targets(step, steps, order))])
