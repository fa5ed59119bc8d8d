"""AutoEnv's own environments, out of a checkout of the user's: each in a process of its own, metered by us."""
