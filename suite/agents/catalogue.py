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
    Entry(
        name="tabular",
        target="finchmark.suite.agents.tabular:TabularAgent",
        summary="No model: a table of what options did, and ways through it.",
        origin="Sutton and Barto 2018, chapter 8; Brafman and Tennenholtz 2002",
    ),
    Entry(
        name="bandit",
        target="finchmark.suite.agents.bandit:BanditAgent",
        summary="No model: UCB1 over the names of options.",
        origin="Auer, Cesa-Bianchi and Fischer 2002",
    ),
    Entry(
        name="least-squares",
        target="finchmark.suite.agents.least_squares:LeastSquaresAgent",
        summary="No model: ridge regression on the visible numbers, for tasks whose options follow one.",
        origin="Hoerl and Kennard 1970",
    ),
)
