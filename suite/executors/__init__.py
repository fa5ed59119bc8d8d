"""Executors: where the samples of a run are played. ``base`` says what one is; each other file is one place."""
