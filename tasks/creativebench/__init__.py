"""CreativeBench: programs that must work and must not be what everybody writes."""
