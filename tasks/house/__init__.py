"""Cases of the house as items of tasks: what probes of safety are made of."""
