"""A wrapper around any task of single episodes: temperatures, samples and wordings, greedy beside sampled."""
