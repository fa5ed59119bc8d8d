"""Learning: streams of episodes that an agent lives through, and what it gains by it."""
