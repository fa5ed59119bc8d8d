"""Multi-turn episodes on a toy Llama: Finchmark beside a bare loop, lm-eval's HFLM in lock-step waves, and inspect-ai.

    tox -e peers                                    # installs the peers and runs this
    python tests/benchmarks/bench_peers.py --shapes 32x10,31x10 --repeats 3

Every player runs in a process of its own, has its model loaded and warm before the clock starts, gets the same
conversations and writes at most 16 tokens a reply; in the shape ``200x5u`` replies end where the model ends them, so
that their lengths are uneven. Finchmark's time is a whole ``evaluate`` with its store, inspect-ai's a whole ``eval``
with its log. Rounds are interleaved, because machines are noisy; the ratios are medians over rounds.
"""

# ruff: noqa: T201 - a bench prints what it measures

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

TOKENS = 16
PLAYERS = ("bare", "lm-eval", "inspect", "finchmark")


def observation(episode, turn):
    return f"Turn {turn}: lamp {episode % 7} is on, lamp {(episode + turn) % 5} is off. What do you do?"


def save_toy(folder, uneven):
    """A random Llama of two layers; its replies end by chance if ``uneven``, and never otherwise."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    words.train_from_iterator([observation(e, t) for e in range(20) for t in range(20)], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=4096,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    with torch.no_grad():
        model.lm_head.weight[tokenizer.all_special_ids] = 0
    # About one token in fourteen ends a reply, so that replies of 16 at most are anything from 1 to 16 tokens long.
    ends = list(range(40, 70)) if uneven else None
    model.generation_config.eos_token_id = model.config.eos_token_id = ends
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def play_bare(folder, episodes, turns, uneven):
    """All episodes in step, ``generate`` over whole left-padded prompts."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")

    def play(number, length):
        chats = [[] for _ in range(number)]
        for turn in range(length):
            for e, chat in enumerate(chats):
                chat.append({"role": "user", "content": observation(e, turn)})
            for start in range(0, number, 32):
                part = chats[start : start + 32]
                texts = [tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in part]
                batch = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
                out = model.generate(
                    **batch, max_new_tokens=TOKENS, do_sample=True, top_k=0, pad_token_id=tokenizer.pad_token_id
                )
                for chat, ids in zip(part, out[:, batch.input_ids.shape[1] :], strict=True):
                    chat.append({"role": "assistant", "content": tokenizer.decode(ids, skip_special_tokens=True)})

    return play


def play_lm_eval(folder, episodes, turns, uneven):
    """HFLM, one ``generate_until`` over all waiting episodes a turn."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=32)
    kwargs = {"until": [], "max_gen_toks": TOKENS, "do_sample": True, "temperature": 1.0}

    def play(number, length):
        chats = [[] for _ in range(number)]
        for turn in range(length):
            requests = []
            for e, chat in enumerate(chats):
                chat.append({"role": "user", "content": observation(e, turn)})
                prompt = lm.apply_chat_template(chat)
                requests.append(Instance("generate_until", {}, (prompt, kwargs), e, metadata=("bench", e, 1)))
            for chat, text in zip(chats, lm.generate_until(requests, disable_tqdm=True), strict=True):
                chat.append({"role": "assistant", "content": text})

    return play


def play_inspect(folder, episodes, turns, uneven):
    """inspect-ai's ``hf`` provider under its own ``eval``."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ChatMessageUser, GenerateConfig, get_model
    from inspect_ai.solver import solver

    config = GenerateConfig(max_tokens=TOKENS, temperature=1.0, max_connections=32)
    model = get_model("hf/toy", model_path=str(folder), tokenizer_path=str(folder), device="cpu", config=config)

    @solver
    def talk(length):
        async def solve(state, generate):
            state.messages = []
            for turn in range(length):
                state.messages.append(ChatMessageUser(content=observation(state.sample_id, turn)))
                output = await model.generate(state.messages)
                state.messages.append(output.message)
            return state

        return solve

    def play(number, length):
        samples = [Sample(input="go", id=e) for e in range(number)]
        with tempfile.TemporaryDirectory() as logs:
            (log,) = eval(
                Task(dataset=samples, solver=talk(length)),
                model=model,
                log_dir=logs,
                display="none",
                max_samples=number,
                max_connections=32,
            )
        if log.status != "success":
            raise RuntimeError(f"inspect-ai ended as {log.status}: {log.error}")

    return play


def play_finchmark(folder, episodes, turns, uneven):
    """A whole ``evaluate``, store included."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from finchmark import EpisodeResult, Item, Task, Tier, evaluate
    from finchmark.suite.backends.hf import HFBackend
    from finchmark.suite.registry import TASKS, Entry

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    class Talk(Task):
        """Talks for some turns."""

        name = "bench/talk"
        tiers = {"smoke": Tier("smoke", items=100_000, max_turns=turns, max_tokens=TOKENS)}  # noqa: RUF012 - a bench

        def items(self, tier, seed):
            return [Item(f"{e:05}", {"e": e}) for e in range(episodes)]

        async def episode(self, ctx):
            for turn in range(turns):
                await ctx.ask(observation(ctx.item.data["e"], turn), allow_cut=True)
            return EpisodeResult({"success": 0.0})

    TASKS.add(Entry(Talk.name, "bench:Talk", ""), Talk)

    def play(number, length):
        backend = HFBackend("toy", model_object=model, tokenizer_object=tokenizer, batch_size=32)
        with tempfile.TemporaryDirectory() as out:
            run = evaluate("bench/talk", backend, samples=1, temperature=1.0, out=f"{out}/r", concurrency=number)
            if run.counts()["ok"] != number:
                raise RuntimeError(f"finchmark ended with {run.counts()}")

    return play


def serve(player, folder, episodes, turns, uneven):
    """Child: load and warm up, then play once per line of input and print the seconds."""
    import torch

    torch.set_num_threads(2)
    make = {"bare": play_bare, "lm-eval": play_lm_eval, "inspect": play_inspect, "finchmark": play_finchmark}[player]
    play = make(folder, episodes, turns, uneven)
    play(episodes if player == "finchmark" else min(episodes, 4), turns if player == "finchmark" else 1)
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        play(episodes, turns)
        print(json.dumps(time.perf_counter() - began), flush=True)


def answer(process):
    """The next line that is ours; libraries print to standard output too."""
    for line in process.stdout:
        line = line.strip()
        try:
            return "ready" if line == "ready" else float(json.loads(line))
        except (ValueError, TypeError):
            continue
    raise RuntimeError("the player died")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default="8x10,31x10,32x10,200x5u")
    parser.add_argument("--players", default=",".join(PLAYERS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", nargs=5, metavar=("PLAYER", "FOLDER", "EPISODES", "TURNS", "UNEVEN"))
    arguments = parser.parse_args()
    if arguments.serve:
        player, folder, episodes, turns, uneven = arguments.serve
        serve(player, folder, int(episodes), int(turns), uneven == "1")
        return
    names = arguments.players.split(",")
    # Libraries look the toy up on a hub, and wait for answers that do not come where there is none.
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    for shape in arguments.shapes.split(","):
        uneven = shape.endswith("u")
        episodes, turns = shape.rstrip("u").split("x")
        with tempfile.TemporaryDirectory() as folder:
            save_toy(folder, uneven)
            times = {name: [] for name in names}
            for _ in range(arguments.repeats):
                for name in names:
                    # One player is alive at a time: an idle one's threads would still take the machine's cores.
                    command = [sys.executable, __file__, "--serve", name, folder, episodes, turns, str(int(uneven))]
                    with subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=offline
                    ) as process:
                        answer(process)
                        process.stdin.write("go\n")
                        process.stdin.flush()
                        times[name].append(answer(process))
                        process.stdin.close()
        print(f"{shape}: " + ", ".join(f"{n} {statistics.median(t):.2f} s" for n, t in times.items()), flush=True)
        if "finchmark" in times:
            ratios = {
                n: statistics.median(a / b for a, b in zip(t, times["finchmark"], strict=True))
                for n, t in times.items()
                if n != "finchmark"
            }
            print("        " + ", ".join(f"{n} / finchmark {r:.2f}" for n, r in ratios.items()), flush=True)


if __name__ == "__main__":
    main()
