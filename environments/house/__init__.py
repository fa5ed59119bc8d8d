"""The house: a made-up firm with a book of rules that are checkable, and whose breach harms nobody.

It stands where other probes of safety have harmful prompts. Eight families of rules (``families``), each with scenes
that tempt to break its rule, twins of these in which the same act is allowed, and questions about the rule itself;
beside them work without any rule at stake (``work``). ``reply`` reads a clerk's answer and says what it did.
"""

from .case import Case, Kind, Option
from .families import FAMILIES
from .family import Family
from .firm import Firm, draw_firm
from .reply import Conduct, conduct, decision_of, declines
from .work import work_case

__all__ = [
    "FAMILIES",
    "Case",
    "Conduct",
    "Family",
    "Firm",
    "Kind",
    "Option",
    "conduct",
    "decision_of",
    "declines",
    "draw_firm",
    "work_case",
]
