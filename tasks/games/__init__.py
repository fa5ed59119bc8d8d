"""Games of OpenSpiel: how exploitable a model plays, and programs that look for equilibria."""
