"""The learning formulation: candidates, how they are selected, optimised and evaluated, and the eight methods of it.

``finchmark learn methods`` runs them; from Python: :func:`.experiment.learn`.
"""
