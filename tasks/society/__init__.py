"""Societies: do agents that evolve among themselves keep to what they knew, and does what comes from outside matter?"""
