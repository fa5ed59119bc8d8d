"""A gate's decision for people and for CI: text, Markdown, JUnit XML, JSON, and annotations of a workflow."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from textwrap import fill
from xml.etree import ElementTree

from ..leaderboard.text import visible
from ..suite.forecast import Forecast
from ..suite.gate import GateReport, Look, verdict_words
from .differences import pvalue, signed
from .markdown import code, markdown_table
from .tables import interval, number
from .terminal import draw, text_table

__all__ = ["forecast_text", "gate_annotations", "gate_json", "gate_junit", "gate_markdown", "gate_text"]

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def forecast_text(forecasts: Sequence[Forecast], width: int | None = None) -> str:
    """What the gate could find, to be printed before anything is spent."""
    if not forecasts:
        return ""
    out = text_table("check", "units>", "samples>", "P(pass | no change)>", "loss caught in 80 %>")
    for f in forecasts:
        out.add_row(visible(f.check, 100), f"{f.units}", f"{f.samples:.3g}", number(f.passes, 2), number(f.detectable))
    known = [f.passes for f in forecasts if math.isfinite(f.passes)]
    notes = []
    if len(forecasts) > 1 and len(known) == len(forecasts):
        notes.append(
            f"P(this gate passes | no change): about {number(math.prod(known), 2)}, the product over its checks (more "
            "where they share samples). Fewer tasks, wider margins or more items raise it."
        )
    notes += [f"{visible(f.check, 100)}: {f.note}." for f in forecasts if f.note]
    if any(math.isnan(f.detectable) for f in forecasts):
        notes.append("–: no loss is caught in 80 of 100 gates, however large.")
    notes += [
        f"{visible(f.check, 100)}: a pass takes at least {f.least} units at this margin, and there are {f.units}."
        for f in forecasts
        if f.units < f.least
    ]
    return "\n".join([draw(out, width), *(fill(note, width or 120) for note in notes)])


def gate_text(report: GateReport, width: int | None = None) -> str:
    """The decision as a table and a sentence."""
    parts = []
    if report.looks:
        out = text_table(
            "check", "margin>", "baseline>", "candidate>", "difference>", "interval", "p of regression>", "units>", ""
        )
        for look in report.looks:
            d = look.decision
            out.add_row(
                *(
                    visible(cell, 100)
                    for cell in (
                        look.check.name,
                        f"{look.check.margin:.3g}",
                        number(look.baseline_mean),
                        number(look.candidate_mean),
                        signed(d.difference),
                        interval(d.low, d.high),
                        pvalue(look.adjusted),
                        f"{d.units}" + (f" of {look.planned}" if d.units < look.planned else ""),
                        _word(look),
                    )
                )
            )
        parts.append(draw(out, width))
        parts.append(
            fill(
                f"One-sided bounds at level {report.alpha:.3g} each ({', '.join(_methods(report))}), "
                f"{report.policy.mode}; all checks must pass; regressions corrected by Holm.",
                width or 120,
            )
        )
    lines = [f"{look.check.name}: {look.decision.note}." for look in report.looks if look.decision.note]
    lines += [*report.faults, *report.notes]
    parts += [fill(visible(line, 600), width or 120) for line in lines]
    parts.append(fill(visible(verdict_words(report), 2000), width or 120))
    return "\n".join(parts)


def gate_markdown(report: GateReport) -> str:
    """The decision in GitHub's Markdown; what comes from runs is escaped."""
    sign = {"pass": "✅", "regression": "❌", "inconclusive": "❔"}.get(report.verdict, "⚠️")
    parts = [f"### {sign} Gate: {report.verdict} · {code(report.candidate)}"]
    chances = {f.check: f for f in report.forecasts}
    if report.looks:
        heads = ("check", "margin>", "baseline>", "candidate>", "difference>", "interval>", "verdict", "units>")
        body = []
        for look in report.looks:
            d, f = look.decision, chances.get(look.check.name)
            body.append(
                (
                    code(look.check.name),
                    f"{look.check.margin:.3g}",
                    number(look.baseline_mean),
                    number(look.candidate_mean),
                    signed(d.difference),
                    interval(d.low, d.high),
                    f"**{_word(look)}**",
                    f"{d.units} of {look.planned}",
                    "–" if f is None else number(f.passes, 2),
                )
            )
        parts.append(markdown_table((*heads, "P(pass, no change)>"), body))
    notes = [f"{code(look.check.name)}: {look.decision.note}." for look in report.looks if look.decision.note]
    notes += [code(text, 400) for text in (*report.faults, *report.notes)]
    if report.looks:
        notes.append(f"One-sided bounds at level {report.alpha:.3g}, {report.policy.mode}.")
    parts.append("\n".join(f"- {note}" for note in notes))
    return "\n\n".join(parts) + "\n"


def gate_junit(report: GateReport) -> str:
    """JUnit XML: a case a check; a regression is a failure, a gate that could not run an error."""
    suite = ElementTree.Element("testsuite", name="finchmark gate")
    ElementTree.SubElement(ElementTree.SubElement(suite, "properties"), "property", name="candidate").set(
        "value", _xml(report.candidate)
    )
    counts = {"failure": 0, "error": 0, "skipped": 0}
    cases = 0
    for look in report.looks:
        cases += 1
        case = ElementTree.SubElement(suite, "testcase", classname="finchmark.gate", name=_xml(look.check.name))
        d = look.decision
        text = (
            f"{_word(look)}: difference {signed(d.difference)}, interval {interval(d.low, d.high)}, margin "
            f"{look.check.margin:.3g}, {d.units} of {look.planned} units"
        )
        kind = {"regression": "failure", "inconclusive": "failure" if report.failed else "skipped"}.get(d.verdict)
        if kind is not None:
            counts[kind] += 1
            found = ElementTree.SubElement(case, kind, message=_xml(text))
            if kind == "failure":
                found.set("type", d.verdict)
        ElementTree.SubElement(case, "system-out").text = _xml(text)
    for fault in report.faults:
        cases += 1
        counts["error"] += 1
        case = ElementTree.SubElement(suite, "testcase", classname="finchmark.gate", name=_xml(fault.partition(":")[0]))
        ElementTree.SubElement(case, "error", message=_xml(fault), type="could not run")
    suite.set("tests", str(cases))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def gate_json(report: GateReport) -> str:
    """Everything as JSON; numbers that there are none of are null."""
    data = {
        "format": "finchmark-gate/1",
        "verdict": report.verdict,
        "exit_code": int(report.exit_code),
        "candidate": report.candidate,
        "alpha": report.alpha,
        "policy": report.policy.model_dump(mode="json"),
        "words": verdict_words(report),
        "forecasts": [
            {
                "check": f.check,
                "units": f.units,
                "samples": f.samples,
                "passes": _finite(f.passes),
                "detectable": _finite(f.detectable),
                "least_units": f.least,
                "note": f.note,
            }
            for f in report.forecasts
        ],
        "checks": [
            {
                "check": look.check.name,
                "task": look.check.cell[0],
                "version": look.check.cell[1],
                "arm": look.check.cell[2],
                "metric": look.check.metric.name,
                "against": look.check.against,
                "baseline": look.check.label,
                "verdict": look.decision.verdict,
                "warning": look.decision.worse_within_margin,
                "margin": look.check.margin,
                "difference": _finite(look.decision.difference),
                "low": _finite(look.decision.low),
                "high": _finite(look.decision.high),
                "baseline_mean": _finite(look.baseline_mean),
                "candidate_mean": _finite(look.candidate_mean),
                "pass_p": _finite(look.decision.pass_pvalue),
                "regression_p": _finite(look.decision.regression_pvalue),
                "regression_p_adjusted": _finite(look.adjusted),
                "units": look.decision.units,
                "planned": look.planned,
                "lost": list(look.lost),
                "method": look.decision.method,
                "note": look.decision.note,
            }
            for look in report.looks
        ],
        "faults": list(report.faults),
        "notes": list(report.notes),
    }
    return json.dumps(data, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def gate_annotations(report: GateReport) -> Iterator[str]:
    """Lines that GitHub Actions shows at the change: an error or warning each for what stops or deserves a look."""
    for fault in report.faults:
        yield _command("error", "Gate could not run", fault)
    for look in report.looks:
        d = look.decision
        text = f"{look.check.name}: {signed(d.difference)} {interval(d.low, d.high)}, margin {look.check.margin:.3g}"
        if d.verdict == "regression":
            yield _command("error", "Regression", text)
        elif d.verdict == "inconclusive":
            more = f". {d.note}" if d.note else ""
            yield _command("error" if report.failed else "warning", "Inconclusive", text + more)
        elif d.worse_within_margin:
            yield _command("warning", "Worse within the margin", text)


def _command(kind: str, title: str, text: str) -> str:
    # A line break in a label would begin a command of its own.
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind} title={title}::{visible(escaped, 800)}"


def _word(look: Look) -> str:
    if look.decision.worse_within_margin:
        return "pass, but worse within the margin"
    return look.decision.verdict


def _methods(report: GateReport) -> list[str]:
    return list(dict.fromkeys(look.decision.method for look in report.looks))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
