"""The pipeline that makes harder items with a model: constraints by self-play, fused problems by reverse engineering.

What comes out are files for a person to look at. None is ever added to the shipped problems by this package.
"""
