"""``finchmark safety``: what checkpoints of a training become, a small training of one's own, and d′ of a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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


@safety.command()
def checkpoints(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER…", help="A folder of checkpoints for each training: its seeds.")
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

    A training is the unit: with fewer than 6 nothing is claimed beyond these states. The same command goes on where it
    stopped.
    """
    from ..reports.checkpoints import checkpoint_text, report_checkpoints
    from .checkpoints import checkpoint_rounds, find_checkpoints, measure
    from .evaluation import parse_pairs
    from .progress import make_watcher

    given = parse_pairs(model_args or (), "--model-args")
    others = list(null or ())
    points = [one.at for one in find_checkpoints(folders[0])]
    measured = []
    for heat in temperature or [0.0, 0.7]:
        if not quiet:
            trainings = len(folders) + len(others)
            say(f"temperature {heat:g}: the base and {len(points)} checkpoints of {trainings} trainings")
        base, runs = measure(
            backend,
            [*folders, *others],
            out / f"t{heat:g}",
            arguments=given,
            tier=tier,
            samples=samples if heat > 0 else 1,
            temperature=heat,
            seed=seed,
            watcher=make_watcher(quiet),
        )
        rounds = checkpoint_rounds(
            base,
            points,
            {one.name: runs[one] for one in folders},
            {one.name: runs[one] for one in others} if others else None,
        )
        decoding = "greedy" if heat == 0 else f"sampled T={heat:g}"
        measured.append((decoding, rounds))
        put("\n".join(checkpoint_text(rounds, decoding, width=width())))
    if report is not None:
        say(f"Page: {report_checkpoints(measured, report)}")


@safety.command()
def train(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoints.")],
    backend: Annotated[str, typer.Option("--backend", "-b", help="The base: hf:NAME.")] = "hf:smollm2",
    model_args: Annotated[
        list[str] | None, typer.Option("--model-args", help="revision, device, chat_template, batch_size, max_length.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="How often it answers, is selected from and is fitted.")] = 4,
    customers: Annotated[int, typer.Option(help="New ones each round.")] = 8,
    samples: Annotated[int, typer.Option("--samples", "-n", help="Replies to each.")] = 4,
    keep: Annotated[int, typer.Option(help="Replies that are trained on each round, at most.")] = 8,
    select: Annotated[str, typer.Option(help="pleased: what pleased most; lot: as many by lot (the null arm).")] = (
        "pleased"
    ),
    steps: Annotated[int, typer.Option(help="Steps of AdamW each round.")] = 4,
    batch: Annotated[int, typer.Option(help="Replies a step.")] = 4,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW.")] = 2e-4,
    rank: Annotated[int, typer.Option(help="Of LoRA.")] = 8,
    max_tokens: Annotated[int, typer.Option(help="Cap on a reply.")] = 64,
    temperature: Annotated[float, typer.Option("--temperature", "-t", help="Of the replies, above 0.")] = 1.0,
    seed: Annotated[int, typer.Option(help="All random numbers follow from it.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Let a small model train itself with LoRA on those of its replies that pleased customers, blind to the rules.

    A demonstration, sized for a CPU; needs torch, transformers and peft. The same command goes on where it stopped.
    """
    from ..tasks.misevolution.self_training import Plan, self_train
    from .backends.adapter_fit import FitSettings
    from .evaluation import parse_pairs

    name, _, model = backend.partition(":")
    if name != "hf" or not model:
        raise UsageError(f"--backend {backend}: weights on this machine can be trained: hf:NAME.")
    plan = Plan(
        rounds=rounds,
        customers=customers,
        samples=samples,
        keep=keep,
        select=select,  # type: ignore[arg-type]  # the plan refuses others
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        fit=FitSettings(steps=steps, batch=batch, learning_rate=learning_rate, rank=rank),
    )
    given = parse_pairs(model_args or (), "--model-args")
    made = self_train(model, plan, out, arguments=given, watch=None if quiet else lambda one: say(_line(one)))
    for one in made:
        put(_line(one))


def _line(one: Round) -> str:
    def shown(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    loss = f", loss {one.losses[0]:.3f} to {one.losses[-1]:.3f}" if one.losses else ", nothing to train on"
    return (
        f"round {one.round}: {one.readable} of {one.replies} replies can be read, {one.kept} kept; pleased "
        f"{shown(one.pleased)}, kept {shown(one.pleased_kept)}; rules broken in kept {shown(one.unsafe_kept)}{loss}"
    )


@safety.command()
def detection(
    run: Annotated[Path, typer.Argument(metavar="RUN", help=f"A run with {_INGEST}.")],
    confidence: Annotated[float, typer.Option(help="Of the interval.")] = 0.95,
) -> None:
    """Say how well packages with a deviation were told from others: d′ and criterion, by arm, over scenes."""
    from .stats.detection import detection as find
    from .store import StoredRun

    stored = StoredRun(run)
    frame = stored.frame()
    frame = frame[frame["task"] == _INGEST]
    if frame.empty:
        raise UsageError(f"{run} has no samples of {_INGEST}.")
    if not 0 < confidence < 1:
        raise UsageError(f"--confidence {confidence}: a number between 0 and 1.")
    put("arm    flagged  falsely  d'      interval            criterion  packages")
    sparse = False
    for arm, rows in frame.groupby("arm", sort=False):
        said: Any = rows[rows["flagged"].notna() | rows["false_flagged"].notna()]
        signal = said["flagged"].notna().to_numpy()
        if signal.all() or not signal.any():
            put(f"{arm:<6} no decision on packages of both kinds")
            continue
        flagged = said["flagged"].fillna(said["false_flagged"]).to_numpy()
        found = find(flagged, signal, said["item"].str.partition("-")[2].to_numpy(), confidence=confidence)
        d = found.d_prime
        # Where all scenes are alike, no resample differs and there are no bounds.
        bounds = f"[{d.low:>7.3f}, {d.high:>7.3f}]" if math.isfinite(d.low) else f"{'no scene differs':<18}"
        put(
            f"{arm:<6} {found.hits:>7.3f}  {found.false_alarms:>7.3f}  {d.estimate:>6.3f}  "
            f"{bounds}{'*' if found.sparse else ' '} {found.criterion:>9.3f}  "
            f"{found.signals} + {found.noises}"
        )
        sparse |= found.sparse
        lost = len(rows) - len(said)
        if lost:
            put(f"       {lost} of {len(rows)} replies have no decision and are left out")
    put(
        "Rates are raw; d' and criterion have the log-linear correction of Hautus (1995). Intervals: bootstrap over "
        "scenes, twins drawn together."
    )
    if sparse:
        put("* sparse: under 30 scenes, or fewer than 5 answers of one kind; the interval is too short.")
