"""``finchmark`` on the command line: parses, calls, prints. What is heavy is imported by the command that needs it."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Annotated, Any, NoReturn

import typer

from .cli_apart import embed, judge
from .cli_catalogue import items, list_, show
from .cli_creative import creative
from .cli_games import games
from .cli_gate import baseline, gate
from .cli_generate import generate
from .cli_judge import judge as judge_replies
from .cli_leaderboard import board
from .cli_learn import learn
from .cli_output import INTERRUPTED, put, say
from .cli_questions import questions
from .cli_results import compare, export, power, report, results
from .cli_run import quickstart, rescore, run
from .cli_safety import safety
from .cli_setup import commitment, doctor, serve_check
from .cli_states import branch, states
from .cli_steer import steer
from .cli_worlds import worlds
from .errors import FinchmarkError, UsageError

__all__ = ["app", "main", "run"]

app = typer.Typer(
    name="finchmark",
    help="Measure agents that change: run tasks on models, read the results, build leaderboards.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(board, name="leaderboard")
worlds.command()(generate)
app.add_typer(worlds, name="worlds")
app.add_typer(learn, name="learn")
creative.command()(judge)
creative.command()(embed)
app.add_typer(creative, name="creative")
app.add_typer(games, name="games")
app.add_typer(steer, name="steer")
safety.command()(questions)
app.add_typer(safety, name="safety")

# In the order in which --help shows them.
app.command()(run)
app.command("list")(list_)
app.command()(show)
app.command()(results)
app.command()(export)
app.command()(items)
app.command()(rescore)
app.command()(compare)
app.command()(report)
app.command("judge")(judge_replies)
app.command()(states)
app.command()(branch)
app.command()(baseline)
app.command()(gate)
app.command()(power)
app.command()(commitment)
app.command()(quickstart)
app.command("serve-check")(serve_check)
app.command()(doctor)


def _version(value: bool) -> None:
    if value:
        from .environment import version

        put(f"finchmark {version()}")
        raise typer.Exit


@app.callback()
def _root(
    log_level: Annotated[
        str, typer.Option("--log-level", help="What to log to standard error: debug, info, warning, error.")
    ] = "warning",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    levels = ("debug", "info", "warning", "error")
    if log_level.lower() not in levels:
        raise UsageError(f"--log-level {log_level}: there are {', '.join(levels)}.")
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("finchmark").setLevel(log_level.upper())


def main() -> NoReturn:
    """Run the command line; turn errors into messages and exit codes."""
    # Typer brings a Click of its own since 0.2x and used the package `click` before: its errors are found by name.
    parse_error: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except FinchmarkError as error:
        say(f"finchmark: {error}")
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        say("Stopped.")
        sys.exit(INTERRUPTED)
    except parse_error as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (head, less) has left: nothing is wrong, and nothing more can be printed.
        sys.stderr.close()
        sys.exit(0)
    except Exception:  # noqa: BLE001 - the last line of defence: our own fault, with its traceback
        traceback.print_exc()
        say("finchmark: this is a fault of Finchmark itself; please report it with the lines above.")
        sys.exit(70)
