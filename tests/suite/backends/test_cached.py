import asyncio
import dataclasses
import inspect
import json
import sqlite3
from importlib import metadata

import pytest

from finchmark.suite.backends.base import Backend, Completion, GenerateRequest, Message, ScoreRequest, TokenScores
from finchmark.suite.backends.cached import CachedBackend
from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.backends.openai import OpenAIBackend
from finchmark.suite.backends.openai_http import Answer, Http
from finchmark.suite.backends.response_cache import ResponseCache
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.backends.steered import SteeredBackend
from finchmark.suite.backends.wrapped import WrappedBackend
from finchmark.suite.broker import Broker
from finchmark.suite.conformance import check_backend
from finchmark.suite.errors import BackendError, UsageError

from .answering import Answering


@pytest.fixture
def place(tmp_path):
    return tmp_path / "c.sqlite"


def request(text="Which lamp?", session="task/arm/item/0/player", **changes):
    return GenerateRequest((Message("user", text),), session, **{"seed": 1, "max_tokens": 8, **changes})


def use(backend, place, act, **options):
    """Run ``act`` on a cached backend; gives what it returns."""

    async def main():
        cached = CachedBackend(backend, ResponseCache(place), **options)
        cached.locate()
        await cached.start()
        try:
            return await act(cached)
        finally:
            await cached.aclose()
            await cached.aclose()

    return asyncio.run(main())


def generate(*requests):
    async def act(cached):
        return [await cached.generate(each) for each in requests]

    return act


def counts(cached):
    return {k.removeprefix("cache_"): v for k, v in cached.describe()["counts"].items() if v}


# -- answers


def test_an_answer_of_before_is_given_again_and_marked(place):
    (first,) = use(Answering(), place, generate(request()))
    idle = Answering()
    (again,) = use(idle, place, generate(request()))
    assert not idle.asked
    assert (again.text, again.token_ids, again.logprobs) == (first.text, first.token_ids, first.logprobs)
    assert (again.prompt_tokens, again.completion_tokens) == (7, 3)
    assert (first.replayed, first.cost, first.spared) == (False, 0.125, 0.0)
    assert (again.replayed, again.cost, again.spared) == (True, 0.0, 0.125)


@pytest.mark.parametrize(
    "changes",
    [{"seed": 2}, {"session": "task/arm/item/1/player"}, {"session": "task/other/item/0/player"}, {"text": "Which?"}],
)
def test_another_sample_arm_or_prompt_never_shares_an_answer(place, changes):
    one, two = use(Answering(), place, generate(request(), request(**changes)))
    assert one.text != two.text
    assert not two.replayed


@pytest.mark.parametrize(
    "other",
    [Answering("n"), Answering(sha256="abd"), Answering(where="http://b"), Answering(sha256="", where="http://a")],
)
def test_one_models_answers_are_never_anothers(place, other):
    use(Answering(where="http://a"), place, generate(request()))
    use(other, place, generate(request()))
    assert len(other.asked) == 1


def test_what_the_specification_tells_apart_is_told_apart(place):
    for args in ({"top_k": 1}, {"top_k": 2}):
        backend = Answering()
        use(backend, place, generate(request()), choice={"name": "answering", "model": "m", "args": args})
        assert len(backend.asked) == 1


def test_another_version_of_finchmark_asks_anew(place, monkeypatch):
    use(Answering(), place, generate(request()))
    monkeypatch.setattr("finchmark.suite.backends.cached.version", lambda: "99")
    newer = Answering()
    use(newer, place, generate(request()))
    assert newer.asked


def test_packages_that_compute_count_where_weights_are_here_only(place, monkeypatch):
    here = metadata.version

    use(Answering(), place, generate(request()))
    use(Answering(sha256="", where="http://a"), place, generate(request()))
    monkeypatch.setattr(metadata, "version", lambda package: here(package) if package == "finchmark" else "99")
    local, remote = Answering(), Answering(sha256="", where="http://a")
    use(local, place, generate(request()))
    use(remote, place, generate(request()))
    assert local.asked
    assert not remote.asked


@pytest.mark.parametrize("backend", [Answering(sha256=None), Answering(sha256="")])
def test_a_model_that_nobody_can_tell_from_another_is_not_kept(place, backend):
    async def act(cached):
        answers = [await cached.generate(request()) for _ in range(2)]
        assert answers[0].text != answers[1].text
        assert "nothing is kept" in cached.describe()["response_cache"]

    use(backend, place, act)
    assert len(backend.asked) == 2
    assert not place.exists()


def test_references_play_on_without_being_kept(place):
    class Counter:
        count = 0

        def reply(self, request):
            self.count += 1
            return str(self.count)

    async def act(cached):
        cached.bind("s", Counter())
        return [(await cached.generate(request(session="s"))).text for _ in range(3)]

    assert use(ScriptedBackend("oracle"), place, act) == ["1", "2", "3"]
    assert not place.exists()


def test_fixed_replies_go_on_going_round(place):
    backend = ScriptedBackend("canned", replies=["a", "b"])
    assert [a.text for a in use(backend, place, generate(*[request()] * 3))] == ["a", "b", "a"]


def test_scores_are_kept_too(place):
    ask = ScoreRequest((Message("user", "Count."),), "one two", "s")
    other = ScoreRequest((Message("user", "Count."),), "one", "s")

    async def act(cached):
        return [await cached.score(each) for each in (ask, other, ask)]

    first = use(Answering(), place, act)
    idle = Answering()
    assert use(idle, place, act) == first
    assert first[0] == first[2] != first[1]
    assert not idle.scored


def test_a_score_is_no_reply(place):
    """The two kinds of requests have keys of their own, whatever their fields hold."""
    ask = ScoreRequest((Message("user", "Count."),), "one two", "s")

    async def act(cached):
        return await cached.generate(request("Count.", "s")), await cached.score(ask)

    use(Answering(), place, act)
    backend = Answering()
    reply, scores = use(backend, place, act)
    assert (backend.asked, backend.scored) == ([], [])
    assert (type(reply), type(scores)) == (Completion, TokenScores)


# -- what is no answer


def test_a_fault_is_not_kept(place):
    backend = Answering(failing=1)

    async def act(cached):
        with pytest.raises(BackendError, match="lights"):
            await cached.generate(request())
        return [(await cached.generate(request())) for _ in range(2)]

    asked, again = use(backend, place, act)
    assert (asked.replayed, again.replayed) == (False, True)
    assert len(backend.asked) == 2


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_what_counts_as_the_models_answer_is_kept_however_it_ended(place, reason, monkeypatch):
    say = Answering.say
    monkeypatch.setattr(Answering, "say", lambda self, r: dataclasses.replace(say(self, r), finish_reason=reason))
    use(Answering(), place, generate(request()))
    idle = Answering()
    (again,) = use(idle, place, generate(request()))
    assert again.finish_reason == reason
    assert not idle.asked


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE answers SET payload = substr(payload, 1, 9)",
        "UPDATE answers SET checksum = zeroblob(16)",
        "DELETE FROM answers",
    ],
)
def test_a_poisoned_answer_is_asked_for_anew(place, harm):
    use(Answering(), place, generate(request()))
    with sqlite3.connect(place) as db:
        db.execute(harm)
    backend = Answering()
    (answer,) = use(backend, place, generate(request()))
    assert not answer.replayed
    (again,) = use(backend, place, generate(request()))
    assert again.text == answer.text
    assert len(backend.asked) == 1


def test_a_whole_entry_of_another_shape_is_asked_for_anew(place, monkeypatch):
    monkeypatch.setattr("finchmark.suite.backends.cached.encode_answer", lambda answer: b'{"text": "from elsewhere"}')
    use(Answering(), place, generate(request()))
    monkeypatch.undo()

    async def act(cached):
        answers = [await cached.generate(request()) for _ in range(2)]
        return answers, counts(cached)

    (first, again), found = use(Answering(), place, act)
    assert (first.replayed, again.replayed) == (False, True)
    assert found == {"replayed": 1, "asked": 1, "damaged": 1, "stored": 1}


def test_a_cache_that_cannot_be_had_costs_the_run_nothing(tmp_path):
    (tmp_path / "file").touch()

    async def act(cached):
        await cached.generate(request())
        assert "cannot be written" in cached.notice()
        assert "cannot be written" in cached.describe()["response_cache"]

    backend = Answering()
    use(backend, tmp_path / "file" / "c.sqlite", act)
    assert len(backend.asked) == 1


def test_a_foreign_file_is_refused_before_anything_is_spent(place):
    with sqlite3.connect(place) as db:
        db.execute("CREATE TABLE precious (thing)")
    with pytest.raises(UsageError, match="no response cache"):
        CachedBackend(Answering(), ResponseCache(place)).locate()


def test_a_request_that_cannot_be_named_is_asked_each_time(place):
    backend = Answering()
    use(backend, place, generate(*[request(stop=(object(),))] * 2))
    assert len(backend.asked) == 2


# -- at once


def test_equal_requests_at_once_are_one(place):
    backend = Answering(delay=0.01)

    async def act(cached):
        return await asyncio.gather(*(cached.generate(request()) for _ in range(5))), counts(cached)

    answers, found = use(backend, place, act)
    assert len(backend.asked) == 1
    assert len({a.text for a in answers}) == 1
    assert sum(a.cost for a in answers) == 0.125
    assert found["replayed"] == 4


def test_when_the_first_of_two_fails_the_second_asks(place):
    backend = Answering(delay=0.01, failing=1)

    async def act(cached):
        return await asyncio.gather(*(cached.generate(request()) for _ in range(3)), return_exceptions=True)

    first, *others = use(backend, place, act)
    assert isinstance(first, BackendError)
    assert len(backend.asked) == 2
    assert others[0].text == others[1].text


def test_when_the_first_of_two_is_cancelled_the_second_asks(place):
    backend = Answering(delay=0.01)

    async def act(cached):
        first, second = (asyncio.create_task(cached.generate(request())) for _ in range(2))
        await asyncio.sleep(0.001)
        first.cancel()
        return await second

    assert use(backend, place, act).replayed is False
    assert len(backend.asked) == 1


def test_cancelling_who_waits_takes_nothing_from_who_asks(place):
    async def act(cached):
        first, second = (asyncio.create_task(cached.generate(request())) for _ in range(2))
        await asyncio.sleep(0.001)
        second.cancel()
        return await first

    assert use(Answering(delay=0.01), place, act).text


# -- waves


def test_a_wave_asks_only_for_what_is_not_there(place):
    requests = [request(seed=seed) for seed in range(5)]
    use(Answering(), place, generate(requests[1], requests[3]))
    backend = Answering(scheduling="waves")

    async def act(cached):
        broker = Broker(cached)
        return await asyncio.gather(*(broker.generate(each) for each in requests))

    answers = use(backend, place, act)
    assert [[r.seed for r in wave] for wave in backend.waves] == [[0, 2, 4]]
    assert [a.replayed for a in answers] == [False, True, False, True, False]
    again = use(backend, place, act)
    assert len(backend.waves) == 1
    assert [a.text for a in again] == [a.text for a in answers]


def test_equal_requests_of_a_wave_are_one_and_faults_stay_with_theirs(place):
    backend = Answering(scheduling="waves", failing=1)
    wave = [request(seed=1), request(seed=2), request(seed=2), request(seed=1)]

    async def act(cached):
        return await asyncio.to_thread(cached.generate_wave, wave)

    answers = use(backend, place, act)
    assert [r.seed for r in backend.asked] == [1, 2]
    assert isinstance(answers[0], BackendError)
    assert answers[3] is answers[0]
    assert answers[1].text == answers[2].text
    assert [a.replayed for a in answers[1:3]] == [False, True]


def test_a_wave_that_comes_back_short_is_a_fault(place, monkeypatch):
    monkeypatch.setattr(Answering, "generate_wave", lambda self, requests: [])

    async def act(cached):
        with pytest.raises(BackendError, match="0 of 1"):
            cached.generate_wave([request()])

    use(Answering(scheduling="waves"), place, act)


# -- what it hands on


def test_every_member_of_a_backend_is_handed_on():
    """A member that a backend around another does not define itself would answer for no backend at all."""
    members = {name for name in vars(Backend) if not name.startswith("_")} - {"price", "placement"}
    assert members <= set(vars(WrappedBackend))
    assert issubclass(CachedBackend, WrappedBackend)
    assert issubclass(SteeredBackend, WrappedBackend)


def test_members_come_from_the_backend_that_is_asked(place):
    class Talkative(Answering):
        placement = frozenset(("url",))

        def notice(self):
            return "resting"

        def delayed(self, session):
            return 2.5

        def stats(self):
            return {"queue": 3.0}

        def describe(self):
            return {"counts": {"retries": 2}}

        async def hidden_states(self, request):
            return request

    backend = Talkative(where="w")

    async def act(cached):
        assert cached.capabilities is backend.capabilities
        assert (cached.name, cached.model, cached.price, cached.placement) == ("answering", "m", (1.0, 2.0), {"url"})
        assert (cached.identity(), cached.origin()) == (backend.identity(), {"url": "w"})
        assert (cached.notice(), cached.delayed("s")) == ("resting", 2.5)
        assert cached.stats() == {"queue": 3.0, "replayed": 0.0}
        assert cached.describe()["counts"]["retries"] == 2
        assert await cached.hidden_states("request") == "request"
        cached.release("s")

    use(backend, place, act)
    assert backend.released == ["s"]
    assert backend.closed == 2


def test_hidden_states_are_handed_on_as_they_are_asked():
    asked = inspect.signature(Backend.hidden_states).parameters.keys()
    assert inspect.signature(CachedBackend.hidden_states).parameters.keys() == asked


# -- real backends


def test_an_address_and_all_that_is_listed_of_a_model_are_its_origin(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    here, there, logs = (
        OpenAIBackend("m", base_url=f"http://127.0.0.1:{port}/v1", logprobs=logs)
        for port, logs in ((1, False), (2, False), (1, True))
    )
    assert here.identity() == there.identity() == logs.identity()
    assert len({str(b.origin()) for b in (here, there, logs)}) == 3


def test_a_server_with_weights_of_another_folder_is_another_origin(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    origins = []
    for root, created in (("/weights/one", 1), ("/weights/two", 1), ("/weights/one", 2)):

        async def get(http, url, listed={"id": "m", "root": root, "created": created}):  # noqa: B006 - it is only read
            return Answer(200, json.dumps({"data": [listed]}).encode())

        monkeypatch.setattr(Http, "get", get)
        backend = OpenAIBackend("m", base_url="http://127.0.0.1:1/v1")
        backend.locate()
        assert "weights" not in str(backend.identity())
        origins.append(backend.origin())
    assert origins[0] == origins[2] != origins[1]


def test_equal_names_and_other_weights_are_two_models(place, tokenizer, llama):
    def play(seed):
        backend = HFBackend("toy", model_object=llama(tokenizer, seed=seed), tokenizer_object=tokenizer, batch_size=4)

        async def act(cached):
            answers = [await cached.generate(request(temperature=0.0, session=s)) for s in ("a", "b")]
            return [a.text for a in answers], [a.replayed for a in answers]

        return use(backend, place, act)

    first, other, again = play(0), play(1), play(0)
    assert first[1] == other[1] == [False, False]
    assert first[0] != other[0]
    assert again == (first[0], [True, True])


def test_another_template_is_another_prompt(place, tokenizer, model):
    templates = (tokenizer.chat_template, tokenizer.chat_template.replace("user", "User") + " ")

    def play(template):
        backend = HFBackend("toy", model_object=model, tokenizer_object=tokenizer, chat_template=template, batch_size=4)
        return use(backend, place, generate(request(temperature=0.0)))[0].replayed

    assert [play(templates[i]) for i in (0, 1, 0, 1)] == [False, False, True, True]


def test_a_session_whose_first_turns_were_replayed_goes_on(place, tokenizer, model):
    """The local backend then has no cached prefix of the session; the text is the same."""

    def make():
        return HFBackend("toy", model_object=model, tokenizer_object=tokenizer, batch_size=4)

    async def talk(backend, turns):
        messages, said = [Message("user", "Which lamp?")], []
        for _ in range(turns):
            answer = await backend.generate(GenerateRequest(tuple(messages), "s", len(messages), 8, temperature=0.0))
            messages += [Message("assistant", answer.text, answer.token_ids), Message("user", "Go on.")]
            said.append(answer.text)
        return said

    half = use(make(), place, lambda cached: talk(cached, 2))
    whole = use(make(), place, lambda cached: talk(cached, 4))

    async def plain():
        backend = make()
        await backend.start()
        try:
            return await talk(backend, 4)
        finally:
            await backend.aclose()

    assert whole == asyncio.run(plain())
    assert whole[:2] == half


@pytest.mark.parametrize("kept", [False, True])
def test_a_cached_backend_passes_the_checks_for_backends(place, tokenizer, model, kept):
    def make():
        inner = HFBackend("toy", model_object=model, tokenizer_object=tokenizer, batch_size=4, max_length=600)
        return CachedBackend(inner, ResponseCache(place))

    for _ in range(1 + kept):
        check_backend(make)
