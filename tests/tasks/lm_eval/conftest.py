"""Tasks of lm-eval with data of their own, and a toy model on disk: nothing is fetched."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from finchmark.suite.registry import TASKS
from finchmark.tasks.lm_eval import lookup, source

from ...toys import keep, make_llama, make_tokenizer, need_torch

COLOURS = ("red", "green", "blue", "grey")
THINGS = ("lamp", "stone", "finch", "seed", "tree", "beak", "rain", "switch", "bird", "year", "word", "light")


def documents(count: int, offset: int = 0) -> list[dict]:
    return [
        {
            "q": f"What colour is {THINGS[(i + offset) % len(THINGS)]} {i}?",
            "choices": list(COLOURS[: 2 + i % 3]),
            "gold": i % (2 + i % 3),
            "answer": f"The answer is {i % 10}",
        }
        for i in range(count)
    ]


COMMON = """
dataset_path: json
dataset_kwargs:
  data_files: {data}
test_split: test
training_split: train
fewshot_split: train
metadata:
  version: {version}
"""

CHOOSE = """task: {name}
output_type: multiple_choice
doc_to_text: "Question: {{{{q}}}}\\nAnswer:"
doc_to_target: gold
doc_to_choice: choices
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
"""

SAY = """task: {name}
output_type: generate_until
doc_to_text: "Q: {{{{q}}}}\\nA:"
doc_to_target: answer
generation_kwargs:
  until: ["Q:", "."]
  max_gen_toks: 12
  do_sample: false
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    regexes_to_ignore: ["\\\\W"]
  - {{metric: bleu, aggregation: bleu, higher_is_better: true}}
filter_list:
  - name: number
    filter:
      - {{function: regex, regex_pattern: "(\\\\d)"}}
      - {{function: take_first}}
  - name: words
    filter:
      - {{function: take_first}}
"""

NEXT = """task: {name}
output_type: loglikelihood
doc_to_text: "{{{{q}}}}"
doc_to_target: " {{{{choices[gold]}}}}"
metric_list:
  - {{metric: perplexity, aggregation: perplexity, higher_is_better: false}}
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of tasks that lm-eval and Finchmark both look into; makes nothing by itself."""
    monkeypatch.setenv(lookup.FOLDERS, str(tmp_path / "tasks"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    (tmp_path / "tasks").mkdir()
    _forget()
    yield tmp_path / "tasks"
    _forget()


def _forget() -> None:
    """Tests give different tasks the same name."""
    source.source_of.cache_clear()
    TASKS.forget("lm_eval/*")


@pytest.fixture
def write(folder):
    """Writes a task of a kind (choose, say, next), with lines added, and words of its text swapped for others."""

    def make(
        name: str, kind: str = "choose", *, count: int = 24, version: float | str = 1.0, more: str = "", **swap: str
    ) -> str:
        body = {"choose": CHOOSE, "say": SAY, "next": NEXT}[kind]
        for old, new in swap.items():
            assert old in body
            body = body.replace(old, new)
        files = {}
        for split, docs in {"test": documents(count), "train": documents(12, offset=5)}.items():
            path = folder / f"{name}.{split}.json"
            path.write_text(json.dumps(docs))
            files[split] = str(path)
        text = body.format(name=name) + COMMON.format(data=json.dumps(files), version=version) + more
        (folder / f"{name}.yaml").write_text(text)
        return f"lm_eval/{name}"

    return make


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Path:
    """A random Llama with a chat template, on disk."""
    need_torch()
    tokenizer = make_tokenizer([json.dumps(documents(30))], 400)
    return keep(make_llama(tokenizer, seed=3, max_position_embeddings=2048), tokenizer, tmp_path_factory.mktemp("toy"))
