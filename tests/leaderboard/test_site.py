import base64
import csv
import hashlib
import re
from dataclasses import dataclass

import pytest

from finchmark.leaderboard import board_badges, build
from finchmark.leaderboard.badges import Accepted, Board, column_names, write_board
from finchmark.suite.errors import UsageError
from finchmark.suite.records import ItemsChoice, Metric

PAYLOAD = "\"><script>window.hit=1</script><img src=x onerror='window.hit=1'>{{7*7}}"


@dataclass(frozen=True)
class Badge:
    kind: str
    attempts: int = 1
    note: str = ""


@pytest.fixture(name="two")
def _two(make_run):
    return [
        make_run({str(i): [int(i < n)] for i in range(40)}, label=label, folder=label)
        for label, n in (("beta", 30), ("alpha", 10))
    ]


@pytest.fixture(name="hostile")
def _hostile(make_run):
    metric = Metric(name="solved", summary=PAYLOAD, kind="binary", failure=0.0, primary=True, unit=PAYLOAD)

    def hostile(label, value):
        return make_run(
            {PAYLOAD: {PAYLOAD: [value, f"invalid:{PAYLOAD}", f"error:{PAYLOAD}"], "../../x": [value] * 3}},
            label=label,
            folder=label[:5],
            task=PAYLOAD,
            tier=PAYLOAD,
            items_hash=PAYLOAD,
            summary=PAYLOAD,
            metrics=(metric,),
            notes=(PAYLOAD,),
            model={PAYLOAD: [PAYLOAD]},
            environment={"cpu": {PAYLOAD: PAYLOAD}},
            sessions=({PAYLOAD: PAYLOAD},),
            agent=PAYLOAD,
            finchmark=PAYLOAD,
        )

    return [hostile(PAYLOAD, 1), hostile("../" + PAYLOAD, 0)]


def test_the_site_has_two_tables_an_overview_and_a_page_for_each_task_model_and_pair(two, site):
    found = site(*two)
    kinds = [name.partition("-")[0] for name in found.names]
    assert kinds == ["index.html", "model", "model", "pair", "task"]
    assert {f.name for f in found.folder.iterdir()} - set(found.names) == {"leaderboard.csv", "standings.csv"}


def test_the_folder_is_made(make_run, tmp_path):
    assert build([make_run({"a": [1]})], tmp_path / "deep" / "site") == tmp_path / "deep" / "site" / "index.html"


def test_the_same_runs_give_the_same_bytes(two, make_run, tmp_path):
    runs = [*two, make_run({"1": [1, 0]}, label="third", folder="third")]
    build(runs, tmp_path / "1")
    build(runs[::-1], tmp_path / "2")
    files = sorted(f.name for f in (tmp_path / "1").iterdir())
    assert files == sorted(f.name for f in (tmp_path / "2").iterdir())
    assert all((tmp_path / "1" / f).read_bytes() == (tmp_path / "2" / f).read_bytes() for f in files)


def test_the_path_of_a_run_does_not_show(two, site):
    found = site(*two)
    assert not any("/runs" in found.read(name).html for name in found.names)


def test_no_run_writes_nothing(tmp_path):
    with pytest.raises(UsageError, match="at least one run"):
        build([], tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_file_in_the_way_is_an_error(make_run, tmp_path):
    (tmp_path / "site").write_text("mine")
    with pytest.raises(UsageError, match="a file is in the way"):
        build([make_run({"a": [1]})], tmp_path / "site")


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_a_bad_confidence_is_an_error(make_run, tmp_path, confidence):
    with pytest.raises(UsageError, match=str(confidence)):
        build([make_run({"a": [1]})], tmp_path, confidence=confidence)


def test_every_link_has_a_target(two, make_run, site):
    found = site(*two, make_run({"1": [1]}, label="third", folder="third", version=2))
    pages = {name: found.read(name) for name in found.names}
    for page in pages.values():
        ids = [a["id"] for _, a in page.tags if "id" in a]
        assert len(ids) == len(set(ids))
        here = {link[1:] for link in page.links if link.startswith("#")}
        assert here <= set(ids)
        there = {link for link in page.links if not link.startswith("#")}
        assert there <= {*found.names, "leaderboard.csv", "standings.csv"}


def test_every_page_can_be_reached_from_the_overview(two, site):
    found = site(*two)
    seen, todo = set(), {"index.html"}
    while todo:
        name = todo.pop()
        seen.add(name)
        todo |= {link for link in found.read(name).links if link in found.names} - seen
    assert seen == set(found.names)


def test_nothing_is_fetched_from_anywhere(two, site):
    found = site(*two)
    for name in found.names:
        page = found.read(name)
        assert not re.search(r"(?i)https?:|//[a-z]|@import|url\(", page.html)
        assert not any("src" in a for _, a in page.tags)


def test_the_policy_names_the_inline_style_and_script_by_their_hashes_and_allows_nothing_else(two, site):
    found = site(*two)
    for name in found.names:
        html = found.read(name).html
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
        assert html.index("Content-Security-Policy") < html.index("<style>")
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
        for tag in ("style", "script"):
            (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert rules.pop(f"{tag}-src") == f"'sha256-{digest}'"
        assert rules == {}


def test_no_attribute_needs_inline_rights(two, site):
    found = site(*two)
    for name in found.names:
        for _, attributes in found.read(name).tags:
            assert not [a for a in attributes if a == "style" or a.startswith("on")]


def test_hostile_text_stays_text_on_every_page(hostile, site):
    found = site(*hostile, title=PAYLOAD, badges={run.path: Badge("withdrawn", 2, PAYLOAD) for run in hostile[1:]})
    assert len(found.names) == 4
    for name in found.names:
        page = found.read(name)
        assert [tag for tag, _ in page.tags if tag in ("script", "img")] == ["script"]
        assert not [a for _, a in page.tags if any(key.startswith("on") for key in a)]
        assert "{{7*7}}" in page.text  # shown as it is, and not run by the template either
        assert "49" not in page.text.replace("7*7", "")


def test_hostile_text_stays_text_on_a_pair_page(hostile, site):
    page = site(*hostile).one("pair")
    assert [tag for tag, _ in page.tags if tag in ("script", "img")] == ["script"]


def test_no_name_leaves_the_folder(hostile, make_run, tmp_path):
    runs = [make_run({"a": [1]}, label=f"{'../' * 3}evil{i}", folder=f"e{i}") for i in range(2)]
    folder = build([*hostile, *runs], tmp_path / "in" / "site").parent
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
    assert [p.name for p in (tmp_path / "in").iterdir()] == ["site"]
    assert all(re.fullmatch(r"[a-z0-9.-]+", p.name) for p in folder.iterdir())


def test_names_that_differ_by_case_or_signs_have_pages_of_their_own(make_run, site):
    labels = ["Model", "model", "MODEL", "mo/del", "mo-del", "模型", "模 型"]
    found = site(*(make_run({"a": [1]}, label=label, folder=str(i)) for i, label in enumerate(labels)))
    models = [n for n in found.names if n.startswith("model-")]
    assert len({n.lower() for n in models}) == len(labels)


def test_two_names_with_one_hash_have_pages_of_their_own(make_run, site, monkeypatch):
    monkeypatch.setattr(
        "finchmark.leaderboard.lineup.slug", lambda kind, text: f"{kind}-{'2' if text.endswith(' 2') else '1'}"
    )
    found = site(*(make_run({"a": [1]}, label=label, folder=label) for label in "ab"))
    assert [n for n in found.names if n.startswith("model")] == ["model-1.html", "model-2.html"]


def test_pages_of_entries_that_are_gone_are_removed_and_other_files_left_alone(two, tmp_path):
    folder = build(two, tmp_path).parent
    before = {f.name for f in folder.iterdir()}
    mine = ["notes.html", "model-mine-0123456789abcdef.html"]
    for name in mine:
        (folder / name).write_text("<p>mine</p>")
    build(two[:1], tmp_path)
    after = {f.name for f in folder.iterdir()}
    assert set(mine) <= after
    assert {name.partition("-")[0] for name in before - after} == {"model", "pair"}


def test_a_name_that_turns_the_direction_of_writing_is_unmasked(make_run, site):
    found = site(make_run({"a": [1]}, label="evil\u202e"))
    for name in found.names:
        assert "\u202e" not in found.read(name).html
    assert "evil\\u202e" in found.one("model").text


def test_standings_has_a_row_a_model_and_column_with_ranks_and_letters(two, make_run, site):
    rows = list(csv.DictReader((site(*two).folder / "standings.csv").open(encoding="utf-8")))
    assert [(r["model"], r["rank_low"], r["rank_high"], r["ranked"], r["letters"]) for r in rows] == [
        ("alpha", "2", "2", "2", "b"),
        ("beta", "1", "1", "2", "a"),
    ]
    assert {r["badge"] for r in rows} == {"self-reported"}


def test_the_tidy_table_has_intervals_counts_cost_tokens_and_hashes(make_run, site):
    run = make_run({"a": [1, "error"], "b": [0, 1]})
    rows = list(csv.DictReader((site(run).folder / "leaderboard.csv").open(encoding="utf-8")))
    assert [r["metric"] for r in rows] == ["solved", "pass@1", "pass@2"]
    row = rows[0]
    assert (row["error"], row["cost"], row["prompt_tokens"], row["items_hash"]) == ("1", "1.000000", "4", "items0")
    assert (row["spec_hash"], row["items_kind"], row["attempts"]) == (run.manifest.spec_hash, "public", "")
    assert float(row["low"]) < float(row["mean"]) < float(row["high"])


def test_a_badge_is_shown_with_its_attempts_and_stands_in_both_tables(two, site):
    found = site(*two, badges={two[0].path: Badge("replayed", 3)})
    assert "3 attempts" in found.read("index.html").words
    assert [a["data-kind"] for _, a in found.read("index.html").tags if "data-kind" in a] == ["replayed"]
    for table in ("standings.csv", "leaderboard.csv"):
        rows = list(csv.DictReader((found.folder / table).open(encoding="utf-8")))
        assert {(r["model"], r["badge"], r["attempts"]) for r in rows} == {
            ("alpha", "self-reported", ""),
            ("beta", "replayed", "3"),
        }


def test_badges_may_be_given_by_column_as_a_board_counts_attempts(two, site):
    column = "family/task@1/lite/public/items0/default"
    badges = {two[0].path: {column: Badge("replayed", 4), "other@1/lite/public/x/default": Badge("replayed", 9)}}
    found = site(*two, badges=badges)
    assert "4 attempts" in found.one("task").words
    rows = csv.DictReader((found.folder / "standings.csv").open(encoding="utf-8"))
    assert {r["model"]: r["attempts"] for r in rows}["beta"] == "4"


def test_a_boards_file_gives_the_badges(two, site, tmp_path):
    (run, _) = two
    columns = column_names(run.manifest)
    accepted = Accepted(
        folder="beta",
        label="beta",
        spec_hash=run.manifest.spec_hash,
        export_hash="0" * 64,
        badge="replayed",
        attempts=dict.fromkeys(columns, 1),
        accepted="2026-01-02",
    )
    run.path = tmp_path / "beta"
    write_board(Board(entries=(accepted,)), tmp_path / "board.json")
    words = site(*two, badges=board_badges(tmp_path / "board.json")).about("beta").words
    assert "1 attempt replayed" in words


def test_a_withdrawn_entry_stays_listed_and_is_not_ranked(two, make_run, site):
    third = make_run({str(i): [1] for i in range(40)}, label="gamma", folder="gamma")
    found = site(*two, third, badges={third.path: Badge("withdrawn", 1, "a leak was found")})
    words = found.read("index.html").words
    assert "2 entries on 1 task; 1 withdrawn" in words
    assert words.index("Withdrawn") < words.index("gamma")
    assert "Withdrawn: a leak was found" in found.about("gamma").words
    rows = {r["model"]: r for r in csv.DictReader((found.folder / "standings.csv").open(encoding="utf-8"))}
    assert (rows["gamma"]["badge"], rows["gamma"]["rank_low"], rows["beta"]["ranked"]) == ("withdrawn", "", "2")
    assert not [n for n in found.names if n.startswith("pair") and "gamma" in n]


def test_public_regenerated_and_private_items_never_share_a_column(make_run, site):
    sources = [ItemsChoice(), ItemsChoice(kind="regenerated", seed=7), ItemsChoice(kind="private", commitment="c0ffee")]
    runs = [make_run({"a": [1]}, label=s.kind, folder=s.kind, item_source=s) for s in sources]
    found = site(*runs)
    assert len([n for n in found.names if n.startswith("task")]) == 3
    for kind in ("public", "regenerated", "private"):
        assert f"1 {kind} item" in found.read("index.html").words
    rows = list(csv.DictReader((found.folder / "standings.csv").open(encoding="utf-8")))
    assert {r["ranked"] for r in rows} == {"1"}


def test_no_page_of_twenty_models_on_twenty_tasks_is_above_300_kB(make_run, join, tmp_path):
    def run(number):
        tasks = [
            make_run(
                {f"task-{t}-item-{i:03d}": [int((i * 7 + number + t) % 20 < number), 1] for i in range(12)},
                label=f"laboratory/model-{number:02d}-instruct",
                folder=f"{number}",
                task=f"family-{t % 4}/a-world-with-a-name-{t:02d}",
                metrics=(
                    Metric(name="solved", summary="", kind="binary", failure=0, chance=0.1, ceiling=1.0, primary=True),
                    Metric(name="reward", summary="mean reward", failure=0.0),
                ),
            )
            for t in range(20)
        ]  # fmt: skip
        for task in tasks:
            task.table["reward"] = 0.5
        return join(*tasks)

    folder = build([run(n) for n in range(20)], tmp_path / "site").parent
    sizes = {f.name: f.stat().st_size for f in folder.glob("*.html")}
    assert len(sizes) > 60
    assert max(sizes.values()) <= 300_000, max(sizes, key=lambda name: sizes[name])


def test_where_less_is_better_the_one_with_least_has_rank_one(make_run, site):
    bad = Metric(name="broke", summary="", kind="binary", direction="lower", failure=1.0, primary=True)
    runs = [
        make_run({str(i): [int(i < n)] for i in range(40)}, label=label, folder=label, metrics=(bad,))
        for label, n in (("much", 30), ("little", 5))
    ]
    rows = csv.DictReader((site(*runs).folder / "standings.csv").open(encoding="utf-8"))
    assert {r["model"]: (r["rank_low"], r["letters"]) for r in rows} == {"little": ("1", "a"), "much": ("2", "b")}
