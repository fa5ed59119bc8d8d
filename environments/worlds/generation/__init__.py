"""Worlds without a model: a sampler of specifications, and a search for levels that are hard but can be solved."""
