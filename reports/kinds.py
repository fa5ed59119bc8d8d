"""Kinds of samples: how each ended, and why. A table counts them, and a choice of transcripts spreads over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..leaderboard.text import plural
from ..suite.records import Key, Outcome, TaskSheet
from ..suite.results import cell_name
from ..suite.seeds import uniform
from .bars import Part, bars
from .drawing import label
from .tables import Link, Plot, share, table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CELL", "FAILED", "MOST_FAILED", "MOST_PAGES", "chosen", "keys", "kind_plot", "with_kinds"]

CELL = ["task", "version", "arm"]
FAILED = ("invalid", "refused", "error")
MOST_PAGES = 200
"""Transcripts that a report writes."""
MOST_FAILED = 100
"""Of these, how many may be of samples that did not end as ok."""

_MOST_KINDS = 8
_EXAMPLES = 4
_THIRDS = ("lowest third", "middle third", "highest third", "not applicable")
_SHADES = {"success": "accent", "ok": "span", "invalid": "chance", "refused": "ceiling", "error": "strong"}


def with_kinds(frame: pd.DataFrame, sheets: Mapping[str, TaskSheet]) -> pd.DataFrame:
    """Add what kind each sample is of.

    Args:
        frame: A run's samples, as :meth:`.store.StoredRun.frame` gives them.
        sheets: What the tasks are, by name.

    Returns:
        The frame with ``shade`` (``success``, ``ok``, ``invalid``, ``refused``, ``error``), ``kind`` (for an ok sample
        what it scored, else the reason that was given) and ``score`` (the primary metric).
    """
    import numpy as np

    # A metric may itself be called ``score``.
    given, frame = frame, frame.copy()
    frame["shade"], frame["kind"], frame["score"] = frame["outcome"], frame["reason"], np.nan
    for name, sheet in sheets.items():
        metric = sheet.primary
        here = frame["task"] == name
        if metric.name not in given.columns or not here.any():
            continue
        frame.loc[here, "score"] = given.loc[here, metric.name]
        ok = here & (frame["outcome"] == Outcome.OK.value)
        if metric.kind == "binary" and metric.direction != "none":
            won = ok & (frame["score"] == (1 if metric.direction == "higher" else 0))
            frame.loc[ok, "kind"] = f"{metric.name} {0 if metric.direction == 'higher' else 1}"
            frame.loc[won, "kind"] = f"{metric.name} {1 if metric.direction == 'higher' else 0}"
            frame.loc[won, "shade"] = "success"
            # A question about a rule, say: the metric that decides is asked of other items.
            frame.loc[ok & frame["score"].isna(), "kind"] = f"{metric.name}: {_THIRDS[-1]}"
        else:
            for _, rows in frame[ok].groupby(CELL):
                third = ((rows["score"].rank(method="first") - 1) * 3 // max(len(rows), 1)).fillna(-1).astype(int)
                frame.loc[rows.index, "kind"] = [f"{metric.name}: {_THIRDS[t]}" for t in third]
    frame["kind"] = frame["kind"].where(frame["kind"] != "", "no reason given")
    return frame


def chosen(frame: pd.DataFrame, *, failed: int = MOST_FAILED, pages: int = MOST_PAGES) -> pd.DataFrame:
    """Choose the samples whose transcripts are shown.

    First those that did not end as ok: all, or so many, each kind of each cell in turn. Then the others in the same
    way, until there are ``pages``. Within a kind the choice is random, and always the same.

    Args:
        frame: From :func:`with_kinds`.
        failed: The most that did not end as ok.
        pages: The most in all.

    Returns:
        Their rows, in the order of the run.
    """
    if len(frame) <= pages:
        return frame
    drawn = frame.assign(draw=[uniform("report", *key) for key in keys(frame)])
    bad = drawn[drawn["shade"].isin(FAILED)]
    first = _in_turn(bad, min(failed, pages))
    rest = _in_turn(drawn.drop(bad.index), pages - len(first))
    return frame.loc[[*first.index, *rest.index]].sort_index()


def keys(frame: pd.DataFrame) -> list[Key]:
    """The samples' names, in the order of the frame."""
    return [Key(*names) for names in zip(*(frame[name].tolist() for name in Key._fields), strict=True)]


def _order(shade: str, kind: str, count: int) -> tuple[int, int, int, str]:
    """Sorts kinds by outcome, then thirds from the highest down and all others by their count."""
    third = next((3 - i for i, words in enumerate(_THIRDS) if kind.endswith(words)), 0)
    return list(_SHADES).index(shade), third, -count, kind


def _in_turn(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    rank = frame.groupby([*CELL, "shade", "kind"])["draw"].rank(method="first")
    return frame.assign(rank=rank).sort_values(["rank", *CELL, "shade", "kind"]).head(most)


def kind_plot(frame: pd.DataFrame, page: Callable[[Key], str | None], *, name: str = "kinds") -> Plot:
    """Show how samples ended, and why.

    Args:
        frame: From :func:`with_kinds`.
        page: The address of a sample's transcript, None where it has none.
        name: Anchor.
    """
    counts = frame.groupby([*CELL, "shade"], sort=False).size().unstack(fill_value=0)
    svg = bars(
        [cell_name(*key) for key in counts.index],
        [Part(s, colour, counts[s].tolist()) for s, colour in _SHADES.items() if s in counts.columns],
        name=f"{name}-figure",
        title="How samples ended",
        description=f"Shares of samples by outcome, for {plural(len(counts), 'cell')}.",
    )
    rows, other = [], 0
    for cell, of_cell in frame.groupby(CELL, sort=False):
        task, version, arm = map(str, cell)
        kinds = sorted(
            of_cell.groupby(["shade", "kind"]),
            key=lambda pair: _order(str(pair[0][0]), str(pair[0][1]), len(pair[1])),
        )
        for (shade, kind), members in kinds[:_MOST_KINDS]:
            links = _links(members, page)
            outcome = "ok" if shade == "success" else str(shade)
            rows.append(
                (
                    f"{task}@{version}",
                    str(arm),
                    outcome,
                    str(kind),
                    f"{len(members):,}",
                    share(len(members), len(of_cell)),
                    links,
                )
            )
        rest = kinds[_MOST_KINDS:]
        if rest:
            n = sum(len(members) for _, members in rest)
            other += len(rest)
            rows.append(
                (f"{task}@{version}", str(arm), "", f"{len(rest)} more kinds", f"{n:,}", share(n, len(of_cell)), "–")
            )
    return Plot(
        name,
        "How samples ended, and why",
        "Invalid: the model’s output could not be used. Refused: it declined. Both score as failures. Error: a fault "
        "of the harness or the backend, never scored. Transcripts are a click away.",
        svg,
        table(
            "Samples by outcome and reason",
            ("task", "arm", "outcome", "reason", "samples>", "share>", "transcripts"),
            rows,
        ),
    )


def _links(members: pd.DataFrame, page: Callable[[Key], str | None]) -> tuple[Link, ...] | str:
    links = []
    for key in keys(members):
        target = page(key)
        if target is not None:
            links.append(Link(label(f"{key.item}/{key.sample}", 24), target))
        if len(links) == _EXAMPLES:
            break
    return tuple(links) or "–"
