"""The cores, a file each: what a world is made of. :mod:`..catalogue` lists them; nothing here is imported early."""
