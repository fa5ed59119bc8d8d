import copy
import math

import pytest

torch = pytest.importorskip("torch", reason="needs finchmark[hf]")
pytest.importorskip("peft", reason="adapters need peft, which is in finchmark[hf]")

from finchmark.suite.backends.adapter_fit import (  # noqa: E402 - as above
    AdapterFit,
    Example,
    FitSettings,
    Pair,
    is_adapter,
)
from finchmark.suite.backends.base import Message  # noqa: E402 - as above
from finchmark.suite.errors import UsageError  # noqa: E402 - as above

SETTINGS = FitSettings(steps=3, batch=2, learning_rate=0.01, rank=2)


@pytest.fixture(scope="module")
def base(model, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_the_reply_becomes_more_likely_and_the_base_stays(base, tmp_path):
    fit = AdapterFit(base, settings=FitSettings(steps=8, batch=2, learning_rate=0.02, rank=4))
    prompt = (Message("user", "What is the rule?"),)
    losses = fit.fit([Example(prompt, "the house"), Example(prompt, "the rule")], seed=0)
    assert losses[-1] < losses[0] - 0.2
    assert is_adapter(fit.save(tmp_path / "a"))
    again = AdapterFit(base, start=tmp_path / "a", settings=FitSettings(steps=1, batch=2))
    assert again.fit([Example(prompt, "the house"), Example(prompt, "the rule")], seed=0)[0] < losses[-1] + 0.1


def test_the_global_random_state_is_left_alone(base):
    before = torch.random.get_rng_state()
    AdapterFit(base, settings=SETTINGS).fit([Example((Message("user", "a"),), "b")], seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_no_examples_are_refused(base):
    with pytest.raises(UsageError, match="no examples"):
        AdapterFit(base, settings=SETTINGS).fit([], seed=0)


@pytest.mark.parametrize("given", [{"steps": 0}, {"learning_rate": 0.0}, {"rank": 0}, {"beta": 0.0}])
def test_settings_out_of_range_are_refused(given):
    with pytest.raises(UsageError):
        FitSettings(**given)


def test_the_loss_is_that_of_the_replys_tokens_and_the_end_of_the_turn(base, model, tokenizer):
    fit = AdapterFit(base, settings=FitSettings(steps=1, batch=1, rank=2))
    # A fresh adapter changes nothing, so the first loss is the base's.
    (loss,) = fit.fit([Example((Message("user", "What colour is the lamp?"),), "It is blue.")], seed=0)
    chat = [{"role": "user", "content": "What colour is the lamp?"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    prompt = tokenizer.encode(text, add_special_tokens=False)
    reply = [*tokenizer.encode("It is blue.", add_special_tokens=False), tokenizer.eos_token_id]
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *reply]])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    wanted = -logits[torch.arange(len(reply)), torch.tensor(reply)].mean()
    assert loss == pytest.approx(float(wanted), rel=1e-4)


def likelihood(model, tokenizer, question, reply):
    """Log-likelihood of a reply and the end of its turn, by a plain forward pass."""
    chat = [{"role": "user", "content": question}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    prompt = tokenizer.encode(text, add_special_tokens=False)
    said = [*tokenizer.encode(reply, add_special_tokens=False), tokenizer.eos_token_id]
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *said]])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    return float(logits[torch.arange(len(said)), torch.tensor(said)].sum())


def test_a_preference_is_held_against_the_base_and_not_against_the_last_adapter(base, model, tokenizer, tmp_path):
    import peft

    question, wanted, other = "What colour is the lamp?", "It is blue.", "Turn the switch on."
    pair = Pair((Message("user", question),), wanted, other)
    settings = FitSettings(steps=4, batch=2, learning_rate=0.02, rank=4, beta=0.3)
    fit = AdapterFit(base, settings=settings)
    losses = fit.prefer([pair], seed=0)
    # A fresh adapter changes nothing, so that neither reply has gained.
    assert losses[0] == pytest.approx(math.log(2), abs=1e-4)
    assert losses[-1] < 0.5
    assert fit.moved() > 0
    fit.save(tmp_path / "a")
    (again,) = AdapterFit(base, start=tmp_path / "a", settings=FitSettings(steps=1, batch=2, beta=0.3)).prefer(
        [pair], 0
    )
    fitted = peft.PeftModel.from_pretrained(copy.deepcopy(model), str(tmp_path / "a"))
    gained = [
        likelihood(fitted, tokenizer, question, one) - likelihood(model, tokenizer, question, one)
        for one in (wanted, other)
    ]
    assert gained[0] > gained[1]
    assert again == pytest.approx(math.log1p(math.exp(-0.3 * (gained[0] - gained[1]))), rel=1e-3)


def test_both_objectives_go_through_as_many_replies(base):
    messages = (Message("user", "Which lamp?"),)
    pairs = [Pair(messages, "blue lamp", "nine bird"), Pair(messages, "seven stones", "the rain")]
    fits = [AdapterFit(base, settings=FitSettings(steps=2, batch=4, rank=2)) for _ in range(2)]
    fits[0].fit([Example(one.messages, one.chosen) for one in pairs], seed=0)
    fits[1].prefer(pairs, seed=0)
    assert fits[0].tokens == pytest.approx(fits[1].tokens, rel=0.1)
    assert fits[0].reference_tokens == 0
    # Each reply is read once by the base, however often it comes in steps.
    assert fits[1].reference_tokens == pytest.approx(fits[1].tokens / 2)


def test_pairs_need_an_even_batch_and_some_pairs(base):
    fit = AdapterFit(base, settings=FitSettings(steps=1, batch=3, rank=2))
    with pytest.raises(UsageError, match="even"):
        fit.prefer([Pair((Message("user", "a"),), "b", "c")], seed=0)
    with pytest.raises(UsageError, match="no pairs"):
        fit.prefer([], seed=0)


def test_of_what_is_too_long_the_beginning_of_the_prompt_is_cut_off(base):
    fit = AdapterFit(base, settings=FitSettings(steps=1, batch=1, rank=2, max_length=12))
    assert len(fit.fit([Example((Message("user", "seven stones " * 50),), "blue")], seed=0)) == 1
    assert len(fit.fit([Example((Message("user", "a"),), "blue lamp " * 50)], seed=0)) == 1
