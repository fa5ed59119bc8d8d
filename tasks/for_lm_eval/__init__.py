"""Tasks of ours for lm-eval: those that are one question and one answer.

::

    lm_eval --include_path "$(python -m finchmark.tasks.for_lm_eval)" --tasks finchmark_rules --model hf …

``finchmark_rules`` is the group of all. ``finchmark_lights_with_rules`` and its like ask what an action would do in a
world whose rules are in the prompt: a test of reading rules. ``finchmark_lights_control`` leaves the rules out: nobody
can know the answers, and a model that is off one half there shows that the questions give something away. The
episodes of ``odyssey/…``, in which rules are found out by acting, are no single questions and run in Finchmark only.

lm-eval's standard error takes questions for independent. Two of them are about one world each; the ``world`` in every
document's log says which.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["include_path"]


def include_path() -> str:
    """The folder for lm-eval's ``--include_path`` or ``TaskManager(include_path=…)``."""
    return str(Path(__file__).parent)
