"""Whole experiments: all worlds, runs and methods, their models, their journal and their result."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ....suite.agents.making import agent_factory
from ....suite.backends.base import Backend
from ....suite.broker import Broker
from ....suite.errors import UsageError
from ....suite.records import Sampling
from ....suite.sandbox.functions import VERSION
from ....suite.sandbox.shared import need_sandbox
from .arena import Arena, WorldArena
from .cost import Measure
from .journal import JOURNAL, Journal
from .loop import LOOP, Loop
from .method import Method
from .optimiser import Optimiser
from .plan import Plan
from .result import RESULT, MethodsResult, read_result

__all__ = ["learn", "run_methods"]


async def learn(
    plan: Plan,
    executor: Backend | None,
    optimiser: Optimiser,
    out: Path,
    *,
    arenas: Mapping[str, Arena] | None = None,
    watch: Callable[[str], None] = lambda line: None,
) -> MethodsResult:
    """Run an experiment. The same plan and folder again goes on where it was stopped, or killed.

    Args:
        plan: What.
        executor: The model that plays; it is started and closed here. None only where ``arenas`` are given.
        optimiser: Edits; its backend, if it has one, is started and closed here as well.
        out: The folder: ``journal.jsonl`` (every episode and edit with its calls) and ``result.json`` (lineages, scores
            by level, costs). The result holds no times: going on, and a replay, give the same bytes.
        arenas: Other places to play than the worlds of the catalogue, by the plan's names.
        watch: Gets a line for each method that has finished.

    Returns:
        The result, as :func:`.result.read_result` reads it.

    Raises:
        SpecMismatch: The folder holds an experiment of other settings.
        RunLocked: Another process works on it.
        UsageError: A world, agent or method cannot be used.
        SandboxUnavailable: A method edits the agent's code, and there is no sandbox here.
        SandboxFailure: The sandbox failed, which says nothing about any code: as with a model that failed.
        BackendError: A model failed: what was finished is kept, and the same command goes on.
    """
    backends: list[Backend] = []
    for backend in (executor, optimiser.backend):
        if backend is not None and not any(backend is other for other in backends):
            backends.append(backend)
    for backend in backends:
        await asyncio.to_thread(backend.locate)
    brokers = {id(backend): Broker(backend) for backend in backends}
    places = dict(arenas) if arenas is not None else _worlds(plan, executor, brokers)
    missing = [name for name in plan.worlds if name not in places]
    if missing:
        raise UsageError(f"No arena was given for the world {missing[0]!r}.")
    measure: Measure = "usd" if executor is not None and executor.price is not None else "tokens"
    settings = {
        "loop": LOOP,
        **plan.data(),
        "measure": measure,
        "executor": executor.identity() if executor is not None else None,
        "optimiser": optimiser.identity(),
        "arenas": [{**places[name].identity(), "core": places[name].core} for name in plan.worlds],
    }
    if arenas is None and _coded(plan):
        settings["code"] = {"language": VERSION, "python": f"{sys.version_info[0]}.{sys.version_info[1]}"}
    journal = Journal(out / JOURNAL, settings)
    try:
        try:
            for backend in backends:
                await backend.start()
            asked = brokers[id(optimiser.backend)] if optimiser.backend is not None else None
            many = executor.capabilities.concurrency if executor is not None else 256
            experiment = Loop(plan, places, optimiser, asked, journal, measure, many)
            starts, cells = await _all(experiment, watch)
        finally:
            for backend in backends:
                await backend.aclose()
        data = {
            "settings": json.loads(json.dumps(settings)),
            "worlds": [
                {
                    "name": name,
                    "core": places[name].core,
                    "averaged": places[name].averaged,
                    "features": dict(places[name].features),
                }
                for name in plan.worlds
            ],
            "starts": starts,
            "cells": cells,
            "spent": experiment.all_costs().data(),
        }
        # While the journal is held, nobody else writes here.
        half = out / f".{RESULT}.half"
        half.write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
        half.replace(out / RESULT)
    finally:
        journal.close()
    return read_result(out)


def _coded(plan: Plan) -> list[str]:
    """The methods that edit the agent's code."""
    return [method.name for method in plan.found if method.component == "agent"]


def _worlds(plan: Plan, executor: Backend | None, brokers: Mapping[int, Broker]) -> dict[str, Arena]:
    if executor is None:
        raise UsageError("Worlds are played by a model: give a backend, or arenas of your own.")
    coded = _coded(plan)
    if coded:
        need_sandbox(f"{', '.join(coded)} (without a sandbox take methods that edit the prompt, --method '*-prompt')")
    make = agent_factory(plan.agent, plan.agent_args)
    sampling = Sampling(temperature=plan.temperature)
    broker = brokers[id(executor)]
    return {name: WorldArena(name, broker, make, sampling=sampling, max_tokens=plan.max_tokens) for name in plan.worlds}


async def _all(experiment: Loop, watch: Callable[[str], None]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    plan = experiment.plan
    rows = [(world, run) for world in plan.worlds for run in range(plan.runs)]

    async def cell(world: str, run: int, method: Method) -> dict[str, Any]:
        found = await experiment.cell(world, run, method)
        ended = found["stopped"] or f"{found['iterations']} iterations"
        watch(f"{world} run {run} {method.name}: {len(found['candidates'])} candidates, {ended}")
        return found

    starts = [experiment.start(world, run) for world, run in rows]
    cells = [cell(world, run, method) for world, run in rows for method in plan.found]
    done = await asyncio.gather(*starts, *cells, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    found: list[Any] = list(done)
    return found[: len(starts)], found[len(starts) :]


def run_methods(
    plan: Plan,
    executor: Backend | None,
    optimiser: Optimiser,
    out: Path,
    *,
    arenas: Mapping[str, Arena] | None = None,
    watch: Callable[[str], None] = lambda line: None,
) -> MethodsResult:
    """:func:`learn` for callers without an event loop."""
    return asyncio.run(learn(plan, executor, optimiser, out, arenas=arenas, watch=watch))
