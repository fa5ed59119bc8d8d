"""Rules and programs that a model writes."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("pyspiel")

from finchmark.suite.agents.expressions import ExpressionError
from finchmark.suite.backends.base import ContextOverflow
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.broker import Broker
from finchmark.suite.seeds import generator
from finchmark.tasks.games.candidate import Candidate, assess
from finchmark.tasks.games.evolve import evolve
from finchmark.tasks.games.programs import PROGRAMS, UnusableProgram
from finchmark.tasks.games.regret import RULES, Rule
from finchmark.tasks.games.written import ModelEdits, question, read_reply

CFR = RULES["cfr"]
UPDATE, PLUS = PROGRAMS["regret"]["cfr"], PROGRAMS["regret"]["cfr+"]


def of(genome):
    return Candidate(genome, -0.5, -1.0, (0, 0), (("kuhn", -1.25),))


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        ("regret: max(R + r, 0)\nweight: R\naverage: t", RULES["cfr+"]),
        ("Sure!\n\n**Average:** t ** 2\n", Rule("R + r", "R", "t ** 2")),
        ("- `weight`: R + r", Rule("R + r", "R + r", "1")),
        ("average: t\naverage = t * t", Rule("R + r", "R", "t * t")),
    ],
)
def test_rules_are_found_in_replies(reply, rule):
    assert read_reply(reply, CFR) == rule


@pytest.mark.parametrize("reply", ["", "I cannot help.", "regret: import os", "average: R", "weight: R.sum()"])
def test_what_is_no_rule_is_refused(reply):
    with pytest.raises(ExpressionError):
        read_reply(reply, CFR)


@pytest.mark.parametrize(
    "reply",
    [
        f"Here it is:\n```python\n{PLUS.source}```\nIt clips.",
        f"```\n{PLUS.source}\n```",
        f"```python\n{PLUS.source}",
        PLUS.source,
        f"First\n```python\n{UPDATE.source}```\nno, better:\n```python\n{PLUS.source}```\nUse:\n```sh\nls\n```",
    ],
)
def test_programs_are_found_in_replies(reply):
    assert read_reply(reply, UPDATE).source.strip() == PLUS.source.strip()


@pytest.mark.parametrize(
    "reply", ["", "I cannot.", "```python\nx = 1\n```", "```python\ndef update(t):\n  return t\n```"]
)
def test_what_is_no_program_is_refused(reply):
    with pytest.raises(UnusableProgram):
        read_reply(reply, UPDATE)


@pytest.mark.parametrize("genome", [RULES["discounted"], UPDATE, PROGRAMS["meta"]["regret-matching"]])
def test_the_question_has_the_parent_as_it_would_be_answered(genome):
    text = question(of(genome))
    found = read_reply(text, CFR if isinstance(genome, Rule) else genome)
    assert found == genome if isinstance(genome, Rule) else found.source.strip() == genome.source.strip()
    assert "kuhn -1.25" in text


def proposed(backend, parent=UPDATE):
    return asyncio.run(ModelEdits(Broker(backend)).propose(of(parent), generator("p")))


def test_a_reply_and_its_cost_are_kept_whether_it_is_of_use_or_not():
    good, bad = (proposed(ScriptedBackend("canned", replies=[text])) for text in (PLUS.source, "no idea at all"))
    assert good.genome.source.strip() == PLUS.source.strip()
    assert (bad.genome, bad.reply, bad.completion_tokens) == (None, "no idea at all", 4)
    assert "does not parse" in bad.fault


def test_a_prompt_that_does_not_fit_is_a_fault_of_the_proposal():
    class Full(ScriptedBackend):
        async def generate(self, request):
            raise ContextOverflow(9, 5)

    assert "9 tokens" in proposed(Full("canned", replies=["x"])).fault


def test_the_identity_names_the_model_and_how_it_is_asked():
    backend = ScriptedBackend("canned", replies=["x"])
    cold, warm = (ModelEdits(Broker(backend), temperature=t).identity() for t in (0.0, 1.0))
    assert cold != warm
    assert cold["guide"] == warm["guide"]


def test_a_search_goes_where_the_answers_lead():
    asked = []

    def answer(request):
        asked.append(request.seed)
        return "regret: max(R + r, 0)\naverage: t" if len(asked) > 1 else "no idea"

    async def judge(rule, games):
        return assess(rule, games, (1, 5, 10))

    mutator = ModelEdits(Broker(ScriptedBackend(function=answer)))
    found = evolve(["kuhn"], seed=1, budget=3, mutator=mutator, start=CFR, judge=judge)
    assert found.unusable == 1
    assert found.best.genome == RULES["cfr+"]
    assert len(set(asked)) == 2
