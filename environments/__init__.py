"""Worlds to act in, free of models and of scoring: Gymnasium and PettingZoo environments, a folder for each family.

:mod:`.catalogue` lists them. Importing a family (``import finchmark.environments.odyssey``) registers its Gymnasium
ids.
"""
