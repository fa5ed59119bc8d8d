"""Generated worlds: dynamics x reward x observation x skin. Importing this package registers their Gymnasium ids.

Only worlds that have passed their audit are registered: those with a scale in ``scales/``, which
``finchmark worlds audit NAME --write`` makes. ``docs/worlds/authoring.md`` tells how to add one.
"""

from __future__ import annotations

import gymnasium

from .catalogue import WORLDS
from .scale import has_scale

__all__: list[str] = []

for _line in WORLDS:
    _id = f"finchmark-worlds/{_line.name}-v1"
    # Gymnasium warns when an id is registered again, as happens when this module is reloaded.
    if _id not in gymnasium.registry and has_scale(_line.name):
        gymnasium.register(
            id=_id, entry_point="finchmark.environments.worlds.env:WorldEnv", kwargs={"world": _line.name}
        )
