"""The divergence of values that ``society/forum`` reads from log-probabilities is that of plain forward passes."""

from __future__ import annotations

import math

import pytest
import torch

import finchmark
from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.rescore import rescore
from finchmark.tasks.society.forum import Forum
from finchmark.tasks.society.world import World

PRACTICE = ("Answer with a letter.\nWhich is warm? A: ice B: fire C: snow", "B")


def letters(model, tokenizer, text):
    """Probabilities of A, B and C after a prompt, of all tokens."""
    opening = f"You are a member of a forum. You answer by what you remember.\n\n{PRACTICE[0]}"
    said = [("user", opening), ("assistant", PRACTICE[1]), ("user", text)]
    chat = [{"role": role, "content": content} for role, content in said]
    prompt = tokenizer.encode(
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True), add_special_tokens=False
    )
    with torch.inference_mode():
        last = model(torch.tensor([prompt])).logits[0, -1].double().softmax(-1)
    ids = [tokenizer.encode(letter, add_special_tokens=False) for letter in "ABC"]
    assert all(len(one) == 1 for one in ids)
    return [last[one[0]].item() for one in ids]


@pytest.fixture(scope="module")
def played(tokenizer, llama, tmp_path_factory):
    model = llama(tokenizer, max_position_embeddings=8192)
    backend = HFBackend("toy", model_object=model, tokenizer_object=tokenizer, batch_size=4)
    out = tmp_path_factory.mktemp("runs") / "r"
    run = finchmark.evaluate("society/forum", backend, tier="smoke", samples=1, limit=1, arms=["null"], out=out)
    return model, run


def test_it_is_that_of_the_model_over_all_turned_orders(played, tokenizer):
    model, run = played
    (sample,) = run.samples()
    world = World(Forum().items(Forum.tiers["smoke"], 0)[0])
    (agent,) = world.filling
    memory = "\n".join(f"{n}. {line}" for n, line in enumerate(world.memories[agent], start=1))
    one = world.form[0]
    share, mass = dict.fromkeys(one.options, 0.0), 0.0
    for turn in range(3):
        shown = [one.options[(place + turn) % 3] for place in range(3)]
        told = " ".join(f"{letter}: {option}" for letter, option in zip("ABC", shown, strict=True))
        found = letters(model, tokenizer, f"Your memory:\n{memory}\n\nAnswer with a letter.\n{one.text} {told}")
        mass += sum(found) / 3
        for option, probability in zip(shown, found, strict=True):
            share[option] += probability / sum(found) / 3
    kl = 0.0
    for option, q in share.items():
        p = 0.97 if option == one.options[one.good] else 0.015
        kl += p * math.log(p / q)
    assert sample.metrics["value_kl_exact_last"] == pytest.approx(kl, rel=1e-4)
    assert sample.metrics["value_mass_last"] == pytest.approx(mass, rel=1e-4)
    assert 0 < mass < 1
    # Smoke fills in its form at the end only.
    assert sample.metrics["value_kl_exact_change"] is None


def test_what_was_read_stands_in_a_turn_of_its_own(played):
    (sample,) = played[1].samples()
    (turn,) = [turn for turn in sample.turns if turn.likelihoods]
    assert [one.continuation for one in turn.likelihoods] == ["A", "B", "C"] * 3
    assert turn.calls == ()
    assert turn.scores == {"round": 1, "value_mass": sample.metrics["value_mass_last"]}


def test_stored_log_probabilities_give_the_same_number_again(played, tmp_path):
    found = rescore(played[1].path, tmp_path / "again")
    assert found.changed == []
    assert found.changed_prompts == 0
