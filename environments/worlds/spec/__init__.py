"""Worlds as data: a specification in YAML that is executed, not documentation."""
