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
    Entry(
        name="window",
        target="finchmark.suite.agents.window:WindowAgent",
        summary="Shows the last turns of the episode only (window=8).",
    ),
    Entry(
        name="episodes",
        target="finchmark.suite.agents.episodes:EpisodesAgent",
        summary="Shows past episodes verbatim, the newest that fit.",
        origin="Monea et al. 2024, arXiv:2410.05362; Song et al. 2025, arXiv:2506.06303",
    ),
)
