"""One run, or several, for people to read: in the terminal, as pages with figures, as Markdown for a CI job."""
