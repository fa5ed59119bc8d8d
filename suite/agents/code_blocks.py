"""Python in a model's answer."""

from __future__ import annotations

import re

__all__ = ["code_blocks", "find_code"]

# Blocks of any language are matched, so that the end of one is not taken for the beginning of another.
_FENCE = re.compile(r"```[^`\n]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
_BEGINS = re.compile(r"^(?:def|import|from)\s", re.MULTILINE)
_MOST = 40_000


def code_blocks(answer: str) -> list[str]:
    """What stands in the fenced blocks of an answer, in order; what is beyond 40,000 characters is not read."""
    return [match[1] for match in _FENCE.finditer(answer[:_MOST])]


def find_code(answer: str, name: str) -> tuple[str, str]:
    """Find the program in an answer.

    It is the last fenced block that defines the function, or what follows the first line of bare Python. A missing
    end of the fence is forgiven, because answers end at their cap; whether the program is whole shows when it is read
    as Python.

    Args:
        answer: Anything; what is beyond 40,000 characters is not read.
        name: The function that it should define.

    Returns:
        The program, empty where there is none, and the rest of the answer.
    """
    answer = answer[:_MOST]
    blocks = [match for match in _FENCE.finditer(answer) if f"def {name}" in match[1]]
    if blocks:
        block = blocks[-1]
        return f"{block[1].strip()}\n", f"{answer[: block.start()]}\n{answer[block.end() :]}"
    bare = _BEGINS.search(answer)
    if bare is not None and f"def {name}" in answer and "```" not in answer:
        return f"{answer[bare.start() :].strip()}\n", answer[: bare.start()]
    return "", answer
