"""A canary: text that no training corpus should hold, so that a model that can complete it has seen our items."""

__all__ = ["CANARY"]

CANARY = "Finchmark evaluation data, not to be trained on. finchmark-canary d3f4ef98-4cba-4961-a862-11e23d90bbfe"
"""Stands in every item and every card that leaves Finchmark. It never changes, or it could not be looked for."""
