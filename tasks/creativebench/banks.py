"""The banks of our own problems, fixed and public.

``python -m finchmark.tasks.creativebench bank`` makes ``bank.json``.

A bank follows from its problem's programs and tests alone, so it can be made again and compared; it is stored because
making all of them takes minutes.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from ...suite.canonical import content_hash
from ...suite.errors import StoreError
from .novelty import Bank, make_bank
from .problem import Problem
from .slices import driven
from .trial import trial

__all__ = ["FILE", "TOLERANCE", "build_bank", "load_bank", "stamp", "store_banks"]

FILE = Path(__file__).parent / "bank.json"
TOLERANCE = 0.05
"""What a behaviour-preserving rewrite may score at most (validity, section 5)."""


def stamp(problem: Problem) -> str:
    """A hash of what a bank is made from."""
    return content_hash([*problem.bank, problem.tests], digits=16)


def build_bank(problem: Problem) -> Bank:
    """Make the bank of one of our problems by running its programs in this process.

    Raises:
        StoreError: A rewrite of one of its programs would score above :data:`TOLERANCE`.
    """
    fuel = 500 + 4 * max(trial(code, problem.tests).steps for code in problem.bank)
    known: dict[str, bool] = {}

    def passes(code: str) -> bool:
        if code not in known:
            known[code] = trial(code, problem.tests, fuel).passed
        return known[code]

    bank = driven(make_bank(problem.bank, problem.entries), passes)
    for name, distance in bank.rewrites.items():
        if distance - bank.allowance > TOLERANCE:
            raise StoreError(
                f"{problem.name}, program {name}: this rewrite changes no behaviour and would score "
                f"{distance - bank.allowance:.3f}, above {TOLERANCE}."
            )
    return bank


def store_banks(banks: dict[str, tuple[str, Bank]], path: Path = FILE) -> None:
    """Write banks, by problem with their stamps."""
    plain = {
        name: {
            "stamp": stamp,
            "entries": list(bank.entries),
            "allowance": round(bank.allowance, 6),
            "forms": list(bank.forms),
            "slices": list(bank.slices),
            "rewrites": {key: round(value, 6) for key, value in bank.rewrites.items() if value},
            "tried": len(bank.rewrites),
        }
        for name, (stamp, bank) in sorted(banks.items())
    }
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@cache
def _stored(path: Path) -> dict[str, dict[str, object]]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def load_bank(problem: Problem, path: Path = FILE) -> Bank:
    """The stored bank of a problem.

    Raises:
        StoreError: There is none, or it was made from other programs or tests.
    """
    from typing import Any

    stored: dict[str, Any] = _stored(path).get(problem.name, {})
    if stored.get("stamp") != stamp(problem):
        raise StoreError(
            f"{path}: has no bank of {problem.name} as it is now; "
            "`python -m finchmark.tasks.creativebench bank` makes those that are missing."
        )
    return Bank(
        tuple(stored["entries"]),
        tuple(stored["slices"]),
        tuple(stored["forms"]),
        float(stored["allowance"]),
        dict(stored["rewrites"]),
    )
