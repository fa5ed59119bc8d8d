"""What is asserted of a run."""

from __future__ import annotations

import dataclasses

import pytest

import finchmark
from finchmark import CheckedRun, CouldNotRun, FinchmarkError, UsageError
from finchmark.suite.baseline import make_baseline
from finchmark.suite.policy import Policy
from finchmark.suite.run_home import HOME


@pytest.fixture(scope="module")
def oracle(tmp_path_factory) -> CheckedRun:
    out = tmp_path_factory.mktemp("oracle") / "run"
    return finchmark.run("odyssey/lights", "scripted:oracle", tier="gate", limit=40, samples=1, out=out)


@pytest.fixture(scope="module")
def random(tmp_path_factory) -> CheckedRun:
    out = tmp_path_factory.mktemp("random") / "run"
    return finchmark.run("odyssey/lights", "scripted:random", tier="gate", limit=40, samples=1, out=out)


@pytest.fixture(scope="module")
def base(oracle, tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "base.json"
    make_baseline(oracle.results).write(path)
    return path


def test_a_run_gives_the_stored_run_and_its_results(oracle):
    assert len(oracle.run.frame()) == 80
    assert [c.arm for c in oracle.results.cells] == ["inductive", "with-rules"]
    assert not oracle.found


def test_every_arm_must_hold(oracle, random):
    assert [c.verdict for c in oracle.assert_at_least("success", 0.9)] == ["shown", "shown"]
    with pytest.raises(AssertionError) as error:
        random.assert_at_least("success", 0.9)
    assert len(str(error.value).splitlines()) == 2


def test_an_arm_can_be_named(oracle):
    (found,) = oracle.assert_at_least("success", 0.9, arm="inductive", task="odyssey/lights")
    assert "inductive" in found.cell


def test_an_arm_that_was_not_played_is_named(oracle):
    with pytest.raises(UsageError, match="no arm 'deductive'; it played odyssey/lights@1 · inductive, "):
        oracle.assert_at_least("success", 0.9, arm="deductive")


def test_at_most_is_asserted_too(oracle, random):
    random.assert_at_most("success", 0.2)
    with pytest.raises(AssertionError, match="shown to be above"):
        oracle.assert_at_most("success", 0.2)


def test_what_cannot_be_told_is_no_pass(oracle):
    with pytest.raises(AssertionError, match="cannot tell: needs about 19 more items"):
        oracle.assert_at_least("success", 0.95)


def losing(checked: CheckedRun, lost: int) -> CheckedRun:
    """The same run as if so many of its 40 samples an arm had been lost to errors."""
    cells = []
    for cell in checked.results.cells:
        frame = cell.frame.copy()
        frame.loc[: lost - 1, "outcome"] = "error"
        cells.append(dataclasses.replace(cell, frame=frame))
    found = CheckedRun(checked.run)
    found.__dict__["results"] = dataclasses.replace(checked.results, cells=tuple(cells))
    return found


def test_lost_samples_are_an_error_of_their_own(oracle):
    with pytest.raises(CouldNotRun, match="1 of 40 samples were lost to errors, over 2 %") as error:
        losing(oracle, 1).assert_at_least("success", 0.5)
    assert not isinstance(error.value, AssertionError)
    assert isinstance(error.value, FinchmarkError)


def test_lost_samples_stop_a_gate_too(oracle, base):
    with pytest.raises(CouldNotRun, match="lost 1 of 40 samples"):
        losing(oracle, 1).assert_no_regression(base)


def test_a_regression_is_asserted_with_the_gates_text(random, base):
    with pytest.raises(AssertionError) as error:
        random.assert_no_regression(base)
    assert "P(pass | no change)" in str(error.value)
    assert "REGRESSION: scripted:random" in str(error.value)


def test_inconclusive_is_as_the_policy_says(oracle, base):
    with pytest.raises(AssertionError, match="INCONCLUSIVE"):
        oracle.assert_no_regression(base)
    assert oracle.assert_no_regression(base, Policy(inconclusive="pass")).verdict == "inconclusive"


def test_a_policy_may_be_a_file(oracle, base, tmp_path):
    file = tmp_path / "gate.toml"
    file.write_text("margin = 0.1\n")
    assert oracle.assert_no_regression(base, file).verdict == "pass"
    assert oracle.assert_no_regression(str(base), str(file)).verdict == "pass"


def test_a_gate_that_could_not_run_is_no_failed_assertion(base, tmp_path):
    short = finchmark.run("odyssey/lights", "scripted:oracle", tier="gate", limit=10, samples=1, out=tmp_path / "short")
    with pytest.raises(CouldNotRun, match="COULD NOT RUN"):
        short.assert_no_regression(base)


def test_a_missing_baseline_says_how_one_is_made(oracle, tmp_path):
    missing = tmp_path / "lights.json"
    with pytest.raises(UsageError) as error:
        oracle.assert_no_regression(missing)
    assert f"finchmark baseline {oracle.run.path} > {missing}" in str(error.value)


class Host:
    """A host that remembers what it heard."""

    def __init__(self):
        self.heard = []

    def play(self, prepared, out, **rest):
        self.heard.append(("play", prepared.spec.samples, out))
        return finchmark.load_run(str(self.run)), True

    def notice_run(self, run, found):
        self.heard.append(("run", found))

    def notice_claim(self, claim):
        self.heard.append(("claim", claim.verdict))

    def notice_gate(self, report, baseline):
        self.heard.append(("gate", report.verdict))


def test_a_host_plays_and_hears_every_verdict(oracle, base):
    host = Host()
    host.run = oracle.run.path
    token = HOME.set(host)
    try:
        result = finchmark.run("odyssey/lights", "scripted:oracle", samples=3)
        result.assert_at_least("success", 0.9, arm="inductive")
        with pytest.raises(AssertionError):
            result.assert_no_regression(base)
    finally:
        HOME.reset(token)
    assert result.found
    assert host.heard == [("play", 3, None), ("run", True), ("claim", "shown"), ("gate", "inconclusive")]


def test_without_a_host_a_run_goes_to_its_usual_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    token = HOME.set(None)
    try:
        result = finchmark.run("odyssey/lights", "scripted:oracle", samples=1)
    finally:
        HOME.reset(token)
    assert result.run.path.parts[0] == "runs"


def test_names_are_handed_on_lazily():
    assert finchmark.load_results is not None
    assert finchmark.compare.__module__ == "finchmark.suite.comparison"
    assert {"run", "load_results", "compare", "CheckedRun"} <= set(dir(finchmark))
