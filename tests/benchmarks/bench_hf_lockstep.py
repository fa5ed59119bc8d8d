"""Speed of the hf backend.

    python tests/benchmarks/bench_hf_lockstep.py             # toy model against lock-step generate: medians and ratio
    python tests/benchmarks/bench_hf_lockstep.py --smollm2   # tokens a second, and turns with and without reuse

The baseline is the loop that one writes first: all episodes in step, ``model.generate`` over the left-padded batch of
whole prompts, turn after turn. Runs of both are interleaved, since machines are noisy.
"""

# ruff: noqa: T201 - a bench prints what it measures

import argparse
import asyncio
import importlib.util
import statistics
import time
from pathlib import Path

from finchmark.suite.backends import GenerateRequest, Message
from finchmark.suite.backends.hf import HFBackend

EPISODES, TURNS, TOKENS = 32, 10, 16


def toys():
    import torch

    torch.set_num_threads(1)  # a toy is too small to share out
    path = Path(__file__).parents[1] / "toys.py"
    spec = importlib.util.spec_from_file_location("toys", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tokenizer = module.make_talker()
    model = module.make_llama(tokenizer, max_position_embeddings=4096)
    with torch.no_grad():
        model.lm_head.weight[tokenizer.all_special_ids] = 0  # no reply ends early: both do the same work
    model.generation_config.eos_token_id = None
    return model, tokenizer


def observation(episode, turn):
    return f"Turn {turn}: lamp {episode % 7} is on, lamp {(episode + turn) % 5} is off. What do you do?"


def lockstep(model, tokenizer, *, sample):
    """The baseline."""
    tokenizer.padding_side = "left"
    chats = [[{"role": "system", "content": "You are a helpful agent."}] for _ in range(EPISODES)]
    began = time.perf_counter()
    for turn in range(TURNS):
        for e, chat in enumerate(chats):
            chat.append({"role": "user", "content": observation(e, turn)})
        texts = [tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in chats]
        batch = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
        sampling = {"do_sample": True, "top_k": 0, "top_p": 1.0} if sample else {"do_sample": False}
        out = model.generate(**batch, max_new_tokens=TOKENS, pad_token_id=tokenizer.pad_token_id, **sampling)
        for chat, ids in zip(chats, out[:, batch.input_ids.shape[1] :], strict=True):
            chat.append({"role": "assistant", "content": tokenizer.decode(ids)})
    return time.perf_counter() - began


async def episode(backend, number, temperature, turns, tokens, text=observation, stop=()):
    messages = (Message("system", "You are a helpful agent."),)
    for turn in range(turns):
        messages += (Message("user", text(number, turn)),)
        done = await backend.generate(
            GenerateRequest(messages, f"e{number}", 10 * number + turn, tokens, temperature, stop=stop)
        )
        messages += (Message("assistant", done.text, done.token_ids),)
    backend.release(f"e{number}")


async def ours(backend, *, temperature, stop=()):
    began = time.perf_counter()
    await asyncio.gather(*(episode(backend, e, temperature, TURNS, TOKENS, stop=stop) for e in range(EPISODES)))
    return time.perf_counter() - began


async def toy(repeats):
    model, tokenizer = toys()
    backend = HFBackend("toy", model_object=model, tokenizer_object=tokenizer, batch_size=EPISODES)
    await backend.start()
    stop = ("</action>", "<|im_end|>")
    cases = {
        "greedy": ({"temperature": 0.0}, False),
        "sampled": ({"temperature": 1.0}, True),
        "greedy, stop strings": ({"temperature": 0.0, "stop": stop}, False),
    }
    for name, (options, sample) in cases.items():
        theirs, own = [], []
        for k in range(repeats + 1):
            a = lockstep(model, tokenizer, sample=sample)
            b = await ours(backend, **options)
            if k:  # the first round warms up
                theirs.append(a)
                own.append(b)
        ratio = statistics.median(b / a for a, b in zip(theirs, own, strict=True))
        print(
            f"{name:22} lock-step {statistics.median(theirs):.3f} s, hf {statistics.median(own):.3f} s, "
            f"median ratio {ratio:.2f} (bound 1.3)"
        )
    await backend.aclose()


def story(number, turn):
    return f"{number}-{turn}: " + "The finch looked at the seven stones under the tree and thought about the rain. " * 5


async def smollm2():
    for batch in (16, 32):
        backend = HFBackend("smollm2", batch_size=batch)
        await backend.start()
        for k in range(2):
            before, began = backend.stats(), time.perf_counter()
            await asyncio.gather(*(episode(backend, e, 1.0, 1, 48, story) for e in range(batch)))
            seconds, after = time.perf_counter() - began, backend.stats()
            tokens = after["generated_tokens"] - before["generated_tokens"]
            if k:
                print(f"smollm2, {batch} rows, 1 turn of 48 tokens: {tokens / seconds:.0f} tokens/s, prefill included")
        await backend.aclose()
    for cache_bytes in (None, 0):
        backend = HFBackend("smollm2", batch_size=16, cache_bytes=cache_bytes)
        await backend.start()
        began = time.perf_counter()
        await asyncio.gather(*(episode(backend, e, 1.0, 4, 32, story) for e in range(16)))
        seconds, stats = time.perf_counter() - began, backend.stats()
        print(
            f"smollm2, 16 rows x 4 turns x 32 tokens, cache_bytes {cache_bytes}: {seconds:.1f} s, "
            f"{stats['prefilled_tokens']:.0f} prompt tokens computed, {stats['cached_tokens']:.0f} reused, "
            f"{stats['steps']:.0f} steps"
        )
        await backend.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smollm2", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    asyncio.run(smollm2() if arguments.smollm2 else toy(arguments.repeats))
