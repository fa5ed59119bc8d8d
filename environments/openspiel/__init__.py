"""Games of OpenSpiel (Lanctot and others 2019, arXiv 1908.09453) in words. Importing this package registers its ids."""

from __future__ import annotations

import gymnasium

from ..catalogue import CATALOGUE

__all__: list[str] = []

for _entry in CATALOGUE:
    # Gymnasium warns when an id is registered again, as happens when this module is reloaded.
    if _entry.target.startswith(__name__ + ".") and _entry.name not in gymnasium.registry:
        gymnasium.register(id=_entry.name, entry_point=_entry.target)
