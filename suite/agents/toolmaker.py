"""An agent that writes small tools after episodes and calls them in later ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..errors import UsageError
from ..model import Model
from ..records import Record
from ..sandbox.shared import need_sandbox
from . import tool_code
from .actions import in_tags
from .base import Action, Observation
from .experience import Experience
from .expressions import FUNCTIONS
from .placebo import filler
from .remembering import CAP, SIGHT, RememberingAgent, at_least
from .tool_code import CodeTool
from .tools import Tool, find_numbers, parse_tools, use

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CodeToolbox", "Toolbox", "ToolmakerAgent"]

_HOW = (
    "To use one, write a call such as <tool>{example}</tool> and stop; you are told its value and asked again. "
    "Arguments are numbers; numbers[0] is the first number that you were shown this turn. Then give your action."
)
_LANGUAGE = (
    "A tool is one line of this shape:\n"
    "tool NAME(PARAMETERS) = EXPRESSION  # what it is for\n"
    "The expression has numbers, the parameters, the list `numbers` (all numbers of the turn's text, in order), "
    f"+ - * / // % **, comparisons, and, or, not, `a if b else c`, and {', '.join(FUNCTIONS)}. Nothing else."
)
_GO_ON = "Go on."


class Toolbox(Record):
    """All tools, oldest first."""

    tools: tuple[Tool, ...] = ()


class CodeToolbox(Record):
    """All tools that are programs, oldest first.

    Args:
        tools: These.
        refused: Programs that were written and not taken up.
    """

    tools: tuple[CodeTool, ...] = ()
    refused: int = 0


class ToolmakerAgent(RememberingAgent[Toolbox | CodeToolbox]):
    """Asks the model after every episode for tools that would have helped, and lets it call them in later ones.

    A tool is an expression in a small language of our own (:mod:`.expressions`): arithmetic over its arguments and the
    numbers of the observation, with bounds on everything. With ``form=code`` it is a Python function, which may also
    read the turn's text, and runs in the sandbox only (:mod:`.tool_code`); one without arguments of its own must work
    on the turns of the episode before it is taken up. A failure of the sandbox is an error of ours.

    A reply may call a tool with ``<tool>name(1, 2)</tool>``; the value, or why there is none, is put back as if the
    world had said it, and the model is asked again, ``rounds`` times a turn at most. After them the reply stands as it
    is.

    Each tool counts its calls and how many of them failed, from episodes that were learnt from. A new tool of an old
    name takes its place. A tool of which at least 3 calls and most of all failed goes; of more than ``most`` the one
    with the fewest good calls, of equal ones the oldest. What cannot be read as a tool is dropped and counted.

    Sources: language models as tool makers (LATM, Cai et al. 2023, arXiv:2305.17126) and tool creation apart from use
    (CREATOR, Qian et al. 2023, arXiv:2305.14318). Changed: tools are expressions unless Python is asked for; they are
    made from the agent's own episodes, one model makes and uses them, and there are no test cases for a new tool with
    arguments but its use.

    Args:
        most: How many tools are kept, from 1 on.
        made: How many are taken up after an episode at most, from 1 on.
        rounds: Calls a turn at most, from 1 on.
        form: ``expression``, or ``code``.
        cap: Characters of memory at most, at least 200.
        sight: Characters of an episode that are shown when it is learnt from, at least 200.
        window: How many past turns of the present episode are shown; None shows all.

    Raises:
        UsageError: ``form`` is another.
        SandboxUnavailable: ``form`` is ``code``, and there is no sandbox here.
    """

    name: ClassVar[str] = "toolmaker"
    heading: ClassVar[str] = "Tools that you made in earlier episodes:"

    def __init__(
        self,
        most: int = 8,
        made: int = 2,
        rounds: int = 3,
        form: str = "expression",
        cap: int = CAP,
        sight: int = SIGHT,
        window: int | None = None,
    ) -> None:
        if form not in ("expression", "code"):
            raise UsageError(f"agent toolmaker: form must be expression or code, not {form!r}.")
        if form == "code":
            need_sandbox("agent toolmaker: form=code")
        super().__init__(CodeToolbox() if form == "code" else Toolbox(), cap=cap, sight=sight, window=window)
        self.form = form
        self.most = at_least(self.name, "most", most, 1)
        self.made = at_least(self.name, "made", made, 1)
        self.rounds = at_least(self.name, "rounds", rounds, 1)
        self._calls: dict[str, tuple[int, int]] = {}

    @property
    def calls_a_turn(self) -> int:
        """The reply, and one for every round of tools."""
        return 1 + self.rounds

    def begin(self) -> None:
        """Forget the last episode and the calls in it."""
        super().begin()
        self._calls = {}

    def fork(self) -> Self:
        """A copy whose calls are not counted here."""
        other = super().fork()
        other._calls = dict(self._calls)
        return other

    def memory(self, observation: Observation) -> str:
        """The tools and how to call them; those that do not fit into the cap are left out, the newest first."""
        tools = self.state.tools
        if not tools:
            return ""
        given = tools[0].given if isinstance(tools[0], CodeTool) else tools[0].parameters
        example = f"{tools[0].name}({', '.join('1' for _ in given)})"
        how = _HOW.format(example=example)
        room = self.cap - len(how) - 1
        lines: list[str] = []
        for tool in tools:
            if sum(map(len, lines)) + len(lines) + len(tool.line) > room:
                break
            lines.append(tool.line)
        return "\n".join([*lines, how])

    async def answer(self, observation: Observation, model: Model) -> Action:
        """Ask, work out the calls of the reply, and ask again, until there is an action."""
        tools = self.state.tools
        numbers = find_numbers(observation.text)
        seen = observation
        for _ in range(self.rounds if tools else 0):
            stop = (*observation.stop, "</tool>")
            completion = await model.generate(self.prompt(seen), stop=stop, max_tokens=observation.max_tokens)
            calls = in_tags(completion.text, "tool")
            if not calls or in_tags(completion.text, "action"):
                return self.keep(seen.text, completion, model)
            self.keep(seen.text, completion, model)
            if isinstance(self.state, CodeToolbox):
                name, worked, said = await tool_code.use_code(calls[0], self.state.tools, observation.text, numbers)
            else:
                name, worked, said = use(calls[0], self.state.tools, numbers)
            if name is not None:
                uses, failures = self._calls.get(name, (0, 0))
                self._calls[name] = (uses + 1, failures + (not worked))
            seen = replace(observation, text=f"{said}\n{_GO_ON}")
        completion = await model.generate(self.prompt(seen), stop=observation.stop, max_tokens=observation.max_tokens)
        return self.keep(seen.text, completion, model)

    async def learn(self, experience: Experience, model: Model) -> str:
        """Count the calls of the episode and take up new tools; one call of the model."""
        code = self.form == "code"
        tools = [self._counted(tool) for tool in self.state.tools]
        done = [f"counted calls of {', '.join(self._calls)}"] if self._calls else []
        have = "\n".join(tool.line for tool in tools) or "(none)"
        each = "each in a block of its own" if code else "one a line"
        answer = await self.ask(
            model,
            f"You played an episode of a task.\n\n{self.scene(experience)}\n\nTools that you have:\n{have}\n\n"
            f"{tool_code.LANGUAGE if code else _LANGUAGE}\n\nWrite up to {self.made} new tools that would have helped "
            f"you to choose better, {each} and nothing else. Write `none` if none would.",
            max_tokens=512 if code else 256,
        )
        new, bad = tool_code.parse_code_tools(answer) if code else parse_tools(answer)
        refused = 0
        for tool in new[: self.made]:
            same = next((old for old in tools if old.name == tool.name), None)
            if same is not None and _body(same) == _body(tool):
                continue
            if isinstance(tool, CodeTool):
                seen = [step.observation for step in experience.steps]
                why = await tool_code.refusal(tool, [(text, find_numbers(text)) for text in seen])
                if why:
                    refused += 1
                    done.append(f"refused {tool.name}: {why}")
                    continue
            tools = [*(old for old in tools if old.name != tool.name), tool]
            done.append(f"{'made' if same is None else 'rewrote'} {tool.line}")
        failing = [tool for tool in tools if tool.failures >= 3 and 2 * tool.failures > tool.uses]
        if failing:
            done.append(f"dropped {', '.join(tool.name for tool in failing)}, whose calls mostly failed")
            tools = [tool for tool in tools if tool not in failing]
        while len(tools) > self.most:
            worst = min(tools[:-1] or tools, key=lambda tool: tool.uses - tool.failures)
            tools.remove(worst)
            done.append(f"dropped {worst.name}, the least used")
        if done and bad:
            done.append(f"{bad} lines were no tools")
        kept: dict[str, Any] = {"tools": tools}
        if isinstance(self.state, CodeToolbox):
            kept["refused"] = self.state.refused + refused
        return self.become(type(self.state).model_validate(kept), "; ".join(done))

    def _counted(self, tool: Tool | CodeTool) -> Tool | CodeTool:
        uses, failures = self._calls.get(tool.name, (0, 0))
        return tool.model_copy(update={"uses": tool.uses + uses, "failures": tool.failures + failures})

    def placebo(self, state: Any, rng: np.random.Generator) -> Any:
        """As many tools, of other names and as long, that all are worth 0."""
        if self.form == "expression":
            return {"tools": [_idle(tool, number, rng) for number, tool in enumerate(state["tools"])]}
        blank = [
            tool_code.blank_tool(
                tool, _word(tool["name"], number, rng), _words(tool["parameters"], rng, tool_code.FILLED), rng
            )
            for number, tool in enumerate(state["tools"])
        ]
        return {**state, "tools": blank}


def _body(tool: Tool | CodeTool) -> tuple[Any, ...]:
    """What of a tool makes it another one."""
    return tool.parameters, tool.source if isinstance(tool, CodeTool) else tool.expression


def _idle(tool: Any, number: int, rng: np.random.Generator) -> Any:
    """A tool that can be called and says nothing."""
    size = len(tool["expression"])
    # "0" and as many "+0" as fit; an odd character too many is a blank inside.
    terms = min(25, max(0, (size - 1) // 2))
    expression = "0" + "+0" * terms
    expression = expression[:1] + " " * (size - len(expression)) + expression[1:] if terms else expression
    return {
        **tool,
        "name": _word(tool["name"], number, rng),
        "parameters": _words(tool["parameters"], rng),
        "expression": expression,
        "purpose": filler(len(tool["purpose"]), rng).replace("#", " "),
    }


def _words(names: Sequence[str], rng: np.random.Generator, but: Sequence[str] = ()) -> list[str]:
    return [name if name in but else _word(name, place, rng) for place, name in enumerate(names)]


def _word(name: str, number: int, rng: np.random.Generator) -> str:
    """Another name, about as long; the number makes it one of its own."""
    return f"{filler(max(1, len(name) - 2), rng).replace(' ', '_')}{number:02d}"
