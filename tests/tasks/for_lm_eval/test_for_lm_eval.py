"""Our questions in lm-eval: they load there, run with its models, and are scored as here."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from finchmark.suite.exports.canary import CANARY
from finchmark.suite.registry import TASKS
from finchmark.tasks.for_lm_eval import include_path
from finchmark.tasks.for_lm_eval.questions import documents, load, rule_scores
from finchmark.tasks.odyssey.prediction import read_question

WORLDS = ("lights", "energy", "trade", "repo")
NAMES = [f"finchmark_{world}_{way}" for world in WORLDS for way in ("control", "with_rules")]


def common() -> dict:
    """What all task files have in common, functions aside."""
    lines = Path(include_path(), "_question.yaml").read_text().splitlines()
    return yaml.safe_load("\n".join(line for line in lines if "!function" not in line))


@pytest.fixture(scope="module")
def manager():
    pytest.importorskip("lm_eval", reason="needs finchmark[lm-eval]")
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=include_path(), include_defaults=False)


def test_the_folder_is_printed_for_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "finchmark.tasks.for_lm_eval"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == include_path()


def test_the_folder_holds_all_worlds_and_their_group(manager):
    assert set(manager.all_subtasks) == set(NAMES)
    assert manager.all_groups == ["finchmark_rules"]
    assert set(manager.task_index["finchmark_rules"].cfg["task"]) == set(NAMES)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("rules", [True, False])
def test_half_of_the_answers_are_yes(world, rules):
    made = documents(world, rules=rules, worlds=6)
    assert len(made) == 12
    assert [d["answer"] for d in made].count("<action>yes</action>") == 6


def test_documents_are_the_same_at_every_call():
    assert documents("lights", rules=True, worlds=3) == documents("lights", rules=True, worlds=3)


def test_the_questions_are_those_of_the_task_in_its_own_words():
    (first, *_) = documents("lights", rules=False, worlds=1)
    asked = read_question(first["prompt"])
    assert asked is not None
    assert "Does that bulb change?" in asked


def test_rules_are_in_the_prompt_or_they_are_not():
    known, hidden = (documents("lights", rules=rules, worlds=2) for rules in (True, False))
    assert [d["prompt"].splitlines()[-3:] for d in known] == [d["prompt"].splitlines()[-3:] for d in hidden]
    assert all("These are the conditions:" in d["prompt"] for d in known)
    assert not any("These are the conditions:" in d["prompt"] for d in hidden)


def test_every_document_carries_the_canary_and_no_prompt_does():
    told = common()["metadata"]["canary"]
    assert told == CANARY
    made = load("trade", rules=True, worlds=2, canary=told)["test"]
    assert set(made["canary"]) == {CANARY}
    assert not any("canary" in prompt for prompt in made["prompt"])


@pytest.mark.parametrize(
    ("reply", "right", "unanswered"),
    [("<action>yes", 1, 0), ("<action>no", 0, 0), ("Yes.", 1, 0), ("perhaps", 0, 1), ("", 0, 1)],
)
def test_a_reply_is_read_as_here(reply, right, unanswered):
    assert rule_scores({"answer": "<action>yes</action>"}, [reply]) == {
        "rule_accuracy": float(right),
        "rule_unanswered": float(unanswered),
    }


def test_the_version_follows_the_tasks_whose_questions_they_are():
    """A change to the questions raises the task's version; then the number here has to follow."""
    assert {TASKS.load(f"odyssey/{world}").version for world in WORLDS} == {int(common()["metadata"]["version"])}


@pytest.mark.slow
def test_lm_evals_dummy_model_answers_nothing(manager):
    from lm_eval import simple_evaluate
    from lm_eval.models.dummy import DummyLM

    dummy = DummyLM()
    dummy.tokenizer = None  # it would be looked for in the network, and is not needed
    done = simple_evaluate(dummy, tasks=NAMES, task_manager=manager, limit=4, bootstrap_iters=0)
    for name in NAMES:
        assert done["results"][name]["rule_accuracy,none"] == 0.0
        assert done["results"][name]["rule_unanswered,none"] == 1.0
        assert len(done["samples"][name]) == 4


def test_lm_eval_scores_right_answers_as_right(manager):
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM

    answers = {d["prompt"]: d["answer"] for d in documents("lights", rules=True)}

    class Oracle(LM):
        def generate_until(self, requests):
            return [answers[r.args[0]].removesuffix("</action>") for r in requests]

        def loglikelihood(self, requests):
            raise NotImplementedError

        def loglikelihood_rolling(self, requests):
            raise NotImplementedError

    name = "finchmark_lights_with_rules"
    done = simple_evaluate(Oracle(), tasks=[name], task_manager=manager, bootstrap_iters=0)
    assert done["results"][name]["rule_accuracy,none"] == 1.0
    assert len(done["samples"][name]) == 300


def test_lm_eval_runs_it_on_weights(manager, toy_lm):
    from lm_eval import simple_evaluate

    name = "finchmark_lights_control"
    done = simple_evaluate(toy_lm, tasks=[name], task_manager=manager, limit=2, bootstrap_iters=0)
    assert {line["doc"]["world"] for line in done["samples"][name]} == {"gate-000"}
    assert done["results"][name]["rule_accuracy,none"] in (0.0, 0.5, 1.0)


@pytest.fixture(scope="module")
def toy_lm():
    """A random Llama over bytes in lm-eval's own class."""
    torch = pytest.importorskip("torch", reason="needs finchmark[hf]")
    from lm_eval.models.huggingface import HFLM
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = Tokenizer(models.BPE({c: i for i, c in enumerate(["<s>", *alphabet])}, []))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="<s>", pad_token="<s>")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=16384,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return HFLM(pretrained=LlamaForCausalLM(config).eval(), tokenizer=tokenizer, batch_size=4)
