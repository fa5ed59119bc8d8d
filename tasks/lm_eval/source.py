"""One task object of lm-eval: its documents, its prompts and its metrics, by lm-eval's own functions."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ...suite.backends.lm_eval_class import lm_eval_module
from ...suite.errors import UsageError
from ...suite.foreign.columns import column_name, known_direction
from ...suite.records import Metric
from .lookup import FAMILY, load
from .prompt import Asked, Chat, asked_of

__all__ = ["Source", "source_of"]

_FEWSHOT_SEED = 1234  # lm-eval's own default; another would be another set of examples than in published numbers
_DEFAULT_CAP = 256
_CAPS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_CHOSEN, _NOT_CHOSEN = -1.0, -1e9

Reply = str | tuple[float, bool]


@dataclass(frozen=True)
class _Column:
    """A metric of lm-eval's with one of its filters."""

    metric: str
    filter: str
    name: str


@lru_cache(maxsize=64)
def source_of(name: str) -> Source:
    """The task of a name, loaded once in a process."""
    return Source(name)


class Source:
    """A task of lm-eval.

    Args:
        name: As lm-eval knows it.

    Raises:
        UsageError: It cannot be asked here: it runs what a model writes, has pictures, or has no metric that is the
            mean of one number a document.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.task: Any = load(name)
        self.config: Any = self.task.config
        self.output_type = str(self.task.OUTPUT_TYPE)
        self.repeats = max(1, int(self.config.repeats or 1))
        self.docs: Sequence[Any] = self.task.eval_docs
        self._contexts: dict[tuple[int, bool], dict[int, Any]] = {}
        if getattr(self.task, "UNSAFE_CODE", False):
            self._refuse("it runs code that the model writes, outside any sandbox")
        if getattr(self.task, "MULTIMODAL", False):
            self._refuse("it shows pictures or sounds, and backends here read text")
        if self.output_type not in ("generate_until", "multiple_choice", "loglikelihood"):
            self._refuse(f"its requests are of the type {self.output_type}")
        if "acc_mutual_info" in self._means():
            self._refuse("acc_mutual_info asks for the likelihood of answers without a question")
        self.shots = int(self.config.num_fewshot or 0)
        self.whole = self.config.gen_prefix is not None
        self.columns = self._columns()
        self.left_out = sorted(set(self.task.aggregation()) - {c.metric for c in self.columns})
        if not self.columns:
            self._refuse(f"none of its metrics ({', '.join(self.left_out)}) is the mean of one number a document")
        self.metrics = tuple(self._metric(column) for column in self.columns)

    def _refuse(self, why: str) -> None:
        raise UsageError(f"The task {FAMILY}/{self.name} cannot be run here: {why}.")

    # -- what it is

    @property
    def version(self) -> str:
        """The version that its authors gave it."""
        return str(self.task.VERSION)

    @property
    def cap(self) -> int:
        """Tokens of a reply at most, as its authors set it; lm-eval's own default where they did not."""
        told = self.config.generation_kwargs or {}
        return next((int(told[key]) for key in _CAPS if told.get(key) is not None), _DEFAULT_CAP)

    def _means(self) -> dict[str, Any]:
        """Metrics that lm-eval averages over documents. Others are made of parts, such as a corpus's BLEU."""
        metrics = lm_eval_module("api.metrics")
        means = {metrics.mean, getattr(metrics, "nanmean", metrics.mean)}
        return {name: function for name, function in self.task.aggregation().items() if function in means}

    def _columns(self) -> tuple[_Column, ...]:
        """Metrics with one number a document. The first document is scored with a made-up reply to see which."""
        means = self._means()
        filters = [str(f.name) for f in self.task._filters]
        trial: dict[str, Mapping[str, Any]] = {}
        try:
            instances = self._instances(0, self.context(0, 0, whole=True))
            replies: list[Reply] = [
                "1" if i.request_type == "generate_until" else (_CHOSEN if k == 0 else _NOT_CHOSEN, k == 0)
                for k, i in enumerate(instances)
            ]
            trial = self._scored(0, instances, [[reply] * self.repeats for reply in replies])
        except UsageError:
            raise
        except Exception:  # noqa: BLE001 - a scorer may well stumble over a made-up reply; then its list of metrics stands
            trial = {}
        found: list[_Column] = []
        for filter_name in filters:
            told = trial.get(filter_name)
            for metric in means if told is None else told:
                if metric in means and (told is None or _number(told[metric]) is not None) and metric != "bypass":
                    name = f"{metric},{filter_name}" if len(filters) > 1 else metric
                    found.append(_Column(metric, filter_name, column_name(name)))
        return tuple(found)

    def _metric(self, column: _Column) -> Metric:
        better = self.task.higher_is_better().get(column.metric)
        direction: Literal["higher", "lower", "none"] = (
            known_direction(column.metric) if better is None else ("higher" if better else "lower")
        )
        binary = self._is_binary(column.metric)
        share = binary or (known_direction(column.metric) == "higher" and self.config.process_results is None)
        directed = [c for c in self.columns if self.task.higher_is_better().get(c.metric)]
        primary = column == (directed or list(self.columns))[0]
        filtered = "" if column.name == column.metric else f", filter {column.filter}"
        return Metric(
            name=column.name,
            summary=f"lm-eval's {column.metric}{filtered}",
            kind="binary" if binary else "graded",
            direction=direction,
            low=0.0 if share else None,
            high=1.0 if share else None,
            ceiling=1.0 if binary and direction == "higher" else None,
            failure=0.0 if direction == "higher" else (1.0 if share else None),
            primary=primary,
        )

    def _is_binary(self, metric: str) -> bool:
        """Whether a metric is 0 or 1 by lm-eval's own code; of a task's own scorer nobody knows."""
        if self.config.process_results is not None or type(self.task).__name__ != "ConfigurableTask":
            return False
        if self.output_type == "generate_until":
            return metric == "exact_match"
        return metric in ("acc", "acc_norm", "acc_bytes", "exact_match")

    # -- what it asks

    def contexts(self, ids: Iterable[int], shots: int, *, whole: bool) -> None:
        """Make the prompts of documents, as lm-eval makes them in a run over all documents.

        Its generator of examples is drawn from document after document, so the draws of those that are left out are
        made as well. An item's prompt is then the same in every tier.

        Args:
            ids: Numbers of the documents.
            shots: Examples to show.
            whole: Whether the prompt is one text, as lm-eval's without a chat template.

        Raises:
            UsageError: There are not enough examples, or their number is fixed.
        """
        known = self._contexts.setdefault((shots, whole), {})
        wanted = set(ids) - known.keys()
        if not wanted:
            return
        if shots != self.shots and self.config.num_fewshot == 0:
            self._refuse(f"its authors fixed the number of examples at 0, so {shots} cannot be")
        self.task.set_fewshot_seed(seed=_FEWSHOT_SEED)
        draws = shots > 0 and hasattr(self.task, "sampler")
        for number in range(max(wanted) + 1):
            if number not in wanted and not shots:
                continue
            doc = self.docs[number]
            try:
                if number in wanted or not draws:
                    made = self.task.fewshot_context(
                        doc,
                        num_fewshot=shots,
                        system_instruction=None,
                        apply_chat_template=not whole,
                        fewshot_as_multiturn=not whole,
                        chat_template=None if whole else Chat.template,
                        gen_prefix=self.task.doc_to_prefix(doc),
                    )
                    if number in wanted:
                        known[number] = made
                else:
                    same = self.task.fewshot_cfg.split == self.config.test_split
                    self.task.sampler.sample(n=shots, eval_doc=doc if same else None)
            except (ValueError, AssertionError) as error:
                raise UsageError(
                    f"The task {FAMILY}/{self.name} cannot show {shots} examples before document {number}: {error}."
                ) from error

    def context(self, number: int, shots: int, *, whole: bool) -> Any:
        """The prompt of one document."""
        self.contexts([number], shots, whole=whole)
        return self._contexts[shots, whole][number]

    def _instances(self, number: int, context: Any) -> list[Any]:
        chat = isinstance(context, Chat) or (isinstance(context, list) and any(isinstance(c, Chat) for c in context))
        made = self.task.construct_requests(
            doc=self.docs[number],
            ctx=context,
            metadata=(self.name, number, self.repeats),
            apply_chat_template=chat,
            chat_template=Chat.template if chat else None,
        )
        return sorted(made if isinstance(made, list) else [made], key=lambda instance: instance.idx)

    def asked(self, number: int, shots: int, *, whole: bool) -> list[Asked]:
        """The requests of a document.

        Raises:
            UsageError: They cannot be asked here.
        """
        try:
            return [
                asked_of(i.request_type, i.args)
                for i in self._instances(number, self.context(number, shots, whole=whole))
            ]
        except ValueError as error:
            raise UsageError(
                f"The task {FAMILY}/{self.name} cannot be asked as messages ({error}); try the arm 'text'."
            ) from error

    def target(self, number: int) -> Any:
        """What is right, as plain data."""
        return plain(self.task.doc_to_target(self.docs[number]))

    def gold(self, number: int, choices: int) -> list[int]:
        """Which choices of a document are right; empty where that cannot be told."""
        doc = self.docs[number]
        told = self.task.doc_to_text(doc) if getattr(self.task, "multiple_input", 0) else self.task.doc_to_target(doc)
        if isinstance(told, str):
            listed = self.task.doc_to_choice(doc)
            told = listed.index(told) if told in listed else -1
        told = told if isinstance(told, list | tuple) else [told]
        return sorted({int(g) for g in told if isinstance(g, numbers.Integral) and 0 <= int(g) < choices})

    # -- what a reply is worth

    def score(
        self, number: int, shots: int, replies: Sequence[Sequence[Reply]], *, whole: bool
    ) -> dict[str, float | None]:
        """Score a document.

        Args:
            number: The document.
            shots: Examples shown.
            replies: For each request as many replies as the task asks for: texts, or sums of log-probabilities and
                whether the continuation was the most likely one.
            whole: Whether the prompt was one text.

        Returns:
            A number for each metric; None where lm-eval gives none.
        """
        scored = self._scored(number, self._instances(number, self.context(number, shots, whole=whole)), replies)
        return {c.name: _number(scored.get(c.filter, {}).get(c.metric)) for c in self.columns}

    def _scored(
        self, number: int, instances: Sequence[Any], replies: Sequence[Sequence[Reply]]
    ) -> dict[str, Mapping[str, Any]]:
        for instance, said in zip(instances, replies, strict=True):
            instance.resps = list(said)
        for pipeline in self.task._filters:
            pipeline.apply(instances)
        return {
            str(f.name): self.task.process_results(
                self.docs[number], [instance.filtered_resps[f.name] for instance in instances]
            )
            for f in self.task._filters
        }


def chosen(choice: int, choices: int) -> list[Reply]:
    """Likelihoods that make one of several choices win, whatever it is divided by."""
    return [(_CHOSEN if k == choice else _NOT_CHOSEN, k == choice) for k in range(choices)]


def trimmed(text: str, stop: Sequence[str]) -> str:
    """A reply without the stop string that ended it, as lm-eval's models return it."""
    for term in stop:
        text = text.split(term)[0]
    return text


def plain(value: Any) -> Any:
    """A document as plain data: what is no JSON becomes text, and so do numbers that are not finite."""

    def finite(thing: Any) -> Any:
        if isinstance(thing, float) and not math.isfinite(thing):
            return str(thing)
        if isinstance(thing, dict):
            return {key: finite(inner) for key, inner in thing.items()}
        return [finite(inner) for inner in thing] if isinstance(thing, list) else thing

    return finite(json.loads(json.dumps(value, default=lm_eval_module("utils").handle_non_serializable)))


def _number(value: Any) -> float | None:
    if isinstance(value, bool | numbers.Real) or (hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0):
        number = float(value)
        return number if math.isfinite(number) else None
    return None
