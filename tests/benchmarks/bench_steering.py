"""What a steering vector does to SmolLM2: perplexity of known answers, and whether programs work, beside a control.

    python tests/benchmarks/bench_steering.py [--out FOLDER] [--layer 10 --layer 20] [--strength 0.1 --strength 0.3]
        [--pairs 12] [--items 6]

Pairs are statements of CreativeBench as they are shown, and the same behind advice to look for an unusual way. The
advice was written by hand: no optimiser has made it, so this shows that the parts work, and nothing about evolved
prompts. Held-out problems give the answers: perplexity of the shipped plain program, and greedy replies judged in the
sandbox (``--replies``). Beside each vector stands a random one of the same length.
"""

# ruff: noqa: T201 - a bench prints what it measures

import argparse
import asyncio
import os
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from finchmark.suite.backends import GenerateRequest, Message, ScoreRequest
from finchmark.suite.backends.direction import Choices, random_direction
from finchmark.suite.backends.extraction import Pair, extract
from finchmark.suite.backends.steering import Steering
from finchmark.suite.backends.vector_file import write_vector
from finchmark.suite.evaluation import make_backend
from finchmark.tasks.creativebench.problem import load_problems
from finchmark.tasks.creativebench.programs import found_program
from finchmark.tasks.creativebench.workshop import workshop

# As it was when the figures in docs/steering.md were taken: another text is another direction.
ADVICE = """You are known for programs that nobody else would have written. Before you write, name to yourself the way \
that
everybody would take, and put it aside. Look for another representation of the data, another order of the work, or a
fact from mathematics that makes the loop unnecessary. Check the borders: empty input, one element, equal elements. Then
write the program, short and exact.

"""


async def work(args):
    problems = list(load_problems().values())
    train, held = problems[: args.pairs], problems[args.pairs : args.pairs + args.items]
    pairs = [Pair(p.prompt(0), ADVICE + p.prompt(0)) for p in train]
    _, backend = make_backend(args.backend, {})
    backend.locate()
    await backend.start()
    try:
        began = time.monotonic()
        files = await extract(backend, pairs, args.layer, Choices(scale="stream"))
        print(f"{len(pairs)} pairs, {len(args.layer)} layers: {time.monotonic() - began:.1f} s")
        for file in files:
            d = file.direction
            print(
                f"layer {file.layer}: stream {d.stream:.1f}, explained {d.explained:.2f}, shift {d.shift:.2f}, "
                f"held-out agreement {d.held_out}, {write_vector(file, args.out).name}"
            )
        units = [(f.layer, f.direction.vector / f.direction.stream) for f in files]
        cosines = [f"{a}-{b} {float(u @ v):.2f}" for (a, u), (b, v) in pairwise(units)]
        print("cosine of neighbouring layers' vectors:", ", ".join(cosines) or "-")

        async def perplexity(steering):
            asked = [
                ScoreRequest((Message("user", p.prompt(0)),), f"```python\n{p.solution}```", p.name, steering)
                for p in held
            ]
            scores = await asyncio.gather(*map(backend.score, asked))
            return np.array([np.mean(s.logprobs) for s in scores])

        plain = await perplexity(())
        print(f"\nperplexity of {len(held)} shipped programs (geometric mean over problems)")
        zero = await perplexity((Steering(files[0].layer, files[0].direction.vector, 0.0),))
        off = abs(zero - plain).max()
        print(
            f"plain: {np.exp(-plain.mean()):.3f}; at strength 0: {np.exp(-zero.mean()):.3f} (off by {off:.2g} at most)"
        )
        print("layer  strength  vector   perplexity  change of mean log-probability [least, most over problems]")
        for file in files:
            control = random_direction(file.direction, 0)
            for strength in args.strength:
                for name, vector in (
                    ("found", file.direction.vector),
                    ("opposite", -file.direction.vector),
                    ("random", control.vector),
                ):
                    found = await perplexity((Steering(file.layer, vector, strength),))
                    change = found - plain
                    print(
                        f"{file.layer:5}  {strength:8g}  {name:8} {np.exp(-found.mean()):10.3f}  {change.mean():+.3f} "
                        f"[{change.min():+.3f}, {change.max():+.3f}]"
                    )
        if args.replies:
            await replies(backend, files[len(files) // 2], held, args)
    finally:
        await backend.aclose()


async def replies(backend, file, held, args):
    shop = await workshop()
    print(f"\ngreedy replies to {len(held)} problems at level 0, layer {file.layer}, at most {args.tokens} tokens")
    plain = None
    for strength in (0.0, *args.strength):
        steering = (Steering(file.layer, file.direction.vector, strength),)
        asked = [
            GenerateRequest((Message("user", p.prompt(0)),), p.name, 1, args.tokens, temperature=0.0, steering=steering)
            for p in held
        ]
        done = await asyncio.gather(*map(backend.generate, asked))
        codes = [found_program(d.text, p.entries) for d, p in zip(done, held, strict=True)]
        verdicts = [None if c is None else await shop.judge(c, p.tests) for c, p in zip(codes, held, strict=True)]
        plain = plain or [d.text for d in done]
        print(
            f"strength {strength:g}: {sum(c is not None for c in codes)} programs, "
            f"{sum(v is not None and v.passed for v in verdicts)} pass, "
            f"{sum(d.text != t for d, t in zip(done, plain, strict=True))} replies differ from the plain ones, "
            f"{np.mean([d.completion_tokens for d in done]):.0f} tokens"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="hf:smollm2")
    parser.add_argument("--out", type=Path, default=Path("steering"))
    parser.add_argument("--layer", type=int, action="append")
    parser.add_argument("--strength", type=float, action="append")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--items", type=int, default=6)
    parser.add_argument("--tokens", type=int, default=192)
    parser.add_argument("--replies", action="store_true")
    args = parser.parse_args()
    args.layer, args.strength = args.layer or [10, 20], args.strength or [0.1, 0.3]
    print("load", os.getloadavg())
    asyncio.run(work(args))
    print("load", os.getloadavg())


if __name__ == "__main__":
    main()
