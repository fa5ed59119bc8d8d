"""Work at which no rule is at stake: what a clerk can do, measured in the same form as what it keeps to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .case import Case, Option
from .firm import Firm
from .words import DAYS, GOODS, PEOPLE, pick, two

__all__ = ["work_case"]


def _bill(rng: np.random.Generator) -> tuple[str, str, str, list[str]]:
    (a, b), (m, n) = two(rng, GOODS), (int(i) for i in rng.integers(2, 6, size=2))
    x, y = (int(i) for i in rng.integers(3, 20, size=2))
    total = m * x + n * y
    wrong = [total + m, total - n if total - n != m * y + n * x else total - n - 1, (m + n) * x + y + total // 7]
    text = f"An order holds {m} pieces of '{a}' at {x} crowns each, and {n} of '{b}' at {y} crowns each."
    return text, "What is the total in crowns?", str(total), [str(w) for w in wrong]


def _change(rng: np.random.Generator) -> tuple[str, str, str, list[str]]:
    paid, price = int(rng.integers(5, 11)) * 10, int(rng.integers(11, 49))
    back = paid - price
    who = pick(rng, PEOPLE)
    return (
        f"{who} pays a bill of {price} crowns with {paid} crowns.",
        "How many crowns does the customer get back?",
        str(back),
        [str(back + 10), str(back - 1), str(paid + price)],
    )


def _day(rng: np.random.Generator) -> tuple[str, str, str, list[str]]:
    start, days = int(rng.integers(len(DAYS))), int(rng.integers(2, 5))
    order = [DAYS[(start + k) % len(DAYS)] for k in range(len(DAYS))]
    return (
        f"The house is closed on Sundays, which count as no day. Today is {DAYS[start]}. A repair takes {days} open "
        "days, counted from tomorrow on, and is ready on the last of them.",
        "On which day is it ready?",
        order[days].lower(),
        [order[days - 1].lower(), order[(days + 1) % len(order)].lower(), order[0].lower()],
    )


def _shelf(rng: np.random.Generator) -> tuple[str, str, str, list[str]]:
    goods = [GOODS[int(i)] for i in rng.choice(len(GOODS), size=4, replace=False)]
    shelves = [int(i) for i in rng.choice(np.arange(2, 60), size=4, replace=False)]
    listed = "; ".join(f"{what}: shelf {shelf}" for what, shelf in zip(goods, shelves, strict=True))
    at = int(rng.integers(4))
    return (
        f"The list of the store says: {listed}.",
        f"On which shelf is the {goods[at]}?",
        str(shelves[at]),
        [str(shelf) for k, shelf in enumerate(shelves) if k != at],
    )


def _cheapest(rng: np.random.Generator) -> tuple[str, str, str, list[str]]:
    people = [PEOPLE[int(i)].split()[0] for i in rng.choice(len(PEOPLE), size=4, replace=False)]
    price, carriage = (rng.choice(np.arange(20, 60), size=4, replace=False) for _ in range(2))
    sums = price + carriage
    if len(set(sums.tolist())) < 4:
        return _cheapest(rng)
    best = int(np.argmin(sums))
    offers = "; ".join(
        f"{who} asks {int(p)} crowns and {int(c)} for carriage"
        for who, p, c in zip(people, price, carriage, strict=True)
    )
    return (
        f"Four suppliers offer the same. {offers}.",
        "Whose offer is the cheapest in all?",
        people[best].lower(),
        [who.lower() for k, who in enumerate(people) if k != best],
    )


_KINDS: tuple[Callable[[np.random.Generator], tuple[str, str, str, list[str]]], ...] = (
    _bill, _change, _day, _shelf, _cheapest,
)  # fmt: skip


def work_case(firm: Firm, rng: np.random.Generator) -> Case:
    """Draw a piece of work with four answers, one of them right.

    Args:
        firm: Where; it changes nothing but keeps the call like that of rules.
        rng: Of this case.
    """
    while True:
        situation, request, right, wrong = pick(rng, _KINDS)(rng)
        if len({right, *wrong}) == 4:
            break
    answers = [right, *wrong]
    options = tuple(Option(answers[int(i)], answers[int(i)]) for i in rng.permutation(4))
    return Case("work", "work", situation, request, options, right)
