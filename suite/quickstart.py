"""The main job in one command: a real model plays real episodes, beside its references, and a page shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .engine import Watcher
from .evaluation import evaluate
from .store import StoredRun

__all__ = ["Quickstart", "quickstart"]

TASK = "odyssey"
_REFERENCES = ("random", "heuristic", "oracle")


@dataclass(frozen=True)
class Quickstart:
    """What the quickstart made: the runs, the model's first, and the page."""

    runs: tuple[StoredRun, ...]
    page: Path


def quickstart(
    out: Path,
    *,
    task: str = TASK,
    backend: str = "hf:smollm2",
    samples: int = 4,
    say: Callable[[str], None] = lambda text: None,
    make_watcher: Callable[[], Watcher | None] = lambda: None,
) -> Quickstart:
    """Play the smoke tier of a task, or several, with a model and with the references; write a leaderboard.

    Args:
        out: Folder for the runs and the site. What is there already is not played again.
        task: A task or selector; ``odyssey`` is all four worlds, ``odyssey/lights`` one, in a tenth of the time.
        backend: The model.
        samples: Samples an item and arm.
        say: Gets a line of text at each step.
        make_watcher: Makes the display of the model's run.

    Returns:
        The runs and the page.
    """
    from ..leaderboard import build

    say(f"1/3  References of {task}: {', '.join(_REFERENCES)}")
    # The references cost nothing, so they get more samples: their rows are then close to their true levels.
    references = [
        evaluate(task, f"scripted:{name}", tier="smoke", samples=max(64, samples), out=out / name)
        for name in _REFERENCES
    ]
    say(f"2/3  {backend} plays {task}, tier smoke, {samples} samples an item and arm")
    model = evaluate(task, backend, tier="smoke", samples=samples, out=out / "model", watcher=make_watcher())
    say("3/3  Leaderboard")
    runs = (model, *references)
    return Quickstart(runs, build(runs, out / "site"))
