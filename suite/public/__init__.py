"""Finchmark measures agents that change."""

__version__ = "0.1.0"
