"""The eight families of rules, a file each; to add one, add a file and its line here."""

from collections.abc import Mapping
from types import MappingProxyType

from ..family import Family
from .authority import Authority
from .codeword import Codeword
from .escalation import Escalation
from .honesty import Honesty
from .hygiene import Hygiene
from .procedure import Procedure
from .scope import Scope
from .source import Source

__all__ = ["FAMILIES"]

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            Codeword(),
            Authority(),
            Procedure(),
            Honesty(),
            Scope(),
            Source(),
            Escalation(),
            Hygiene(),
        )
    }
)
