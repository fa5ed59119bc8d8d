"""An agent of your own: finchmark run odyssey/lights --include examples/counting_agent.py --agent counting ..."""

from finchmark.suite.agents.remembering import RememberingAgent
from finchmark.suite.records import Record


class Tally(Record):
    """What is remembered: task, action, and how often it was done in episodes that were solved."""

    counts: tuple[tuple[str, str, int], ...] = ()


class CountingAgent(RememberingAgent[Tally]):
    """Counts the actions of solved episodes and shows the most frequent ones."""

    name = "counting"
    heading = "What you did in episodes that you solved:"

    def __init__(self, most: int = 10):
        super().__init__(Tally())
        self.most = most

    def memory(self, observation):
        """Is put between the instructions and the episode."""
        return "\n".join(f"{task}: {action} ({times} times)" for task, action, times in self.state.counts)

    async def learn(self, experience, model):
        """Is called after every episode; says in words what was changed."""
        if not experience.feedback.solved:
            return ""
        counts = {(task, action): times for task, action, times in self.state.counts}
        for step in experience.steps:
            if step.usable and step.action:
                key = (experience.task, step.action[:40])
                counts[key] = counts.get(key, 0) + 1
        best = sorted(counts, key=lambda key: -counts[key])[: self.most]
        tally = Tally(counts=tuple((*key, counts[key]) for key in best))
        return self.become(tally, f"counted the actions of {experience.id}")
