from __future__ import annotations

from pathlib import Path

import pytest

from finchmark.environments.worlds.lookup import find_line
from finchmark.environments.worlds.scale import find_scale
from finchmark.tasks.worlds import __main__ as command
from finchmark.tasks.worlds.lookup import registered

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def files():
    return command.made(ROOT)


def test_what_is_made_of_the_certificates_is_up_to_date(files):
    """If this fails: `python -m finchmark.tasks.worlds`, after the certificates themselves hold."""
    old = [path.name for path, text in files.items() if path.read_text(encoding="utf-8") != text]
    assert not old


def test_the_table_has_each_world_with_its_reference_and_its_line(files):
    page = files[ROOT / "docs" / "worlds" / "table.md"]
    for world in registered():
        rows = [line for line in page.splitlines() if line.startswith(f"| `{world}` |")]
        assert len(rows) == 1
        assert find_scale(world).reference_name in rows[0]
        assert find_line(world).summary in page


def test_an_old_file_is_found_and_made_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "LEVELS", tmp_path / "levels.json")
    (tmp_path / "docs" / "worlds").mkdir(parents=True)
    assert command.main(["--check", str(tmp_path)]) == 1
    assert command.main([str(tmp_path)]) == 0
    assert command.main(["--check", str(tmp_path)]) == 0
    (tmp_path / "levels.json").write_text("{}")
    capsys.readouterr()
    assert command.main(["--check", str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{tmp_path / 'levels.json'} is old\n"
