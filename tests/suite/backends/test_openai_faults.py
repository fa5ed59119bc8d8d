"""The openai backend against a server that misbehaves: nothing lost, nothing twice, no failure of it scored."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
import logging
import threading
import time
from pathlib import Path

import pytest

from finchmark.suite.backends.base import Completion, GenerateRequest, Message
from finchmark.suite.backends.openai import OpenAIBackend
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import BackendError, BackendUnavailable, RunStopped
from finchmark.suite.evaluation import evaluate
from finchmark.suite.records import Outcome

_spec = importlib.util.spec_from_file_location("finchmark_faulty_server", Path(__file__).with_name("faulty_server.py"))
assert _spec is not None
assert _spec.loader is not None
faulty = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(faulty)
FaultyServer, ask = faulty.FaultyServer, faulty.ask

PRICES = {"input": 1000.0, "output": 1000.0}  # a dollar for 1,000 tokens
KEY = "sk-finch-0123456789abcdef"


def make(server, **arguments):
    """A backend whose pauses are short."""
    backend = OpenAIBackend("toy", base_url=server.url, **{"timeout": 5, **arguments})
    backend.client.patience = dataclasses.replace(backend.client.patience, first=0.01, longest=0.05)
    backend.circuit.probe_every = backend.circuit._pause = 0.05
    backend.circuit.probe_longest = 0.1
    return backend


def request(number=0, **changes):
    given = {
        "messages": (Message("user", f"Say {number}."),),
        "session": f"s{number}",
        "seed": number,
        "max_tokens": 12,
        **changes,
    }
    return GenerateRequest(**given)


# -- single faults

FAULTS = {
    "408": "timeout",
    "409": "conflict",
    "425": "conflict",
    "429": "rate_limited",
    "500": "server_error",
    "502": "server_error",
    "503": "overloaded",
    "529": "overloaded",
    "reset": "connection",
    "reset-in-body": "cut_off",
    "half-json": "bad_body",
    "html": "bad_body",
    "empty": "empty",
    "wrong-n": "wrong_n",
    "no-finish": "bad_body",
    "error-200": "overloaded",
    "endless": "too_long",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_the_request_is_made_again_and_the_fault_is_counted(fault):
    with FaultyServer(policy=lambda b: "<action>0</action> x", faults=faulty.schedule([fault])) as server:
        backend = make(server, max_bytes=2**20)
        (answer,) = ask(backend, request())
    assert isinstance(answer, Completion), answer
    assert answer.text == "<action>0</action> x"
    assert server.count == 2
    counts = backend.describe()["counts"]
    counts.pop("bound_lowered", None)  # what a server's fault does to the number of requests at once
    assert counts == {"requests": 2, "retries": 1, f"fault_{FAULTS[fault]}": 1}


def test_a_reply_that_stalls_is_given_up_and_asked_for_again():
    with FaultyServer(faults=faulty.schedule(["stall"])) as server:
        backend = make(server, timeout=0.3)
        (answer,) = ask(backend, request())
    assert isinstance(answer, Completion)
    assert backend.describe()["counts"]["fault_timeout"] == 1


@pytest.mark.parametrize("fault", ["429:0.4", "date:2"])
def test_a_server_that_says_when_to_come_again_is_obeyed(fault):
    with FaultyServer(faults=faulty.schedule([fault])) as server:
        begun = time.monotonic()
        (answer,) = ask(make(server), request())
    assert isinstance(answer, Completion)
    assert time.monotonic() - begun >= 0.4


def test_a_request_that_always_fails_is_an_error_and_never_a_reply():
    with FaultyServer(faults=lambda n: "500") as server:
        backend = make(server, tries=3)
        (answer,) = ask(backend, request())
    assert isinstance(answer, BackendError)
    assert "3 times" in str(answer)
    assert "HTTP 500" in str(answer)
    assert server.count == 3
    assert backend.describe()["counts"]["failures"] == 1


def test_no_try_is_begun_after_the_patience_has_ended():
    with FaultyServer(faults=lambda n: "429:30") as server:
        begun = time.monotonic()
        (answer,) = ask(make(server, patience=5), request())
    assert isinstance(answer, BackendError)
    assert server.count == 1
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(("fault", "error"), [("400", BackendError), ("422", BackendError), ("501", BackendError)])
def test_what_will_never_work_is_not_tried_again(fault, error):
    with FaultyServer(faults=lambda n: fault) as server:
        (answer,) = ask(make(server), request())
        assert isinstance(answer, error)
        assert server.count == 1


@pytest.mark.parametrize("fault", ["401", "402", "403", "404", "301"])
def test_what_no_request_can_mend_is_said_at_once(fault):
    with FaultyServer(faults=lambda n: fault) as server:
        (answer,) = ask(make(server), request())
        assert isinstance(answer, BackendUnavailable)
        assert server.count == 1


def test_a_storm_of_429_lowers_the_bound_and_loses_nothing():
    with FaultyServer(max_parallel=4, latency=0.01) as server:
        backend = make(server, concurrency=64, tries=50)
        answers = ask(backend, *(request(n) for n in range(200)))
    assert all(isinstance(a, Completion) for a in answers)
    assert backend.limiter.lowered > 2
    assert backend.limiter.limit < 32


@pytest.mark.slow
def test_replies_reach_the_requests_they_belong_to_under_all_faults_at_once():
    names = [*FAULTS, "", ""]
    policy = faulty.words
    with FaultyServer(policy=policy, faults=lambda n: names[n * 7 % len(names)]) as server:
        backend = make(server, max_bytes=2**18, tries=60, concurrency=16)
        answers = ask(backend, *(request(n, max_tokens=50) for n in range(150)))
        expected = [policy(backend._shape.body(request(n, max_tokens=50))) for n in range(150)]
    assert [a.text for a in answers] == expected


# -- the server dies


def test_a_server_that_dies_pauses_everything_and_costs_no_request(caplog):
    server = FaultyServer(latency=0.005)
    server.start()
    backend = make(server, tries=3, concurrency=8)
    seen = []

    async def go():
        await backend.start()
        try:
            asks = [asyncio.create_task(backend.generate(request(n))) for n in range(60)]
            await asyncio.sleep(0.02)
            await asyncio.to_thread(server.stop)
            while not backend.circuit.is_open:
                await asyncio.sleep(0.01)
            seen.append((backend.notice(), backend.stats()["paused"]))
            await asyncio.sleep(0.5)
            server.start()
            return await asyncio.gather(*asks)
        finally:
            await backend.aclose()

    with caplog.at_level(logging.WARNING):
        answers = asyncio.run(asyncio.wait_for(go(), 30))
    server.stop()
    assert all(isinstance(a, Completion) for a in answers)
    assert seen[0][0].startswith("paused: 5 requests in a row failed")
    assert seen[0][1] == 1.0
    assert backend.notice() == ""
    assert backend.describe()["counts"]["pauses"] >= 1
    assert "goes on after a pause" in caplog.text


def test_a_server_that_stays_away_ends_in_errors_after_the_stated_time():
    server = FaultyServer()
    server.start()
    backend = make(server, give_up=0.4, concurrency=8)

    async def go():
        await backend.start()
        await asyncio.to_thread(server.stop)
        try:
            begun = time.monotonic()
            answers = await asyncio.gather(*(backend.generate(request(n)) for n in range(20)), return_exceptions=True)
            return answers, time.monotonic() - begun
        finally:
            await backend.aclose()

    answers, seconds = asyncio.run(asyncio.wait_for(go(), 20))
    assert all(isinstance(a, BackendError) for a in answers)
    assert seconds < 5
    assert any("given up after 0.4 s" in str(a) for a in answers)


def test_a_prompt_that_breaks_the_server_is_given_up_and_the_others_are_answered():
    def policy(body):
        if "Say 3." in json.dumps(body):
            raise RuntimeError("boom")  # aiohttp answers 500
        return "yes"

    with FaultyServer(policy=policy) as server:
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
        backend = make(server, concurrency=1, tries=7)
        answers = ask(backend, *(request(n) for n in range(6)))
    assert [isinstance(a, BackendError) for a in answers] == [n == 3 for n in range(6)]


# -- whole runs


def _transcribed(folder):
    """What the oracle says to each prompt of Lights, and what it scores."""
    known: dict[str, str] = {}

    class Recorder(ScriptedBackend):
        async def generate(self, request):
            answer = await super().generate(request)
            known[
                json.dumps([[{"role": m.role, "content": m.content} for m in request.messages], request.seed % 2**31])
            ] = answer.text
            return answer

    run = evaluate("odyssey/lights", Recorder("oracle"), tier="gate", samples=2, limit=4, out=folder)
    return known, run.frame()


SAME = ["task", "arm", "item", "sample", "outcome", "turns", "success"]


@pytest.mark.slow
@pytest.mark.parametrize("stops", ["tell", "drop"])
def test_a_run_over_a_faulty_server_scores_as_without_faults(tmp_path, stops):
    known, expected = _transcribed(tmp_path / "oracle")
    names = [*(f for f in FAULTS if f != "endless"), *[""] * 10]
    with FaultyServer(
        policy=lambda b: known[json.dumps([b["messages"], b["seed"]])],
        stops=stops,
        context=100_000,
        faults=lambda n: names[n * 11 % len(names)],
    ) as server:
        backend = make(server, tries=60, concurrency=16)
        run = evaluate("odyssey/lights", backend, tier="gate", samples=2, limit=4, out=tmp_path / "run", max_tokens=400)
    assert run.manifest.complete
    assert run.frame()[SAME].equals(expected[SAME])
    assert set(run.frame()["outcome"]) == {"ok"}
    told = run.manifest.environment["backend"]
    assert told["counts"]["retries"] > 10
    assert told["stops"].keys() == {{"tell": "told", "drop": "rule"}[stops]}


def test_a_server_that_fails_makes_errors_and_no_scores_and_the_next_call_mends_them(tmp_path):
    broken = [True]
    with FaultyServer(
        policy=lambda b: "<action>0</action>",
        context=100_000,
        faults=lambda n: ("500" if n % 3 else "half-json") if broken[0] else "",
    ) as server:

        def play():
            return evaluate(
                "odyssey/lights",
                make(server, tries=2, give_up=0.3),
                tier="gate",
                samples=1,
                limit=4,
                out=tmp_path / "r",
            )

        first = play()
        assert set(first.frame()["outcome"]) == {"error"}
        assert first.frame()["success"].isna().all()
        broken[0] = False
        second = play()
    assert second.manifest.complete
    assert set(second.frame()["outcome"]) <= {"ok", "invalid"}
    assert len(second.frame()) == len(first.frame())


def test_time_that_the_servers_faults_took_is_not_the_models(tmp_path):
    """An episode out of time is an error where the server had failed in it, and the model's failure where not."""
    slow = FaultyServer(policy=lambda b: "<action>0</action>", context=100_000, latency=0.3)
    failing = FaultyServer(
        policy=lambda b: "<action>0</action>", context=100_000, latency=0.1, faults=lambda n: "429:0.3"
    )
    outcomes = []
    for server in (slow, failing):
        with server:
            run = evaluate(
                "odyssey/lights",
                make(server),
                tier="gate",
                samples=1,
                limit=2,
                time_limit=0.5,
                out=tmp_path / str(server.port),
            )
            outcomes.append({(s.outcome, s.reason) for s in run.samples()})
    assert outcomes == [{(Outcome.INVALID, "time_limit")}, {(Outcome.ERROR, "BackendError")}]


def test_a_wrong_key_in_the_middle_of_a_run_ends_it_and_keeps_what_is_stored(tmp_path):
    faults = [""]
    with FaultyServer(
        policy=lambda b: "<action>0</action>",
        context=100_000,
        faults=lambda n: "401" if n > 40 and faults[0] == "" else "",
    ) as server:
        options = {"tier": "gate", "samples": 2, "limit": 3, "out": tmp_path / "r", "arms": ["inductive"]}
        with pytest.raises(BackendUnavailable, match="401"):
            evaluate("odyssey/lights", make(server, concurrency=2), **options)
        faults[0] = "none"
        run = evaluate("odyssey/lights", make(server, concurrency=2), **options)
    assert run.manifest.complete
    assert "error" not in set(run.frame()["outcome"])


# -- costs


def test_replies_are_priced_with_what_the_cache_spared():
    prices = {"input": 100.0, "cached": 10.0, "output": 1000.0}
    with FaultyServer(policy=lambda b: "a b c") as server:
        (answer,) = ask(make(server, prices=prices), request())
    spared = answer.cached_tokens
    assert spared > 0
    assert answer.cost == pytest.approx(((answer.prompt_tokens - spared) * 100 + spared * 10 + 3 * 1000) / 1e6)


def test_a_run_stops_before_it_would_pass_its_limit_and_goes_on_with_another(tmp_path):
    with FaultyServer(policy=lambda b: "<action>0</action>", context=100_000) as server:
        options = {
            "tier": "gate",
            "samples": 2,
            "limit": 4,
            "out": tmp_path / "r",
            "arms": ["inductive"],
            "max_tokens": 20,
        }
        backend = make(server, prices=PRICES, max_cost=60.0, concurrency=4)
        with pytest.raises(RunStopped, match="max_cost = 60") as caught:
            evaluate("odyssey/lights", backend, **options)
        assert caught.value.exit_code == 4
        assert 0 < backend.purse.spent <= 60
        run = evaluate("odyssey/lights", make(server, prices=PRICES, max_cost=10_000), **options)
    assert run.manifest.complete
    assert "error" not in set(run.frame()["outcome"])
    assert run.frame()["cost"].gt(0).all()


def test_a_limit_on_costs_holds_with_many_requests_under_way():
    with FaultyServer(policy=lambda b: "a " * 12, latency=0.005) as server:
        backend = make(server, prices=PRICES, max_cost=1.0, concurrency=32)
        answers = ask(backend, *(request(n) for n in range(200)))
    paid = [a for a in answers if isinstance(a, Completion)]
    stopped = [a for a in answers if isinstance(a, RunStopped)]
    assert len(paid) + len(stopped) == 200
    assert sum(a.cost for a in paid) == pytest.approx(backend.purse.spent)
    assert 0.8 < backend.purse.spent <= 1.0


def test_a_lost_reply_counts_with_the_most_that_it_can_have_cost():
    with FaultyServer(faults=faulty.schedule(["half-json", "500"])) as server:
        backend = make(server, prices=PRICES, max_cost=5.0)
        (answer,) = ask(backend, request())
    assert isinstance(answer, Completion)
    assert backend.purse.lost > answer.cost
    assert backend.describe()["counts"]["cost"] == pytest.approx(answer.cost)


# -- the key


def _texts(folder):
    return {p: p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_server_that_repeats_the_key_gets_it_into_no_file_log_or_message(tmp_path, monkeypatch, caplog, status):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    said = []
    with (
        caplog.at_level(logging.DEBUG),
        FaultyServer(
            policy=lambda b: f"<action>0</action> {KEY}",
            stops="ignore",
            key=KEY,
            context=100_000,
            faults=lambda n: f"echo-key:{status}" if n > 60 else "",
        ) as server,
    ):
        backend = make(server, tries=2, give_up=0.2)
        try:
            run = evaluate(
                "odyssey/lights", backend, tier="gate", samples=1, limit=3, out=tmp_path / "r", arms=["inductive"]
            )
            assert "error" in set(run.frame()["outcome"])
        except BackendUnavailable as error:
            said.append(str(error))
        assert server.count > 1
    said += [caplog.text, repr(backend), json.dumps(backend.describe()), json.dumps(backend.identity())]
    assert all(KEY not in text for text in said)
    assert "[key]" in caplog.text + "".join(said)
    files = _texts(tmp_path)
    assert files
    assert [p for p, content in files.items() if KEY.encode() in content] == []


def test_a_key_in_a_reply_is_hidden_too(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with FaultyServer(policy=lambda b: f"the key is {KEY}") as server:
        (answer,) = ask(make(server), request())
    assert answer.text == "the key is [key]"


@pytest.mark.parametrize("word", ["EMPTY", "none", "text", "x", "lm-studio"])
def test_a_word_in_the_place_of_a_key_changes_no_reply(monkeypatch, word):
    monkeypatch.setenv("OPENAI_API_KEY", word)
    with FaultyServer(policy=lambda b: f"the next text is {word}") as server:
        (answer,) = ask(make(server), request())
    assert answer.text == f"the next text is {word}"


def test_a_key_that_is_no_key_is_not_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "two words")
    with FaultyServer() as server, pytest.raises(BackendUnavailable, match="OPENAI_API_KEY") as caught:
        make(server).locate()
    assert "two words" not in str(caught.value)


def test_threads_are_not_left_behind():
    before = threading.active_count()
    with FaultyServer() as server:
        ask(make(server), request())
    assert threading.active_count() <= before + 1  # the loop's own pool may stay
