"""environments/odyssey."""
