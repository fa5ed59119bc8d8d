"""``stochastic/house``: the frozen probes of the house, wrapped."""

from __future__ import annotations

from .task import make_task

__all__ = ["House"]

House = make_task("stochastic/house")
"""The class, made as every wrapped task's is."""
