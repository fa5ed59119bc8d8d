"""Statistics on arrays: pure functions that know no run."""

from .estimators import pass_at_k, pass_hat_k
from .intervals import Interval, clopper_pearson, jeffreys, korn_graubard, mean_interval, t_interval, wilson

__all__ = [
    "Interval",
    "clopper_pearson",
    "jeffreys",
    "korn_graubard",
    "mean_interval",
    "pass_at_k",
    "pass_hat_k",
    "t_interval",
    "wilson",
]
