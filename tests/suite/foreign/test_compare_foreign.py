"""Results of other harnesses compared, made here by their own mock models."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from finchmark.suite.baseline import make_baseline
from finchmark.suite.comparison import compare
from finchmark.suite.gate import decide_gate
from finchmark.suite.policy import Policy
from finchmark.suite.results import read_results

N = 60


@pytest.mark.skipif(
    find_spec("inspect_ai") is None, reason="inspect-ai is not installed: pip install 'finchmark[inspect]'"
)
def test_two_inspect_logs_are_paired_by_item_compared_and_gated(tmp_path):
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate

    def play(name, wrong):
        def answer(messages, tools, choice, config):
            i = int(messages[-1].text.partition("+")[0])
            output = ModelOutput.from_content("mockllm/model", "no" if wrong(i) else str(i + 1))
            output.usage = ModelUsage(input_tokens=10, output_tokens=3, total_tokens=13)
            return output

        samples = [Sample(input=f"{i}+1?", target=str(i + 1)) for i in range(N)]
        task = Task(dataset=samples, solver=generate(), scorer=match(), name="sums")
        model = get_model("mockllm/model", custom_outputs=answer)
        (made,) = eval(task, model=model, log_dir=str(tmp_path / name), display="none")
        return read_results(tmp_path / name / made.location.rpartition("/")[2])

    good, bad = play("good", lambda i: i % 20 == 0), play("bad", lambda i: i % 3 == 0)
    (row,) = compare([good, bad]).deciding
    assert row.difference.paired
    flips = row.difference.flips
    assert flips is not None
    assert (flips.gained, flips.lost, flips.both, flips.neither) == (2, 19, 38, 1)
    assert row.verdict == "worse"
    baseline = make_baseline(good)
    assert decide_gate(baseline, bad, Policy(), foresee=False).verdict == "regression"
    assert decide_gate(baseline, good, Policy(), foresee=False).verdict == "pass"


TASK = """
task: tiny
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{q}}}}"
doc_to_target: "{{{{a}}}}"
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
generation_kwargs: {{until: ["\\n"]}}
metadata: {{version: 1.0}}
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-eval is not installed: pip install 'finchmark[lm-eval]'")
def test_two_lm_eval_runs_are_paired_by_document(tmp_path):
    # The dummy always writes "lol"; what it is asked stays, so the same run twice has the same items and no flips,
    # and a run on fewer of them shares those.
    docs = [{"q": f"{i}?", "a": "lol" if i % 4 else "no"} for i in range(12)]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(d) + "\n" for d in docs))
    (tmp_path / "tiny.yaml").write_text(TASK.format(file=tmp_path / "docs.jsonl"))
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}

    def play(name, *more):
        command = [sys.executable, "-m", "lm_eval", "run", "--model", "dummy", "--include_path", str(tmp_path)]
        command += ["--tasks", "tiny", "--log_samples", "--output_path", str(tmp_path / name), *more]
        done = subprocess.run(command, env={**os.environ, **offline}, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        return read_results(tmp_path / name)

    whole, part = play("whole"), play("part", "--limit", "8")
    (row,) = compare([whole, part]).deciding
    assert row.difference.items == 8
    assert row.difference.only_a == 4
    assert row.difference.estimate == 0
    assert row.difference.mean_a == pytest.approx(0.75)
    assert "only the 8 common items count (12 and 8 there)" in row.notes
