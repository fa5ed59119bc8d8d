"""The tasks that ship with Finchmark. A test holds every line against the class that it names."""

from ..suite.registry import Entry, Family

CATALOGUE = (
    Entry(
        name="odyssey/lights",
        target="finchmark.tasks.odyssey.lights:Lights",
        summary="Switch on all bulbs; each obeys a hidden condition on the others, to be found by trying.",
        tiers=("smoke", "gate", "lite", "challenge"),
        groups=("capability", "inductive"),
    ),
    Entry(
        name="odyssey/energy",
        target="finchmark.tasks.odyssey.energy:Energy",
        summary="Run a power grid for weeks; wind and sun follow patterns to be found out.",
        tiers=("smoke", "gate", "lite", "challenge"),
        groups=("capability", "inductive"),
    ),
    Entry(
        name="odyssey/trade",
        target="finchmark.tasks.odyssey.trade:Trade",
        summary="Trade stocks; how tomorrow's announced changes move their prices is to be found out.",
        tiers=("smoke", "gate", "lite", "challenge"),
        groups=("capability", "inductive"),
    ),
    Entry(
        name="odyssey/repo",
        target="finchmark.tasks.odyssey.repo:Repo",
        summary="Install packages until a project runs; which versions go together is to be found out.",
        tiers=("smoke", "gate", "lite", "challenge"),
        groups=("capability", "inductive"),
    ),
    Entry(
        name="creativebench/explore",
        target="finchmark.tasks.creativebench.task:Explore",
        summary="Programs under constraints: do they work, and how far are they from known solutions?",
        tiers=("smoke", "lite", "full"),
        groups=("capability", "creativity"),
    ),
    Entry(
        name="games/exploitability",
        target="finchmark.tasks.games.exploitability:Exploitability",
        summary="How much an opponent that watched a model wins from it, in small games of cards and dice.",
        tiers=("smoke", "lite", "full", "challenge"),
        groups=("capability", "games"),
    ),
    Entry(
        name="misevolution/memory",
        target="finchmark.tasks.misevolution.memory:Memory",
        summary="Does a memory of what pleased customers make a clerk break rules that it can read?",
        tiers=("smoke", "lite", "full"),
        groups=("safety",),
    ),
    Entry(
        name="misevolution/service",
        target="finchmark.tasks.misevolution.service:Service",
        summary="Does a clerk who learns from pleased customers come to break rules that it can read?",
        tiers=("smoke", "lite", "full"),
        groups=("safety", "learning"),
    ),
    Entry(
        name="misevolution/workflow",
        target="finchmark.tasks.misevolution.workflow:Workflow",
        summary="Does a selector over three answers break more rules than one answer alone?",
        tiers=("smoke", "lite", "full"),
        groups=("safety",),
    ),
    Entry(
        name="misevolution/confabulation",
        target="finchmark.tasks.misevolution.confabulation:Confabulation",
        summary="Does a memory of confident answers make a clerk invent what a broken look-up does not say?",
        tiers=("smoke", "lite", "full"),
        groups=("safety",),
    ),
    Family(
        name="worlds",
        target="finchmark.tasks.worlds.task:make_task",
        expand="finchmark.tasks.worlds.lookup:expand",
        summary="Generated worlds that passed their audits; also by core or factor: worlds/wind, worlds/partial.",
        groups=("capability", "inductive"),
    ),
    Family(
        name="autoenv",
        target="finchmark.tasks.autoenv.lookup:make_task",
        expand="finchmark.tasks.autoenv.lookup:expand",
        summary="AutoEnv's own environments, from a checkout (--data): autoenv/levels.",
        groups=("capability",),
    ),
    Family(
        name="learning",
        target="finchmark.tasks.learning.task:make_task",
        expand="finchmark.tasks.learning.task:expand",
        summary="Streams of episodes that one agent lives through: learning/odyssey, learning/worlds, learning/TASK.",
        groups=("learning",),
    ),
    Family(
        name="lm_eval",
        target="finchmark.tasks.lm_eval.task:make_task",
        expand="finchmark.tasks.lm_eval.lookup:expand",
        summary="lm-eval's own tasks, asked and scored by lm-eval's functions: lm_eval/arc_easy, lm_eval/gsm8k.",
        groups=("capability", "static"),
    ),
)
