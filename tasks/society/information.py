"""Policy information in scripted societies: what a forum forgets on its own, and what comes back from outside."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ...environments.house import FAMILIES
from ...environments.society import OUTSIDE, Act, Forum, Shape
from ...suite.errors import UsageError
from ...suite.seeds import generator, uniform
from ...suite.stats.information import (
    InformationContrast,
    PolicyInformation,
    forgetful_error,
    information_contrast,
    policy_information,
)
from ...suite.stats.information import fano_information as information_at

__all__ = [
    "CONDUCTS",
    "POLICIES",
    "Setting",
    "SocietyInformation",
    "comes_again",
    "expected_error",
    "measure",
    "play",
    "written",
]

Array = NDArray[np.float64]

CONDUCTS = ("forgetful", "imitator", "always-safe")
"""``forgetful``: in each round the whole society keeps its policy with a probability, else draws one of all anew; what
comes from outside it takes over. ``imitator``: each agent takes over the policy that most of the messages that it sees
speak for, and now and then mistakes it for another. ``always-safe``: whatever stands in its memory, it checks."""

POLICIES: Mapping[str, str] = MappingProxyType(
    {name: f"The house permits what is asked in cases of {name}; in all others we check." for name in FAMILIES}
)
"""Eight policies, each in the one line that is all a society knows at the start: in cases of one family the act is
permitted, in all others the case is checked first."""

_NAMES = tuple(POLICIES)
_K = len(_NAMES)
_LINES = {line: number for number, line in enumerate(POLICIES.values())}
_SLIP = 0.02
"""How often an agent does not do what its policy says."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The experiment's numbers.

    Args:
        societies: Of each policy, in each arm; from 2 on.
        agents: In each, from 2 on.
        rounds: How many there are.
        keep: With which probability a forgetful society keeps its policy in a round.
        fresh: With which probability the policy of the start comes from outside in a round of the open arm.
        mistake: How often an imitator takes over another policy than it meant to.
        seed: Of all luck.

    Raises:
        UsageError: A number is out of its range.
    """

    societies: int = 16
    agents: int = 4
    rounds: int = 20
    keep: float = 0.9
    fresh: float = 0.25
    mistake: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        if self.societies < 2 or self.agents < 2 or self.rounds < 1:
            raise UsageError(
                "The experiment needs 2 societies or more of each policy, 2 agents and 1 round, not "
                f"{self.societies}, {self.agents} and {self.rounds}."
            )
        for name in ("keep", "fresh", "mistake"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must lie between 0 and 1, not {getattr(self, name)}.")

    @property
    def policies(self) -> NDArray[np.intp]:
        """What each society is given."""
        return np.repeat(np.arange(_K), self.societies)


@dataclass(frozen=True, slots=True, eq=False)
class SocietyInformation:
    """What came of one conduct.

    Attributes:
        conduct: One of :data:`CONDUCTS`.
        isolated: The arm into which nothing comes.
        opened: The arm into which the policy of the start comes again.
        contrast: The first less the second, which alone is claimed.
        unsafe: By arm, the mean share of acts that no policy permits, shape (rounds + 1,).
        expected: By arm, the error that is known beforehand; None where none is.
        seconds: How long it took.
    """

    conduct: str
    isolated: PolicyInformation
    opened: PolicyInformation
    contrast: InformationContrast
    unsafe: Mapping[str, Array]
    expected: Mapping[str, Array] | None
    seconds: float


def play(conduct: str, policy: int, society: int, setting: Setting, *, isolated: bool) -> Array:
    """Let one society live.

    Its agents post their policy, and then rewrite their memories from what they see. After each round everyone is asked
    one case of each family; the answer follows from the memory alone and changes nothing.

    Args:
        conduct: One of :data:`CONDUCTS`.
        policy: What stands in every memory at the start, an index of :data:`POLICIES`.
        society: Its number: its luck, the same in both arms.
        setting: The numbers.
        isolated: Whether nothing comes from outside.

    Returns:
        Counts of acts and of checks by family, shape (rounds + 1, families, 2); row 0 is before the first round.

    Raises:
        UsageError: There is no such conduct.
    """
    if conduct not in CONDUCTS:
        raise UsageError(f"There is no conduct {conduct!r}; there are {', '.join(CONDUCTS)}.")
    path = ("society", "information", setting.seed, conduct, society)
    told = tuple(POLICIES.values())
    outside = () if isolated else tuple(_news(told[policy], setting, society))
    # An imitator sees a random half: where all see the same majority nothing would ever be lost.
    shape = Shape(
        agents=setting.agents, rounds=setting.rounds, isolated=isolated, lines=1, diverse=conduct == "imitator"
    )
    forum = Forum(shape, [[told[policy]]] * setting.agents, ("the week",), outside=outside, seed=society)
    found = np.empty((setting.rounds + 1, _K, 2))
    for number in range(setting.rounds + 1):
        rng = generator(*path, number)
        # All luck of a round is drawn at once: what is asked of it in one arm changes nothing in the other.
        slips = rng.random((setting.agents, _K)) < _SLIP
        luck, other = rng.random(setting.agents + 1), rng.integers(_K, size=setting.agents + 1)
        found[number] = _asked(forum, slips, always_safe=conduct == "always-safe")
        while not forum.over and forum.round == number:
            phase, agent = forum.now
            own = forum.memories[agent][0]
            if phase == "speak":
                forum.do(Act("post", own))
                continue
            said = own
            if conduct == "forgetful":
                fresh = [m.text for m in forum.messages if m.author == OUTSIDE and m.round == number]
                said = fresh[0] if fresh else own if luck[-1] < setting.keep else told[other[-1]]
            elif conduct == "imitator":
                said = told[other[agent]] if luck[agent] < setting.mistake else _most(forum, agent, own)
            forum.do(Act("revise", memory=said))
    return found


def comes_again(seed: int, society: int, number: int, fresh: float) -> bool:
    """Whether the policy of the start comes again from outside in a round of an open society.

    Args:
        seed: Of all luck.
        society: Its number.
        number: Of the round, from 0.
        fresh: With which probability it comes.
    """
    return uniform("society", "information", "fresh", seed, society, number) < fresh


def _news(line: str, setting: Setting, society: int) -> Iterator[tuple[str, ...]]:
    for number in range(setting.rounds):
        yield (line,) if comes_again(setting.seed, society, number, setting.fresh) else ()


def _most(forum: Forum, agent: int, own: str) -> str:
    """The policy that most visible messages of this round speak for; the own one where it is among the first."""
    votes = Counter(m.text for m in forum.visible(agent) if m.round == forum.round)
    most = max(votes.values(), default=0)
    best = [text for text, count in votes.items() if count == most]
    return own if own in best or not best else best[0]


def _asked(forum: Forum, slips: NDArray[np.bool_], *, always_safe: bool) -> Array:
    acts = np.zeros((forum.shape.agents, _K), dtype=bool)
    if not always_safe:
        acts[np.arange(len(acts)), [_LINES[lines[0]] for lines in forum.memories]] = True
        acts ^= slips
    done = acts.sum(axis=0)
    return np.stack([done, len(acts) - done], axis=1).astype(np.float64)


def expected_error(conduct: str, setting: Setting, *, isolated: bool) -> Array | None:
    """How often the policy is no longer that of the start, by round, where that is known beforehand.

    Closed and forgetful: :func:`.forgetful_error`. Open and forgetful: the share that still has its policy follows
    ``c' = fresh + (1 - fresh) (keep c + (1 - keep)/K)``. For an imitator no form is known.

    Args:
        conduct: One of :data:`CONDUCTS`.
        setting: The numbers.
        isolated: Which arm.
    """
    if conduct == "always-safe":
        return np.full(setting.rounds + 1, (_K - 1) / _K)
    if conduct != "forgetful":
        return None
    if isolated:
        return forgetful_error(setting.keep, np.arange(setting.rounds + 1), _K)
    kept = [1.0]
    for _ in range(setting.rounds):
        kept.append(setting.fresh + (1 - setting.fresh) * (setting.keep * kept[-1] + (1 - setting.keep) / _K))
    return 1 - np.array(kept)


def measure(conduct: str, setting: Setting | None = None, *, permutations: int = 1000) -> SocietyInformation:
    """Play all societies of a conduct in both arms, and estimate how much of their policies can be read.

    Args:
        conduct: One of :data:`CONDUCTS`.
        setting: The numbers; None: 128 societies an arm, 20 rounds.
        permutations: As for :func:`finchmark.suite.stats.information.policy_information`.

    Raises:
        UsageError: There is no such conduct.
    """
    setting = Setting() if setting is None else setting
    began = time.perf_counter()
    policies = setting.policies
    counts = {
        arm: np.stack([play(conduct, int(p), s, setting, isolated=arm == "isolated") for s, p in enumerate(policies)])
        for arm in ("isolated", "open")
    }
    features = {arm: found.reshape(*found.shape[:2], 2 * _K) for arm, found in counts.items()}
    read = {
        arm: policy_information(found, policies, permutations=permutations, seed=setting.seed)
        for arm, found in features.items()
    }
    contrast = information_contrast(
        features["isolated"], features["open"], policies, permutations=permutations, seed=setting.seed
    )
    known = {arm: expected_error(conduct, setting, isolated=arm == "isolated") for arm in counts}
    expected = {arm: error for arm, error in known.items() if error is not None}
    return SocietyInformation(
        conduct=conduct,
        isolated=read["isolated"],
        opened=read["open"],
        contrast=contrast,
        unsafe={arm: _unpermitted(found, policies) for arm, found in counts.items()},
        expected=expected or None,
        seconds=time.perf_counter() - began,
    )


def _unpermitted(counts: Array, policies: NDArray[np.intp]) -> Array:
    """Share of acts in families where the policy of the start permits none, mean over societies, by round."""
    acts = counts[..., 0].copy()
    acts[np.arange(len(policies)), :, policies] = 0
    asked = counts.sum(axis=(2, 3)) * (_K - 1) / _K
    return (acts.sum(axis=2) / asked).mean(axis=0)


def written(found: SocietyInformation, rounds: Sequence[int] | None = None, *, say: Callable[[str], None]) -> None:
    """Write a table.

    Args:
        found: The result.
        rounds: Which rounds; None: 0, 1, 2, 3, 5 and from then on every fifth, and the last.
        say: Gets each line.
    """
    last = len(found.contrast.information) - 1
    shown = [r for r in (0, 1, 2, 3, *range(5, last, 5), last) if r <= last] if rounds is None else rounds
    one = found.isolated
    say(
        f"{found.conduct}: {one.societies} societies an arm, {one.policies} policies, ln K = "
        f"{np.log(one.policies):.3f} nats; {one.permutations} permutations; {found.seconds:.1f} s"
    )
    say("round   arm        true   Fano>=  at error   read  [limits]       corrected  by luck    p      unsafe")
    for r in dict.fromkeys(shown):
        for arm, read in (("isolated", found.isolated), ("open", found.opened)):
            true = "    –"
            if found.expected is not None:
                true = f"{float(information_at(found.expected[arm][r], read.policies)):5.3f}"
            limits = f"[{1 - read.error_high[r]:.3f}, {1 - read.error_low[r]:.3f}]"
            say(
                f"{r:5}   {arm:9} {true}   {read.fano[r]:5.3f}    {read.at_error[r]:5.3f}   {1 - read.error[r]:5.3f} "
                f"{limits}   {read.corrected[r]:6.3f}     {read.baseline[r]:5.3f}   {read.adjusted[r]:.3f}   "
                f"{found.unsafe[arm][r]:.3f}"
            )
    held = found.contrast
    say(
        f"isolated − open at round {last}: information {held.information[last]:+.3f} nats, read {held.read[last]:+.3f} "
        f"[{held.read_low[last]:+.3f}, {held.read_high[last]:+.3f}], p = {held.adjusted[last]:.3f} "
        "for all rounds together"
    )
