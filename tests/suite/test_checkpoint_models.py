"""Checkpoints of real models of known conduct: toys that were taught an answer to each frozen probe."""

import re

import pytest
from typer.testing import CliRunner

from ..toys import Taught, keep, make_tokenizer, need_torch

need_torch()
pytest.importorskip("peft", reason="adapters need peft, which is in finchmark[hf]")

from finchmark.suite.backends.chat import ChatFormat  # noqa: E402 - after the skips
from finchmark.suite.cli_safety import safety  # noqa: E402 - likewise
from finchmark.suite.store import StoredRun  # noqa: E402 - likewise
from finchmark.tasks.house.probes import case_of, firm_of  # noqa: E402 - likewise
from finchmark.tasks.house.task import Probes  # noqa: E402 - likewise
from finchmark.tasks.house.wording import answer, book, told  # noqa: E402 - likewise
from finchmark.tasks.misevolution.self_training import prompt_of  # noqa: E402 - likewise


class Clerk:
    """A model that gives the right answer to every probe, and adapters with which it gives others."""

    def __init__(self, folder):
        task = Probes()
        items = task.items(task.tiers["smoke"], 0)
        self.cases = [case_of(item) for item in items]
        acts = sorted({act for case in self.cases for act in case.ids})
        texts = [book(firm_of(items[0])), *map(told, self.cases)]
        self.words = make_tokenizer(texts, 1200, added=[answer(act) for act in acts])
        self.tokens = {act: self.words.convert_tokens_to_ids(answer(act)) for act in acts}
        chat = ChatFormat(self.words, None)
        self.taught = Taught(
            self.words,
            [chat.prompt(prompt_of(item)).tokens.tolist() for item in items],
            [self.tokens[case.right] for case in self.cases],
            [[self.tokens[case.wrong]] if case.wrong else [] for case in self.cases],
        )
        self.base = keep(self.taught.model, self.words, folder / "base")
        self.tempting = [k for k, case in enumerate(self.cases) if case.kind == "tempting"]

    def breaks(self, count, folder):
        """An adapter that breaks the rules of so many cases that tempt."""
        changed = {k: self.tokens[self.cases[k].wrong] for k in self.tempting[:count]}
        self.taught.keep_adapter(changed, folder)


@pytest.fixture(scope="module")
def clerk(tmp_path_factory):
    return Clerk(tmp_path_factory.mktemp("clerk"))


def asked(clerk, folders, out, *more):
    given = ["--backend", f"hf:{clerk.base}", "--model-args", "batch_size=32,device=cpu", "--quiet", "-t", "0", *more]
    done = CliRunner().invoke(safety, ["checkpoints", *map(str, folders), "--out", str(out), *given])
    assert done.exit_code == 0, done.output
    return re.sub(r"\s+", " ", done.output)


@pytest.mark.slow
def test_what_adapters_break_is_what_the_command_says(clerk, tmp_path):
    # Seven trainings an arm: those by pleasure break half of the rules and more, those by lot one in all.
    for seed in range(7):
        clerk.breaks(16 + 2 * seed, tmp_path / "arms" / "pleased-likelihood" / f"seed-{seed}" / "round-001")
        clerk.breaks(seed == 3, tmp_path / "arms" / "lot-likelihood" / f"seed-{seed}" / "round-001")
    text = asked(clerk, [tmp_path / "arms"], tmp_path / "runs", "--report", str(tmp_path / "page.html"))
    broken = (16 + 6) / 32
    assert f"safety unsafe pleased-likelihood 0.000 {broken:.3f}" in text
    assert f"safety unsafe lot-likelihood 0.000 {1 / 7 / 32:.3f}" in text
    assert "safety unsafe null 0.000 0.000" in text
    assert "capability capable pleased-likelihood 1.000 1.000" in text
    assert f"pleased-likelihood − null: unsafe +{broken:.3f}" in text
    assert text.count("less safe") == 1
    assert "lot-likelihood − null" in text
    assert "not measurable" not in text
    assert "data, by likelihood" in text
    assert f"{broken - 1 / 7 / 32:+.3f}" in text
    assert "of at least" not in text
    assert "data, by likelihood" in (tmp_path / "page.html").read_text()
    run = StoredRun(tmp_path / "runs" / "t0" / "pleased-likelihood" / "seed-6" / "round-001")
    rates = run.frame()[["unsafe", "over_refused", "knows", "capable", "readable"]].mean()
    assert rates.tolist() == [28 / 32, 0, 1, 1, 1]


def test_one_training_says_what_it_is_and_claims_nothing(clerk, tmp_path):
    for k, count in enumerate((8, 32), start=1):
        clerk.breaks(count, tmp_path / "mine" / f"checkpoint-{k}0")
    text = asked(clerk, [tmp_path / "mine"], tmp_path / "runs")
    assert "checkpoint" in text
    assert "safety unsafe trained 0.000 0.250 1.000" in text
    assert "under 6 trainings: this describes these agent states only" in text
    assert "1 of at least 6 trainings an arm" in text


def test_a_base_that_breaks_half_of_the_rules_is_not_measured(clerk, tmp_path):
    # The adapter of another training is the base here: it complies in half of what tempts, chance is a third.
    clerk.breaks(22, tmp_path / "worse")
    import peft

    worse = peft.PeftModel.from_pretrained(clerk.taught.model, str(tmp_path / "worse")).merge_and_unload()
    other = keep(worse, clerk.words, tmp_path / "base")
    clerk.breaks(0, tmp_path / "mine" / "checkpoint-1")
    text = asked(type("Worse", (), {"base": other}), [tmp_path / "mine"], tmp_path / "runs")
    assert "not measurable for this model" in text
    assert "of tempting cases" in text
