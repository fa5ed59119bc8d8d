"""Many stored runs become standings, tables and a site. Nothing here runs a model."""

from .entries import board_badges
from .site import build
from .standings import standings

__all__ = ["board_badges", "build", "standings"]
