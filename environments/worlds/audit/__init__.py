"""The audit: named checks that a world must pass before it is registered, a file for each check."""
