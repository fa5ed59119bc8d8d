"""Official sets of harmful prompts, from a user's own copy alone: are they refused? Nothing of them is shipped."""
