"""Runs and items in the forms in which others share them: inspect-ai's logs, folders for Hugging Face ``datasets``."""
