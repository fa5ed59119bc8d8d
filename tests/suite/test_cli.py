from __future__ import annotations

import json
import re

import pytest

from finchmark.suite import cli


@pytest.fixture
def finchmark(capsys, monkeypatch, tmp_path):
    """Runs a command in an empty folder; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["finchmark", *args])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        out = capsys.readouterr()
        return leaving.value.code, out.out, out.err

    return run


ORACLE = ("run", "odyssey/lights", "-b", "scripted:oracle", "-n", "2", "-q")


def test_a_run_prints_its_results_with_chance_and_ceiling(finchmark):
    code, out, _ = finchmark(*ORACLE, "--out", "r")
    assert code == 0
    assert re.search(r"scripted:oracle +odyssey/lights@1 +smoke +inductive +success +1\.000 .* 0\.\d+ +1\.000", out)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["run", "odyssey/light", "-b", "scripted:random"], "Did you mean 'odyssey/lights'"),
        (["run", "odyssey/lights", "-b", "hff"], "Did you mean 'hf'"),
        (["run", "odyssey/lights"], "No backend"),
        (["run", "-b", "scripted:random"], "No task"),
        (["run", "odyssey/lights", "-b", "scripted:random", "--model-args", "colour=red"], "colour"),
        (["run", "odyssey/lights", "-b", "scripted:random", "--top-p", "0"], "top_p"),
        (["run", "--bogus"], "No such option"),
        (["show", "nothing"], "finchmark list"),
        (["results", "nothing"], "no run here"),
        (["list", "planets"], "environments"),
        (["export", "nothing"], "no run here"),
        (["--log-level", "loud", "list"], "warning"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_the_way_out(finchmark, args, words):
    code, _, err = finchmark(*args)
    assert code == 2
    assert words in err
    assert "Traceback" not in err


def test_a_folder_of_another_run_is_refused_with_the_difference(finchmark):
    finchmark(*ORACLE, "--out", "r")
    code, _, err = finchmark(*ORACLE, "--out", "r", "--seed", "1")
    assert code == 2
    assert "seed: 0 -> 1" in err


def test_a_run_without_out_gets_a_folder_of_its_own_and_goes_on_there(finchmark, tmp_path):
    for _ in range(2):
        assert finchmark(*ORACLE)[0] == 0
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_errors_exit_with_4_and_max_errors_allows_them(finchmark, tmp_path):
    plugin = tmp_path / "p.py"
    plugin.write_text(
        "from finchmark import Task, Item, EpisodeResult\nclass P(Task):\n    '''d'''\n    name = 'demo/half'\n"
        "    def items(self, tier, seed): return [Item('0', {}), Item('1', {'x': 1})]\n"
        "    async def episode(self, ctx):\n        if ctx.item.data: raise RuntimeError('boom')\n"
        "        return EpisodeResult({'success': 1.0})\n"
    )
    command = ("run", "demo/half", "--include", str(plugin), "-b", "scripted:nonsense", "-n", "1", "-q", "--out", "r")
    code, out, err = finchmark(*command)
    assert code == 4
    assert "1 of 2 samples are errors" in err
    assert "50.0 %" in out
    assert finchmark(*command, "--max-errors", "1")[0] == 0
    code, out, _ = finchmark("show", "r", "--sample", "error")
    assert code == 0
    assert "RuntimeError: boom" in out


def test_a_task_whose_samples_all_errored_is_no_success(finchmark, tmp_path):
    plugin = tmp_path / "p.py"
    plugin.write_text(
        "from finchmark import Task, Item\nclass P(Task):\n    '''d'''\n    name = 'demo/dead'\n"
        "    def items(self, tier, seed): return [Item('0', {})]\n"
        "    async def episode(self, ctx): raise RuntimeError('boom')\n"
    )
    code, _, err = finchmark(
        "run", "demo/dead", "--include", str(plugin), "-b", "scripted:nonsense", "-q", "--max-errors", "99"
    )
    assert code == 4
    assert "every sample of demo/dead" in err


def test_nonsense_for_ever_is_invalid_not_an_error(finchmark):
    code, out, _ = finchmark(
        "run",
        "odyssey/lights",
        "-b",
        "scripted:canned",
        "--model-args",
        'replies=["never"]',
        "-n",
        "1",
        "-q",
        "--out",
        "r",
        "--tier",
        "lite",
        "--limit",
        "1",
    )
    assert code == 0
    code, out, _ = finchmark("show", "r", "--sample", "invalid")
    assert "unusable_in_a_row" in out
    assert "turn 20" in out
    assert re.search(r"turn 21 · player · right 0\b", out)  # from here on questions


@pytest.mark.parametrize("suffix", [".toml", ".yaml"])
def test_a_run_file_does_what_flags_do_and_flags_win(finchmark, tmp_path, suffix):
    options = {
        "tasks": ["odyssey/lights"],
        "backend": "scripted:oracle",
        "samples": 3,
        "arm": ["inductive"],
        "quiet": True,
        "out": "r",
    }
    file = tmp_path / f"run{suffix}"
    if suffix == ".toml":
        file.write_text("\n".join(f"{k} = {json.dumps(v)}" for k, v in options.items()))
    else:
        file.write_text(json.dumps(options))
    assert finchmark("run", "--config", str(file), "-n", "2")[0] == 0
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text())
    assert manifest["spec"]["samples"] == 2
    assert manifest["spec"]["tasks"][0]["arms"] == ["inductive"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("r.toml", "sampels = 3", "Did you mean 'samples'"),
        ("r.toml", "a = ", "cannot be parsed"),
        ("r.txt", "", ".toml, .yaml"),
        ("r.yaml", "- 1", "maps flags"),
    ],
)
def test_a_wrong_run_file_says_what_is_wrong(finchmark, tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    code, _, err = finchmark("run", "--config", name)
    assert code == 2
    assert words in err


def test_a_dry_run_estimates_and_writes_nothing(finchmark, tmp_path):
    code, out, _ = finchmark("run", "odyssey/lights", "-b", "scripted:oracle", "-n", "4", "--tier", "gate", "--dry-run")
    assert code == 0
    assert "86,400" in out  # 300 items x 2 arms x 4 samples x (20 turns + 8 questions asked twice)
    assert list(tmp_path.iterdir()) == []


def test_export_and_results_read_a_run(finchmark, tmp_path):
    finchmark(*ORACLE, "--out", "r")
    assert finchmark("export", "r", "--to", "jsonl", "--out", "x.jsonl")[0] == 0
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 4
    code, out, _ = finchmark("results", "r", "--all")
    assert code == 0
    assert "loop_ratio" in out


def test_a_transcript_shows_what_was_seen_written_and_done(finchmark):
    finchmark(*ORACLE, "--out", "r")
    _, out, _ = finchmark("show", "r", "--sample", "with-rules/smoke-000/1")
    for word in ("instructions", "conditions", "sees", "writes", "<action>", "does"):
        assert word in out


def test_rescoring_the_same_code_changes_nothing(finchmark, tmp_path):
    finchmark("run", "odyssey/lights", "-b", "scripted:random", "-n", "8", "-q", "--out", "r")
    code, out, err = finchmark("rescore", "r")
    assert code == 0
    assert "0 values changed" in out
    assert err == ""
    for run in ("r", "r.rescored"):
        finchmark("export", run, "--to", "jsonl", "--out", f"{run}.jsonl")
    assert (tmp_path / "r.jsonl").read_bytes() == (tmp_path / "r.rescored.jsonl").read_bytes()


def test_rescoring_with_another_scorer_shows_what_changed(finchmark, monkeypatch):
    finchmark(*ORACLE, "--out", "r")
    from finchmark.tasks.odyssey.lights import Lights

    monkeypatch.setattr(Lights, "score", lambda self, **k: {"success": 0.0, "steps_to_success": None})
    code, out, _ = finchmark("rescore", "r")
    assert code == 0
    assert "success: 1.0 -> 0.0" in out


@pytest.mark.parametrize("what", ["odyssey/lights", "finchmark/Lights-v1", "scripted", "history"])
def test_show_describes_every_kind_of_thing(finchmark, what):
    code, out, _ = finchmark("show", what)
    assert code == 0
    assert len(out.splitlines()) > 3


def test_a_list_says_what_an_entry_follows(finchmark):
    _, out, _ = finchmark("list", "agents")
    (line,) = [line for line in out.splitlines() if line.startswith("reflection ")]
    assert "[after Reflexion, Shinn et al. 2023, arXiv:2303.11366]" in line
    assert "after" not in next(line for line in out.splitlines() if line.startswith("history "))


def test_our_own_fault_exits_with_70(finchmark, monkeypatch):
    monkeypatch.setattr("finchmark.suite.registry.Registry.entries", lambda self: 1 / 0)
    code, _, err = finchmark("list")
    assert code == 70
    assert "ZeroDivisionError" in err


def test_the_doctor_speaks_of_every_backend(finchmark):
    code, out, _ = finchmark("doctor")
    assert code == 0
    for word in ("backend hf", "backend scripted", "finchmark", "disk"):
        assert word in out


def test_a_leaderboard_is_built(finchmark, tmp_path):
    finchmark(*ORACLE, "--out", "r")
    code, _, _ = finchmark("leaderboard", "build", "r", "--out", "site")
    assert code == 0
    assert (tmp_path / "site" / "leaderboard.csv").stat().st_size > 100
    assert "<table" in (tmp_path / "site" / "index.html").read_text()
