"""Agents: a state that acts through a model, learns, snapshots and restores."""

from .base import Action, Agent, Observation

__all__ = ["Action", "Agent", "Observation"]
