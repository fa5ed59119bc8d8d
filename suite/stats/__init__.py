"""Statistics on arrays: pure functions that know no run.

Everything here is imported on first use. Where a module and its function share a name (``bootstrap``), take it from the
module: ``from finchmark.suite.stats.bootstrap import bootstrap``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aggregates import (
        interquartile_mean,
        optimality_gap,
        performance_profile,
        probability_of_improvement,
        task_mean,
    )
    from .betting import betting_interval, betting_sequence
    from .bootstrap import bootstrap_difference
    from .change import change_point, mean_change, trend
    from .components import paired_components
    from .curves import forgetting, learning, score_curve
    from .decision import Decision, Gate, combine, decide
    from .diversity import reply_diversity
    from .estimators import best_of_k, pass_at_k, pass_hat_k, worst_of_k
    from .extrapolation import extrapolate
    from .greedy import concealed_risk, greedy_gap
    from .intervals import Interval, clopper_pearson, jeffreys, korn_graubard, mean_interval, t_interval, wilson
    from .letters import compact_letters
    from .margins import equivalence, inferiority, noninferiority, superiority
    from .multiplicity import benjamini_hochberg, holm, max_t
    from .no_events import rule_of_three
    from .paired import Difference, difference
    from .paired_tests import mcnemar, paired_t, sign_flip, wilcoxon
    from .power import detectable_effect, gate_chance, plan, t_power, units_needed
    from .prefix import FinishedPrefix, random_order
    from .ranks import pairwise, rank_models
    from .ratings import count_pairs, fit_ratings, rate_models
    from .sequential import SequentialGate, discordant_log_wealth
    from .survival import cumulative_incidence
    from .tails import tail_mean
    from .tango import clustered_tango_bounds, tango_bounds

_HOMES = {
    "Decision": "decision",
    "Difference": "paired",
    "FinishedPrefix": "prefix",
    "Gate": "decision",
    "Interval": "intervals",
    "SequentialGate": "sequential",
    "benjamini_hochberg": "multiplicity",
    "best_of_k": "estimators",
    "betting_interval": "betting",
    "betting_sequence": "betting",
    "bootstrap_difference": "bootstrap",
    "change_point": "change",
    "clopper_pearson": "intervals",
    "clustered_tango_bounds": "tango",
    "combine": "decision",
    "compact_letters": "letters",
    "concealed_risk": "greedy",
    "count_pairs": "ratings",
    "cumulative_incidence": "survival",
    "decide": "decision",
    "detectable_effect": "power",
    "difference": "paired",
    "discordant_log_wealth": "sequential",
    "equivalence": "margins",
    "extrapolate": "extrapolation",
    "fit_ratings": "ratings",
    "forgetting": "curves",
    "gate_chance": "power",
    "greedy_gap": "greedy",
    "holm": "multiplicity",
    "inferiority": "margins",
    "interquartile_mean": "aggregates",
    "jeffreys": "intervals",
    "korn_graubard": "intervals",
    "learning": "curves",
    "max_t": "multiplicity",
    "mcnemar": "paired_tests",
    "mean_change": "change",
    "mean_interval": "intervals",
    "noninferiority": "margins",
    "optimality_gap": "aggregates",
    "paired_components": "components",
    "paired_t": "paired_tests",
    "pairwise": "ranks",
    "pass_at_k": "estimators",
    "pass_hat_k": "estimators",
    "performance_profile": "aggregates",
    "plan": "power",
    "probability_of_improvement": "aggregates",
    "random_order": "prefix",
    "rank_models": "ranks",
    "rate_models": "ratings",
    "reply_diversity": "diversity",
    "rule_of_three": "no_events",
    "score_curve": "curves",
    "sign_flip": "paired_tests",
    "superiority": "margins",
    "t_interval": "intervals",
    "t_power": "power",
    "tail_mean": "tails",
    "tango_bounds": "tango",
    "task_mean": "aggregates",
    "trend": "change",
    "units_needed": "power",
    "wilcoxon": "paired_tests",
    "wilson": "intervals",
    "worst_of_k": "estimators",
}

__all__ = [
    "Decision",
    "Difference",
    "FinishedPrefix",
    "Gate",
    "Interval",
    "SequentialGate",
    "benjamini_hochberg",
    "best_of_k",
    "betting_interval",
    "betting_sequence",
    "bootstrap_difference",
    "change_point",
    "clopper_pearson",
    "clustered_tango_bounds",
    "combine",
    "compact_letters",
    "concealed_risk",
    "count_pairs",
    "cumulative_incidence",
    "decide",
    "detectable_effect",
    "difference",
    "discordant_log_wealth",
    "equivalence",
    "extrapolate",
    "fit_ratings",
    "forgetting",
    "gate_chance",
    "greedy_gap",
    "holm",
    "inferiority",
    "interquartile_mean",
    "jeffreys",
    "korn_graubard",
    "learning",
    "max_t",
    "mcnemar",
    "mean_change",
    "mean_interval",
    "noninferiority",
    "optimality_gap",
    "paired_components",
    "paired_t",
    "pairwise",
    "pass_at_k",
    "pass_hat_k",
    "performance_profile",
    "plan",
    "probability_of_improvement",
    "random_order",
    "rank_models",
    "rate_models",
    "reply_diversity",
    "rule_of_three",
    "score_curve",
    "sign_flip",
    "superiority",
    "t_interval",
    "t_power",
    "tail_mean",
    "tango_bounds",
    "task_mean",
    "trend",
    "units_needed",
    "wilcoxon",
    "wilson",
    "worst_of_k",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
