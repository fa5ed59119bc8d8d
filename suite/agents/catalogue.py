"""The agents that ship with Finchmark."""

from ..registry import Entry

CATALOGUE = (
    Entry(
        name="history",
        target="finchmark.suite.agents.history:HistoryAgent",
        summary="Shows the model the whole episode so far (window=N: its last N turns). The default.",
    ),
    Entry(
        name="stateless",
        target="finchmark.suite.agents.history:StatelessAgent",
        summary="Shows the model the instructions and the present observation only.",
    ),
)
