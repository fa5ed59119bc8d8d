"""One run, or several, for people to read: in the terminal (``terminal``)."""
