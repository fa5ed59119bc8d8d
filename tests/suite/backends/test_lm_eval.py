"""The backend over lm-eval's model classes, with toys of this folder and classes that misbehave."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("lm_eval", reason="needs finchmark[lm-eval]")
torch = pytest.importorskip("torch", reason="needs finchmark[hf]")

from lm_eval.api.model import LM  # noqa: E402 - after the skips
from lm_eval.models.huggingface import HFLM  # noqa: E402 - after the skips

from finchmark.suite.backends import ContextOverflow, GenerateRequest, Message, ScoreRequest  # noqa: E402
from finchmark.suite.backends.lm_eval import LMEvalBackend  # noqa: E402
from finchmark.suite.broker import Broker  # noqa: E402
from finchmark.suite.canonical import canonical_json  # noqa: E402
from finchmark.suite.conformance import check_backend  # noqa: E402
from finchmark.suite.errors import BackendError, BackendUnavailable, UsageError  # noqa: E402
from finchmark.suite.registry import BACKENDS  # noqa: E402


class Parrot(LM):
    """Answers as a function of the context says; has no tokenizer."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.calls = answer, []

    def generate_until(self, requests):
        self.calls.append([r.args for r in requests])
        return [self.answer(r.args[0]) for r in requests]

    def loglikelihood(self, requests):
        if not requests:
            return []
        self.calls.append([r.args for r in requests])
        return [self.answer(r.args[1]) for r in requests]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def asked(text="x", session="s", **changes):
    return GenerateRequest((Message("user", text),), session, **{"seed": 1, "max_tokens": 12, **changes})


def through(backend, use):
    """Start a backend, let a function use it through a broker, and close it."""

    async def main():
        await asyncio.to_thread(backend.locate)
        await backend.start()
        try:
            return await asyncio.wait_for(use(Broker(backend)), 120)
        finally:
            await backend.aclose()

    return asyncio.run(main())


def all_of(*requests):
    async def use(broker):
        return await asyncio.gather(*(broker.generate(r) for r in requests), return_exceptions=True)

    return use


def scores_of(*requests):
    async def use(broker):
        return await asyncio.gather(*(broker.score(r) for r in requests), return_exceptions=True)

    return use


def hflm(model, tokenizer, **options):
    return HFLM(pretrained=model, tokenizer=tokenizer, **{"batch_size": 4, **options})


@pytest.fixture
def toy(model, tokenizer):
    return lambda **options: LMEvalBackend("toy", lm_object=hflm(model, tokenizer), **options)


# -- names and arguments


def test_the_backend_is_in_the_catalogue():
    assert BACKENDS.load("lm_eval") is LMEvalBackend


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ("", "name a model class"),
        ("hf,pretrained", "not of the form"),
        ("hf,pretrained=a,pretrained=b", "twice"),
        ("hf,chat_format=latex", "chat_format must be"),
        ("hf,send_stops=perhaps", "send_stops must be"),
    ],
)
def test_wrong_arguments_are_refused(model, match):
    with pytest.raises(UsageError, match=match):
        LMEvalBackend(model)


def test_a_class_that_lm_eval_does_not_have_is_refused_with_near_names():
    with pytest.raises(UsageError, match="Did you mean vllm"):
        LMEvalBackend("vlm,pretrained=x").locate()


def test_arguments_in_the_name_and_apart_are_joined_as_lm_eval_reads_them():
    backend = LMEvalBackend("dummy,a=1,b=true", c="x")
    backend.locate()
    assert backend.identity()["arguments"] == {"a": 1, "b": True, "c": "x"}


def test_what_a_model_is_does_not_depend_on_where_it_runs(tmp_path, model, tokenizer):
    model.save_pretrained(tmp_path / "a")
    tokenizer.save_pretrained(tmp_path / "a")
    one = LMEvalBackend(f"hf,pretrained={tmp_path / 'a'},device=cpu,batch_size=2")
    two = LMEvalBackend("hf", pretrained=str(tmp_path / "a"))
    assert one.identity() == two.identity()
    assert str(tmp_path) not in canonical_json(one.identity())
    assert len(one.identity()["arguments"]["pretrained"]["sha256"]) == 64


def test_a_key_in_plain_text_is_refused():
    with pytest.raises(UsageError, match=r"auth_token=\$VARIABLE"):
        LMEvalBackend("local-completions,model=m,auth_token=sk-0123456789abcdef").locate()


def test_a_key_in_a_variable_is_not_part_of_the_identity():
    backend = LMEvalBackend("local-completions,model=m,base_url=http://localhost:1,auth_token=$TOKEN")
    assert backend.identity()["arguments"] == {"model": "m"}


def test_a_class_whose_package_is_missing_says_so():
    with pytest.raises(BackendUnavailable, match="vllm"):
        through(LMEvalBackend("vllm,pretrained=smollm2"), all_of(asked()))


# -- waves


def test_a_wave_is_one_call_and_keeps_its_order():
    parrot = Parrot(lambda context: context.upper())
    backend = LMEvalBackend("parrot", lm_object=parrot, chat_format="text")
    answers = through(backend, all_of(*(asked(t) for t in ("aa", "b", "cccc"))))
    assert [a.text for a in answers] == ["AA", "B", "CCCC"]
    assert len(parrot.calls) == 1


def test_settings_reach_the_class():
    parrot = Parrot(str)
    backend = LMEvalBackend("parrot", lm_object=parrot, chat_format="text", send_stops=True)
    through(backend, all_of(asked(temperature=0.7, top_p=0.9, stop=("!",)), asked(temperature=0.0)))
    assert [kwargs for _, kwargs in parrot.calls[0]] == [
        {"until": ["!"], "max_gen_toks": 12, "do_sample": True, "temperature": 0.7, "top_p": 0.9},
        {"until": [], "max_gen_toks": 12, "do_sample": False, "temperature": 0.0},
    ]


@pytest.mark.parametrize("answer", [lambda _: None, lambda _: "LMEVAL_MODEL_NONE_ANSWER_PLACEHOLDER", lambda _: 3])
def test_an_answer_that_is_no_text_is_an_error_and_not_an_empty_reply(answer):
    (result,) = through(LMEvalBackend("p", lm_object=Parrot(answer), chat_format="text"), all_of(asked()))
    assert isinstance(result, BackendError)


def test_too_few_answers_are_errors():
    class Lazy(Parrot):
        def generate_until(self, requests):
            return super().generate_until(requests)[:-1]

    results = through(LMEvalBackend("p", lm_object=Lazy(str), chat_format="text"), all_of(asked("a"), asked("b")))
    assert all(isinstance(r, BackendError) and "answered" in str(r) for r in results)


def test_one_request_that_fails_takes_no_other_along():
    def answer(context):
        if context == "bad":
            raise RuntimeError("no such thing")
        return context

    texts = ["a", "b", "bad", "c", "d", "e", "f"]
    results = through(
        LMEvalBackend("p", lm_object=Parrot(answer), chat_format="text"), all_of(*(asked(t) for t in texts))
    )
    assert [r.text for r in results if not isinstance(r, Exception)] == [t for t in texts if t != "bad"]
    assert "no such thing" in str(results[2])
    assert isinstance(results[2], BackendError)


def test_a_class_that_always_fails_is_not_asked_for_every_request():
    def answer(_):
        raise RuntimeError("dead")

    parrot = Parrot(answer)
    requests = [asked(str(i)) for i in range(32)]
    results = through(LMEvalBackend("p", lm_object=parrot, chat_format="text"), all_of(*requests))
    assert all(isinstance(r, BackendError) for r in results)
    assert len(parrot.calls) < 16


def test_a_class_without_stops_is_cut_behind_the_first():
    backend = LMEvalBackend("p", lm_object=Parrot(lambda _: "a <x> b <y> c"), chat_format="text")
    (answer,) = through(backend, all_of(asked(stop=("<y>", "<x>"))))
    assert (answer.text, answer.finish_reason) == ("a <x>", "stop")


def test_without_a_template_the_plain_format_is_used_and_its_end_cut_away():
    parrot = Parrot(lambda _: " Four.\n\nUser: And")
    (answer,) = through(LMEvalBackend("p", lm_object=parrot), all_of(asked("Two and two?")))
    assert parrot.calls[0][0][0] == "User: Two and two?\n\nAssistant:"
    assert answer.text == " Four."


def test_thinking_is_told_from_the_reply():
    backend = LMEvalBackend("p", lm_object=Parrot(lambda _: "<think>hm</think>\n\nyes"), chat_format="text")
    (answer,) = through(backend, all_of(asked()))
    assert (answer.reasoning, answer.text) == ("hm", "yes")


def test_a_cap_on_thinking_is_refused():
    (result,) = through(LMEvalBackend("p", lm_object=Parrot(str), chat_format="text"), all_of(asked(think_budget=5)))
    assert "thinking" in str(result)


# -- HFLM


def test_hflm_conforms(model, tokenizer):
    check_backend(lambda: LMEvalBackend("toy", lm_object=hflm(model, tokenizer)))


def test_hflm_by_name_conforms(tmp_path, model, tokenizer):
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    check_backend(lambda: LMEvalBackend(f"hf,pretrained={tmp_path},dtype=float32,device=cpu"))


def test_greedy_text_is_that_of_transformers(toy, model, tokenizer, by_generate):
    texts = ["Which lamp?", "The finch", "Turn the switch on, then off again."]
    answers = through(toy(), all_of(*(asked(t, temperature=0.0) for t in texts)))
    for text, answer in zip(texts, answers, strict=True):
        expected = by_generate(model, (Message("user", text),), 12)
        assert answer.text == tokenizer.decode(expected, skip_special_tokens=True)


def test_the_stop_string_that_was_met_stays(speller, tokenizer):
    said = "The finch sat on <action>"
    backend = LMEvalBackend("toy", lm_object=hflm(speller(said + " lamp"), tokenizer))
    (answer,) = through(backend, all_of(asked(temperature=0.0, stop=("<action>",), max_tokens=40)))
    assert answer.text == said
    assert answer.finish_reason == "stop"
    assert answer.completion_tokens == len(tokenizer.encode(said))


def test_a_reply_that_ends_by_itself_gets_no_stop_string(speller, tokenizer):
    backend = LMEvalBackend("toy", lm_object=hflm(speller("The finch sat"), tokenizer))
    (answer,) = through(backend, all_of(asked(temperature=0.0, stop=("<action>",), max_tokens=40)))
    assert (answer.text, answer.finish_reason) == ("The finch sat", "stop")


def test_a_reply_at_its_cap_is_cut_off(endless, tokenizer):
    (answer,) = through(LMEvalBackend("toy", lm_object=hflm(endless, tokenizer)), all_of(asked(max_tokens=5)))
    assert (answer.finish_reason, answer.completion_tokens) == ("length", 5)


def test_a_prompt_that_does_not_fit_is_no_reply_to_its_end(toy):
    long, short = through(toy(), all_of(asked("lamp " * 2000), asked("lamp")))
    assert isinstance(long, ContextOverflow)
    assert long.needed > long.available == 1024
    assert not isinstance(short, Exception)


def test_samples_of_one_prompt_differ_and_the_same_wave_draws_the_same(toy):
    wave = [asked("Which lamp?", session=str(i), seed=i, temperature=1.0) for i in range(4)]
    first, again = (through(toy(), all_of(*wave)) for _ in range(2))
    assert len({a.text for a in first}) > 1
    assert [a.text for a in first] == [a.text for a in again]


def test_sampling_leaves_torchs_own_generator_alone(toy):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    through(toy(), all_of(asked(temperature=1.0)))
    assert torch.equal(torch.rand(3), expected)


def test_transformers_own_top_k_does_not_narrow_the_draw(endless, tokenizer):
    """A model that is all but flat: of 400 draws far more than 50 tokens must come up."""
    import copy

    flat = copy.deepcopy(endless)
    with torch.no_grad():
        flat.lm_head.weight.mul_(1e-3)  # not quite: of tokens that tie, all are among the most likely 50
    backend = LMEvalBackend("toy", lm_object=hflm(flat, tokenizer))
    requests = [asked("x", session=str(i), seed=i, temperature=1.0, max_tokens=1) for i in range(400)]
    answers = through(backend, all_of(*requests))
    assert len({a.text for a in answers}) > 100


def test_scores_agree_with_lm_evals_own(toy, model, tokenizer):
    from lm_eval.api.instance import Instance

    lm = hflm(model, tokenizer)
    context = lm.apply_chat_template([{"role": "user", "content": "Which lamp?"}])
    choices = ["blue", "The seven stones", "nine"]
    own = lm.loglikelihood([Instance("loglikelihood", {}, (context, c), i) for i, c in enumerate(choices)])
    ours = through(toy(), scores_of(*(ScoreRequest((Message("user", "Which lamp?"),), c) for c in choices)))
    assert [s.total for s in ours] == pytest.approx([t for t, _ in own], abs=1e-4)
    assert [s.greedy[0] for s in ours] == [g for _, g in own]


def test_scores_that_wait_together_are_one_call():
    parrot = Parrot(lambda continuation: (-float(len(continuation)), True))
    backend = LMEvalBackend("p", lm_object=parrot, chat_format="text")
    requests = [ScoreRequest((Message("user", "x"),), "y" * n) for n in range(1, 9)]
    scores = through(backend, scores_of(*requests))
    assert [s.total for s in scores] == [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0]
    assert [len(c) for c in parrot.calls] == [8]


def test_a_score_that_is_no_number_is_an_error():
    backend = LMEvalBackend("p", lm_object=Parrot(lambda _: (float("nan"), True)), chat_format="text")
    (result,) = through(backend, scores_of(ScoreRequest((Message("user", "x"),), "y")))
    assert isinstance(result, BackendError)


def test_a_system_message_that_the_template_refuses_is_not_lost(tokenizer, model):
    import copy

    strict = copy.deepcopy(tokenizer)
    strict.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ m['role'] + ':' + m['content'] + '\n' }}{% endfor %}"
    )
    backend = LMEvalBackend("toy", lm_object=hflm(model, strict))
    put = []

    async def use(broker):
        put.append(backend._format.put((Message("system", "Be brief."), Message("user", "Hi"))))

    through(backend, use)
    assert put == ["user:Be brief.\n\nHi\n"]


# -- classes that ask a server


class _Server(ThreadingHTTPServer):
    def __init__(self, answer):
        self.answer, self.seen, self.open, self.most, self.lock = answer, [], 0, 0, threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        assert isinstance(server, _Server)
        with server.lock:
            server.seen.append(body)
            server.open += 1
            server.most = max(server.most, server.open)
        status, answer = server.answer(body)
        with server.lock:
            server.open -= 1
        raw = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    made = []

    def start(answer):
        one = _Server(answer)
        threading.Thread(target=one.serve_forever, daemon=True).start()
        made.append(one)
        return one

    yield start
    for one in made:
        one.shutdown()
        one.server_close()


def chat(text, finish="stop", **usage):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return {"choices": [choice], "usage": usage}


def at(one, model="m", kind="local-chat-completions", **options):
    url = f"http://127.0.0.1:{one.server_port}/v1/chat/completions"
    return LMEvalBackend(f"{kind},model={model},base_url={url}", **{"max_retries": 1, **options})


def test_every_request_to_a_server_carries_its_own_seed_and_none_waits_for_another(server):
    import time

    def answer(body):
        time.sleep(0.2)
        return 200, chat("ok", prompt_tokens=7, completion_tokens=2)

    one = server(answer)
    answers = through(at(one), all_of(*(asked("same", session=str(i), seed=1000 + i) for i in range(8))))
    assert sorted(body["seed"] for body in one.seen) == [1000 + i for i in range(8)]
    assert one.most >= 4
    assert {(a.text, a.prompt_tokens, a.completion_tokens) for a in answers} == {("ok", 7, 2)}
    assert one.seen[0]["messages"] == [{"role": "user", "content": "same"}]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (chat("cut", "length"), "length"),
        (chat("", "content_filter"), "content_filter"),
    ],
)
def test_what_a_server_says_of_the_end_is_kept(server, response, expected):
    (answer,) = through(at(server(lambda _: (200, response))), all_of(asked()))
    assert answer.finish_reason == expected


@pytest.mark.parametrize(
    "response", [(200, {"choices": []}), (200, {"error": "x"}), (500, {}), (200, chat(None)), (400, {"error": "no"})]
)
def test_a_server_that_fails_gives_errors_and_never_empty_replies(server, response):
    (result,) = through(at(server(lambda _: response)), all_of(asked()))
    assert isinstance(result, BackendError)


def test_a_request_that_a_server_refuses_takes_no_other_along(server):
    one = server(lambda b: (500, {}) if b["messages"][0]["content"] == "bad" else (200, chat("ok")))
    results = through(at(one), all_of(asked("a"), asked("bad"), asked("b")))
    assert [isinstance(r, Exception) for r in results] == [False, True, False]


def test_a_class_that_would_change_the_temperature_is_refused(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    one = server(lambda _: (200, chat("ok")))
    (result,) = through(at(one, "gpt-3.5", "openai-chat-completions"), all_of(asked(temperature=0.0)))
    assert isinstance(result, BackendUnavailable)
    assert "temperature 1" in str(result)
    assert one.seen == []
    (answer,) = through(at(one, "gpt-3.5", "openai-chat-completions"), all_of(asked(temperature=1.0)))
    assert answer.text == "ok"


def test_stops_that_a_class_drops_are_kept_all_the_same(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    one = server(lambda _: (200, chat("go <a> on")))
    (answer,) = through(at(one, "gpt-5", "openai-chat-completions"), all_of(asked(temperature=1.0, stop=("<a>",))))
    assert answer.text == "go <a>"


def test_a_chat_class_has_no_log_probabilities_and_says_so(server):
    (result,) = through(at(server(lambda _: (200, chat("ok")))), scores_of(ScoreRequest((Message("user", "x"),), "y")))
    assert isinstance(result, UsageError)
    assert "no log-probabilities" in str(result)


def test_text_cannot_be_put_to_a_class_that_takes_messages(server):
    with pytest.raises(UsageError, match="messages only"):
        through(at(server(lambda _: (200, chat("ok"))), chat_format="text"), all_of(asked()))


def test_plain_completions_without_a_tokenizer_get_text_and_no_json(server):
    answer = {"choices": [{"index": 0, "text": " fine", "finish_reason": "stop"}]}
    one = server(lambda _: (200, answer))
    (result,) = through(at(one, kind="local-completions", tokenizer_backend="none"), all_of(asked("How?")))
    assert one.seen[0]["prompt"] == "User: How?\n\nAssistant:"
    assert result.text == " fine"
