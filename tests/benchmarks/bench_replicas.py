"""Workers against one process, on the CPU: one process with all threads, or two workers that share them.

    python tests/benchmarks/bench_replicas.py                 # toy model: multi-turn, seconds and their ratio
    python tests/benchmarks/bench_replicas.py --smollm2       # the same with the built-in model
    python tests/benchmarks/bench_replicas.py --slack         # prompt tokens computed, by how kin are seated
    python tests/benchmarks/bench_replicas.py --death         # what one kill -9 in the middle of a run costs

The last two take ``--smollm2`` too.

Runs of both sides are interleaved, since machines are noisy. On two cores the model sets the bound: two workers of one
thread each beat one process of two threads where matrices are too small for two threads to share.
"""

# ruff: noqa: T201 - a bench prints what it measures

import argparse
import asyncio
import importlib.util
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from finchmark.suite.backends import GenerateRequest, Message
from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.backends.local import LocalBackend
from finchmark.suite.backends.replicas import ReplicaBackend
from finchmark.suite.backends.seating import Seating
from finchmark.suite.seeds import derive

EPISODES, TURNS, TOKENS = 32, 10, 16
STORY = "The finch looked at the seven stones under the tree and thought about the rain. "


def save_toy(folder):
    import torch

    path = Path(__file__).parents[1] / "toys.py"
    spec = importlib.util.spec_from_file_location("toys", path)
    assert spec is not None
    assert spec.loader is not None
    threads = torch.get_num_threads()
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.set_num_threads(threads)  # the tests want one; here both sides get what the machine has
    tokenizer = module.make_talker()
    model = module.make_llama(tokenizer, max_position_embeddings=4096)
    with torch.no_grad():
        model.lm_head.weight[tokenizer.all_special_ids] = 0  # no reply ends early: both do the same work
    model.generation_config.eos_token_id = None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


async def episode(backend, name, text, turns, tokens, temperature=1.0):
    messages = (Message("system", "You are a helpful agent."),)
    said = []
    for turn in range(turns):
        messages += (Message("user", text(turn)),)
        request = GenerateRequest(messages, f"e/{name}", derive(str(name), turn), tokens, temperature)
        done = await backend.generate(request)
        messages += (Message("assistant", done.text, done.token_ids),)
        said.append(done.text)
    backend.release(f"e/{name}")
    return said


async def play(backend, episodes, turns, tokens, words):
    began = time.perf_counter()
    texts = await asyncio.gather(
        *(
            episode(backend, e, lambda turn, e=e: f"Turn {turn}, lamp {e}: " + STORY * words, turns, tokens)
            for e in range(episodes)
        )
    )
    return time.perf_counter() - began, texts


async def compare(model, repeats, *, episodes, turns, tokens, words):
    batch = episodes
    one = HFBackend(model, device="cpu", batch_size=batch)
    two = LocalBackend(model, devices="cpu+cpu", batch_size=batch)
    await one.start()
    await two.start()
    print(f"one process: {one.describe()['device']}; two workers: {two.describe()['device']} each")
    alone, shared, same, count = [], [], 0, 0
    for k in range(repeats + 1):
        seconds, texts = await play(one, episodes, turns, tokens, words)
        other, others = await play(two, episodes, turns, tokens, words)
        if k:  # the first round warms up
            alone.append(seconds)
            shared.append(other)
            same += sum(a == b for a, b in zip(texts, others, strict=True))
            count += len(texts)
    await one.aclose()
    await two.aclose()
    ratios = sorted(a / b for a, b in zip(alone, shared, strict=True))
    made = episodes * turns * tokens
    print(
        f"{episodes} episodes x {turns} turns x {tokens} tokens: one process {statistics.median(alone):.2f} s "
        f"({made / statistics.median(alone):.0f} tokens/s), two workers {statistics.median(shared):.2f} s "
        f"({made / statistics.median(shared):.0f}); two workers are {statistics.median(ratios):.2f} times as fast "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f} in {repeats} rounds); {same} of {count} episodes equal"
    )


async def slack(model, repeats):
    """Items of 4 samples with long prompts of their own, 16 episodes open at once."""
    items, samples, limit = 12, 4, 16
    backend = LocalBackend(model, devices="cpu+cpu", batch_size=limit)
    assert isinstance(backend, ReplicaBackend)
    await backend.start()
    ways = {"kin ignored": _Loners(), **{f"slack {k}": Seating(k) for k in (0, 1, 2, 4, 8)}}
    results = {way: [] for way in ways}
    for k in range(repeats):
        for way, seats in ways.items():
            backend.dispatcher.seats = seats
            gate = asyncio.Semaphore(limit)

            async def one(item, sample, way=way, gate=gate, k=k):
                async with gate:
                    first = f"{way} {k}, item {item}: " + STORY * (12 + item % 5)  # nothing is left from other rounds
                    turns, tokens = 1 + (item + 3 * sample) % 3, 8 + 5 * ((item * 7 + sample * 3) % 4)
                    name = f"{way}/{k}/{item}/{sample}"
                    await episode(backend, name, lambda turn: "And then?" if turn else first, turns, tokens)

            before, began = await settled(backend), time.perf_counter()
            await asyncio.gather(*(one(i, s) for i in range(items) for s in range(samples)))
            seconds = time.perf_counter() - began
            results[way].append((seconds, await settled(backend) - before))
    await backend.aclose()
    for way, found in results.items():
        seconds, tokens = (statistics.median(x[i] for x in found) for i in (0, 1))
        print(f"{way:12} {seconds:6.1f} s, {tokens:6.0f} prompt tokens computed")


async def settled(backend):
    """Prompt tokens computed so far, once the last beats are in."""
    seen = -1.0
    while (now := backend.stats().get("prefilled_tokens", 0.0)) != seen:
        seen = now
        await asyncio.sleep(2.5)
    return now


class _Loners(Seating):
    def seat(self, newcomers, workers):
        super().seat([(session, session) for session, _ in newcomers], workers)


async def death(model, repeats):
    backend = LocalBackend(model, devices="cpu+cpu", batch_size=16)
    assert isinstance(backend, ReplicaBackend)
    await backend.start()
    calm, shot = [], []
    for k in range(2 * repeats + 1):
        task = asyncio.create_task(play(backend, 32, 10, 48, 2))
        if k % 2 == 0 and k:
            await asyncio.sleep(statistics.median(calm) / 2)
            os.kill(min(replica.pid for replica in backend.replicas), signal.SIGKILL)
        seconds, _ = await task
        (shot if k % 2 == 0 and k else calm).append(seconds)
        while backend.stats()["workers"] < 2:
            await asyncio.sleep(0.1)
    print(
        f"calm {statistics.median(calm[1:]):.2f} s; one of two workers killed half way {statistics.median(shot):.2f} s"
    )
    print(backend.describe()["counts"])
    await backend.aclose()


async def main(arguments):
    with tempfile.TemporaryDirectory() as folder:
        model = "smollm2" if arguments.smollm2 else save_toy(folder)
        if arguments.slack:
            await slack(model, arguments.repeats)
        elif arguments.death:
            await death(model, arguments.repeats)
        elif arguments.smollm2:
            await compare(model, arguments.repeats, episodes=16, turns=3, tokens=32, words=3)
        else:
            await compare(model, arguments.repeats, episodes=EPISODES, turns=TURNS, tokens=TOKENS, words=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("--smollm2", "--slack", "--death"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    asyncio.run(main(parser.parse_args()))
