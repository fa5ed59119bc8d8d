"""Drift: do standing constraints and a goal outlast a long conversation that pulls the other way?"""
