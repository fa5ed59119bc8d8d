"""``finchmark safety``: what checkpoints of a training become, a small training of one's own, and d′ of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_output import put, say, width
from .errors import UsageError

if TYPE_CHECKING:
    from ..tasks.misevolution.self_training import Round

__all__ = ["safety"]

safety = typer.Typer(
    help="Safety beyond single runs: checkpoints of a training, self-training, sensitivity.", no_args_is_help=True
)
_INGEST = "misevolution/ingest"

_DECODINGS = (0.0, 0.7)
"""Temperatures at which checkpoints are asked unless told, each apart; differences are corrected over both."""


@safety.command()
def checkpoints(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER…", help="What `safety train` left; or a folder of checkpoints for each training: its seeds."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the runs.")],
    backend: Annotated[str, typer.Option("--backend", "-b", help="The base, such as hf:smollm2.")] = "hf:smollm2",
    model_args: Annotated[list[str] | None, typer.Option("--model-args", help="key=value,… for the backend.")] = None,
    null: Annotated[
        list[Path] | None,
        typer.Option(help="Trainings of the null arm, paired with the others in order. [the base itself]"),
    ] = None,
    tier: Annotated[str, typer.Option(help="Of house/probes: smoke 64, lite 256, full 768 items.")] = "smoke",
    samples: Annotated[int, typer.Option("--samples", "-n", help="Samples an item, where they are sampled.")] = 1,
    temperature: Annotated[
        list[float] | None,
        typer.Option("--temperature", "-t", help="0 is greedy; may be repeated, never pooled. [0 and 0.7]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="All random numbers follow from it.")] = 0,
    report: Annotated[Path | None, typer.Option(help="Write a page too: an .html file or a folder.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Ask the frozen probes of the house of the base and of every checkpoint; show safety beside capability.

    A training is the unit: with fewer than 6 nothing is claimed beyond these states. Arms of `safety train` are held
    against the base and against each other. The same command goes on where it stopped.
    """
    from ..reports.checkpoints import checkpoint_text, report_checkpoints
    from .checkpoints import arm_rounds, checkpoint_rounds, find_arms, find_checkpoints, measure
    from .evaluation import parse_pairs
    from .progress import make_watcher

    given = parse_pairs(model_args or (), "--model-args")
    arms = find_arms(folders[0]) if len(folders) == 1 and not null else {}
    paths = (
        {f"{arm}/{name}": path for arm, one in arms.items() for name, path in one.items()}
        if arms
        else _named([*folders, *(null or ())])
    )
    points = [one.at for one in find_checkpoints(next(iter(paths.values())))]
    measured = []
    for heat in temperature or _DECODINGS:
        if not quiet:
            say(f"temperature {heat:g}: the base and {len(points)} checkpoints of {len(paths)} trainings")
        base, runs = measure(
            backend,
            paths,
            out / f"t{heat:g}",
            arguments=given,
            tier=tier,
            samples=samples if heat > 0 else 1,
            temperature=heat,
            seed=seed,
            watcher=make_watcher(quiet),
        )
        if arms:
            by_arm = {arm: {name: runs[f"{arm}/{name}"] for name in one} for arm, one in arms.items()}
            rounds = arm_rounds(base, points, by_arm)
        else:
            trained = {name: runs[name] for name in list(paths)[: len(folders)]}
            others = {name: runs[name] for name in list(paths)[len(folders) :]}
            rounds = checkpoint_rounds(base, points, trained, others or None)
        decoding = "greedy" if heat == 0 else f"sampled T={heat:g}"
        measured.append((decoding, rounds))
        put("\n".join(checkpoint_text(rounds, decoding, width=width())))
    if report is not None:
        say(f"Page: {report_checkpoints(measured, report)}")


def _named(folders: list[Path]) -> dict[str, Path]:
    """Folders of trainings by their names, which must differ."""
    found = {folder.resolve().name: folder for folder in folders}
    if len(found) < len(folders):
        raise UsageError(f"Folders of trainings need names of their own: {', '.join(map(str, folders))}.")
    return found


@safety.command()
def train(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoints: ARM/seed-N/round-NNN.")],
    backend: Annotated[str, typer.Option("--backend", "-b", help="The base: hf:NAME.")] = "hf:smollm2",
    model_args: Annotated[
        list[str] | None, typer.Option("--model-args", help="revision, device, chat_template, batch_size, max_length.")
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="DATA-OBJECTIVE, may be repeated: pleased-likelihood, lot-likelihood, pleased-preference, "
            "lot-preference. [all four]"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each arm; 10 are needed to show anything of all four.")] = 1,
    rounds: Annotated[int, typer.Option(help="How often it answers, is selected from and is fitted.")] = 2,
    customers: Annotated[int, typer.Option(help="New ones each round.")] = 6,
    samples: Annotated[int, typer.Option("--samples", "-n", help="Replies to each, at least 2.")] = 4,
    keep: Annotated[int, typer.Option(help="Pairs of replies that are trained on each round, at most.")] = 6,
    steps: Annotated[int, typer.Option(help="Steps of AdamW each round.")] = 2,
    batch: Annotated[int, typer.Option(help="Replies a step, an even number.")] = 2,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW.")] = 2e-4,
    rank: Annotated[int, typer.Option(help="Of LoRA.")] = 8,
    beta: Annotated[float, typer.Option(help="Of the preference objective.")] = 0.1,
    max_tokens: Annotated[int, typer.Option(help="Cap on a reply.")] = 64,
    temperature: Annotated[float, typer.Option("--temperature", "-t", help="Of the replies, above 0.")] = 0.7,
    seed: Annotated[int, typer.Option(help="The first training's; all its random numbers follow from it.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Let a small model train itself with LoRA on its own replies to customers: arms of data and of objective.

    Data: of two replies to a customer the one that pleased more, blind to the rules, or one of them by lot. Objective:
    make it likelier, or likelier than the other. All take as many steps and replies a step.

    A demonstration, sized for a CPU; needs torch, transformers and peft. The same command goes on where it stopped.
    """
    from ..tasks.misevolution.self_training import ARMS, Plan, train_arms
    from .backends.adapter_fit import FitSettings
    from .checkpoints import trainings_needed
    from .evaluation import parse_pairs

    name, _, model = backend.partition(":")
    if name != "hf" or not model:
        raise UsageError(f"--backend {backend}: weights on this machine can be trained: hf:NAME.")
    if seeds < 1:
        raise UsageError(f"--seeds {seeds}: at least 1.")
    known = {"-".join(one): one for one in ARMS}
    wanted = arm or list(known)
    strange = [one for one in wanted if one not in known]
    if strange:
        raise UsageError(f"--arm {strange[0]}: there are {', '.join(known)}.")
    plans = [
        Plan(
            rounds=rounds,
            customers=customers,
            samples=samples,
            keep=keep,
            data=known[one][0],
            objective=known[one][1],
            max_tokens=max_tokens,
            temperature=temperature,
            seed=number,
            fit=FitSettings(steps=steps, batch=batch, learning_rate=learning_rate, rank=rank, beta=beta),
        )
        for number in range(seed, seed + seeds)
        for one in dict.fromkeys(wanted)
    ]
    given = parse_pairs(model_args or (), "--model-args")
    watch = None if quiet else lambda plan, one: say(f"{plan.arm}, {plan.name}, {_line(one)}")
    for plan, made in train_arms(model, plans, out, arguments=given, watch=watch).items():
        for one in made:
            put(f"{plan.arm}, {plan.name}, {_line(one)}")
    needed = trainings_needed(list(dict.fromkeys(wanted)), len(_DECODINGS))
    if seeds < needed:
        put(f"{seeds} of at least {needed} seeds an arm: with fewer no difference can be shown, however large it is.")


def _line(one: Round) -> str:
    def shown(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    loss = f", loss {one.losses[0]:.3f} to {one.losses[-1]:.3f}" if one.losses else ", nothing to train on"
    return (
        f"round {one.round}: {one.readable} of {one.replies} replies can be read, {one.kept} pairs kept; pleased "
        f"{shown(one.pleased)}, wanted {shown(one.pleased_kept)} against {shown(one.pleased_rejected)}; rules broken "
        f"in wanted {shown(one.unsafe_kept)} against {shown(one.unsafe_rejected)}; {one.tokens} tokens{loss}, moved "
        f"{one.moved:.3f}"
    )


@safety.command()
def detection(
    run: Annotated[Path, typer.Argument(metavar="RUN", help=f"A run with {_INGEST}.")],
    confidence: Annotated[float, typer.Option(help="Of the interval.")] = 0.95,
) -> None:
    """Say how well packages with a deviation were told from others: d′ and criterion, by arm, over scenes."""
    from ..reports.sensitivity import sensitivity_text
    from .sensitivity import flags, sensitivity_of
    from .store import StoredRun

    if not 0 < confidence < 1:
        raise UsageError(f"--confidence {confidence}: a number between 0 and 1.")
    stored = StoredRun(run)
    asked = [one for one in stored.manifest.spec.tasks if flags(stored.manifest.tasks[one.name])]
    if not asked:
        raise UsageError(f"{run} has no samples of {_INGEST}.")
    frame = stored.frame()
    for one in asked:
        rows, sheet = frame[frame["task"] == one.name], stored.manifest.tasks[one.name]
        found = sensitivity_of(rows, sheet, one.arms, confidence=confidence)
        if found is None:
            raise UsageError(f"{run} has no samples of {_INGEST} yet.")
        put("\n".join(sensitivity_text(found, width=width())[1:]))
