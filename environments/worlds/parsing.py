"""Reading an agent's text as an action: one place, strict, in the words of the skin."""

from __future__ import annotations

import json
import re
from typing import Any

from ...suite.errors import UsageError
from ..json_objects import DECODER, NamedTwice
from ..odyssey.quotes import quote
from .actions import Action, ActionSchema, Choice, Integer, Parameter, Real, Several, Value
from .skin import Vocabulary

__all__ = ["ActionReader"]

_WORD = re.compile(r"[^\s,={}\[\]()\"'<>:]+")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?", re.ASCII)
_LONGEST = 2_000


class ActionReader:
    """Reads and writes a schema's actions in the words of a vocabulary.

    What is read, with white space around it ignored and letters of any case:

    - ``move north``, ``trade ore 3``, ``set 0.5``, ``order b,a,c``: the action's word, then a value for each parameter
      in their order, separated by white space; a list's words are joined by commas without spaces;
    - ``trade good=ore amount=3``: the same with names, in any order, all or none;
    - ``{"action": "trade", "good": "ore", "amount": 3}`` or ``{"action": "trade", "params": {"good": "ore", …}}``:
      JSON; numbers are numbers and lists are lists.

    Nothing else is: no sentence around it, no missing and no further value, nothing out of its range, no name twice.

    Args:
        schema: The actions.
        vocabulary: Its words for actions, parameters and options.

    Raises:
        UsageError: Two actions, or two options of a parameter, would have one word, or a word has spaces or brackets.
    """

    def __init__(self, schema: ActionSchema, vocabulary: Vocabulary) -> None:
        self.schema, self.vocabulary = schema, vocabulary
        self._kinds = self._table("action", [kind.name for kind in schema.kinds])
        self._options: dict[tuple[str, str], dict[str, str]] = {}
        self._names: dict[str, dict[str, str]] = {}
        for kind in schema.kinds:
            self._names[kind.name] = self._table("parameter", [p.name for p in kind.parameters])
            for parameter in kind.parameters:
                if isinstance(parameter, (Choice, Several)):
                    self._options[kind.name, parameter.name] = self._table("option", parameter.options)
        self._known = {self.show(action).casefold(): action for action in schema.all} if schema.finite else {}

    def _table(self, what: str, concepts: list[str] | tuple[str, ...]) -> dict[str, str]:
        if clashes := self.vocabulary.clashes(concepts):
            raise UsageError(f"The vocabulary {self.vocabulary.name!r} has one word for two {what}s: {clashes[0]}.")
        for concept in concepts:
            if not _WORD.fullmatch(self.vocabulary[concept]):
                raise UsageError(
                    f"The vocabulary {self.vocabulary.name!r} calls the {what} {concept!r} "
                    f"{self.vocabulary[concept]!r}: use one word without spaces, brackets, quotes, commas, : or =."
                )
        return {self.vocabulary[concept].casefold(): concept for concept in concepts}

    def read(self, text: str) -> Action | str:
        """Read an action.

        Args:
            text: Anything at all.

        Returns:
            The action, or a sentence that says what was wrong.
        """
        stripped = text.strip()
        action = self._known.get(stripped.casefold())
        if action is not None:
            return action
        if not stripped:
            return "The action was empty."
        if len(stripped) > _LONGEST:
            return f"The action {quote(stripped)} is too long: at most {_LONGEST} characters."
        if stripped[0] == "{":
            return self._read_json(stripped)
        word, *rest = stripped.split()
        kind = self._kinds.get(word.casefold())
        if kind is None:
            return f"There is no action {quote(word)}."
        named = [part.partition("=") for part in rest]
        if rest and all(equals for _, equals, _ in named):
            given: dict[str, Any] = {}
            for name, _, value in named:
                if name.casefold() in given:
                    return f"The action {quote(text)} gives {quote(name)} twice."
                given[name.casefold()] = value
            return self._build(kind, given, from_text=True)
        parameters = self.schema.by_name[kind].parameters
        if len(rest) != len(parameters):
            return f"{quote(word)} takes {self._needs(kind)}."
        names = [self.vocabulary[p.name].casefold() for p in parameters]
        return self._build(kind, dict(zip(names, rest, strict=True)), from_text=True)

    def _read_json(self, text: str) -> Action | str:
        try:
            value = DECODER.decode(text)
        except NamedTwice:
            return f"The action {quote(text)} gives a name twice."
        except (ValueError, RecursionError):
            return f"The action {quote(text)} is no JSON object."
        word = value.pop("action", None)
        if not isinstance(word, str):
            return 'The JSON object needs a text "action".'
        kind = self._kinds.get(word.casefold())
        if kind is None:
            return f"There is no action {quote(word)}."
        if set(value) == {"params"} and isinstance(value["params"], dict):
            value = value["params"]
        if len({name.casefold() for name in value}) < len(value):
            return f"The action {quote(text)} gives a name twice."
        return self._build(kind, {name.casefold(): v for name, v in value.items()}, from_text=False)

    def _build(self, kind: str, given: dict[str, Any], *, from_text: bool) -> Action | str:
        names = self._names[kind]
        if set(given) != set(names):
            return f"{quote(self.vocabulary[kind])} takes {self._needs(kind)}."
        values: list[Value] = []
        for parameter in self.schema.by_name[kind].parameters:
            raw = given[self.vocabulary[parameter.name].casefold()]
            value = self._value(kind, parameter, raw, from_text=from_text)
            if value is None or parameter.problem(value) is not None:
                shown = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
                return f"{quote(self.vocabulary[parameter.name])} is {self._range(parameter)}, not {quote(shown)}."
            values.append(value)
        return Action(kind, tuple(values))

    def _value(self, kind: str, parameter: Parameter, raw: Any, *, from_text: bool) -> Value | None:
        """The value that was meant, or None."""
        if isinstance(parameter, Choice):
            return self._options[kind, parameter.name].get(raw.casefold()) if isinstance(raw, str) else None
        if isinstance(parameter, Several):
            words = raw.split(",") if from_text else raw
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                return None
            options = self._options[kind, parameter.name]
            found = [options.get(word.casefold()) for word in words]
            return tuple(word for word in found if word is not None) if None not in found else None
        if from_text:
            pattern = _WHOLE if isinstance(parameter, Integer) else _NUMBER
            if not pattern.fullmatch(raw):
                return None
            return int(raw) if isinstance(parameter, Integer) else float(raw)
        if isinstance(parameter, Real) and type(raw) is int and abs(raw) < 2**53:
            return float(raw)
        return raw if type(raw) is (int if isinstance(parameter, Integer) else float) else None

    def _range(self, parameter: Parameter) -> str:
        if isinstance(parameter, Choice):
            return Choice(parameter.name, tuple(self.vocabulary[o] for o in parameter.options)).range
        if isinstance(parameter, Several):
            words = tuple(self.vocabulary[o] for o in parameter.options)
            return Several(parameter.name, words, parameter.least, parameter.most).range
        return parameter.range

    def _needs(self, kind: str) -> str:
        parameters = self.schema.by_name[kind].parameters
        if not parameters:
            return "no values"
        named = "; ".join(f"{self.vocabulary[p.name]}: {self._range(p)}" for p in parameters)
        return f"{len(parameters)} value{'s' if len(parameters) > 1 else ''} ({named})"

    def show(self, action: Action) -> str:
        """Write an action as :meth:`read` takes it: a word and its values."""
        parts = [self.vocabulary[action.name]]
        for value in action.values:
            if isinstance(value, tuple):
                parts.append(",".join(self.vocabulary[word] for word in value))
            elif isinstance(value, str):
                parts.append(self.vocabulary[value])
            else:
                parts.append(f"{value:.17g}" if isinstance(value, float) and "e" in repr(value) else repr(value))
        return " ".join(parts)

    def describe(self) -> str:
        """All actions with their values and what a player is told of them, a line each."""
        lines = []
        for kind in self.schema.kinds:
            usage = " ".join([self.vocabulary[kind.name], *(self.vocabulary[p.name].upper() for p in kind.parameters)])
            told = f": {self.vocabulary.fill(kind.summary)}" if kind.summary else ""
            values = "".join(f"\n    {self.vocabulary[p.name].upper()} is {self._range(p)}" for p in kind.parameters)
            lines.append(f"- {usage}{told}{values}")
        return "\n".join(lines)
