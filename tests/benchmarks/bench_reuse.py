"""What the hf backend spares by computing nothing twice, on SmolLM2.

    python tests/benchmarks/bench_reuse.py turns     # 16 episodes x 12 turns, prompts that grow to 1,500 tokens
    python tests/benchmarks/bench_reuse.py samples   # 8 samples of 16 tokens of one prompt of 1,000 tokens

``turns`` plays the same episodes with and without what is kept between turns, greedily and in float32, and compares the
texts. ``samples`` is held against one batch of eight unshared prompts through transformers' own ``generate``. Rounds
are interleaved, since machines are noisy; the ratio is the median over rounds.
"""

# ruff: noqa: T201 - a bench prints what it measures

import argparse
import asyncio
import statistics
import time

from finchmark.suite.backends import GenerateRequest, Message
from finchmark.suite.backends.hf import HFBackend

WORDS = (
    "finch",
    "lamp",
    "stone",
    "tree",
    "rain",
    "seed",
    "beak",
    "year",
    "light",
    "river",
    "hill",
    "bird",
    "road",
    "wall",
)


def story(number, turn, words):
    """A text that differs between episodes and turns from its first word on."""
    return " ".join(WORDS[(number * 7 + turn * 3 + k * (1 + number % 5)) % len(WORDS)] for k in range(words))


async def episode(backend, number, turns, words, tokens):
    messages, texts, longest = (Message("system", "You are a helpful agent."),), [], 0
    for turn in range(turns):
        messages += (Message("user", f"Episode {number}, turn {turn}: {story(number, turn, words)}. Go on."),)
        done = await backend.generate(GenerateRequest(messages, f"e{number}", turn, tokens, 0.0))
        messages += (Message("assistant", done.text, done.token_ids),)
        texts.append(done.text)
        longest = max(longest, done.prompt_tokens)
    backend.release(f"e{number}")
    return texts, longest


async def turns(rounds, episodes=16, count=12, words=88, tokens=16):
    backends = {
        "reuse": HFBackend("smollm2", batch_size=16),
        "no reuse": HFBackend("smollm2", batch_size=16, cache_bytes=0),
    }
    seconds = {name: [] for name in backends}
    said = {}
    for backend in backends.values():
        await backend.start()
    for _ in range(rounds):
        for name, backend in backends.items():
            before, began = backend.stats(), time.perf_counter()
            done = await asyncio.gather(*(episode(backend, e, count, words, tokens) for e in range(episodes)))
            seconds[name].append(time.perf_counter() - began)
            after = backend.stats()
            said[name] = [texts for texts, _ in done]
            spent = {k: after[k] - before[k] for k in ("generated_tokens", "prefilled_tokens", "cached_tokens")}
            print(
                f"{name:9} {seconds[name][-1]:7.1f} s, {spent['generated_tokens'] / seconds[name][-1]:5.1f} tokens/s, "
                f"{spent['prefilled_tokens']:.0f} prompt tokens computed, {spent['cached_tokens']:.0f} reused, "
                f"longest prompt {max(n for _, n in done)}",
                flush=True,
            )
    for backend in backends.values():
        await backend.aclose()
    pairs = [(a, b) for x, y in zip(said["reuse"], said["no reuse"], strict=True) for a, b in zip(x, y, strict=True)]
    ratio = statistics.median(b / a for a, b in zip(seconds["reuse"], seconds["no reuse"], strict=True))
    print(f"no reuse / reuse: {ratio:.2f} (goal 2); equal replies {sum(a == b for a, b in pairs)} of {len(pairs)}")


async def samples(rounds, n=8, size=1000, tokens=16):
    import torch
    from transformers import AutoModelForCausalLM

    backend = HFBackend("smollm2", batch_size=n)
    await backend.start()
    folder = backend._weights.path
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), backend._tokenizer
    model.generation_config.eos_token_id = None  # neither side ends early
    text = story(1, 1, 4 * size)
    tail = len(
        tokenizer.apply_chat_template([{"role": "user", "content": ""}], add_generation_prompt=True)["input_ids"]
    )
    text = tokenizer.decode(tokenizer.encode(text)[: size - tail])
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True, return_tensors="pt"
    )["input_ids"]
    print(f"prompt of {ids.shape[1]} tokens, {n} samples of {tokens} tokens")
    theirs, ours = [], []
    for k in range(rounds + 1):
        began = time.perf_counter()
        with torch.inference_mode():
            model.generate(
                ids.expand(n, -1),
                attention_mask=torch.ones(n, ids.shape[1]),
                max_new_tokens=tokens,
                do_sample=True,
                top_k=0,
                top_p=1.0,
                pad_token_id=tokenizer.pad_token_id or 0,
            )
        middle = time.perf_counter()
        requests = [
            GenerateRequest((Message("user", text),), f"round {k} sample {i}", 100 * k + i, tokens, 1.0)
            for i in range(n)
        ]
        # Nothing of the round before is left to borrow from: only the sharing among the eight is measured.
        backend._decode.runner.sessions.clear()
        done = await asyncio.gather(*map(backend.generate, requests))
        end = time.perf_counter()
        if k:  # the first round warms up
            theirs.append(middle - began)
            ours.append(end - middle)
            print(
                f"generate {theirs[-1]:.2f} s, hf {ours[-1]:.2f} s for {sum(c.completion_tokens for c in done)} tokens",
                flush=True,
            )
    await backend.aclose()
    ratio = statistics.median(a / b for a, b in zip(theirs, ours, strict=True))
    print(f"one unshared batch of {n} / hf: {ratio:.2f} (goal 3)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["turns", "samples"])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    asyncio.run({"turns": turns, "samples": samples}[arguments.what](arguments.rounds))
