"""The harness: records, seeds, store, engine, broker, backends, agents, statistics and the command line."""
