"""How far one visible feature of a question gets without any episode: the best threshold, fitted on the questions.

    python tests/benchmarks/bench_prediction.py

Questions of the gate's public items as they are asked when nothing was done, 8 an item. 0.5: the feature tells nothing.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from finchmark.suite.registry import TASKS
from finchmark.suite.seeds import generator
from finchmark.tasks.odyssey import energy_questions, repo_questions, trade_questions
from finchmark.tasks.odyssey.lights_policies import read_bulbs


def features(world: str, question: Any, config: Any) -> dict[str, float]:
    """What a reader sees of a question, as numbers."""
    if world == "lights":
        state, bulb = read_bulbs(question.text), int(question.action.split()[1])
        return {"bulbs on": state.bit_count(), "own bulb on": state >> bulb & 1, "bulb": bulb}
    if world == "energy":
        day = energy_questions.asked(question.text)
        return {"day": day.day, "even day": day.day % 2, "threshold": day.threshold, "wind": day.plant == "wind"}
    if world == "trade":
        news = list(trade_questions.asked(question.text).news.values())
        return {"sum of changes": sum(news), "first change": news[0], "largest change": max(news, key=abs)}
    ask = repo_questions.asked(question.text)
    versions = {name: package["versions"] for name, package in config["packages"].items()}

    def rank(name: str, version: str) -> float:
        return versions[name].index(version) / max(1, len(versions[name]) - 1)

    ranks = [rank(name, "{}.{}".format(*version)) for name, version in ask.installed.items()]
    kind = "run" if ask.command.startswith("python") else "install"
    found = {
        "python": config["python_versions"].index("{}.{}".format(*ask.python)),
        "mean rank": float(np.mean(ranks)),
        "share of newest": float(np.mean([r == 1 for r in ranks])),
        "share of oldest": float(np.mean([r == 0 for r in ranks])),
    }
    if kind == "install":
        found["rank of the version"] = rank(*ask.command.split()[-1].split("=="))
    return {f"{kind}: {name}": value for name, value in found.items()}


def main() -> None:
    """Print one line a feature."""
    for world in ("lights", "energy", "trade", "repo"):
        task = TASKS.load(f"odyssey/{world}")()
        rows: dict[str, list[tuple[float, bool]]] = defaultdict(list)
        for item in task.items(task.tiers["gate"], 0):
            for question in task.questions(item, generator("cue", item.id), [], 8):
                for name, value in features(world, question, item.data["config"]).items():
                    rows[name].append((float(value), question.answer))
        for name, pairs in rows.items():
            values, answers = (np.array(column) for column in zip(*pairs, strict=True))
            right = [float(np.mean((values > cut) == answers)) for cut in np.unique(values)]
            print(f"{world:<8}{name:<30}{max(max(r, 1 - r) for r in right):.3f}  ({len(pairs)} questions)")  # noqa: T201


if __name__ == "__main__":
    main()
