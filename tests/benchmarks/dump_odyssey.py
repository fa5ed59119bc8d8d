"""Write down what the four Odyssey worlds are and say, so that two versions of the code can be compared byte for byte.

    python tests/benchmarks/dump_odyssey.py before.jsonl     # with the old code
    python tests/benchmarks/dump_odyssey.py after.jsonl      # with the new
    cmp before.jsonl after.jsonl

Of every world and tier: the first public items with their hashes and configs, the instructions in both arms, the
spaces, an episode of a player that presses at random and types rubbish now and then, by our rules and by the
reference's, resets with and without a seed, and what is said to everything that is refused. Some seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium

from finchmark.suite.registry import TASKS
from finchmark.suite.seeds import generator

WORLDS = ("lights", "trade", "energy", "repo")
TIERS = {"smoke": 1, "gate": 12, "lite": 3, "challenge": 1}
RUBBISH = ("", "nonsense", "{}", "-1", "pip install", '{"buy": {"S0": 1}}', '{"thermal": 1}', "B0", "99", "python x.py")


def said(call: Any) -> str:
    """What a call that is refused says."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is written down
        return f"{type(error).__name__}: {error}"
    return "accepted"


def answer(env: Any, action: str) -> list[Any]:
    observation, reward, terminated, truncated, info = env.step(action)
    return [action, observation, repr(reward), terminated, truncated, info]


def usable(world: str, item: Any, rng: Any) -> str:
    """An action that the world can mostly use."""
    config = item.data["config"]
    if world == "lights":
        return str(rng.integers(config["level"]))
    if world == "energy":
        capacity = config["capacity"]
        return json.dumps({name: round(float(rng.uniform(0, top)), 1) for name, top in capacity.items()})
    if world == "trade":
        return json.dumps({"buy": {config["stocks"][int(rng.integers(len(config["stocks"])))]: 1}})
    names = list(config["packages"])
    name = names[int(rng.integers(len(names)))]
    python = config["python_versions"][int(rng.integers(len(config["python_versions"])))]
    choices = (f"pip install {name}", f"pip install python=={python}", "pip list", "python run.py", "repo tree")
    return choices[int(rng.integers(len(choices)))]


def episode(env: Any, world: str, item: Any, first: Any, steps: int = 40) -> Iterator[list[Any]]:
    rng = generator("dump", world, item.hash)
    yield ["reset", *first]
    for _ in range(steps):
        rubbish = rng.random() < 0.15
        action = RUBBISH[int(rng.integers(len(RUBBISH)))] if rubbish else usable(world, item, rng)
        made = answer(env, action)
        yield made
        if made[3] or made[4]:
            yield ["after the end", said(lambda: env.step("0"))]
            return


def of_item(task: Any, world: str, item: Any, tier: Any) -> Iterator[dict[str, Any]]:
    yield {"item": item.id, "hash": item.hash, "data": dict(item.data), "proof": item.proof, "levels": str(item.levels)}
    for arm in task.arms:
        yield {"instructions": task.instructions(item, arm, tier), "arm": arm.name, "practice": task.practice(item)}
    for reference_rules in (False, True):
        name = f"finchmark/{world.capitalize()}-v1"
        env = gymnasium.make(name, config=item.data["config"], reference_rules=reference_rules).unwrapped
        yield {"spaces": [str(env.action_space), str(env.observation_space)], "max_steps": env.max_steps}
        yield {"episode": list(episode(env, world, item, env.reset(seed=3)))}
        yield {"again": list(episode(env, world, item, env.reset()))}


def of_world(world: str) -> Iterator[dict[str, Any]]:
    import finchmark.environments.odyssey  # noqa: F401 - registers the ids

    name = f"finchmark/{world.capitalize()}-v1"
    task = TASKS.load(f"odyssey/{world}")()
    for tier_name, count in TIERS.items():
        tier = task.tiers[tier_name]
        items = task.items(tier, 0)[:count] if tier_name == "smoke" else list(task.items(_cut(tier, count), 0))
        for item in items:
            for line in of_item(task, world, item, tier):
                yield {"world": world, "tier": tier_name, **line}
        env = gymnasium.make(name, difficulty=tier_name).unwrapped
        yield {"world": world, "tier": tier_name, "spaces": [str(env.action_space), str(env.observation_space)]}
        yield {"before": said(lambda e=env: e.step("0"))}
        for seed in (5, None, None, 5):
            if tier_name in ("smoke", "gate"):
                yield {"seed": seed, "reset": list(env.reset(seed=seed)), "drawn": asdict(env.world)}
        yield {"refused": [said(lambda e=env: e.reset(options={"a": 1})), said(lambda e=env: e.step(3))]}
    env = gymnasium.make(name, config=task.items(task.tiers["smoke"], 0)[0].data["config"]).unwrapped
    config = env.reset() and task.items(task.tiers["smoke"], 0)[0].data["config"]
    yield {"type": said(lambda: env.step(None)), "options": said(lambda: env.reset(options={"x": 2}))}
    for arguments in (
        {"config": config, "difficulty": "smoke"},
        {"difficulty": "no such"},
        {"difficulty": "smoke", "max_steps": 0},
        {"difficulty": "smoke", "max_steps": True},
        {"difficulty": "smoke", "max_steps": 2.5},
        {"config": config, "max_steps": 7},
        {"config": {}},
        {"config": {}, "max_steps": 0},
        {"difficulty": "no such", "max_steps": 0},
        {"config": config, "reference_rules": True, "max_steps": -1},
    ):
        yield {"arguments": sorted(arguments), "made": said(lambda a=arguments: gymnasium.make(name, **a))}
    module = __import__(f"finchmark.environments.odyssey.{world}_worlds", fromlist=["generate"])
    yield {"no path": said(lambda: module.generate("smoke")), "no name": said(lambda: module.generate("small", 1))}


def _cut(tier: Any, count: int) -> Any:
    from dataclasses import replace

    return replace(tier, items=count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    with parser.parse_args().file.open("w", encoding="utf-8") as out:
        for world in WORLDS:
            for line in of_world(world):
                out.write(json.dumps(line, default=str, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
