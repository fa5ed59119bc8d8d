"""Experiments: what is asked, in which arms, how it is scored. ``catalogue`` lists them."""
