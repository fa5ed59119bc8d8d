"""The whole pipeline: what it makes of each theme of the transcript, its journal, its replays, and its kills."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import SpecMismatch, StoreError, UsageError
from finchmark.suite.worldsmith.journal import Journal, read_journal
from finchmark.suite.worldsmith.package import check_package, find_packages, load_package
from finchmark.suite.worldsmith.pipeline import Generated, Plan, generate, replay_plan
from finchmark.suite.worldsmith.proof import Proved, prove

# Test folders are no packages: the designer is loaded from its file.
_spec = importlib.util.spec_from_file_location("worldsmith_designer", Path(__file__).with_name("designer.py"))
assert _spec is not None
assert _spec.loader is not None
_designer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_designer)
THEMES, reply = _designer.THEMES, _designer.reply

PLAN = Plan(themes=THEMES, count=len(THEMES), repairs=2)


async def here(text: str, time_limit: float) -> list[Proved]:
    """Proofs in this process: a process of their own costs a second of imports each."""
    return list(prove(text))


def designer() -> ScriptedBackend:
    return ScriptedBackend("designer", function=reply)


def run(out: Path, plan: Plan = PLAN, backend=None, prove=here) -> Generated:
    return asyncio.run(generate(plan, backend or designer(), out, prove=prove))


def contents(folder: Path) -> dict[str, bytes]:
    """Everything under a folder but the journal, which has times in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "journal.jsonl"
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Iterator[tuple[Path, Generated]]:
    out = tmp_path_factory.mktemp("generation")
    return out, run(out)


def test_each_theme_ends_where_its_fault_was_planted(done):
    found = [theme.failed_at for theme in done[1].themes]
    assert found == [None, None, "specification", "audit", "ladder", "levels", None]


def test_repairs_are_counted(done):
    assert [theme.repairs for theme in done[1].themes] == [0, 2, None, 0, 0, 0, 0]


def test_the_audit_names_the_planted_fault(done):
    assert "farming" in done[1].themes[3].detail


def test_a_repair_is_asked_for_with_the_checkers_own_messages(done):
    _, records = read_journal(done[0] / "journal.jsonl")
    asked = [r for r in records if r["kind"] == "call" and r["world"] == 1 and r["stage"] == "repair"]
    told = asked[1]["messages"][-1][1]
    assert "there is no name 'heatt'" in told
    assert "limits.baked" in told


def test_the_journal_holds_inputs_outputs_seeds_tokens_and_cost(done):
    _, records = read_journal(done[0] / "journal.jsonl")
    call = next(r for r in records if r["kind"] == "call")
    assert {"messages", "reply", "seed", "prompt_tokens", "completion_tokens", "cost", "seconds"} <= set(call)
    seeds = [r["seed"] for r in records if r["kind"] == "call"]
    assert len(set(seeds)) == len(seeds)


def test_every_stage_of_a_world_is_in_the_journal(done):
    _, records = read_journal(done[0] / "journal.jsonl")
    stages = [r["stage"] for r in records if r["kind"] == "stage" and r["world"] == 0]
    assert stages == ["design", "specification", "execution", "levels", "audit", "ladder"]


def test_yields_count_those_that_entered(done):
    rows = {row.stage: (row.passed, row.entered) for row in done[1].yields}
    assert rows == {
        "design": (7, 7), "first try": (5, 7), "specification": (6, 7), "execution": (6, 6), "levels": (5, 6),
        "audit": (4, 5), "ladder": (3, 4), "package": (3, 3), "overall": (3, 7),
    }  # fmt: skip


def test_the_table_marks_the_papers_figures_as_theirs(done):
    text = done[1].table()
    assert "65.0%" in text
    assert "arXiv 2511.19304" in text
    assert "no baseline" in text


def test_a_package_loads_as_a_world_that_plays(done):
    package = load_package(done[1].packages[0])
    (name, world), *_ = package.worlds.items()
    level = world.levels("test")[0]
    from finchmark.environments.worlds.env import WorldEnv

    env = WorldEnv(world, level=level)
    text, info = env.reset(seed=0)
    assert "height" in text
    assert package.scales[name].random < package.scales[name].reference
    assert info["level"] == level.hash


def test_a_package_may_hold_several_worlds(done):
    package = load_package(done[1].packages[2])
    assert {world.factors["observation"] for world in package.worlds.values()} == {"full", "partial"}


def test_certificates_of_packages_hold(done):
    for package in find_packages(done[0] / "worlds"):
        assert check_package(package) == []


def test_a_package_that_was_changed_is_refused(done, tmp_path):
    import shutil

    path = tmp_path / "changed"
    shutil.copytree(done[1].packages[0], path)
    text = (path / "world.yaml").read_text()
    (path / "world.yaml").write_text(text.replace("horizon: 30", "horizon: 60"))
    with pytest.raises(StoreError, match="changed since its audit"):
        load_package(path)


def test_a_replay_gives_the_same_bytes(done, tmp_path):
    plan, backend = replay_plan(done[0] / "journal.jsonl")
    run(tmp_path, plan, backend)
    assert contents(tmp_path) == contents(done[0])


def test_a_replay_of_a_recording_that_was_cut_short_says_so(done, tmp_path):
    lines = (done[0] / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "short.jsonl").write_bytes(b"".join(lines[:2]))
    plan, backend = replay_plan(tmp_path / "short.jsonl")
    with pytest.raises(StoreError, match="cut short"):
        run(tmp_path / "out", plan, backend)


def test_going_on_asks_and_proves_nothing_twice(done, tmp_path):
    import shutil

    shutil.copytree(done[0], tmp_path / "again")

    async def never(text, time_limit):
        raise AssertionError("proved twice")

    def silent(request):
        raise AssertionError("asked twice")

    backend = ScriptedBackend("designer", function=reply)
    backend.function = silent
    backend.identity = designer().identity
    run(tmp_path / "again", backend=backend, prove=never)
    assert contents(tmp_path / "again") == contents(done[0])


@pytest.mark.slow
def test_any_prefix_of_a_journal_goes_on_to_the_same_end(tmp_path):
    """As a kill leaves it: some lines, and half of one."""
    plan = Plan(themes=THEMES[:3], count=3, repairs=2)
    whole = run(tmp_path / "whole", plan)
    raw = (tmp_path / "whole" / "journal.jsonl").read_bytes()
    for share in (0.02, 0.3, 0.6, 0.95):
        out = tmp_path / f"cut{share}"
        out.mkdir()
        (out / "journal.jsonl").write_bytes(raw[: int(len(raw) * share)])
        assert run(out, plan).themes == whole.themes
        # The half line is gone: what was written after it can be read.
        assert len(read_journal(out / "journal.jsonl")[1]) == len(read_journal(tmp_path / "whole" / "journal.jsonl")[1])
        assert contents(out) == contents(tmp_path / "whole")


def test_what_a_kill_left_of_a_package_is_gone_after_the_next_end(done, tmp_path):
    import shutil

    shutil.copytree(done[0], tmp_path / "again")
    name = done[1].packages[0].name
    (tmp_path / "again" / "worlds" / name / "package.json").unlink()
    (tmp_path / "again" / "worlds" / f".{name}.half").mkdir()
    (tmp_path / "again" / "worlds" / f".{name}.half" / "world.yaml").write_text("half")
    run(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(done[0])


def test_other_settings_in_the_same_folder_are_refused(done):
    with pytest.raises(SpecMismatch, match="seed"):
        run(done[0], Plan(themes=THEMES, count=len(THEMES), repairs=2, seed=1))


def test_the_same_world_twice_counts_once(tmp_path):
    found = run(tmp_path, Plan(themes=THEMES[:1], count=2))
    assert [t.failed_at for t in found.themes] == [None, "package"]
    assert "the same world as theme 0" in found.themes[1].detail


def test_a_backend_that_fails_decides_nothing(tmp_path):
    from finchmark.suite.errors import BackendError

    def broken(request):
        raise OSError("the line is dead")

    with pytest.raises(BackendError, match="line is dead"):
        run(tmp_path, Plan(themes=THEMES[:1]), ScriptedBackend("x", function=broken))
    assert read_journal(tmp_path / "journal.jsonl")[1] == []


def test_an_empty_reply_fails_at_the_design(tmp_path):
    found = run(tmp_path, Plan(themes=("nothing",)), ScriptedBackend("x", function=lambda request: ""))
    assert found.themes[0].failed_at == "design"
    assert not (tmp_path / "worlds").exists()


def test_a_plan_needs_a_theme():
    with pytest.raises(UsageError, match="--theme"):
        Plan(themes=())


_KILLED = """
import importlib.util, os, signal, sys
from pathlib import Path
# By the name that it has in the test: a function is told from another by its module too.
spec = importlib.util.spec_from_file_location("worldsmith_designer", {designer!r})
designer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(designer)
THEMES, reply = designer.THEMES, designer.reply
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.worldsmith import pipeline
from finchmark.suite.worldsmith.journal import Journal

left = int(sys.argv[2])
write = Journal.write

def counted(self, record):
    global left
    found = write(self, record)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

Journal.write = counted
pipeline.run_generation(
    pipeline.Plan(themes=THEMES[:2], count=2, repairs=2), ScriptedBackend("designer", function=reply), Path(sys.argv[1])
)
"""


@pytest.mark.slow
def test_a_killed_generation_goes_on_and_ends_the_same(tmp_path):
    """Killed by SIGKILL after every few records, with the proofs in processes of their own."""
    script = tmp_path / "killed.py"
    script.write_text(_KILLED.format(designer=str(Path(__file__).with_name("designer.py"))))
    ends = []
    for _ in range(12):
        done = subprocess.run(
            [sys.executable, str(script), str(tmp_path / "out"), "5"], capture_output=True, timeout=300
        )
        ends.append(done.returncode)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert ends[-1] == 0
    assert len(ends) > 2
    _, records = read_journal(tmp_path / "out" / "journal.jsonl")
    places = [(r["kind"], r["world"], r["stage"], r["try"]) for r in records]
    assert len(set(places)) == len(places)
    plan = Plan(themes=THEMES[:2], count=2, repairs=2)
    run(tmp_path / "whole", plan)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert len(find_packages(tmp_path / "out" / "worlds")) == 2


def test_a_journal_that_is_open_is_closed_to_others(tmp_path):
    journal = Journal(tmp_path / "j", {})
    code = (
        "import sys; from pathlib import Path; from finchmark.suite.worldsmith.journal import Journal\n"
        "Journal(Path(sys.argv[1]), {})"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "j"], capture_output=True, timeout=60)
    journal.close()
    assert b"RunLocked" in done.stderr
