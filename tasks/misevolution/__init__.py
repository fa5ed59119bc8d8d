"""Misevolution: whether what an agent keeps, writes and searches for makes it break rules that it knows."""
