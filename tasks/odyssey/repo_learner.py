"""A policy that learns while it plays Repo: it rules out what errors speak against, and goes where nothing does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ...environments.odyssey.repo_versions import show
from ...suite.backends.base import GenerateRequest
from .prediction import read_question, say_answer
from .repo_policies import read_answer
from .repo_questions import Ask, asked

__all__ = ["Learner"]

_V = r"(\d+\.\d+)"
_N = r"([\w-]+)"
_PYTHON = re.compile(rf"^Python {_V}(?: is set\.|\. Packages)", re.MULTILINE)
_LISTED = re.compile(rf"^{_N}=={_V}$", re.MULTILINE)
_INSTALLED = re.compile(rf"^(?:Installed )?{_N} {_V}(?: is installed already|\.)", re.MULTILINE)
_OTHERS = re.compile(rf"[ :]{_N}=={_V}")
_REFUSED = re.compile(rf"^{_N} {_V} was not installed: it ")
_PYTHON_BOUND = re.compile(rf"needs Python (>=|<=|==|>|<){_V}")
_MISSING = re.compile(rf"{_N} \(missing\)")
_CLASH = re.compile(rf"clashes with {_N} {_V}")
_RUNS_ON = re.compile(rf"{_N} {_V} does not run on Python {_V}")
_PAIR = re.compile(rf"{_N} {_V} (needs a newer|needs an older|does not work with|clashes with) {_N} (?:than )?{_V}")
_GONE = re.compile(rf"needs {_N}, which is not installed|No module named '{_N}")
_CALLER = re.compile(rf"\(called by {_N} {_V}\)")
_KEYWORD = re.compile(rf"TypeError: {_N}\.")
_SYMBOL = re.compile(rf"ImportError: cannot import name '\w+' from '{_N}\.")
_SERIES = re.compile(rf"{_N} and its plug-ins? (.*) are not of one (series|release)")
_RULE = re.compile(r"(?:RuntimeError|ValueError): (.*)")

# A search that is longer is given up; it goes on with the next answer. Keeps a turn well under a second.
_MOST_NODES = 500

Place = tuple[str, str]


def _key(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _meets(version: str, op: str, bound: str) -> bool:
    a, b = _key(version), _key(bound)
    return {">=": a >= b, "<=": a <= b, "==": a == b, ">": a > b, "<": a < b}[op]


class Learner:
    """Keeps the versions, and the pairs of versions, that errors have ruled out, and trusts that the world has a law.

    From a keyword that is missing it concludes that all older versions lack it; from a dependency that is too old, that
    newer versions of what needs it will not take it either, nor anything older; from one that is too new, the reverse.
    It installs the versions nearest to what it has that nothing speaks against, runs, and learns from the next error.
    """

    def __init__(self, pythons: Sequence[str], packages: Mapping[str, Sequence[str]]) -> None:
        self._versions = {"python": list(pythons), **{name: list(versions) for name, versions in packages.items()}}
        self._target = {name: versions[-1] for name, versions in self._versions.items()}
        self._at: dict[str, str] = {}
        self._needs: dict[str, set[str]] = {}
        self._out: set[Place] = set()
        self._apart: dict[Place, set[Place]] = {}
        self._ruled = 0
        self._last = ""

    def reply(self, request: GenerateRequest) -> str:
        """Learn from the last answer; then install the next package of the target, or run.

        Asked whether a command would succeed, it says no where something that it has ruled out stands against it.
        """
        question = read_question(request.messages[-1].content)
        if question is not None:
            return say_answer(self._expects(asked(question)))
        before = self._ruled, dict(self._at), {name: len(needs) for name, needs in self._needs.items()}
        answer = read_answer(request.messages[-1].content)
        self._note(answer)
        self._learn(answer)
        self._aim()
        after = self._ruled, self._at, {name: len(needs) for name, needs in self._needs.items()}
        failed = "failed" in answer or "was not installed" in answer
        # An error that teaches nothing: what it believes is installed must be wrong.
        self._last = "pip list" if failed and before == after else self._next()
        return f"<action>{self._last}</action>"

    def _expects(self, ask: Ask) -> bool:
        here = {("python", show(ask.python)), *((name, show(version)) for name, version in ask.installed.items())}
        tried = here
        if not ask.command.startswith("python "):
            name, _, version = ask.command.split(" ")[-1].partition("==")
            tried = {(name, version)}
            here = {place for place in here if place[0] != name}
        return not tried & self._out and not any(self._apart.get(place, set()) & here for place in tried)

    def _next(self) -> str:
        for name in self._order():
            command = f"pip install {name}=={self._target[name]}"
            if self._at.get(name) != self._target[name]:
                return command
        return "python run.py"

    def _order(self) -> list[str]:
        """Packages after what they are known to need; the Python first."""
        order: dict[str, None] = {}

        def visit(name: str, above: frozenset[str]) -> None:
            if name not in order and name not in above:
                for need in sorted(self._needs.get(name, ())):
                    visit(need, above | {name})
                order[name] = None

        for name in self._versions:
            visit(name, frozenset())
        return list(order)

    def _note(self, answer: str) -> None:
        """Take over what the world says is installed."""
        if self._last == "pip list":
            self._at = dict(_LISTED.findall(answer))
        if (python := _PYTHON.search(answer)) is not None:
            self._at["python"] = python[1]
        if (installed := _INSTALLED.search(answer)) is not None:
            self._at[installed[1]] = installed[2]
        if "With it came" in answer:
            self._at.update(_OTHERS.findall(answer))
        for gone in _GONE.finditer(answer):
            self._at.pop(gone[1] or gone[2], None)

    def _rule_out(self, *places: Place) -> None:
        if len(places) == 1:
            self._ruled += places[0] not in self._out
            self._out.add(places[0])
        elif places[0][0] != places[1][0]:
            first, second = places
            self._ruled += second not in self._apart.setdefault(first, set())
            self._apart[first].add(second)
            self._apart.setdefault(second, set()).add(first)

    def _older(self, name: str, version: str) -> list[str]:
        versions = self._versions[name]
        return versions[: versions.index(version) + 1]

    def _newer(self, name: str, version: str) -> list[str]:
        versions = self._versions[name]
        return versions[versions.index(version) :]

    def _learn(self, answer: str) -> None:
        if (refused := _REFUSED.search(answer)) is not None:
            self._learn_from_refusal((refused[1], refused[2]), answer)
        elif "failed" in answer:
            self._learn_from_failure(answer)

    def _learn_from_refusal(self, place: Place, answer: str) -> None:
        if (bound := _PYTHON_BOUND.search(answer)) is not None:
            for python in self._versions["python"]:
                if not _meets(python, bound[1], bound[2]):
                    self._rule_out(place, ("python", python))
        if (clash := _CLASH.search(answer)) is not None:
            self._at[clash[1]] = clash[2]
            self._clash(place, (clash[1], clash[2]))
        for missing in _MISSING.findall(answer):
            self._needs.setdefault(place[0], set()).add(missing)
            self._at.pop(missing, None)

    def _clash(self, place: Place, other: Place) -> None:
        for newer in self._newer(*place):
            for older in self._older(*other):
                self._rule_out((place[0], newer), (other[0], older))

    def _learn_from_failure(self, answer: str) -> None:
        if (runs := _RUNS_ON.search(answer)) is not None and runs[1] in self._versions:
            self._at[runs[1]], self._at["python"] = runs[2], runs[3]
            self._rule_out((runs[1], runs[2]), ("python", runs[3]))
        elif "the project does not run on Python" in answer:
            self._rule_out(("python", self._at["python"]))
        elif (pair := _PAIR.search(answer)) is not None:
            self._learn_from_pair((pair[1], pair[2]), pair[3], (pair[4], pair[5]))
        elif (keyword := _KEYWORD.search(answer)) is not None and keyword[1] in self._at:
            for version in self._older(keyword[1], self._at[keyword[1]]):
                self._rule_out((keyword[1], version), *_caller(answer))
        elif (symbol := _SYMBOL.search(answer)) is not None and symbol[1] in self._at:
            self._rule_out((symbol[1], self._at[symbol[1]]), *_caller(answer))
        elif (series := _SERIES.search(answer)) is not None:
            self._learn_from_series(series[1], series[2].split(", "), release=series[3] == "release")
        elif (rule := _RULE.search(answer)) is not None:
            named = [(name, self._at[name]) for name in re.findall(_N, rule[1]) if name in self._at]
            if len(named) == 2:
                self._rule_out(*named)

    def _learn_from_pair(self, place: Place, what: str, other: Place) -> None:
        (name, version), (needed, found) = place, other
        self._at[name], self._at[needed] = version, found
        if what == "clashes with":
            self._clash(place, other)
            return
        self._needs.setdefault(name, set()).add(needed)
        if what == "does not work with":
            self._rule_out(place, other)
            return
        newer = what == "needs a newer"
        for each in self._newer(name, version) if newer else self._older(name, version):
            for far in self._older(needed, found) if newer else self._newer(needed, found):
                self._rule_out((name, each), (needed, far))

    def _learn_from_series(self, leader: str, followers: Sequence[str], *, release: bool) -> None:
        for follower in followers:
            for a in self._versions[leader]:
                for b in self._versions[follower]:
                    if _key(a) != _key(b) if release else _key(a)[0] != _key(b)[0]:
                        self._rule_out((leader, a), (follower, b))

    def _aim(self) -> None:
        """Aim at an installation that nothing speaks against, near to the last one; give up on none."""
        chosen = set(self._target.items())
        if not chosen & self._out and not any(self._apart.get(place, set()) & chosen for place in chosen):
            return
        domains = {
            name: [version for version in versions if (name, version) not in self._out] or list(versions)
            for name, versions in self._versions.items()
        }
        for name, versions in domains.items():
            now = self._versions[name].index(self._target[name])
            versions.sort(key=lambda v, n=name, i=now: abs(self._versions[n].index(v) - i))
        self._nodes = 0
        found = next(self._search(domains, {}), None)
        if found is not None:
            self._target = found

    def _search(self, domains: dict[str, list[str]], chosen: dict[str, str]) -> Iterator[dict[str, str]]:
        self._nodes += 1
        if not domains:
            yield dict(chosen)
        elif self._nodes <= _MOST_NODES:
            name = min(domains, key=lambda n: len(domains[n]))
            rest = {other: versions for other, versions in domains.items() if other != name}
            for version in domains[name]:
                apart = self._apart.get((name, version), set())
                left = {other: [v for v in versions if (other, v) not in apart] for other, versions in rest.items()}
                if all(left.values()):
                    yield from self._search(left, {**chosen, name: version})


def _caller(answer: str) -> list[Place]:
    caller = _CALLER.search(answer)
    return [] if caller is None else [(caller[1], caller[2])]
