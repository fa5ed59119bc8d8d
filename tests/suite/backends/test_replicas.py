"""Copies of a model in processes of their own: nothing is lost, doubled or scored 0 when some of them die.

Most faults are tried on workers without a model (``fake_worker.py``), which start in a moment; the last tests run real
ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from finchmark.suite.backends import (
    ContextOverflow,
    DivergenceRequest,
    GenerateRequest,
    HiddenRequest,
    Message,
    ScoreRequest,
    worker_process,
)
from finchmark.suite.backends import replicas as module
from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.backends.local import LocalBackend
from finchmark.suite.backends.replicas import ReplicaBackend
from finchmark.suite.conformance import check_backend
from finchmark.suite.errors import BackendError, BackendUnavailable, UsageError
from finchmark.suite.evaluation import evaluate
from finchmark.suite.seeds import uniform

FAKE = (sys.executable, "-P", str(Path(__file__).with_name("fake_worker.py")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, endless) -> str:
    """A toy that lies on the disk. Its replies end at their caps only."""
    path = tmp_path_factory.mktemp("toy")
    endless.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return str(path)


@pytest.fixture
def fakes(folder):
    """Runs a function with a backend whose workers have no model."""

    def run(use: Any, *, devices: tuple[str, ...] = ("cpu", "cpu"), **changes: Any) -> Any:
        async def main() -> Any:
            backend = ReplicaBackend(folder, devices=devices, command=FAKE, **changes)
            try:
                await backend.start()
                return await asyncio.wait_for(use(backend), 60)
            finally:
                await backend.aclose()
                assert children() == set()

        return asyncio.run(main())

    return run


def children(of: int | None = None) -> set[int]:
    """Worker processes of a process, by their command lines."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            command = (path / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == (of or os.getpid()) and b"worker" in command:
            found.add(int(path.name))
    return found


def ask(text: str, session: str = "", seed: int = 0, **changes: Any) -> GenerateRequest:
    settings = {"max_tokens": 12, "temperature": 1.0, **changes}
    return GenerateRequest((Message("user", text),), session or f"s/{text}", seed, **settings)


async def until(condition: Any) -> None:
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to it")


async def whole(backend: ReplicaBackend, workers: int = 2) -> None:
    await until(lambda: backend.stats()["workers"] == workers)


# -- spreading


def test_work_is_spread_and_a_session_stays_where_it_is(fakes):
    async def use(backend):
        sessions = [f"s{k}" for k in range(10)]
        for turn in range(3):
            await asyncio.gather(*(backend.generate(ask(f"{s} {turn}", s)) for s in sessions))
        return backend.stats(), backend.describe()

    stats, described = fakes(use)
    assert described["threads_variable"] == str(described["threads"])
    assert described["devices"] == ["cpu", "cpu"]
    assert described["counts"]["deaths"] == {}
    assert stats["deaths"] == 0


def test_cores_are_shared_out(fakes, monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 6)

    async def use(backend):
        return backend.describe()["threads_variable"]

    assert fakes(use, devices=("cpu", "cpu", "cpu")) == "2"


def test_capabilities_are_summed(fakes):
    async def use(backend):
        return backend.capabilities

    found = fakes(use, devices=("cpu", "cpu", "cpu"))
    assert found.concurrency == 24
    assert found.logprobs == "none"


def test_counters_of_all_workers_are_summed_and_outlive_them(fakes):
    async def use(backend):
        await asyncio.gather(*(backend.generate(ask(str(k))) for k in range(10)))
        await until(lambda: backend.stats().get("steps") == 10)
        os.kill(min(children()), signal.SIGKILL)
        await until(lambda: backend.stats()["deaths"] == 1)
        await whole(backend)
        return backend.stats()

    stats = fakes(use)
    assert stats["generated_tokens"] == 30
    assert stats["restarts"] == 1


def test_a_request_that_is_cancelled_is_taken_back(fakes):
    async def use(backend):
        task = asyncio.create_task(backend.generate(ask("SLOW", seed=1)))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: backend.stats().get("cancelled") == 1)
        return (await backend.generate(ask("next"))).text

    assert fakes(use)


# -- dying


def expected(fakes, requests):
    async def use(backend):
        return [c.text for c in await asyncio.gather(*map(backend.generate, requests))]

    return fakes(use)


@pytest.mark.parametrize("round_", range(3))
def test_requests_of_killed_workers_are_answered_all_the_same(fakes, round_):
    requests = [ask(f"lamp {k}", seed=k) for k in range(200)]
    undisturbed = expected(fakes, requests)

    async def use(backend):
        gate, answered = asyncio.Semaphore(16), 0

        async def one(request):
            nonlocal answered
            async with gate:
                reply = await backend.generate(request)
                answered += 1
                return reply.text

        async def fire():
            for shot in range(3):
                goal = 10 + 50 * shot + int(40 * uniform("shot", round_, shot))
                await until(lambda goal=goal: answered >= goal and any(map(backend.dispatcher.busy, backend.replicas)))
                os.kill(next(filter(backend.dispatcher.busy, backend.replicas)).pid, signal.SIGKILL)

        texts, _ = await asyncio.gather(asyncio.gather(*map(one, requests)), fire())
        await until(lambda: backend.stats()["deaths"] == 3)
        await whole(backend)
        return texts, backend.describe()["counts"], backend.notice()

    texts, counts, notice = fakes(use)
    assert texts == undisturbed
    assert counts["deaths"] == {"SIGKILL": 3}
    assert counts["restarts"] == 3
    assert counts["requests_run_again"] >= 1
    assert counts["requests_given_up"] == counts["workers_lost"] == 0
    assert "SIGKILL 3" in notice


@pytest.mark.parametrize(
    ("poison", "match"),
    [("POISON", "SIGSEGV.*native code.*a kernel went wrong"), ("SHORT", "SIGKILL.*out of memory"), ("LEAVE", "exit 7")],
)
def test_a_request_that_kills_fails_alone_and_names_the_cause(fakes, poison, match):
    requests = [ask(f"lamp {k}", seed=k) for k in range(12)]
    undisturbed = expected(fakes, requests)

    async def use(backend):
        tasks = [asyncio.create_task(backend.generate(r)) for r in requests[:6]]
        bad = asyncio.create_task(backend.generate(ask(poison)))
        tasks += [asyncio.create_task(backend.generate(r)) for r in requests[6:]]
        texts = [(await t).text for t in tasks]
        with pytest.raises(BackendError, match=match) as caught:
            await bad
        assert not isinstance(caught.value, BackendUnavailable)
        await whole(backend)
        return texts, backend.describe()["counts"]

    texts, counts = fakes(use)
    assert texts == undisturbed
    assert sum(counts["deaths"].values()) == 3
    assert counts["requests_given_up"] == 1
    assert counts["workers_lost"] == 0


def test_a_worker_that_answers_between_its_deaths_is_started_again_every_time(fakes):
    async def use(backend):
        for shot in range(4):
            await asyncio.gather(*(backend.generate(ask(f"{shot} {k}")) for k in range(6)))
            os.kill(backend.replicas[0].pid, signal.SIGKILL)
            await until(lambda shot=shot: backend.stats()["deaths"] == shot + 1)
            await whole(backend)
        return backend.describe()["counts"]

    counts = fakes(use)
    assert counts["restarts"] == 4
    assert counts["workers_lost"] == 0


def test_several_that_kill_are_told_from_the_rest(fakes):
    requests = [ask("POISON" if k in (3, 7) else f"lamp {k}", f"s{k}", seed=k) for k in range(12)]

    async def use(backend):
        return await asyncio.gather(*map(backend.generate, requests), return_exceptions=True)

    results = fakes(use)
    assert [k for k, r in enumerate(results) if isinstance(r, BackendError)] == [3, 7]


def test_a_lost_cuda_context_is_a_death_and_its_requests_run_again(fakes, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_MENDED", str(tmp_path / "mended"))

    async def use(backend):
        replies = await asyncio.gather(*(backend.generate(ask(t)) for t in ("BROKEN", "a", "b")))
        return replies, backend.describe()["counts"]["deaths"]

    replies, deaths = fakes(use)
    assert len(replies) == 3
    assert deaths == {"CUDA error": 1}


def test_a_worker_that_falls_silent_is_killed_and_its_requests_run_again(fakes, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_MENDED", str(tmp_path / "mended"))
    monkeypatch.setattr(module, "WATCH_S", 0.3)
    monkeypatch.setattr(module, "SILENT", 8)

    async def use(backend):
        replies = await asyncio.gather(*(backend.generate(ask(t)) for t in ("MUTE", "a", "b", "c")))
        return replies, backend.describe()["counts"]["deaths"]

    replies, deaths = fakes(use)
    assert len(replies) == 4
    assert deaths == {"silence": 1}


def test_a_slow_worker_is_left_alone_and_named(fakes, monkeypatch):
    monkeypatch.setattr(module, "WATCH_S", 0.1)
    monkeypatch.setattr(module, "STUCK", 8)

    async def use(backend):
        task = asyncio.create_task(backend.generate(ask("SLOW")))
        await until(lambda: "no progress" in backend.notice())
        return await task, backend.notice(), backend.stats()["deaths"]

    reply, notice, deaths = fakes(use)
    assert reply.text
    assert (notice, deaths) == ("", 0)


def test_an_answer_that_is_too_large_fails_its_own_request(fakes):
    async def use(backend):
        results = await asyncio.gather(*(backend.generate(ask(t)) for t in ("HUGE", "a")), return_exceptions=True)
        return results, backend.stats()["deaths"]

    (huge, small), deaths = fakes(use)
    assert isinstance(huge, BackendError)
    assert "than the 1048576" in str(huge)
    assert small.text
    assert deaths == 0


def test_what_workers_print_neither_blocks_them_nor_is_seen(fakes, capfd):
    async def use(backend):
        return await asyncio.gather(*(backend.generate(ask(f"CHATTY {k}")) for k in range(4)))

    assert len(fakes(use)) == 4
    assert "chatter" not in "".join(capfd.readouterr())


def test_a_worker_that_speaks_nonsense_is_replaced(fakes, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_MENDED", str(tmp_path / "mended"))

    async def use(backend):
        replies = await asyncio.gather(*(backend.generate(ask(t)) for t in ("GARBLED", "a")))
        return replies, backend.describe()["counts"]["deaths"]

    replies, deaths = fakes(use)
    assert all(reply.text for reply in replies)
    assert deaths == {"protocol": 1}


# -- starting


def test_a_worker_that_cannot_load_is_one_clear_error(fakes, monkeypatch):
    monkeypatch.setenv("FAKE_START", "refuse")

    async def use(backend):
        raise AssertionError("it must not start")

    with pytest.raises(BackendUnavailable, match=r"worker \d \(cpu\): The model 'toy' cannot be loaded: it is a fake"):
        fakes(use)


def test_a_worker_that_dies_at_every_start_ends_the_run_with_its_last_words(fakes, monkeypatch):
    monkeypatch.setenv("FAKE_START", "die")

    async def use(backend):
        raise AssertionError("it must not start")

    with pytest.raises(BackendUnavailable, match=r"3 times in a row.*exit 3.*I was never born"):
        fakes(use)


def test_a_worker_that_dies_at_its_first_start_gets_another(fakes, monkeypatch, tmp_path):
    left = tmp_path / "left"
    left.write_text("1")
    monkeypatch.setenv("FAKE_START", str(left))

    async def use(backend):
        return await backend.generate(ask("a")), backend.describe()["counts"]["deaths"]

    reply, deaths = fakes(use)
    assert reply.text
    assert deaths["SIGKILL"] in (1, 2)  # both may have read the file before one wrote it


def test_a_run_goes_on_without_a_worker_that_cannot_be_started_again(fakes, monkeypatch):
    async def use(backend):
        monkeypatch.setenv("FAKE_START", "die")
        os.kill(min(children()), signal.SIGKILL)
        await until(lambda: backend.describe()["counts"]["workers_lost"] == 1)
        replies = await asyncio.gather(*(backend.generate(ask(str(k))) for k in range(6)))
        return replies, backend.notice()

    replies, notice = fakes(use)
    assert len(replies) == 6
    assert "is lost" in notice
    assert "3 times in a row" in notice


def test_without_any_worker_left_open_and_later_requests_end_the_run(fakes, monkeypatch):
    async def use(backend):
        monkeypatch.setenv("FAKE_START", "die")
        task = asyncio.create_task(backend.generate(ask("SLOW")))
        await asyncio.sleep(0.1)
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(BackendUnavailable, match="none of the 2 workers is left"):
            await task
        with pytest.raises(BackendUnavailable, match="none of the 2 workers is left"):
            await backend.generate(ask("later"))

    fakes(use)


def test_a_worker_that_comes_back_with_another_model_is_not_used(fakes, monkeypatch):
    async def use(backend):
        monkeypatch.setenv("FAKE_DTYPE", "bfloat16")
        os.kill(min(children()), signal.SIGKILL)
        await until(lambda: backend.describe()["counts"]["workers_lost"] == 1)
        return backend.notice()

    assert "loaded another model" in fakes(use)


# -- what a death costs


def test_without_deaths_nothing_was_lost(fakes):
    async def use(backend):
        await backend.generate(ask("a", "mine"))
        return backend.delayed("mine"), backend.notice()

    assert fakes(use) == (0.0, "")


def test_a_death_is_charged_to_the_sessions_that_it_kept_waiting(fakes):
    async def use(backend):
        task = asyncio.create_task(backend.generate(ask("SLOW", "mine")))
        await asyncio.sleep(0.5)
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        await until(lambda: backend.stats()["deaths"] == 2)
        during = backend.delayed("mine")
        await task
        after = backend.delayed("mine")
        fresh = await backend.generate(ask("b", "later"))
        assert fresh.text
        later = backend.delayed("later")
        backend.release("mine")
        return during, after, later, backend.delayed("mine")

    during, after, later, released = fakes(use)
    assert 0.4 < during <= after
    assert later < 0.4
    assert released == 0.0


def test_a_request_that_gives_up_waiting_is_charged_too(fakes, monkeypatch):
    async def use(backend):
        monkeypatch.setenv("FAKE_START", "die")
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        await until(lambda: backend.stats()["workers"] == 0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await backend.generate(ask("a", "mine"))
        return backend.delayed("mine")

    assert fakes(use) >= 0.15


# -- ending


def test_closing_fails_what_is_open_and_leaves_no_process(fakes):
    async def use(backend):
        tasks = [asyncio.create_task(backend.generate(ask("SLOW", f"s{k}"))) for k in range(4)]
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await backend.aclose()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert time.monotonic() - began < 1.5
        with pytest.raises(BackendError, match="not running"):
            await backend.generate(ask("later"))
        await backend.aclose()
        return results

    assert all(isinstance(r, BackendError) for r in fakes(use))


def test_a_start_that_is_cancelled_leaves_no_process(folder):
    async def main():
        backend = ReplicaBackend(folder, devices=("cpu", "cpu"), command=FAKE)
        task = asyncio.create_task(backend.start())
        await until(lambda: len(children()) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children() == set()
        await backend.aclose()

    asyncio.run(main())


def test_a_close_that_is_cancelled_leaves_no_process(folder):
    async def main():
        backend = ReplicaBackend(folder, devices=("cpu", "cpu"), command=FAKE)
        await backend.start()
        task = asyncio.create_task(backend.aclose())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert children() == set()

    asyncio.run(main())


@pytest.mark.parametrize("cancelled", [False, True])
def test_workers_that_are_stopped_are_ended_too(folder, monkeypatch, cancelled):
    monkeypatch.setattr(worker_process, "LEAVE_S", 0.2)

    async def main():
        backend = ReplicaBackend(folder, devices=("cpu", "cpu"), command=FAKE)
        await backend.start()
        for pid in children():
            os.kill(pid, signal.SIGSTOP)
        task = asyncio.create_task(backend.aclose())
        await asyncio.sleep(0)
        if cancelled:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert children() == set()

    asyncio.run(main())


def test_closing_without_a_start_is_harmless_and_requests_are_refused(folder):
    async def main():
        backend = ReplicaBackend(folder, devices=("cpu", "cpu"))
        with pytest.raises(BackendError, match="not running"):
            await backend.generate(ask("a"))
        assert (backend.stats(), backend.describe(), backend.notice(), backend.delayed("s")) == ({}, {}, "", 0.0)
        await backend.aclose()

    asyncio.run(main())


PARENT = """
import asyncio, os, signal, sys
from finchmark.suite.backends.worker_process import WorkerProcess

async def main():
    ready = asyncio.Event()
    workers = [WorkerProcess(on_frame=lambda kind, body: ready.set(), on_death=print, command=sys.argv[1:])
               for _ in range(2)]
    for worker in workers:
        await worker.start({"device": "cpu"})
    await ready.wait()
    print(*(worker.pid for worker in workers), flush=True)
    if FORKED and os.fork() == 0:
        os.execvp("sleep", ["sleep", "20"]) if FORKED == "exec" else signal.pause()
    await asyncio.sleep(30)

asyncio.run(main())
"""


@pytest.mark.parametrize("forked", ["", "fork", "exec"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_leave_when_their_parent_is_gone(number, forked):
    code = f"FORKED = {forked!r}" + PARENT
    with subprocess.Popen(
        [sys.executable, "-c", code, *FAKE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        try:
            assert len(pids) == 2
            os.kill(parent.pid, number)
            parent.wait(20)
            for _ in range(400):
                alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
                if not alive:
                    break
                time.sleep(0.01)
            assert alive == []
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)


def test_ctrl_c_in_the_terminal_leaves_workers_to_their_parent(fakes):
    async def use(backend):
        before = children()
        for pid in before:
            os.kill(pid, signal.SIGINT)
        reply = await backend.generate(ask("a"))
        assert children() == before
        return reply, backend.stats()["deaths"]

    reply, deaths = fakes(use)
    assert reply.text
    assert deaths == 0


# -- through the engine


class Shooter:
    """Kills one worker each time when so many samples have been stored."""

    def __init__(self, moments: tuple[int, ...]) -> None:
        self.moments, self.stored = moments, 0

    def started(self, *_: Any) -> None:
        pass

    def stopped(self) -> None:
        pass

    def finished(self, _sample: Any) -> None:
        self.stored += 1
        if self.stored in self.moments and (alive := sorted(children())):
            os.kill(alive[int(uniform("victim", self.stored) * len(alive))], signal.SIGKILL)


def table(run, folder: Path) -> bytes:
    run.export(folder, "csv")
    return folder.read_bytes()


def test_a_run_under_fire_stores_the_same_table_byte_for_byte(folder, tmp_path):
    options = {"tier": "gate", "samples": 5, "limit": 4, "label": "toy", "temperature": 1.0, "seed": 3}
    calm = evaluate(
        "odyssey/lights", ReplicaBackend(folder, devices=("cpu", "cpu"), command=FAKE), out=tmp_path / "calm", **options
    )
    backend = ReplicaBackend(folder, devices=("cpu", "cpu"), command=FAKE)

    shot = evaluate("odyssey/lights", backend, out=tmp_path / "shot", watcher=Shooter((2, 13, 29)), **options)
    assert len(calm.frame()) == 40
    assert table(shot, tmp_path / "shot.csv") == table(calm, tmp_path / "calm.csv")
    described = shot.manifest.environment["backend"]
    assert described["counts"]["deaths"]["SIGKILL"] >= 2
    assert described["counts"]["requests_given_up"] == 0
    assert children() == set()


# -- with real models


@pytest.fixture(scope="module")
def running(folder):
    """One backend with two real workers, and the loop that it lives in."""
    with asyncio.Runner() as runner:
        backend = LocalBackend(folder, devices="cpu+cpu", batch_size=8)
        assert isinstance(backend, ReplicaBackend)
        runner.run(backend.start())
        yield runner.run, backend
        runner.run(backend.aclose())
        assert children() == set()


@pytest.fixture(scope="module")
def single(folder):
    """The same model in this process."""
    with asyncio.Runner() as runner:
        backend = HFBackend(folder, device="cpu", batch_size=8)
        runner.run(backend.start())
        yield runner.run, backend
        runner.run(backend.aclose())


def test_the_identity_is_that_of_one_process(running, single):
    assert running[1].identity() == single[1].identity()
    assert running[1].capabilities.concurrency == 16


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_texts_are_those_of_one_process(running, single, temperature):
    async def episodes(backend):
        async def one(number):
            messages: tuple[Message, ...] = ()
            said = []
            for turn in range(3):
                messages += (Message("user", f"Lamp {number} in turn {turn}?"),)
                session = f"{temperature}/{number}"
                reply = await backend.generate(
                    GenerateRequest(messages, session, 10 * number + turn, 16, temperature, stop=("stones",))
                )
                messages += (Message("assistant", reply.text, reply.token_ids),)
                said.append((reply.text, reply.token_ids, reply.finish_reason, reply.prompt_tokens))
            backend.release(f"{temperature}/{number}")
            return said

        return await asyncio.gather(*map(one, range(24)))

    assert running[0](episodes(running[1])) == single[0](episodes(single[1]))


def test_a_session_finds_its_cache_again(running):
    run, backend = running

    async def use():
        first = await backend.generate(ask("What colour is the lamp that stands under the tree?", "cached", 4))
        history = (
            Message("user", "What colour is the lamp that stands under the tree?"),
            Message("assistant", first.text, first.token_ids),
            Message("user", "And now?"),
        )
        second = await backend.generate(GenerateRequest(history, "cached", 5, 8))
        return first, second

    first, second = run(use())
    assert second.cached_tokens >= first.prompt_tokens


def test_scores_are_those_of_one_process(running, single):
    request = ScoreRequest((Message("user", "Count."),), "one two three")
    mine = running[0](running[1].score(request))
    theirs = single[0](single[1].score(request))
    assert mine.token_ids == theirs.token_ids
    assert mine.logprobs == pytest.approx(theirs.logprobs, abs=1e-4)


def test_hidden_states_are_those_of_one_process(running, single):
    request = HiddenRequest((Message("user", "Count."),), (0, -1), positions="all")
    mine = running[0](running[1].hidden_states(request))
    theirs = single[0](single[1].hidden_states(request))
    assert mine.shape == theirs.shape
    assert mine == pytest.approx(theirs, abs=1e-4)


def test_divergences_are_those_of_one_process(running, single):
    request = DivergenceRequest((Message("user", "Count."),), (Message("user", "Sing."),), "one two three")
    mine = running[0](running[1].diverge(request))
    theirs = single[0](single[1].diverge(request))
    assert mine.kl == pytest.approx(theirs.kl, abs=1e-4)
    assert max(mine.kl) > 0


def test_refusals_cross_the_border(running):
    run, backend = running
    with pytest.raises(ContextOverflow) as caught:
        run(backend.generate(ask("a", max_tokens=5000)))
    assert caught.value.available == 1024
    with pytest.raises(UsageError, match="max_tokens"):
        run(backend.generate(ask("a", max_tokens=0)))


def test_a_real_worker_killed_in_mid_decode_loses_nothing(running, single):
    requests = [ask(f"lamp {k}", f"kill/{k}", seed=k, max_tokens=40 + k, temperature=float(k % 2)) for k in range(40)]

    async def use(backend, fire):
        tasks = [asyncio.create_task(backend.generate(r)) for r in requests]
        if fire:
            await until(lambda: any(t.done() for t in tasks))
            os.kill(min(children()), signal.SIGKILL)
        return [c.text for c in await asyncio.gather(*tasks)]

    texts = running[0](use(running[1], True))
    assert texts == single[0](use(single[1], False))
    assert running[1].describe()["counts"]["deaths"] == {"SIGKILL": 1}


@pytest.mark.slow
def test_the_conformance_suite_passes(folder):
    check_backend(lambda: LocalBackend(folder, devices="cpu+cpu", batch_size=8))


@pytest.mark.slow
def test_a_real_run_under_fire_stores_the_table_of_one_process_byte_for_byte(folder, tmp_path):
    options = {"tier": "smoke", "samples": 20, "label": "toy", "temperature": 1.0, "max_tokens": 12}
    alone = evaluate("odyssey/lights", HFBackend(folder, device="cpu"), out=tmp_path / "alone", **options)
    assert len(alone.frame()) == 40
    watcher = Shooter((3, 21))
    backend = LocalBackend(folder, devices="cpu+cpu", batch_size=8)
    shot = evaluate("odyssey/lights", backend, out=tmp_path / "shot", watcher=watcher, **options)
    assert table(shot, tmp_path / "shot.csv") == table(alone, tmp_path / "alone.csv")
    assert shot.manifest.spec == alone.manifest.spec
    assert shot.manifest.environment["backend"]["counts"]["deaths"]["SIGKILL"] >= 1


@pytest.mark.slow
def test_weights_that_cannot_be_loaded_are_one_error(folder, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in Path(folder).iterdir():
        content = file.read_bytes()
        (broken / file.name).write_bytes(content[: len(content) // 2] if file.suffix == ".safetensors" else content)

    async def main():
        backend = LocalBackend(str(broken), devices="cpu+cpu")
        try:
            await backend.start()
        finally:
            await backend.aclose()

    before = children()
    with pytest.raises(BackendUnavailable, match=r"worker \d \(cpu\): The model .* could not be started"):
        asyncio.run(main())
    assert children() == before


def test_a_folder_without_weights_starts_nothing(tmp_path):
    before = children()
    with pytest.raises(UsageError, match=r"config\.json"):
        asyncio.run(LocalBackend(str(tmp_path), devices="cpu+cpu").start())
    assert children() == before
