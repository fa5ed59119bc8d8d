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
        name="reflection",
        target="finchmark.suite.agents.reflection:ReflectionAgent",
        summary="Notes after each failed episode what went wrong; shows the last 3 notes.",
        origin="Reflexion, Shinn et al. 2023, arXiv:2303.11366",
    ),
    Entry(
        name="playbook",
        target="finchmark.suite.agents.playbook:PlaybookAgent",
        summary="Keeps short lessons that a reflector judges and a curator edits one by one.",
        origin="Agentic Context Engineering, Zhang et al. 2025, arXiv:2510.04618",
    ),
    Entry(
        name="mistakes",
        target="finchmark.suite.agents.mistakes:MistakesAgent",
        summary="Groups failures, writes a note on each group, keeps notes only if a batch goes better with them.",
        origin="Mistake Notebook Learning, Su et al. 2025, arXiv:2512.11485",
    ),
    Entry(
        name="cheatsheet",
        target="finchmark.suite.agents.cheatsheet:CheatsheetAgent",
        summary="Rewrites one text after every episode.",
        origin="Dynamic Cheatsheet, Suzgun et al. 2025, arXiv:2504.07952",
    ),
    Entry(
        name="skills",
        target="finchmark.suite.agents.skills:SkillsAgent",
        summary="Writes a skill after each success, looks up those that fit (form=code: programs, run in the sandbox).",
        origin="Voyager, Wang et al. 2023, arXiv:2305.16291",
    ),
    Entry(
        name="replay",
        target="finchmark.suite.agents.replay:ReplayAgent",
        summary="Shows the past episodes most like the present one, successes first.",
        origin="Sarukkai et al. 2025, arXiv:2505.00234",
    ),
    Entry(
        name="tabular",
        target="finchmark.suite.agents.tabular:TabularAgent",
        summary="No model: a table of what options did, and ways through it.",
        origin="R-max, Brafman and Tennenholtz 2002; Sutton and Barto 2018, chapter 8",
    ),
    Entry(
        name="bandit",
        target="finchmark.suite.agents.bandit:BanditAgent",
        summary="No model: UCB1 over the names of options.",
        origin="UCB1, Auer, Cesa-Bianchi and Fischer 2002",
    ),
    Entry(
        name="least-squares",
        target="finchmark.suite.agents.least_squares:LeastSquaresAgent",
        summary="No model: ridge regression on the visible numbers, for tasks whose options follow one.",
        origin="Ridge regression, Hoerl and Kennard 1970",
    ),
    Entry(
        name="self-consistency",
        target="finchmark.suite.agents.voting:VotingAgent",
        summary="Several replies a turn, and the action that most give (votes=5, or tokens=N an episode).",
        origin="Self-consistency, Wang et al. 2022, arXiv:2203.11171",
    ),
    Entry(
        name="best-of-n",
        target="finchmark.suite.agents.best_of_n:BestOfAgent",
        summary="Several replies a turn, of which the model takes the best (n=4, by=asking or likelihood).",
        origin="Universal Self-Consistency, Chen et al. 2023, arXiv:2311.17311",
    ),
    Entry(
        name="lookahead",
        target="finchmark.suite.agents.lookahead:LookaheadAgent",
        summary="Imagines continuations and takes the first action of the best that recurs (k=4, depth=2).",
        origin="Language Agent Tree Search, Zhou et al. 2023, arXiv:2310.04406",
    ),
    Entry(
        name="toolmaker",
        target="finchmark.suite.agents.toolmaker:ToolmakerAgent",
        summary="Writes small tools after episodes, calls them later (expressions; form=code: Python, in the sandbox).",
        origin="Large Language Models as Tool Makers, Cai et al. 2023, arXiv:2305.17126",
    ),
    Entry(
        name="workflows",
        target="finchmark.suite.agents.workflows:WorkflowsAgent",
        summary="Searches over workflows (single, ensemble, debate, verify) by their episodes' scores.",
        origin="AFlow, Zhang et al. 2024, arXiv:2410.10762",
    ),
)
