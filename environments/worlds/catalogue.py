"""The worlds that Finchmark ships: a line each. Reading this list imports neither NumPy nor Gymnasium nor a core."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CORES", "WORLDS", "Line"]


@dataclass(frozen=True, slots=True)
class Line:
    """A world of the catalogue.

    Args:
        name: Letters, digits and dashes; its Gymnasium id is ``finchmark-worlds/NAME-v1``.
        core: A name of :data:`CORES`.
        reward: One of the core's.
        observation: One of the core's.
        skin: One of the core's.
        horizon: Steps of an episode.
        preset: One of the core's.
        summary: One line.
        version: Raise it with any change that changes a score.
    """

    name: str
    core: str
    reward: str
    observation: str
    skin: str
    horizon: int
    preset: str
    summary: str
    version: int = 1


_HOME = "finchmark.environments.worlds.cores"

CORES: dict[str, str] = {
    # name: "module:CORE", or "package:file.yaml" for a specification
    "wind": f"{_HOME}.wind:CORE",
    "colony": f"{_HOME}.colony:CORE",
    "pushing": f"{_HOME}.pushing:CORE",
    "cards": f"{_HOME}.cards:CORE",
    "workshop": f"{_HOME}.workshop:CORE",
    "kiln": f"{_HOME}:kiln.yaml",
    "locks": f"{_HOME}:locks.yaml",
    "foraging": f"{_HOME}.foraging:CORE",
    "bargain": f"{_HOME}.bargain:CORE",
    "furnace": f"{_HOME}.furnace:CORE",
    "vault": f"{_HOME}.vault:CORE",
    "outbreak": f"{_HOME}.outbreak:CORE",
    "alchemy": f"{_HOME}.alchemy:CORE",
    "circuit": f"{_HOME}.circuit:CORE",
    "automaton": f"{_HOME}.automaton:CORE",
    "orchard": f"{_HOME}:orchard.yaml",
    "relay": f"{_HOME}:relay.yaml",
}

WORLDS: tuple[Line, ...] = (
    # wind
    Line("wind-reach", "wind", "binary", "full", "plain", 30, "breeze", "Cross a grid of pits; the wind is told."),
    Line("wind-unseen", "wind", "binary", "windless", "plain", 30, "breeze", "The same; the wind is hidden."),
    Line(
        "wind-gather", "wind", "accumulative", "near", "inverse", 40, "breeze",
        "Gather crystals in a hidden wind; little is seen, and the words mislead.",
    ),
    # colony
    Line("colony-trade", "colony", "accumulative", "full", "plain", 40, "valley", "Grow a colony and sell its ore."),
    Line("colony-charter", "colony", "binary", "seasonless", "plain", 40, "valley", "Deliver in hidden seasons."),
    Line(
        "colony-symbols", "colony", "accumulative", "seasonless", "symbols", 40, "valley",
        "Grow and sell under hidden seasons, all in symbols.",
    ),
    # kiln
    Line("kiln-order", "kiln", "binary", "workbench", "plain", 40, "workshop", "Bake pots; how powders act is hidden."),
    Line("kiln-open", "kiln", "accumulative", "full", "plain", 40, "workshop", "The same, told what powders do."),
    Line("kiln-symbols", "kiln", "binary", "workbench", "symbols", 40, "workshop", "Three numbers and a few letters."),
    # locks
    Line("locks-hold", "locks", "binary", "banks", "plain", 40, "canal", "Hold a basin at its mark in rain and leaks."),
    Line("locks-steady", "locks", "accumulative", "full", "plain", 40, "canal", "The same for every step, all told."),
    Line("locks-frost", "locks", "accumulative", "banks", "inverse", 40, "canal", "Doors that are shut let pass."),
    # pushing
    Line("pushing-yard", "pushing", "binary", "full", "plain", 40, "yard", "Push two crates into a chute."),
    Line(
        "pushing-unmarked", "pushing", "binary", "unmarked", "plain", 40, "yard",
        "The same; which crate is heavy and which tiles are slick is hidden.",
    ),
    Line(
        "pushing-haul", "pushing", "accumulative", "near", "inverse", 60, "hall",
        "A larger yard, of which little is seen, and the words mislead.",
    ),
    # cards
    Line("cards-table", "cards", "binary", "turned", "plain", 30, "table", "Clear 16 cards whose pairs follow a rule."),
    Line("cards-open", "cards", "accumulative", "turned", "symbols", 30, "open", "Six cards, two misses, all symbols."),
    # workshop
    Line("workshop-intime", "workshop", "binary", "full", "plain", 30, "rush", "Have all three orders done in time."),
    Line("workshop-value", "workshop", "accumulative", "full", "plain", 30, "rush", "Earn what orders are worth."),
    Line("workshop-blind", "workshop", "accumulative", "floor", "plain", 30, "rush", "The same, couplings hidden."),
    # foraging
    Line(
        "foraging-open", "foraging", "accumulative", "full", "plain", 40, "mild",
        "Eat from patches of which one regrows, without eating it bare; all is told.",
    ),
    Line(
        "foraging-roving", "foraging", "accumulative", "near", "plain", 40, "mild",
        "The same, seeing one patch; which one regrows is hidden and changes.",
    ),
    Line(
        "foraging-store", "foraging", "binary", "near", "inverse", 30, "mild",
        "Fill a store in time from patches that change unannounced; the words mislead.",
    ),
    # bargain
    Line(
        "bargain-market", "bargain", "accumulative", "guarded", "plain", 30, "market",
        "Divide heaps with a party whose worths and temper are hidden.",
    ),
    Line(
        "bargain-court", "bargain", "binary", "full", "symbols", 30, "court",
        "Get the share you want from a hard party, all told, in symbols.",
    ),
    # furnace
    Line(
        "furnace-ware", "furnace", "binary", "full", "plain", 40, "still",
        "Hold one ware's heat in a band by a sluggish, noisy furnace; its law is told.",
    ),
    Line(
        "furnace-shift", "furnace", "accumulative", "gauge", "plain", 200, "still",
        "Hold ware after ware by a furnace whose law and delay are hidden.",
    ),
    # vault
    Line("vault-wiring", "vault", "binary", "plan", "plain", 30, "keep", "Which lever opens which door is hidden."),
    Line(
        "vault-dark", "vault", "accumulative", "room", "inverse", 50, "keep",
        "Gather in the same building, seeing one room; the words mislead.",
    ),
    Line("vault-ship", "vault", "binary", "room", "ship", 40, "cellar", "The same in a small sunken ship."),
    # outbreak
    Line(
        "outbreak-contain", "outbreak", "binary", "full", "plain", 30, "delta",
        "Treat towns and close roads until nobody is sick.",
    ),
    Line(
        "outbreak-blind", "outbreak", "accumulative", "tested", "plain", 30, "delta",
        "Keep towns well of which only those just tested are seen.",
    ),
    # alchemy
    Line("alchemy-perfect", "alchemy", "binary", "torn", "plain", 30, "bench", "A pure bottle; heats are torn off."),
    Line("alchemy-upside", "alchemy", "accumulative", "full", "inverse", 40, "bench", "Brew by a book that misleads."),
    Line("alchemy-blank", "alchemy", "accumulative", "blank", "plain", 40, "bench", "Brew; nothing is told of how."),
    # circuit
    Line("circuit-lock", "circuit", "binary", "full", "plain", 30, "panel", "Open a lock of lamps by its drawing."),
    Line("circuit-dark", "circuit", "accumulative", "lamps", "plain", 40, "panel", "Light codes; wiring is hidden."),
    # automaton
    Line("automaton-word", "automaton", "binary", "crossed", "symbols", 40, "loom", "A word; keys have no names."),
    Line("automaton-long", "automaton", "accumulative", "tape", "plain", 200, "mill", "Words of an unknown machine."),
    # orchard
    Line("orchard-open", "orchard", "accumulative", "full", "plain", 40, "grove", "Pick trees that neglect feeds."),
    Line(
        "orchard-care", "orchard", "accumulative", "leaves", "inverse", 40, "grove",
        "The same with hidden frosts and roots; the words praise what harms.",
    ),
    Line(
        "orchard-symbols", "orchard", "binary", "full", "symbols", 30, "grove",
        "Harvest just at the brim, in letters and numbers.",
    ),
    # relay
    Line("relay-lamps", "relay", "binary", "lamps", "plain", 40, "line", "Time signals; delays are hidden and drift."),
    Line("relay-stream", "relay", "accumulative", "lamps", "plain", 40, "line", "The same, as many as get through."),
)  # fmt: skip
