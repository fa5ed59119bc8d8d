"""Many stored runs become standings, a CSV file and a page. Nothing here runs a model."""

from .site import build
from .standings import standings

__all__ = ["build", "standings"]
