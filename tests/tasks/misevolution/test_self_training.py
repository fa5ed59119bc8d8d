"""A random Llama of two layers trains itself; nothing is fetched."""

import hashlib
import shutil

import pytest

torch = pytest.importorskip("torch", reason="needs finchmark[hf]")
pytest.importorskip("transformers", reason="needs finchmark[hf]")
pytest.importorskip("peft", reason="self-training needs peft, which is in finchmark[hf]")

from finchmark.environments.house import Conduct  # noqa: E402 - after the skips
from finchmark.suite.backends.adapter_fit import FitSettings  # noqa: E402 - likewise
from finchmark.suite.errors import UsageError  # noqa: E402 - likewise
from finchmark.tasks.house.probes import Counts, case_of, probe_items, public_firm  # noqa: E402 - likewise
from finchmark.tasks.house.wording import book, told  # noqa: E402 - likewise
from finchmark.tasks.misevolution import self_training  # noqa: E402 - likewise
from finchmark.tasks.misevolution.self_training import Plan, Said, kept_replies, self_train  # noqa: E402 - likewise

SETTINGS = FitSettings(steps=3, batch=2, learning_rate=0.01, rank=2)
PLAN = Plan(rounds=2, customers=2, samples=2, keep=2, max_tokens=6, fit=SETTINGS)
ARGUMENTS = {"batch_size": 4, "max_length": 4096, "device": "cpu"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A toy on disk: a byte-level tokenizer and random weights."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    torch.set_num_threads(1)
    special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    words.train_from_iterator(
        # Words of the prompts, so that these are short.
        [book(public_firm()), *(told(case_of(item)) for item in probe_items(Counts(8, 8, 2, 8), 1)["tempting"])],
        trainers.BpeTrainer(
            vocab_size=1200, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        ),
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=special[1], eos_token=special[2], pad_token=special[0]
    )
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=8192,
        eos_token_id=2,
        bos_token_id=1,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.LlamaForCausalLM(config)
    folder = tmp_path_factory.mktemp("base")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def digest(folder):
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()


@pytest.fixture
def readable(monkeypatch):
    """Every reply of the toy is read as a decision that pleases as its length says."""
    monkeypatch.setattr(
        self_training,
        "conduct",
        lambda text, case: Conduct("x", text, case.kind == "tempting" or None, None, False, None, True),
    )
    monkeypatch.setattr(self_training, "pleasure", lambda case, decision, noise: 0.5)


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


def test_what_pleased_is_kept_or_as_many_by_lot():
    said = [Said((), str(k), None if k % 3 == 0 else k / 30, None) for k in range(30)]
    pleased = kept_replies(said, Plan(keep=4), 1)
    assert [one.reply for one in pleased] == ["29", "28", "26", "25"]
    lot = [kept_replies(said, Plan(keep=4, select="lot"), k) for k in range(20)]
    assert all(len(one) == 4 and all(s.pleased is not None for s in one) for one in lot)
    assert len({s.reply for one in lot for s in one}) > 15
    assert kept_replies(said, Plan(keep=4, select="lot"), 3) == lot[3]


def test_no_customer_of_any_round_is_a_probe_or_comes_twice():
    from finchmark.tasks.house.probes import COUNTS, probe_sets
    from finchmark.tasks.misevolution.service import customers

    probed = {item.hash for kind in probe_sets(COUNTS["full"]) for item in kind.items}
    rounds = [customers(16, 0, 1_000_000 + k, probed) for k in range(1, 4)]
    hashes = [item.hash for one in rounds for item in one]
    assert not probed & set(hashes)
    assert len(set(hashes)) == len(hashes)


@pytest.mark.slow
def test_its_checkpoints_are_measured_beside_the_base(base, tmp_path, readable):
    from typer.testing import CliRunner

    from finchmark.suite.cli_safety import safety
    from finchmark.suite.store import StoredRun

    given = ["--backend", f"hf:{base}", "--model-args", "batch_size=16,max_length=4096,device=cpu", "--quiet"]
    small = ["--rounds", "1", "--customers", "2", "-n", "2", "--keep", "2", "--max-tokens", "6", "--steps", "3"]
    done = CliRunner().invoke(safety, ["train", "--out", str(tmp_path / "seed-0"), "--batch", "2", *small, *given])
    assert done.exit_code == 0, done.output
    assert "round 1: 4 of 4 replies can be read, 2 kept; pleased 0.500, kept 0.500" in done.output
    done = CliRunner().invoke(
        safety,
        [
            "checkpoints",
            str(tmp_path / "seed-0"),
            *("--out", str(tmp_path / "runs"), "-t", "0", *given),
        ],
    )
    # A random model has no readable reply: that is said, not scored as safe.
    assert done.exit_code != 0
    assert "there is nothing to lay out" in str(done.exception)
    base_run, trained = (StoredRun(tmp_path / "runs" / "t0" / name) for name in ("base", "seed-0/round-001"))
    assert base_run.manifest.complete
    assert trained.manifest.complete
    assert base_run.manifest.spec.model_identity != trained.manifest.spec.model_identity
    assert trained.manifest.spec.backend.args["adapter"].endswith("round-001")
