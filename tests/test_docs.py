"""The pages tell the truth: the commands that they show exist, with the options that they show."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from finchmark.suite import cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page):
    for block in re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M):
        for line in block.replace("\\\n", " ").splitlines():
            try:
                words = shlex.split(line.removeprefix("$ "), comments=True)
            except ValueError:
                continue  # a quotation over several lines: no command of ours has one
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words = words[1:]
            if words[:1] == ["finchmark"]:
                for end, word in enumerate(words):
                    if word in ("|", "&&", ";", ">"):
                        words = words[:end]
                        break
                yield words[1:]


def unknown(words):
    """The first word of a command that does not exist, None where all do."""
    command = get_command(cli.app)
    while getattr(command, "commands", None) is not None and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return words[0]
        command, words = command.commands[words[0]], words[1:]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help", "-h"}
    return next((w for w in words if re.match(r"--?[A-Za-z]", w) and w.partition("=")[0] not in known), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_shown_exists_with_its_options(page):
    wrong = {" ".join(words): found for words in commands(page) if (found := unknown(words))}
    assert not wrong


def test_a_page_with_a_wrong_option_would_be_found():
    assert unknown(["run", "odyssey/lights", "--arms", "a,b"]) == "--arms"
    assert unknown(["flies"]) == "flies"
    assert unknown(["run", "odyssey/lights", "-b", "scripted:random", "--samples=2"]) is None
