"""OdysseyArena's worlds as tasks: rules must be found by acting (arXiv 2602.05843), or are given, as a second arm."""
