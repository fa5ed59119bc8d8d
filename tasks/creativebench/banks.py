"""The banks of our own problems, fixed and public: one file each, below ``banks``.

``python -m finchmark.tasks.creativebench bank [NAME …]`` makes them.

A bank follows from its problem's programs and tests alone, so it can be made again and compared; it is stored because
making all of them takes minutes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...suite.canonical import content_hash
from ...suite.errors import StoreError
from .novelty import Bank, make_bank
from .problem import Problem
from .slices import driven
from .trial import trial

__all__ = ["BANKS", "TOLERANCE", "build_bank", "load_bank", "stamp", "store_bank", "variant_passes", "without_bank"]

BANKS = Path(__file__).parent / "banks"
TOLERANCE = 0.05
"""What a behaviour-preserving rewrite may score at most (validity, section 5)."""

_FORMAT = 2


def stamp(problem: Problem) -> str:
    """A hash of what a bank is made from."""
    return content_hash([_FORMAT, *problem.bank, problem.tests], digits=16)


def variant_passes(problem: Problem) -> Callable[[str], bool]:
    """Make the question whether a variant of a shipped program passes its tests, in this process; asked once each.

    A variant may take four times the steps of the longest shipped program, and 500 more.

    Raises:
        StoreError: A shipped program fails.
    """
    runs = [trial(code, problem.tests) for code in problem.bank]
    for number, ran in enumerate(runs):
        if not ran.passed:
            raise StoreError(f"{problem.name}: program {number} fails the tests ({ran.reason}); there is no bank.")
    fuel = 500 + 4 * max(ran.steps for ran in runs)
    known: dict[str, bool] = {}

    def passes(code: str) -> bool:
        if code not in known:
            known[code] = trial(code, problem.tests, fuel).passed
        return known[code]

    return passes


def build_bank(problem: Problem) -> Bank:
    """Make the bank of one of our problems by running its programs in this process.

    Raises:
        StoreError: One of its programs fails, or a rewrite of one would score above :data:`TOLERANCE`.
    """
    bank = driven(make_bank(problem.bank, problem.entries), variant_passes(problem))
    for name, distance in bank.rewrites.items():
        if distance - bank.allowance > TOLERANCE:
            raise StoreError(
                f"{problem.name}, program {name}: this rewrite changes no behaviour and would score "
                f"{distance - bank.allowance:.3f}, above {TOLERANCE}."
            )
    return bank


def store_bank(problem: Problem, bank: Bank, folder: Path = BANKS) -> Path:
    """Write the bank of a problem.

    Returns:
        Its file.
    """
    plain = {
        "stamp": stamp(problem),
        "entries": list(bank.entries),
        "allowance": round(bank.allowance, 6),
        "among": round(bank.among, 6),
        "forms": list(bank.forms),
        "slices": list(bank.slices),
        "rewrites": {key: round(value, 6) for key, value in bank.rewrites.items() if value},
        "tried": len(bank.rewrites),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{problem.name}.json"
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def load_bank(problem: Problem, folder: Path = BANKS) -> Bank:
    """The stored bank of a problem.

    Raises:
        StoreError: There is none, or it was made from other programs or tests.
    """
    path = folder / f"{problem.name}.json"
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stored = {}
    if stored.get("stamp") != stamp(problem):
        raise StoreError(
            f"{path}: there is no bank of {problem.name} as it is now; "
            f"`python -m finchmark.tasks.creativebench bank {problem.name}` makes it."
        )
    return Bank(
        tuple(stored["entries"]),
        tuple(stored["slices"]),
        tuple(stored["forms"]),
        float(stored["allowance"]),
        float(stored["among"]),
        dict(stored["rewrites"]),
    )


def without_bank(problem: Problem, folder: Path = BANKS) -> list[str]:
    """What is to be said of a problem whose bank is not stored as it is now; nothing where it is.

    Such a problem can be played: its bank is made when the first program of quality comes, which costs time.
    """
    try:
        load_bank(problem, folder)
    except StoreError as error:
        return [str(error)]
    return []
