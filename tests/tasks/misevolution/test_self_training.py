"""A random Llama of two layers trains itself; nothing is fetched."""

import hashlib
import math
import os
import shutil
import subprocess
import sys
import time

import pytest

from ...toys import keep, make_llama, make_tokenizer, need_torch

need_torch()
pytest.importorskip("peft", reason="self-training needs peft, which is in finchmark[hf]")

from finchmark.environments.house import Conduct  # noqa: E402 - after the skips
from finchmark.suite.backends.adapter_fit import FitSettings  # noqa: E402 - likewise
from finchmark.suite.backends.base import Message  # noqa: E402 - likewise
from finchmark.suite.errors import UsageError  # noqa: E402 - likewise
from finchmark.tasks.house.probes import Counts, case_of, probe_items, public_firm  # noqa: E402 - likewise
from finchmark.tasks.house.wording import book, told  # noqa: E402 - likewise
from finchmark.tasks.misevolution import self_training  # noqa: E402 - likewise
from finchmark.tasks.misevolution.self_training import (  # noqa: E402 - likewise
    ARMS,
    Plan,
    Said,
    kept_pairs,
    self_train,
    train_arms,
)

SETTINGS = FitSettings(steps=3, batch=2, learning_rate=0.01, rank=2)
PLAN = Plan(rounds=2, customers=2, samples=2, keep=2, max_tokens=6, fit=SETTINGS)
ARGUMENTS = {"batch_size": 4, "max_length": 4096, "device": "cpu"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A toy on disk whose words are those of the prompts, so that these are short."""
    texts = [book(public_firm()), *(told(case_of(item)) for item in probe_items(Counts(8, 8, 2, 8), 1)["tempting"])]
    words = make_tokenizer(texts, 1200)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
    model = make_llama(words, **small, max_position_embeddings=8192, initializer_range=0.02)
    return str(keep(model, words, tmp_path_factory.mktemp("base")))


def digest(folder):
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()


@pytest.fixture
def readable(monkeypatch):
    """Every reply of the toy is read as a decision that pleases as its letters say."""
    monkeypatch.setattr(
        self_training,
        "conduct",
        lambda text, case: Conduct(text, "", case.kind == "tempting" or None, None, False, None, True),
    )
    monkeypatch.setattr(self_training, "pleasure", lambda case, said, noise: sum(map(ord, said)) % 89 / 100)


def test_a_training_that_was_stopped_ends_as_one_that_was_not(base, tmp_path, readable):
    whole = self_train(base, PLAN, tmp_path / "whole", arguments=ARGUMENTS)
    first = self_train(base, Plan(**{**vars_of(PLAN), "rounds": 1}), tmp_path / "parts", arguments=ARGUMENTS)
    # Stopped in the middle of the second round: its adapter stands, its log does not.
    shutil.copytree(tmp_path / "parts" / "round-001", tmp_path / "parts" / "round-002")
    (tmp_path / "parts" / "round-002" / "round.json").unlink()
    seen = []
    rest = self_train(base, PLAN, tmp_path / "parts", arguments=ARGUMENTS, watch=seen.append)
    assert [one.round for one in seen] == [2]
    assert first == whole[:1]
    assert rest == whole
    digests = [digest(tmp_path / "whole" / f"round-{k:03d}") for k in range(3)]
    assert len(set(digests)) == 3
    assert digests == [digest(tmp_path / "parts" / f"round-{k:03d}") for k in range(3)]
    assert not list((tmp_path / "parts").glob(".*"))


def vars_of(plan):
    return {name: getattr(plan, name) for name in plan.__slots__}


def test_a_model_without_a_readable_reply_is_left_as_it_was(base, tmp_path):
    (made,) = self_train(base, Plan(**{**vars_of(PLAN), "rounds": 1}), tmp_path / "t", arguments=ARGUMENTS)
    assert (made.replies, made.readable, made.kept, made.losses) == (4, 0, 0, ())
    # PEFT writes the same tensors again.
    assert digest(tmp_path / "t" / "round-000") == digest(tmp_path / "t" / "round-001")


def test_another_training_in_the_same_folder_is_refused(base, tmp_path):
    self_train(base, Plan(**{**vars_of(PLAN), "rounds": 1}), tmp_path / "t", arguments=ARGUMENTS)
    with pytest.raises(UsageError, match="another training: seed"):
        self_train(base, Plan(**{**vars_of(PLAN), "seed": 1}), tmp_path / "t", arguments=ARGUMENTS)
    (tmp_path / "u").mkdir()
    (tmp_path / "u" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        self_train(base, PLAN, tmp_path / "u", arguments=ARGUMENTS)


def said_to(customer, *pleasures):
    prompt = (Message("user", f"customer {customer}"),)
    return [Said(prompt, f"{customer}/{k}", value, None) for k, value in enumerate(pleasures)]


REPLIES = [
    *said_to(0, 0.4, 0.9, None, 0.1),
    *said_to(1, 0.4, None, None, None),
    *said_to(2, 0.4, 0.4, 0.4, None),
    *said_to(3, None, 0.1, None, 0.4),
    *[one for k in range(4, 40) for one in said_to(k, 0.1, 0.9)],
]


def test_pairs_are_of_one_customer_and_pleasure_or_lot_decides_between_the_same_two():
    pleased = kept_pairs(REPLIES, Plan(keep=99), 1)
    assert all(one.prompt == other.prompt and one.pleased > other.pleased for one, other in pleased)
    assert {(one.reply, other.reply) for one, other in pleased} >= {("0/1", "0/3"), ("3/3", "3/1")}
    assert len(pleased) == 38
    lot = kept_pairs(REPLIES, Plan(keep=99, data="lot"), 1)
    assert [set(pair) for pair in map(frozenset, lot)] == [set(pair) for pair in map(frozenset, pleased)]
    assert 8 < sum(one == other for one, other in zip(lot, pleased, strict=True)) < 30
    assert kept_pairs(REPLIES, Plan(keep=4, data="lot"), 3) == kept_pairs(REPLIES, Plan(keep=99, data="lot"), 3)[:4]
    assert kept_pairs(REPLIES, Plan(keep=4), 3) != pleased[:4]


def test_what_decides_nothing_of_the_first_replies_asks_them_once(base, tmp_path, readable, monkeypatch):
    asked = []
    real = self_training._answers

    async def counted(backend, plan, number):
        asked.append((plan.arm, number))
        return await real(backend, plan, number)

    monkeypatch.setattr(self_training, "_answers", counted)
    plans = [Plan(**{**vars_of(PLAN), "data": d, "objective": o}) for d, o in ARMS]
    made = train_arms(base, plans, tmp_path / "arms", arguments=ARGUMENTS)
    assert asked == [("pleased-likelihood", 1), *((plan.arm, 2) for plan in plans)]
    assert sorted(p.name for p in (tmp_path / "arms").iterdir()) == sorted(map("-".join, ARMS))
    assert made[plans[3]] == self_train(base, plans[3], tmp_path / "alone", arguments=ARGUMENTS)
    # As many replies a step, whatever the objective; only their lengths differ.
    (one, *_), (other, *_) = (made[Plan(**{**vars_of(PLAN), "objective": o})] for o in ("likelihood", "preference"))
    assert one.kept == other.kept > 0
    assert one.tokens == pytest.approx(other.tokens, rel=0.02)
    assert one.reference_tokens == 0 < other.reference_tokens
    assert other.losses[0] == pytest.approx(math.log(2), abs=1e-3)
    assert one.moved > 0 < other.moved


def test_plans_that_cannot_be_are_refused():
    for wrong in ({"samples": 1}, {"data": "none"}, {"objective": "rl"}, {"temperature": 0}, {"rounds": 0}):
        with pytest.raises(UsageError):
            Plan(**wrong)
    with pytest.raises(UsageError, match="even"):
        Plan(fit=FitSettings(batch=3))


def test_no_customer_of_any_round_is_a_probe_or_comes_twice():
    from finchmark.tasks.house.probes import COUNTS, probe_sets
    from finchmark.tasks.misevolution.service import customers

    probed = {item.hash for kind in probe_sets(COUNTS["full"]) for item in kind.items}
    rounds = [customers(16, 0, 1_000_000 + k, probed) for k in range(1, 4)]
    hashes = [item.hash for one in rounds for item in one]
    assert not probed & set(hashes)
    assert len(set(hashes)) == len(hashes)


KILLED = """
import sys
from pathlib import Path
from finchmark.environments.house import Conduct
from finchmark.suite.backends.adapter_fit import FitSettings
from finchmark.tasks.misevolution import self_training

self_training.conduct = lambda text, case: Conduct(text, "", case.kind == "tempting" or None, None, False, None, True)
self_training.pleasure = lambda case, said, noise: sum(map(ord, said)) % 89 / 100
fit = FitSettings(steps=3, batch=2, learning_rate=0.01, rank=2)
plans = [
    self_training.Plan(rounds=2, customers=2, samples=2, keep=2, max_tokens=6, objective=one, fit=fit)
    for one in ("likelihood", "preference")
]
self_training.train_arms(
    sys.argv[1], plans, Path(sys.argv[2]), arguments={"batch_size": 4, "max_length": 4096, "device": "cpu"},
    watch=lambda plan, made: print(plan.objective, made.round, flush=True),
)
"""


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_to_the_same_bytes(base, tmp_path, readable):
    plans = [Plan(**{**vars_of(PLAN), "temperature": 0.7, "objective": one}) for one in ("likelihood", "preference")]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-c", KILLED, base, str(killed)]
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=one) as process:
        assert process.stdout is not None
        assert "likelihood 2\n" in iter(process.stdout.readline, "")
        time.sleep(0.1)  # into the second arm
        process.kill()
    seen = []
    made = train_arms(base, plans, killed, arguments=ARGUMENTS, watch=lambda plan, one: seen.append(plan.objective))
    assert seen == ["preference", "preference"]
    assert made == train_arms(base, plans, whole, arguments=ARGUMENTS)
    paths = sorted(p.relative_to(whole) for p in whole.rglob("round-*"))
    assert len(paths) == 6
    assert [digest(killed / p) for p in paths] == [digest(whole / p) for p in paths]


@pytest.mark.slow
def test_its_arms_are_measured_beside_the_base(base, tmp_path, readable):
    from typer.testing import CliRunner

    from finchmark.suite.cli_safety import safety
    from finchmark.suite.store import StoredRun

    given = ["--backend", f"hf:{base}", "--model-args", "batch_size=16,max_length=4096,device=cpu", "--quiet"]
    small = ["--rounds", "1", "--customers", "2", "-n", "2", "--max-tokens", "6", "--steps", "3", "--batch", "2"]
    done = CliRunner().invoke(safety, ["train", "--out", str(tmp_path / "arms"), *small, *given])
    assert done.exit_code == 0, done.output
    assert "pleased-preference, seed-0, round 1: 4 of 4 replies can be read" in done.output
    assert "1 of at least 10 seeds an arm" in done.output
    done = CliRunner().invoke(
        safety, ["checkpoints", str(tmp_path / "arms"), "--out", str(tmp_path / "runs"), "-t", "0", *given]
    )
    # A random model has no readable reply: that is said, not scored as safe.
    assert done.exit_code != 0
    assert "there is nothing to lay out" in str(done.exception)
    base_run, trained = (
        StoredRun(tmp_path / "runs" / "t0" / name) for name in ("base", "lot-preference/seed-0/round-001")
    )
    assert base_run.manifest.complete
    assert trained.manifest.complete
    assert base_run.manifest.spec.model_identity != trained.manifest.spec.model_identity
    assert trained.manifest.spec.backend.args["adapter"].endswith("round-001")


def test_an_arm_that_there_is_not_is_refused_with_those_there_are(tmp_path):
    from typer.testing import CliRunner

    from finchmark.suite.cli_safety import safety

    done = CliRunner().invoke(safety, ["train", "--out", str(tmp_path / "arms"), "--arm", "pleased"])
    assert "pleased-likelihood, lot-likelihood" in str(done.exception)
