"""Alignment tipping: do rewards or the choices of others make agents drop a rule that they were told?"""
