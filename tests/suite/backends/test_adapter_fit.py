import pytest

torch = pytest.importorskip("torch", reason="needs finchmark[hf]")
pytest.importorskip("peft", reason="adapters need peft, which is in finchmark[hf]")

from finchmark.suite.backends.adapter_fit import AdapterFit, Example, FitSettings, is_adapter  # noqa: E402 - as above
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


@pytest.mark.parametrize("given", [{"steps": 0}, {"learning_rate": 0.0}, {"rank": 0}])
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


def test_of_what_is_too_long_the_beginning_of_the_prompt_is_cut_off(base):
    fit = AdapterFit(base, settings=FitSettings(steps=1, batch=1, rank=2, max_length=12))
    assert len(fit.fit([Example((Message("user", "seven stones " * 50),), "blue")], seed=0)) == 1
    assert len(fit.fit([Example((Message("user", "a"),), "blue lamp " * 50)], seed=0)) == 1
