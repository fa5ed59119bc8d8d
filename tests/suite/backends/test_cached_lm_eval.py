"""What parts one model of lm-eval's from another in a response cache."""

import asyncio

import pytest

pytest.importorskip("lm_eval", reason="needs finchmark[lm-eval]")

from lm_eval.api.model import LM
from lm_eval.models.huggingface import HFLM

from finchmark.suite.backends.base import GenerateRequest, Message
from finchmark.suite.backends.cached import CachedBackend
from finchmark.suite.backends.lm_eval import LMEvalBackend
from finchmark.suite.backends.response_cache import ResponseCache
from finchmark.suite.broker import Broker


def origin(text, **arguments):
    backend = LMEvalBackend(text, **arguments)
    backend.locate()
    return backend.identity(), backend.origin()


def test_the_server_and_the_stops_are_told_apart():
    class_ = "local-completions,model=m,tokenizer_backend=none"
    here, there = (origin(class_, base_url=f"http://127.0.0.1:{port}/v1/completions") for port in (1, 2))
    sent = origin(class_, base_url="http://127.0.0.1:1/v1/completions", send_stops=True)
    more = origin(class_, base_url="http://127.0.0.1:1/v1/completions", num_concurrent=7)
    assert here[0] == there[0] == sent[0]
    assert here[1] != there[1]
    assert here[1] != sent[1]
    assert here == more


def test_weights_that_are_known_by_name_alone_are_not_kept():
    assert origin("hf,pretrained=nobody/nothing")[1] is None


@pytest.fixture
def folder(tmp_path, tokenizer, llama):
    """Saves toy weights to one folder, over those that lie there."""

    def save(seed):
        llama(tokenizer, seed=seed).save_pretrained(tmp_path / "toy")
        tokenizer.save_pretrained(tmp_path / "toy")
        return tmp_path / "toy"

    return save


def ask_all(backend, place, count):
    async def main():
        cached = CachedBackend(backend, ResponseCache(place))
        await asyncio.to_thread(cached.locate)
        await cached.start()
        try:
            broker = Broker(cached)
            requests = [GenerateRequest((Message("user", f"Lamp {i}?"),), "s", i, 6, 0.0) for i in range(count)]
            return await asyncio.gather(*(broker.generate(request) for request in requests))
        finally:
            await cached.aclose()

    return asyncio.run(main())


def test_other_weights_in_the_same_folder_are_another_model(tmp_path, folder):
    replayed = []
    for seed in (0, 1, 0):
        backend = LMEvalBackend("hf", pretrained=str(folder(seed)), dtype="float32", device="cpu", batch_size=4)
        replayed.append([a.replayed for a in ask_all(backend, tmp_path / "c.sqlite", 2)])
    assert replayed == [[False] * 2, [False] * 2, [True] * 2]


def test_another_template_of_a_model_that_was_handed_over_is_another_prompt(tmp_path, model, tokenizer):
    import copy

    other = copy.deepcopy(tokenizer)
    other.chat_template = tokenizer.chat_template.replace("im_start", "im_end")
    replayed = []
    for words in (tokenizer, other, tokenizer):
        backend = LMEvalBackend("toy", lm_object=HFLM(pretrained=model, tokenizer=words, batch_size=4))
        replayed.append(ask_all(backend, tmp_path / "c.sqlite", 1)[0].replayed)
    assert replayed == [False, False, True]


def test_a_class_without_weights_that_was_handed_over_keeps_nothing(tmp_path):
    class Parrot(LM):
        def generate_until(self, requests):
            return ["one" for _ in requests]

        loglikelihood = loglikelihood_rolling = generate_until

    for _ in range(2):
        (answer,) = ask_all(LMEvalBackend("parrot", lm_object=Parrot()), tmp_path / "c.sqlite", 1)
        assert not answer.replayed
    assert not (tmp_path / "c.sqlite").exists()


def test_a_wave_of_which_a_part_is_there_asks_for_the_rest(tmp_path, model, tokenizer):
    def backend():
        return LMEvalBackend("toy", lm_object=HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4))

    few = ask_all(backend(), tmp_path / "c.sqlite", 2)
    more = ask_all(backend(), tmp_path / "c.sqlite", 5)
    assert [a.replayed for a in more] == [True, True, False, False, False]
    assert [a.text for a in more[:2]] == [a.text for a in few]
