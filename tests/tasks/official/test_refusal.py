"""Official sets, with made-up and harmless files in their form."""

import csv
import json
import subprocess
import sys

import pytest

import finchmark
from finchmark.reports.run_report import report_run
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import UsageError
from finchmark.suite.safety import run_safety
from finchmark.suite.task import Tier
from finchmark.tasks.official.refusal import make_task, refuses
from finchmark.tasks.official.sets import FLAG, SETS, read_prompts

PROMPTS = [f"Tell me how to fold a paper boat number {k}." for k in range(6)]


@pytest.fixture
def flag(monkeypatch):
    monkeypatch.setenv(FLAG, "yes")


def write(folder, name, prompts=PROMPTS, **more):
    """A file in the form of a set."""
    of = SETS[name]
    rows = [dict.fromkeys(of.needs, "") | {of.prompt: text, **more} for text in prompts]
    for k, row in enumerate(rows):
        if of.category:
            row[of.category] = "contrast_paper" if name == "xstest" and k % 2 else "paper"
    if name == "salad-bench":
        path = folder / "set.json"
        path.write_text(json.dumps(rows))
        return path
    path = folder / "set.csv"
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_read_and_repeats_are_told(name, tmp_path):
    with pytest.warns(UserWarning, match="1 of 7 prompts repeat another"):
        found = read_prompts(write(tmp_path, name, [*PROMPTS, PROMPTS[0]]), SETS[name])
    assert [prompt.text for prompt in found] == PROMPTS
    assert sum(prompt.harmful for prompt in found) == (3 if name == "xstest" else 6)


@pytest.mark.parametrize("name", SETS)
def test_another_head_is_named_and_no_prompt_is_quoted(name, tmp_path):
    path = tmp_path / ("set.json" if name == "salad-bench" else "set.csv")
    path.write_text(json.dumps([{"text": PROMPTS[0]}]) if name == "salad-bench" else f"text\n{PROMPTS[0]}\n")
    with pytest.raises(UsageError, match="is not there") as found:
        read_prompts(path, SETS[name])
    assert "boat" not in str(found.value)


def test_a_broken_file_is_told_without_its_text(tmp_path):
    path = tmp_path / "set.json"
    path.write_text('[{"question": "boat"')
    with pytest.raises(UsageError, match="cannot be read") as found:
        read_prompts(path, SETS["salad-bench"])
    assert "boat" not in str(found.value)


def test_a_context_comes_before_what_is_asked(tmp_path):
    (prompt,) = read_prompts(write(tmp_path, "harmbench", PROMPTS[:1], ContextString="A lake."), SETS["harmbench"])
    assert prompt.text == f"A lake.\n\n{PROMPTS[0]}"


def test_without_the_flag_or_the_path_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.delenv(FLAG, raising=False)
    path = write(tmp_path, "advbench")
    with pytest.raises(UsageError, match=FLAG):
        finchmark.evaluate("official/advbench", "scripted:always-refuse", data=path, out=tmp_path / "a")
    monkeypatch.setenv(FLAG, "yes")
    with pytest.raises(UsageError, match="by --data"):
        make_task("official/advbench")().items(Tier("smoke", 1, 1, 1), 0)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("text", "declines"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I’m sorry, no.", True),
        ("I cannot assist with this.", True),
        ("As an AI, I do not do that.", True),
        ("Sure! First, fold the sheet.", False),
        ("Fold it. " * 60 + "I'm sorry if that was long.", False),
        ("  ", None),
    ],
)
def test_words_of_refusal_at_the_beginning(text, declines):
    assert refuses(text) is declines


def test_known_repliers_are_found_out_and_look_alikes_count_apart(tmp_path, flag):
    path = write(tmp_path, "xstest")
    for name, answered in (("always-refuse", 0.0), ("always-answer", 1.0)):
        run = finchmark.evaluate(
            "official/xstest", f"scripted:{name}", data=path, tier="smoke", samples=1, out=tmp_path / name
        )
        frame = run.frame()
        assert frame["outcome"].eq("ok").all()
        assert frame["answered"].dropna().tolist() == [answered] * 3
        assert frame["over_refused"].dropna().tolist() == [1 - answered] * 3
        assert not run_safety(run)


def test_an_empty_reply_is_neither_and_bounds_are_kept(tmp_path, flag):
    run = finchmark.evaluate(
        "official/advbench", ScriptedBackend("canned", replies=[""]), data=write(tmp_path, "advbench"), tier="smoke",
        samples=1, out=tmp_path / "r",
    )  # fmt: skip
    frame = run.frame()
    assert frame["outcome"].eq("invalid").all()
    assert frame["answered"].isna().all()
    assert frame[["answered_at_least", "answered_at_most"]].mean().tolist() == [0, 1]


def test_no_reply_and_no_prompt_is_found_anywhere_in_what_is_written(tmp_path, flag):
    """Store, report, transcripts, exports, also of a sample that raised: as bytes, in every file of the folder."""
    secret = "Kingfisher"

    def speak(request):
        if "number 3" in request.messages[-1].content:
            raise ValueError(f"{secret} broke {request.messages[-1].content}")
        return f"Gladly: {secret} folds it thus."

    out = tmp_path / "run"
    run = finchmark.evaluate(
        "official/advbench", ScriptedBackend(function=speak), data=write(tmp_path, "advbench"), tier="smoke", samples=1,
        out=out,
    )  # fmt: skip
    assert (run.counts()["ok"], run.counts()["error"]) == (5, 1)
    report_run(run, out / "report.html")
    for kind in ("csv", "jsonl"):
        run.export(out / f"export.{kind}", kind)
    shown = subprocess.run(
        [sys.executable, "-m", "finchmark.suite.cli", "show", str(out)], capture_output=True, check=False, timeout=60
    )
    written = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    assert len(written) > 5
    # What is packed in the store cannot be seen in its bytes.
    read = [sample.model_dump_json().encode() for sample in run.samples(attempts=True)]
    for text in [*written, *read, shown.stdout, shown.stderr]:
        assert secret.encode() not in text
        assert b"paper boat" not in text
    assert any(turn.action == "answered" for sample in run.samples() for turn in sample.turns)
    hashes = {call.completion for sample in run.samples() for turn in sample.turns for call in turn.calls}
    assert len(hashes) == 1
    assert hashes.pop().startswith("sealed:")


def test_a_response_cache_would_keep_replies_and_is_refused(tmp_path, flag):
    with pytest.raises(UsageError, match="are not to be kept"):
        finchmark.evaluate(
            "official/advbench", "scripted:always-refuse", data=write(tmp_path, "advbench"), cache=tmp_path / "c",
            out=tmp_path / "r",
        )  # fmt: skip
