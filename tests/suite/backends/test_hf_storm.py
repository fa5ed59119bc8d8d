"""Storms: random requests, cancellations and failing allocations; each request gets what it gets alone.

The loop is driven by hand here, a round at a time, so that a seed gives the same storm on every machine.
"""

from typing import Any

import numpy as np
import pytest
import torch

from finchmark.suite.backends import (
    Completion,
    GenerateRequest,
    HiddenRequest,
    Message,
    ScoreRequest,
    Steering,
    TokenScores,
    arena_runner,
    decode,
)
from finchmark.suite.backends.arena_runner import ArenaRunner
from finchmark.suite.backends.attention import GROUPED, register
from finchmark.suite.backends.chat import ChatFormat
from finchmark.suite.backends.decode import DecodeLoop, Ticket
from finchmark.suite.backends.kv_cache import SessionCache
from finchmark.suite.backends.loading import set_attention
from finchmark.suite.backends.padded_runner import PaddedRunner
from finchmark.suite.backends.runner import Prompt, reference_logits
from finchmark.suite.errors import BackendError
from finchmark.suite.seeds import generator

from ...toys import TEXT, make_llama, make_small

WORDS = TEXT.split()


def make_mistral(tokenizer):
    """Each token sees the 23 before it, and no more."""
    return make_small("Mistral", tokenizer, seed=3, sliding_window=23)


def make_grouped(tokenizer):
    made = make_llama(tokenizer)
    register()
    set_attention(made, GROUPED)
    return made


class Chance:
    """Draws from lists, whatever they hold."""

    def __init__(self, *path):
        self.rng = generator(*path)

    def happens(self, probability):
        return self.rng.random() < probability

    def choice(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def words(self, count):
        return " ".join(self.choice(WORDS) for _ in range(count))


class Driven:
    """A loop without its thread."""

    def __init__(self, make_runner, tokenizer, *, cache=0, limit=8):
        self.done = []
        runner = make_runner(SessionCache(cache))
        self.loop = DecodeLoop(runner, ChatFormat(tokenizer), context=1024, limit=limit, deliver=self.done.extend)

    @property
    def in_work(self):
        coming = self.loop._admission
        return len(self.loop._rows) + (len(coming.tickets) if coming else 0)

    @property
    def idle(self):
        loop = self.loop
        return not (loop._inbox or self.in_work or loop._waiting or loop._scoring or loop._reading)

    def turn(self):
        """One round; returns what was done in it."""
        if not self.idle:
            with torch.inference_mode():
                self.loop._receive()
                self.loop._round()
        done = self.done[:]
        self.done.clear()
        return done

    def alone(self, request):
        """The answer to one request that nobody disturbs."""
        self.loop.submit([Ticket(request, None)])
        while not (done := self.turn()):
            pass
        ((_, answer),) = done
        return answer


def arena(model, **budgets):
    budgets = {"arena_bytes": 1 << 28, "prefill_tokens": 2048, **budgets}
    return lambda sessions: ArenaRunner(model, sessions, **budgets)


def padded(model, **_):
    return lambda sessions: PaddedRunner(model, recurrent=False)


def same(one, other):
    """Whether two answers are equal, up to the last bits of floating point and what a cache spared."""
    if isinstance(one, Completion) and isinstance(other, Completion):
        names = ("text", "finish_reason", "token_ids", "completion_tokens", "prompt_tokens", "reasoning")
        return all(getattr(one, name) == getattr(other, name) for name in names)
    if isinstance(one, TokenScores) and isinstance(other, TokenScores):
        return (one.token_ids, one.greedy) == (other.token_ids, other.greedy) and np.allclose(
            one.logprobs, other.logprobs, atol=2e-4
        )
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.allclose(one, other, atol=1e-3)
    return type(one) is type(other) and str(one) == str(other)


class Dice:
    """Makes requests."""

    def __init__(self, seed, width, layers):
        self.rng = rng = Chance("storm", seed)
        a, b = (0.8 * rng.rng.normal(size=width) for _ in range(2))
        self.steerings = [
            *[()] * 3,
            (Steering(0, a),),
            (Steering(layers - 1, b, where="reply"),),
            (Steering(0, a), Steering(-1, b, 2.0, where="reply")),
            (Steering(1, b, 0.5),),
        ]
        self.heads = ["", *(rng.words(k) + " " for k in (12, 30, 31, 60))]
        self.heads.append(self.heads[2] + self.heads[1])

    def text(self):
        return self.rng.choice(self.heads) + self.rng.words(self.rng.choice([0, 1, 3, 10, 40]))

    def generate(self, messages, session):
        rng = self.rng
        return GenerateRequest(
            messages,
            session,
            seed=rng.choice(range(100)),
            max_tokens=rng.choice([1, 2, 5, 9, 20]),
            temperature=rng.choice([0.0, 0.0, 0.0, 1.0]),
            top_p=rng.choice([1.0, 0.9]),
            stop=rng.choice([(), (), ("e",), (" the", "ow")]),
            think_budget=rng.choice([*[None] * 5, 4]),
            steering=rng.choice(self.steerings),
        )

    def some(self, number):
        """A few requests that come together: of one prompt, of one beginning, or of none."""
        rng = self.rng
        prompt = (Message("user", self.text()),)
        kind = rng.choice(range(20))
        if kind < 3:
            prompts = [prompt if rng.happens(0.5) else (Message("user", self.text()),) for _ in range(4)]
            session, steering = rng.choice(["", "shared"]), rng.choice(self.steerings)
            return [ScoreRequest(p, rng.choice(["blue", self.text(), ""]), session, steering) for p in prompts]
        if kind < 4:
            steering = rng.choice(self.steerings)
            return [HiddenRequest(prompt, (0, -1), rng.choice(["", "x"]), rng.choice(["last", "all"]), steering)]
        if rng.happens(0.3):
            prompt = (Message("system", self.heads[3]), *prompt)
        names = rng.choice([["", "", ""], ["shared"], [f"s{number} {k}" for k in range(rng.choice([1, 2, 6]))]])
        return [self.generate(prompt, name) for name in names]

    def next_turn(self, request, completion):
        reply = Message("assistant", completion.text, completion.token_ids)
        return self.generate((*request.messages, reply, Message("user", self.text())), request.session)


def spoil(driven, dice, share, monkeypatch):
    """Have allocations fail, before or after the work, while more than one request has its part in them."""
    runner, scored = driven.loop.runner, [0]

    def failing(function, alone_too=False):
        def call(*args, **kwargs):
            for after in (False, True):
                if after:
                    result = function(*args, **kwargs)
                crowded = driven.in_work + scored[0] > 1 or getattr(runner, "sessions", ()) or alone_too
                if crowded and dice.rng.happens(share / 2):
                    raise torch.OutOfMemoryError("a storm")
            return result

        return call

    score = runner.score

    def counted(prompts, *rest):
        scored[0] = len(prompts)
        try:
            return score(prompts, *rest)
        finally:
            scored[0] = 0

    monkeypatch.setattr(runner, "score", counted)
    monkeypatch.setattr(runner, "_forward", failing(runner._forward))
    monkeypatch.setattr(decode, "pick", failing(decode.pick))
    if runner.refills:
        for name in ("ensure", "put", "move"):
            monkeypatch.setattr(runner.arena, name, failing(getattr(runner.arena, name)))
        # To keep nothing between turns is always possible.
        monkeypatch.setattr(runner.arena, "take", failing(runner.arena.take, alone_too=True))


def storm(make_runner, tokenizer, seed, monkeypatch, *, rounds, fails=0.0):
    """Play one storm; returns tickets and answers by number, and the loop.

    Raises:
        AssertionError: A request was answered twice, or not at all.
    """
    rng = Chance("settings", seed)
    monkeypatch.setattr(arena_runner, "_CHUNK", rng.choice([7, 16, 64, 512]))
    monkeypatch.setattr(arena_runner, "_HEADROOM", rng.choice([1, 16, 64]))
    budgets = {"prefill_tokens": rng.choice([32, 256, 2048]), "beside_tokens": rng.choice([16, 48, 512])}
    budgets["arena_bytes"] = rng.choice([1 << 19, 1 << 28])
    driven = Driven(
        lambda sessions: make_runner(sessions, **budgets),
        tokenizer,
        cache=rng.choice([0, 60_000, 400_000, 1 << 26]),
        limit=rng.choice([2, 3, 5, 8, 16]),
    )
    residual = driven.loop.runner.residual
    dice = Dice(seed, residual.width, residual.layers)
    rng = dice.rng
    tickets, answers = {}, {}

    def send(requests):
        fresh = [Ticket(request, len(tickets) + k) for k, request in enumerate(requests)]
        tickets.update((t.key, t) for t in fresh)
        driven.loop.submit(fresh)

    with monkeypatch.context() as patch:
        if fails:
            spoil(driven, dice, fails, patch)
        for turn in range(100 * rounds):
            still = turn < rounds
            if still and rng.happens(0.35):
                send(dice.some(len(tickets)))
            if still and tickets and rng.happens(0.1):
                ticket = tickets[rng.choice(list(tickets))]
                ticket.cancelled = ticket.key not in answers
            if rng.happens(0.1):
                driven.loop.release("shared")
            for ticket, answer in driven.turn():
                assert ticket.key not in answers, "answered twice"
                answers[ticket.key] = answer
                chat = isinstance(answer, Completion) and len(ticket.request.messages) < 6
                if still and chat and rng.happens(0.6):
                    send([dice.next_turn(ticket.request, answer)])
            if not still and driven.idle:
                break
        else:
            raise AssertionError("it does not come to an end")
    assert not [t for t in tickets.values() if t.key not in answers and not t.cancelled], "lost"
    return tickets, answers, driven.loop


def check(make, way, tokenizer, seed, monkeypatch, *, rounds=60, fails=0.0):
    model = make(tokenizer)
    tickets, answers, loop = storm(
        lambda sessions, **budgets: way(model, **budgets)(sessions),
        tokenizer,
        seed,
        monkeypatch,
        rounds=rounds,
        fails=fails,
    )
    quiet = Driven(way(model), tokenizer)
    for number, answer in answers.items():
        expected = quiet.alone(tickets[number].request)
        assert same(answer, expected), (number, tickets[number].request, answer, expected)
    if way is arena:
        assert not len(loop.runner._prompts)
        sessions = loop.runner.sessions
        assert sessions.size == sum(kept.size for kept in sessions._kept.values())
        assert set(sessions._index._held) == set(sessions._kept)
        assert sessions.size <= sessions.limit
    return loop, answers


@pytest.mark.parametrize("seed", range(1, 2))
@pytest.mark.parametrize(
    ("make", "way"), [(make_llama, arena), (make_grouped, arena), (make_mistral, arena), (make_llama, padded)]
)
def test_each_gets_what_it_gets_alone(make, way, tokenizer, seed, monkeypatch):
    loop, answers = check(make, way, tokenizer, seed, monkeypatch, rounds=25)
    assert loop.counters["out_of_memory"] == 0
    assert len(answers) > 10


@pytest.mark.parametrize("seed", range(10, 13))
@pytest.mark.parametrize(("make", "way"), [(make_grouped, arena), (make_llama, padded)])
def test_failing_allocations_lose_double_and_change_nothing(make, way, tokenizer, seed, monkeypatch):
    check(make, way, tokenizer, seed, monkeypatch, rounds=25, fails=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 22))
def test_a_longer_storm(tokenizer, seed, monkeypatch):
    loop, _ = check(make_grouped, arena, tokenizer, seed, monkeypatch, rounds=100, fails=0.01)
    assert loop.counters["out_of_memory"]


# -- the runner alone, against the model's plain forward pass


def _go_on(admission):
    """A piece of an admission; what it did, once it is done."""
    try:
        next(admission)
    except StopIteration as end:
        return end.value
    return None


@pytest.mark.parametrize("make", [make_grouped, make_mistral])
@pytest.mark.parametrize("seed", range(3))
def test_rows_have_their_own_logits_whoever_comes_and_goes(make, tokenizer, seed, monkeypatch):
    """Prompts of one token on, of few different tokens, so that many share a beginning; rows leave at any time."""
    rng = Chance("rows", seed)
    monkeypatch.setattr(arena_runner, "_CHUNK", rng.choice([3, 8, 64]))
    monkeypatch.setattr(arena_runner, "_WORTH", 2)
    model = make(tokenizer)
    sessions = SessionCache(rng.choice([0, 30_000, 1 << 24]))
    runner = ArenaRunner(model, sessions, arena_bytes=1 << 28, prefill_tokens=64, beside_tokens=16)
    block = [rng.choice(range(3)) for _ in range(60)]
    rows, asked, coming = [], [], None

    def tokens():
        return np.array(
            [*block[: rng.choice([0, 0, 15, 16, 17, 33, 60])], *rng.rng.integers(0, 3, rng.choice([1, 2, 20]))]
        )

    def agree(logits, expected):
        assert len(logits) == len(expected)
        for mine, whole in zip(logits, expected, strict=True):
            assert torch.allclose(mine, reference_logits(model, np.array(whole))[-1], atol=2e-3), whole

    with torch.inference_mode():
        for _ in range(120):
            assert runner.count == len(rows)
            what = rng.choice(["admit", "go on", "go on", "step", "step", "leave", "score"])
            if what == "admit" and coming is None and len(rows) < 10:
                asked = [tokens() for _ in range(rng.choice([1, 2, 5]))]
                asked += [asked[0]] * rng.choice([0, 2])
                names = [rng.choice(["", "a", "b"]) for _ in asked]
                prompts = [Prompt(t, name, len(t) + 30) for t, name in zip(asked, names, strict=True)]
                coming = runner.admission(prompts)
            elif what == "go on" and coming is not None:
                admitted = _go_on(coming)
                if admitted is not None:
                    coming = None
                    fresh = [asked[i].tolist() for i in admitted.order]
                    assert sorted(admitted.order) == list(range(len(asked)))
                    agree(admitted.logits, fresh)
                    rows += fresh
            elif what == "step" and rows:
                for row in rows:
                    row.append(rng.choice(range(3)))
                agree(runner.step([row[-1] for row in rows]), rows)
            elif what == "leave" and rows:
                slot = rng.choice(range(len(rows)))
                leaving, last = rows[slot], rows.pop()
                if slot < len(rows):
                    rows[slot] = last
                runner.remove(slot, rng.choice(["", "a", "b"]), lambda row=leaving: np.array(row))
            elif what == "score":
                heads = [tokens() for _ in range(2)]
                heads.append(heads[0])
                tails = [rng.rng.integers(0, 3, n) for n in (1, 2, 7)]
                prompts = [Prompt(t, rng.choice(["", "a"]), len(t) + 7) for t in heads]
                for (scores, _), head, tail in zip(
                    runner.score(prompts, tails, lambda: False), heads, tails, strict=True
                ):
                    plain = reference_logits(model, np.concatenate([head, tail[:-1]]))[-len(tail) :].log_softmax(-1)
                    assert np.allclose(scores, [float(p[t]) for p, t in zip(plain, tail, strict=True)], atol=2e-3)


# -- what the storms brought to light


def _greedy(text, session="s", **changes):
    settings = {"seed": 1, "max_tokens": 12, "temperature": 0.0, **changes}
    return GenerateRequest((Message("user", text),), session, **settings)


def _until_idle(driven):
    done = []
    while not driven.idle:
        done += driven.turn()
    return done


def test_a_reply_whose_cache_finds_no_room_is_given_once_and_not_computed_again(tokenizer, model, monkeypatch):
    driven = Driven(arena(model), tokenizer, cache=1 << 26)
    takes = []

    def take(slot, length):
        takes.append(slot)
        raise torch.OutOfMemoryError

    monkeypatch.setattr(driven.loop.runner.arena, "take", take)
    requests = [_greedy(f"Lamp {k}?", f"s{k}", max_tokens=3 + k) for k in range(4)]
    driven.loop.submit([Ticket(r, k) for k, r in enumerate(requests)])
    done = _until_idle(driven)
    assert sorted(ticket.key for ticket, _ in done) == [0, 1, 2, 3]
    assert len(takes) == 4
    assert driven.loop.counters["generated_tokens"] == sum(answer.completion_tokens for _, answer in done)
    quiet = Driven(arena(model), tokenizer)
    assert all(same(answer, quiet.alone(ticket.request)) for ticket, answer in done)


@pytest.mark.parametrize("limit", [1, 8])
@pytest.mark.parametrize("kind", ["score", "read"])
def test_what_is_asked_beside_rows_is_not_given_up_before_it_was_alone(tokenizer, endless, kind, limit, monkeypatch):
    driven = Driven(arena(endless), tokenizer, limit=limit)
    runner = driven.loop.runner
    where, name = (runner, "score") if kind == "score" else (runner.residual, "states")
    work = getattr(where, name)

    def crowded(*args):
        if driven.in_work:
            raise torch.OutOfMemoryError
        return work(*args)

    monkeypatch.setattr(where, name, crowded)
    rows = [Ticket(_greedy(f"Lamp {k}?", f"s{k}", max_tokens=20), k) for k in range(limit)]
    driven.loop.submit(rows)
    while driven.in_work < limit:
        driven.turn()
    prompt = (Message("user", "Which?"),)
    late = ScoreRequest(prompt, "blue") if kind == "score" else HiddenRequest(prompt, (0,))
    driven.loop.submit([Ticket(late, "late")])
    done = {ticket.key: answer for ticket, answer in _until_idle(driven)}
    assert isinstance(done.pop("late"), TokenScores if kind == "score" else np.ndarray)
    assert len(done) == limit
    assert all(isinstance(answer, Completion) for answer in done.values())


def test_what_never_fits_is_given_up_and_the_others_go_on(tokenizer, endless, monkeypatch):
    driven = Driven(arena(endless), tokenizer)

    def score(*args):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(driven.loop.runner, "score", score)
    driven.loop.submit([Ticket(_greedy(f"Lamp {k}?", f"s{k}"), k) for k in range(3)])
    driven.turn()
    driven.loop.submit([Ticket(ScoreRequest((Message("user", "Which?"),), "blue"), "late")])
    done = {ticket.key: answer for ticket, answer in _until_idle(driven)}
    assert "not even one request fits" in str(done.pop("late"))
    assert all(isinstance(answer, Completion) for answer in done.values())


def test_a_row_that_cannot_be_begun_leaves_nobody_waiting(tokenizer, model, monkeypatch):
    driven = Driven(arena(model), tokenizer)
    reply = decode.Reply

    def broken(chat, request, *rest):
        if request.session == "s1":
            raise ValueError("a fault")
        return reply(chat, request, *rest)

    monkeypatch.setattr(decode, "Reply", broken)
    driven.loop.submit([Ticket(_greedy(f"Lamp {k}?", f"s{k}"), k) for k in range(3)])
    done = _until_idle(driven)
    assert sorted(ticket.key for ticket, _ in done) == [0, 1, 2]
    assert all(isinstance(answer, BackendError) for _, answer in done)


def test_a_long_prompt_does_not_wait_for_ever_while_short_ones_come(tokenizer, endless):
    driven = Driven(lambda _: PaddedRunner(endless, recurrent=True), tokenizer, limit=4)
    short = [Ticket(_greedy("9", f"s{k}", max_tokens=3 + k), k) for k in range(3)]
    driven.loop.submit([*short, Ticket(_greedy("Which lamp is it? " * 4, "long", max_tokens=3), "long")])
    for number in range(3, 40):
        done = []
        while not done:
            done = driven.turn()
        if any(ticket.key == "long" for ticket, _ in done):
            return
        driven.loop.submit([Ticket(_greedy("9", f"s{number}", max_tokens=3), number)])
    raise AssertionError("it never had its turn")


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error, is_one):
    assert decode.is_out_of_memory(error) is is_one
