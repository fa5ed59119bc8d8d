"""tasks/odyssey."""
