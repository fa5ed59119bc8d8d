"""lm-eval's tasks as ours: the same prompts, the same numbers, and refusals that say why."""

import os
from dataclasses import replace

import pytest

pytest.importorskip("lm_eval", reason="needs finchmark[lm-eval]")

from finchmark import evaluate
from finchmark.leaderboard.verify import verify
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.conformance import check_task
from finchmark.suite.errors import UnknownName, UsageError
from finchmark.suite.records import Outcome
from finchmark.suite.registry import TASKS
from finchmark.suite.rescore import rescore
from finchmark.tasks.lm_eval import lookup
from finchmark.tasks.lm_eval.source import Source


@pytest.fixture
def theirs(toy, folder):
    """The per-document metrics of lm-eval's own run: (document, metric, filter) -> value."""

    def run(name: str, *, chat: bool = True, shots: int | None = None) -> dict[tuple[int, str, str], float]:
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager

        lm = HFLM(pretrained=str(toy), device="cpu", dtype="float32", batch_size=8)
        done = simple_evaluate(
            lm,
            tasks=[name],
            task_manager=TaskManager(include_path=str(folder), include_defaults=False),
            num_fewshot=shots,
            apply_chat_template=chat,
            bootstrap_iters=0,
        )
        return {
            (line["doc_id"], metric, line["filter"]): float(line[metric])
            for line in done["samples"][name]
            for metric in line["metrics"]
            if isinstance(line[metric], int | float)
        }

    return run


@pytest.fixture
def ours(toy, tmp_path):
    """The per-document metrics of our run on the same weights."""

    def run(name: str, backend: str, *, arm: str = "default", **options) -> dict[tuple[int, str], float]:
        args = {"pretrained": str(toy), "dtype": "float32", "device": "cpu"} if backend == "lm_eval:hf" else {}
        model = backend if args else f"{backend}:{toy}"
        done = evaluate(
            name,
            model,
            model_args={**args, **options},
            arms=[arm],
            tier="full",
            samples=1,
            temperature=0,
            out=tmp_path / "run",
        )
        assert {s.outcome for s in done.samples()} == {Outcome.OK}, next(s.error for s in done.samples())
        return {(int(s.item), metric): value for s in done.samples() for metric, value in s.metrics.items()}

    return run


RAW = "{% for m in messages %}{{ m['content'] }}{% endfor %}"


# -- the same numbers


@pytest.mark.parametrize("backend", ["lm_eval:hf", "hf"])
@pytest.mark.parametrize("shots", [None, 2])
def test_multiple_choice_has_lm_evals_numbers(write, theirs, ours, backend, shots):
    write("colours")
    told = theirs("colours", shots=shots)
    found = ours("lm_eval/colours", backend, arm="default" if shots is None else f"{shots}-shot")
    # lm-eval counts the template's last line feed to the answer, which its division by length does not leave alone.
    same = ("acc",) if backend == "hf" else ("acc", "acc_norm")
    expected = {(doc, metric): value for (doc, metric, _), value in told.items() if metric in same}
    assert {key: value for key, value in found.items() if key[1] in same} == expected
    assert 0 < sum(v for (_, m), v in found.items() if m == "acc") < 24


@pytest.mark.parametrize("backend", ["lm_eval:hf", "hf"])
def test_replies_have_lm_evals_numbers(write, theirs, ours, backend):
    write("answers", "say")
    told = theirs("answers", shots=1)
    found = ours("lm_eval/answers", backend, arm="1-shot")
    assert found == {(doc, f"{metric},{flt}"): value for (doc, metric, flt), value in told.items()}


@pytest.mark.parametrize(("backend", "option"), [("lm_eval:hf", "text"), ("hf", "")])
@pytest.mark.parametrize("kind", ["choose", "next", "say"])
def test_prompts_as_one_text_have_lm_evals_numbers(write, theirs, ours, kind, backend, option):
    write("plain", kind)
    told = theirs("plain", chat=False, shots=3)
    options = {"chat_format": option} if option else {"chat_template": RAW}
    found = ours("lm_eval/plain", backend, arm="3-shot-text", **options)
    one = {(doc, metric): v for (doc, metric, flt), v in told.items() if metric != "perplexity"}
    if kind == "say":
        one = {(doc, f"{metric},{flt}"): v for (doc, metric, flt), v in told.items()}
    assert found == one


def test_examples_are_those_that_lm_eval_shows(write, folder):
    """Also for documents of a small tier: the draws of those before are made as well."""
    from lm_eval.tasks import TaskManager

    write("shown", more="num_fewshot: 3\n")
    task = TaskManager(include_path=str(folder), include_defaults=False).load(["shown"])["tasks"]["shown"]
    task.set_fewshot_seed(1234)
    task.build_all_requests()
    expected = {i.doc_id: i.args[0] for i in task.instances}
    cls = TASKS.load("lm_eval/shown")
    items = cls().items(cls.tiers["smoke"], 0)
    assert len(items) == 8
    source = Source("shown")
    for item in items:
        number = item.data["document"]
        assert source.asked(number, 3, whole=True)[0].text == expected[number]


def test_examples_are_turns_of_a_chat(write):
    cls = TASKS.load(write("turns", more='num_fewshot: 2\ndescription: "Be right."\n'))
    (request, *_) = cls().items(cls.tiers["smoke"], 0)[0].data["requests"]
    assert request["system"] == "Be right."
    assert len(request["examples"]) == 2
    assert all(q.startswith("Question: ") and q.endswith("Answer:") for q, _ in request["examples"])


# -- the task


@pytest.mark.parametrize("kind", ["choose", "say", "next"])
def test_it_conforms(write, kind):
    check_task(TASKS.load(write("conforming", kind)))


@pytest.mark.parametrize(("kind", "metric"), [("choose", "acc"), ("say", "exact_match,words"), ("next", "acc")])
def test_the_oracle_is_right(write, tmp_path, kind, metric):
    run = evaluate(write("oracle", kind), "scripted:oracle", tier="full", samples=1, out=tmp_path / "run")
    assert run.frame()[metric].mean() == 1.0


def test_the_stop_string_is_no_part_of_what_is_scored(write, tmp_path):
    reply = {"replies": ["The answer is 3Q: What else?"]}
    options = {"model_args": reply, "tier": "full", "samples": 1}
    run = evaluate(write("ended", "say"), "scripted:canned", out=tmp_path / "run", **options)
    assert [int(s.item) for s in run.samples() if s.metrics["exact_match,words"] == 1.0] == [3, 13, 23]


def test_the_random_policy_is_at_chance(write, tmp_path):
    run = evaluate(write("chance", count=60), "scripted:random", tier="full", samples=20, out=tmp_path / "run")
    level = run.manifest.tasks["lm_eval/chance"].levels["default"]["acc"]
    assert level.chance == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)
    assert run.frame()["acc"].mean() == pytest.approx(level.chance, abs=0.05)


def test_items_are_a_fixed_draw_and_each_tier_is_in_the_next(write):
    cls = TASKS.load(write("drawn", count=400))
    smoke, lite, gate = ({i.id for i in cls().items(cls.tiers[t], 0)} for t in ("smoke", "lite", "gate"))
    assert (len(smoke), len(lite), len(gate)) == (8, 100, 300)
    assert smoke < lite < gate
    assert smoke != {f"{i:03}" for i in range(8)}


def test_an_item_is_the_same_in_every_tier(write):
    cls = TASKS.load(write("same", count=40, more="num_fewshot: 2\n"))
    whole = {i.id: i.hash for i in cls().items(cls.tiers["full"], 0)}
    assert all(whole[i.id] == i.hash for i in cls().items(cls.tiers["smoke"], 0))


def test_another_answer_is_another_item(write):
    before = TASKS.load(write("edited"))
    hashes = {i.hash for i in before().items(before.tiers["full"], 0)}
    write("edited", **{"Answer:": "Reply:"})
    from finchmark.tasks.lm_eval.source import source_of
    from finchmark.tasks.lm_eval.task import make_task

    source_of.cache_clear()
    after = make_task("lm_eval/edited")
    assert hashes.isdisjoint(i.hash for i in after().items(after.tiers["full"], 0))


def test_there_are_no_other_items_to_draw(write):
    cls = TASKS.load(write("fixed"))
    with pytest.raises(UsageError, match="there are no others"):
        cls().items(cls.tiers["smoke"], 7)


def test_the_version_tells_lm_evals_and_the_tasks(write):
    from importlib.metadata import version

    major, minor, patch = (int(p) for p in version("lm_eval").split(".")[:3])
    assert TASKS.load(write("versioned", version=2.5)).version == (major * 10_000 + minor * 100 + patch) * 1000 + 25


def test_metrics_that_are_no_means_are_left_out_and_named(write):
    cls = TASKS.load(write("some", "next"))
    assert [m.name for m in cls.metrics] == ["acc"]
    assert "perplexity" in (cls.__doc__ or "")


def test_the_first_metric_decides(write):
    assert [m.name for m in TASKS.load(write("first", "say")).metrics if m.primary] == ["exact_match,number"]


@pytest.mark.parametrize("name", ["3-shots", "chat", "shot", "-1-shot"])
def test_an_arm_that_is_none_is_refused(write, name):
    with pytest.raises(UsageError, match="N-shot"):
        TASKS.load(write("arms")).arm(name)


def test_more_examples_than_there_are_is_an_error_that_says_so(write):
    with pytest.raises(UsageError, match="40 examples"):
        Source(write("few").partition("/")[2]).context(0, 40, whole=True)


def test_a_number_of_examples_that_its_authors_fixed_stays(write):
    with pytest.raises(UsageError, match="fixed"):
        Source(write("zero", more="num_fewshot: 0\n").partition("/")[2]).context(0, 2, whole=True)


def test_an_arm_made_on_demand_is_in_the_manifest(write, tmp_path):
    run = evaluate(write("asked"), "scripted:oracle", arms=["2-shot"], samples=1, out=tmp_path / "run")
    assert run.manifest.tasks["lm_eval/asked"].arms == {
        "2-shot": "2 examples, instead of its authors' number; as a chat"
    }


def test_multiple_choice_without_log_probabilities_is_an_error_and_no_zero(write, tmp_path):
    from finchmark.suite.backends.base import Backend, Capabilities

    class Mute(Backend):
        capabilities = Capabilities(scheduling="own", concurrency=4)

        def identity(self):
            return {"name": "mute"}

        async def generate(self, request):
            raise AssertionError("nothing is to be generated")

    run = evaluate(write("mute"), Mute(), samples=1, out=tmp_path / "run")
    assert {s.outcome for s in run.samples()} == {Outcome.ERROR}
    assert all("no log-probabilities" in s.error for s in run.samples())


# -- refusals


@pytest.mark.parametrize(
    ("kind", "swap", "more", "match"),
    [
        ("say", {}, "unsafe_code: true\n", "runs code that the model writes"),
        (
            "next",
            {"metric: acc, aggregation: mean": "metric: bits_per_byte, aggregation: bits_per_byte"},
            "",
            "none of",
        ),
        ("choose", {"metric: acc_norm": "metric: acc_mutual_info"}, "", "acc_mutual_info"),
        ("next", {"output_type: loglikelihood": "output_type: loglikelihood_rolling"}, "", "loglikelihood_rolling"),
    ],
)
def test_what_cannot_be_run_here_is_refused_with_the_reason(write, kind, swap, more, match):
    name = write("refused", kind, more=more, **swap)
    with pytest.raises(UsageError, match=match):
        TASKS.load(name)


def test_data_of_the_hub_without_a_network_says_what_is_needed(write, monkeypatch):
    name = write("remote", more="")
    path = next(p for p in lookup.task_folders()) / "remote.yaml"
    text = path.read_text().replace("dataset_path: json", "dataset_path: nobody/nothing")
    path.write_text(
        "\n".join(line for line in text.splitlines() if "data_files" not in line and "dataset_kwargs" not in line)
    )
    with pytest.raises(UsageError, match=r"'nobody/nothing' of the Hugging Face hub, which needs the network"):
        TASKS.load(name)


@pytest.mark.slow
def test_an_unknown_task_offers_near_names(folder):
    with pytest.raises(UnknownName, match="lm_eval/arc_easy"):
        TASKS.select(["lm_eval/arc_easyy"])


# -- names


def test_a_name_is_found_among_lm_evals_own_files():
    assert TASKS.select(["lm_eval/arc_easy"]) == ["lm_eval/arc_easy"]
    _, path = lookup.own_tasks()["arc_easy"]
    assert path.name == "arc_easy.yaml"


def test_a_pattern_stands_for_all_that_fit(folder):
    assert {"lm_eval/arc_easy", "lm_eval/arc_challenge"} <= set(TASKS.select(["lm_eval/arc_[ce]*"]))


@pytest.mark.slow
def test_a_group_stands_for_its_tasks(folder):
    assert len(TASKS.select(["lm_eval/mmlu_stem"])) > 10


def test_a_tag_stands_for_its_tasks(write, folder):
    for name in ("a1", "a2"):
        write(name, more="tag: [shades]\n")
    index = lookup.task_manager(folder).task_index
    assert list(lookup.members("shades", index)) == ["a1", "a2"]


def test_a_group_that_changes_its_tasks_is_refused(write, folder):
    write("g1")
    (folder / "g.yaml").write_text("group: g\ntask:\n  - {task: g1, num_fewshot: 3}\n")
    with pytest.raises(UsageError, match="num_fewshot"):
        list(lookup.members("g", lookup.task_manager(folder).task_index))


def test_the_whole_family_is_too_much(folder):
    with pytest.raises(UsageError, match="name some"):
        TASKS.select(["lm_eval/*"])


def test_a_folder_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setenv(lookup.FOLDERS, os.sep + "nowhere")
    with pytest.raises(UsageError, match="nowhere"):
        lookup.task_folders()


# -- played again


@pytest.mark.parametrize(("name", "kind"), [("colours", "choose"), ("onwards", "next"), ("said", "say")])
def test_a_run_of_a_model_verifies(write, toy, tmp_path, name, kind):
    write(name, kind)
    done = evaluate(f"lm_eval/{name}", f"hf:{toy}", tier="full", samples=1, temperature=0, out=tmp_path / "run")
    found = verify(done.path)
    assert found.fully_replayed, found.findings
    assert rescore(done.path, tmp_path / "again").changed == []


def test_a_run_of_a_policy_that_names_choices_verifies(write, tmp_path):
    write("colours")
    done = evaluate("lm_eval/colours", "scripted:random", tier="full", samples=2, out=tmp_path / "run")
    assert verify(done.path).fully_replayed


def test_a_model_without_log_probabilities_is_not_asked_to_name_a_choice(write, tmp_path):
    """Another question than the task's would be asked, and its answers would look like a score."""
    write("colours")
    backend = ScriptedBackend("canned", replies=["0"])
    backend.capabilities = replace(backend.capabilities, scripted=False)
    done = evaluate("lm_eval/colours", backend, tier="full", samples=1, out=tmp_path / "run")
    assert {s.outcome for s in done.samples()} == {Outcome.ERROR}
    assert "log-probabilities" in next(iter(done.samples())).error
